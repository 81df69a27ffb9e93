/*
 * exits: what comes from the reaper. Messages are peeked, handed to the core, committed, and only
 * then taken off the link. A number that has been committed is never handled again. An exit whose
 * process may still be in the hands of a spawner thread makes the link wait until that start is
 * over: bounded, as the process is dead.
 */
#ifndef COPPICE_ENGINE_EXITS_H
#define COPPICE_ENGINE_EXITS_H

#include "wire/link.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct exits;

/*
 * For a core with all its nodes; NULL when memory is gone. Nothing of it allocates later. Does not
 * watch the link yet.
 */
struct exits *exits_new(struct engine *engine);
void exits_free(struct exits **exits);
/* Begins to watch the link in the engine's loop. */
void exits_watch(struct exits *exits);

/* The node whose process through exec has that PID; CORE_NONE when there is none. */
uint32_t exits_node(const struct exits *exits, int32_t pid);
/* The node's process is another than that with the PID `old`, whose exit will mean nothing. */
void exits_change(struct exits *exits, uint32_t node, int32_t old);
/*
 * Before exits_handle, and before the number of the exit is counted in the commit to come: what the
 * process had said until then is handled and committed (notify).
 */
void exits_hear(struct exits *exits, const struct link_exit *exit);
/* From now on the exit of this process is that of the node. */
void exits_track(struct exits *exits, int32_t pid, uint32_t node);
/*
 * One exit, for the commit to come; of a process that is no node's: nothing. False when the node's
 * start is not over: exits_resume (and so orphaned_resume) comes when it is.
 */
bool exits_handle(struct exits *exits, const struct link_exit *exit);
/* The same for the process that the node has, if it is tracked; whoever else may have its PID. */
void exits_end(struct exits *exits, uint32_t node, int32_t status);
/*
 * Handles what is in the link. True when it was empty then (or the reaper is gone); false when
 * there is more than one turn's share, or it waits for a start.
 */
bool exits_poll(struct exits *exits);
/* Whether the link waits for a start to be over; exits_resume: one is. */
bool exits_is_deferred(const struct exits *exits);
void exits_resume(struct exits *exits);

#endif
