/*
 * checkpoint: the engine's state in a memory file that the reaper keeps, so that an engine may die at any instruction.
 *
 * Order, and why each moment of death is harmless (kill -9 ends the engine between two instructions; memory stays as
 * the program had written it):
 *
 *   1. exits are peeked, not taken; the core decides     dead here: nothing has changed; the new engine peeks them again
 *   2. the journal is filled                             dead here: `committed` is old, the journal is not looked at
 *   3. committed = n                                     dead here: the new engine applies the journal, n is the truth
 *   4. applied in place, applied = n                     dead here: applying twice writes the same bytes
 *   5. the exits are taken off the link                  dead before: their numbers are ≤ exit_number and are skipped
 *   6. kill-trees are carried out, acted = n             dead before: those of n are in its journal and repeated
 *   7. signals are sent, one by one, some in later turns dead before: the core asks for them again (ON_RESUME)
 *   8. starts are made, one by one                       dead before: the core asks again, the process table tells that
 *                                                        this incarnation has no process; dead after: it tells that it has
 *
 * The process table is written in place by the kernel and by half-made children; only PROCESS_ENDED is set by a commit, before
 * anything of the next incarnation is written. Events go into slots of the ring beyond event_number, which the commit then moves.
 */
#ifndef COPPICE_ENGINE_CHECKPOINT_H
#define COPPICE_ENGINE_CHECKPOINT_H

#include "core/core.h"
#include "wire/image.h"

#include <stdbool.h>
#include <stdint.h>

struct checkpoint;

/* The specs that a checkpoint belongs to. */
struct checkpoint_specs {
	uint64_t size, hash;
};
struct checkpoint_specs checkpoint_specs_of(const void *text, size_t size);

/*
  * A new one for the core as it stands (all added), with so many slots for processes (hooks.h) and
 * nothing committed. 0 or a negative errno.
 */
int checkpoint_new(struct checkpoint **out, const struct core *core, uint32_t slots, uint64_t seed,
    const struct checkpoint_specs *specs, uint32_t events);
/*
 * Takes over that of a dead engine (the descriptor passes) and applies what was committed but not
 * applied. 0 or a negative errno with a static text in *problem: it is damaged, or belongs to other
 * specs or to another version; it is left as it is.
 */
int checkpoint_open(
    struct checkpoint **out, int fd, const struct checkpoint_specs *specs, const char **problem);
void checkpoint_free(struct checkpoint **checkpoint);
int checkpoint_fd(const struct checkpoint *checkpoint);
/*
 * Whether a tree may be running that it describes: something was committed to it, or it is damaged,
 * so that nobody knows.
 */
bool checkpoint_is_committed(int fd);

uint64_t checkpoint_seed(const struct checkpoint *checkpoint);
struct image_process *checkpoint_processes(struct checkpoint *checkpoint);
/*
 * Loads all of it into a core made from the same specs and seed. 0 or -EINVAL when it is another
 * tree, or damaged: the core is of no use then.
 */
int checkpoint_load(const struct checkpoint *checkpoint, struct core *core);
uint32_t checkpoint_slots(const struct checkpoint *checkpoint);

/* What the next commit will commit; change it freely before. */
struct image_state *checkpoint_state(struct checkpoint *checkpoint);
/*
 * With the next commit: the node's process has ended; what is left of the group, or in the node's
 * cgroup, is to be killed (checkpoint_act_kills).
 */
void checkpoint_add_ended(struct checkpoint *checkpoint, uint32_t node);
void checkpoint_add_kill(struct checkpoint *checkpoint, int32_t pid);
void checkpoint_add_kill_tree(struct checkpoint *checkpoint, uint32_t node);
void checkpoint_commit(struct checkpoint *checkpoint, struct core *core);

/*
 * Calls kill for each checkpoint_add_kill of the last commit, and kill_tree for each
 * checkpoint_add_kill_tree, unless that has been done, and notes that it is done.
 */
void checkpoint_act_kills(struct checkpoint *checkpoint, void (*kill)(int32_t pid),
    void (*kill_tree)(void *context, uint32_t node), void *context);

/* The slot of an event, whether written or not; the ring has checkpoint_events slots. */
struct image_event *checkpoint_event(struct checkpoint *checkpoint, uint64_t number);
uint32_t checkpoint_events(const struct checkpoint *checkpoint);
/* The newest event that is in the log; not part of commits. */
uint64_t *checkpoint_logged(struct checkpoint *checkpoint);

#endif
