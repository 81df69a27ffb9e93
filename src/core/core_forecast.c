/* forecast.h: asks those who will decide. */
#include "core/forecast.h"

#include "core/backoff.h"
#include "core/failure.h"
#include "core/operation.h"
#include "core/strategy.h"
#include "core/super.h"

/* Whether its supervisor looks at failures at all (OTP 33). */
static bool
is_looked_after(const struct core *core, uint32_t id)
{
	enum core_state above = node_get(core, node_get(core, id)->parent)->state;

	return above == STATE_STARTING || above == STATE_RUNNING;
}

/*
 * Whether an end without anything special, of a child with a status that no list names, is a
 * failure to its supervisor.
 */
static enum core_outcome
outcome_of_end(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);
	enum end_kind kind = node->kind == KIND_SUPERVISOR ? END_SHUTDOWN
	    : node->state == STATE_STARTING                ? END_FAILED_START
							   : END_ABNORMAL;
	enum core_reason reason =
	    node->kind == KIND_SUPERVISOR ? REASON_INTENSITY : REASON_START_FAILED;

	if (node->pending & PENDING_FAILURE)
		return OUTCOME_RESTART;
	if (super_aborts(core, id, kind))
		return OUTCOME_ESCALATE;
	return super_fate(core, id, kind, &reason) == STATE_RESTARTING ? OUTCOME_RESTART
								       : OUTCOME_NOTHING;
}

/* A set that waits now, and that this failure would join. */
static bool
joins(const struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	return super_get(core, supervisor)->wait != WAIT_NONE && !node_has(core, id, NODE_IN_SET) &&
	    !strategy_is_single(node_spec(core, supervisor));
}

bool
core_forecast_takes(const struct core *core, uint32_t id, uint32_t sibling)
{
	bool up = !node_is_down(core, sibling);

	if (node_get(core, sibling)->parent != node_get(core, id)->parent)
		return false;
	if (sibling == id)
		return true;
	if (up &&
	    (!node_has(core, sibling, NODE_WANTED) ||
		node_spec(core, sibling)->restart == RESTART_TEMPORARY))
		return false; /* stopped with the others, and not started */
	return failure_takes(core, id, sibling) ||
	    (joins(core, id) && node_has(core, sibling, NODE_IN_SET));
}

static void
name_set(const struct core *core, uint32_t id, struct core_forecast *out)
{
	for (uint32_t m = node_get(core, out->supervisor)->first; m != CORE_NONE;
	     m = node_get(core, m)->next) {
		if (!core_forecast_takes(core, id, m))
			continue;
		if (out->set_count++ == 0)
			out->set_first = m;
	}
}

static span_ms
joint_delay(const struct core *core, mono_ms now, uint32_t id, span_ms delay)
{
	if (!joins(core, id))
		return delay;
	return failure_set_start(core, node_get(core, id)->parent, span_after(now, delay)) - now;
}

static void
predict(const struct core *core, mono_ms now, uint32_t id, struct core_forecast *out)
{
	span_ms least = 0, most = 0;

	out->outcome = failure_outcome(core, now, id, false, &out->streak);
	if (out->outcome == OUTCOME_ESCALATE) {
		out->streak = 0;
		return;
	}
	if (out->outcome == OUTCOME_LIMIT) {
		out->on_limit = node_spec(core, out->supervisor)->on_limit;
		if (out->on_limit == LIMIT_ESCALATE || out->on_limit == LIMIT_TERMINATE)
			return;
	}
	name_set(core, id, out);
	if (out->outcome == OUTCOME_RESTART)
		backoff_range(node_spec(core, id), out->streak, &least, &most);
	else if (out->on_limit == LIMIT_BACKOFF)
		least = most = failure_limit_wait(core, now, id);
	else
		return;
	out->delay_min = joint_delay(core, now, id, least);
	out->delay_max = joint_delay(core, now, id, most);
}

static mono_ms
not_before(const struct core *core, mono_ms now)
{
	return now > core->head.now ? now : core->head.now;
}

void
core_forecast(const struct core *core, mono_ms now, uint32_t id, struct core_forecast *out)
{
	*out = (struct core_forecast){ .outcome = OUTCOME_NOTHING,
		.supervisor = node_get(core, id)->parent,
		.set_first = CORE_NONE };
	if (id == CORE_ROOT)
		out->outcome = OUTCOME_ESCALATE;
	else if (is_looked_after(core, id))
		out->outcome = outcome_of_end(core, id);
	if (out->outcome == OUTCOME_RESTART)
		predict(core, not_before(core, now), id, out);
}

void
core_budget(const struct core *core, mono_ms now, uint32_t supervisor, struct core_budget *out)
{
	const struct core_spec *spec = node_spec(core, supervisor);
	struct intensity window = failure_window(core, not_before(core, now), supervisor);
	const mono_ms *stamps = core->stamps + super_get(core, supervisor)->stamps;

	*out = (struct core_budget){ .intensity = spec->intensity,
		.used = window.count,
		.period = spec->period,
		.next_free = intensity_next_free(&window, stamps, spec->period) };
}
