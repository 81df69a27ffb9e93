/*
 * forecast: what the next failure of a node would do, and what is left of a supervisor's restarts.
 * Decided by the functions that will decide it; changes nothing.
 */
#ifndef COPPICE_CORE_FORECAST_H
#define COPPICE_CORE_FORECAST_H

#include "core/core.h"

enum core_outcome {
	OUTCOME_NOTHING, /* not restarted: it would be finished or failed, or nobody is there to care */
	OUTCOME_RESTART, /* it, or the set, after a delay */
	OUTCOME_LIMIT,   /* one too many for the supervisor's intensity: on_limit says what comes */
	/* the supervisor fails without looking at its intensity (strategy = escalate, on_start_failure
	   = abort); the failure of the root itself */
	OUTCOME_ESCALATE,
};

struct core_forecast {
	enum core_outcome outcome;
	/*
	 * RESTART, and LIMIT with backoff: until the start, from the failure on, at both edges of the
	 * jitter. Else 0.
	 */
	span_ms delay_min, delay_max;
	uint32_t streak; /* RESTART, LIMIT: of its failures in a row, this one included */
	/* whose rule decides and whose intensity is asked: its parent; CORE_NONE for the root */
	uint32_t supervisor;
	/*
	 * RESTART, and LIMIT with backoff or give_up: the first of those who would be restarted (or
	 * wait, or be given up) and how many; core_forecast_takes tells which. Else CORE_NONE and 0.
	 */
	uint32_t set_first, set_count;
	enum core_on_limit on_limit; /* LIMIT */
};

/*
 * The failure of a child (a crash, or a failed start while it starts) or of a supervisor (its
 * intensity was reached), at `now`, when it has run for less than stable_after. While it waits for
 * its next start: the failure of that start, in its moment. For a failure that has come but waits
 * to be handled: that one.
 */
void core_forecast(const struct core *core, mono_ms now, uint32_t id, struct core_forecast *out);
/* Whether a sibling (or the node itself) is in the set of a forecast that has one. */
bool core_forecast_takes(const struct core *core, uint32_t id, uint32_t sibling);

/*
 * Whom a node waits for that waits for its turn or for a start slot: the first sibling that its
 * supervisor's operation is at, or that has a slot. CORE_NONE: nobody, or it waits for something
 * else. Costs a look at each sibling at most.
 */
uint32_t core_waits_for(const struct core *core, uint32_t id);

struct core_budget {
	uint32_t intensity, used;
	span_ms period;
	mono_ms next_free; /* when the oldest restart leaves the window; MONO_NEVER: it is empty */
};
void core_budget(
    const struct core *core, mono_ms now, uint32_t supervisor, struct core_budget *out);

#endif
