/*
 * failure: what follows from a failure: counted against the intensity, delayed by the backoff,
 * carried to the set that the strategy names, or to the supervisor itself. Called for one failure
 * at a time, when its supervisor's queue has come to it.
 */
#ifndef COPPICE_CORE_FAILURE_H
#define COPPICE_CORE_FAILURE_H

#include "core/forecast.h"
#include "core/tree.h"

/*
 * What a failure at `now` comes to (RESTART, LIMIT, ESCALATE) and the streak that it makes. stable:
 * after a run of stable_after.
 */
enum core_outcome failure_outcome(
    const struct core *core, mono_ms now, uint32_t id, bool stable, uint32_t *streak);
/* Whether it touches the sibling. */
bool failure_takes(const struct core *core, uint32_t failed, uint32_t member);
/* When a set starts that is to start at `at`: not before a delay is over that runs already. */
mono_ms failure_set_start(const struct core *core, uint32_t supervisor, mono_ms at);
/* How long it waits when the limit is hit, with on_limit = backoff. */
span_ms failure_limit_wait(const struct core *core, mono_ms now, uint32_t id);
/* The restarts that count at `now`. */
struct intensity failure_window(const struct core *core, mono_ms now, uint32_t supervisor);

/* The failure of a node that is `restarting`, waiting for this. */
void failure_handle(struct core *core, uint32_t id);
/*
 * Restarts a node together with whom its supervisor's strategy names, at once and uncounted (an
 * operator's restart --group).
 */
void failure_restart_group(struct core *core, uint32_t id);
/* A significant child has ended for good: does its supervisor end too? */
void failure_significant(struct core *core, uint32_t id);
/* The delay of a node that restarts by itself (one_for_one) is over. */
void failure_due(struct core *core, uint32_t id);
/* If the supervisor's waiting set is due, begins its start. Whether it did. */
bool failure_set_due(struct core *core, uint32_t supervisor);
/*
 * An operator wants the waiting set, or what was given up together with this node, now. If a limit
 * has put it down: with an empty window, streaks 0.
 */
void failure_start_set_now(struct core *core, uint32_t id);
/* Forgets the restarts counted so far. */
void failure_clear_window(struct core *core, uint32_t supervisor);

#endif
