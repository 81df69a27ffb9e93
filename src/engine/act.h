/*
 * act: the only bridge from the core's decisions to the kernel. Actions are collected when an event
 * has been handled and carried out when its consequences are committed. Signals and starts go into
 * queues of their own, from which the loop takes a few a turn. An engine that dies with some in them
 * loses nothing: the next one is asked for them again (ON_RESUME).
 */
#ifndef COPPICE_ENGINE_ACT_H
#define COPPICE_ENGINE_ACT_H

#include "core/types.h"

#include <stdbool.h>
#include <stdint.h>

struct act;
struct engine;

/* For a core with all its nodes; NULL when memory is gone. Nothing of it allocates later. */
struct act *act_new(struct engine *engine);
void act_free(struct act **act);

/*
 * Takes all actions of the core; its facts become events, its kill-trees go into the commit to
 * come.
 */
void act_collect(struct act *act);
/* After the commit: carries out what was collected. */
void act_carry_out(struct act *act);

/*
 * Sends queued signals for about share_us microseconds and makes queued starts for as long, each at
 * least one. Whether something is left that can be done now.
 */
bool act_some(struct act *act, int64_t share_us);
/*
 * In a new engine, after ON_RESUME and before any exit is looked at: answers those queued starts
 * that the dead engine had already made.
 */
void act_answer_made_starts(struct act *act);
/* spawn_done_fn; the context is the engine. */
void act_on_spawn_done(
    void *context, uint32_t slot, uint32_t incarnation, int32_t step, int32_t error);
/*
 * A node whose start is not over and whose process has, or had, that PID; CORE_NONE when there is
 * none. *from begins with 0 and leads to the next one.
 */
uint32_t act_pending_by_pid(const struct act *act, int32_t pid, uint32_t *from);

/* DO_EXIT has been committed: the daemon is to leave; *out says how. */
bool act_is_leaving(const struct act *act, struct core_action *out);

#endif
