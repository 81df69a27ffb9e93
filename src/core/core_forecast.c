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

/* When the failure comes, and whether the start before it takes room in the window first. */
struct moment {
	mono_ms at;
	bool counted;
};

/* Whether the start that it waits for comes after a limit, and so is counted itself. */
static bool
waits_for_room(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node_spec(core, node->parent)->intensity == 0)
		return false;
	return node_has(core, id, NODE_IN_SET) ? super_get(core, node->parent)->wait == WAIT_LIMIT
					       : node->reason == REASON_LIMIT;
}

/* Now; or, while it waits for its next start, in the moment of that. */
static struct moment
moment_of(const struct core *core, mono_ms now, uint32_t id)
{
	const struct node *node = node_get(core, id);
	struct moment moment = { .at = now };
	mono_ms start;

	if (node->state != STATE_RESTARTING || (node->pending & PENDING_FAILURE))
		return moment;
	start = node_has(core, id, NODE_IN_SET) ? node_get(core, node->parent)->deadline
						: node->deadline;
	if (start != MONO_NEVER && start > now)
		moment.at = start;
	moment.counted = waits_for_room(core, id);
	if (moment.counted) {
		struct intensity window = failure_window(core, moment.at, node->parent);
		moment.at =
		    intensity_room_at(&window, core->stamps + super_get(core, node->parent)->stamps,
			moment.at, node_spec(core, node->parent)->period);
	}
	return moment;
}

static enum core_outcome
outcome_at(
    const struct core *core, const struct moment *moment, uint32_t id, struct core_forecast *out)
{
	struct intensity window = failure_window(core, moment->at, out->supervisor);
	enum core_outcome outcome = failure_outcome(core, moment->at, id, false, &out->streak);

	if (outcome == OUTCOME_RESTART && moment->counted && window.count + 1 >= window.capacity)
		return OUTCOME_LIMIT;
	return outcome;
}

static span_ms
limit_wait(const struct core *core, const struct moment *moment, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;
	struct intensity window = failure_window(core, moment->at, supervisor);
	span_ms least = node_spec(core, id)->backoff_max;
	mono_ms free;

	if (!moment->counted)
		return failure_limit_wait(core, moment->at, id);
	/* the oldest that counts; that start itself, where it is the only one */
	free = window.count > 0
	    ? intensity_next_free(&window, core->stamps + super_get(core, supervisor)->stamps,
		  node_spec(core, supervisor)->period)
	    : span_after(moment->at, node_spec(core, supervisor)->period + 1);
	return free - moment->at > least ? free - moment->at : least;
}

static void
predict(const struct core *core, mono_ms now, uint32_t id, struct core_forecast *out)
{
	struct moment moment = moment_of(core, now, id);
	span_ms least = 0, most = 0;

	out->outcome = outcome_at(core, &moment, id, out);
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
		least = most = limit_wait(core, &moment, id);
	else
		return;
	out->delay_min = joint_delay(core, moment.at, id, least);
	out->delay_max = joint_delay(core, moment.at, id, most);
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

static bool
is_in_the_way(const struct core *core, enum core_reason reason, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (reason == REASON_TURN)
		return node_has(core, id, NODE_IN_TURN);
	return node->kind == KIND_CHILD && node->state == STATE_STARTING;
}

uint32_t
core_waits_for(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);
	enum core_reason reason = (enum core_reason)node->reason;
	uint32_t other = CORE_NONE;

	if (node->state == STATE_WAITING && (reason == REASON_TURN || reason == REASON_SLOT))
		other = node_get(core, node->parent)->first;
	while (other != CORE_NONE && !is_in_the_way(core, reason, other))
		other = node_get(core, other)->next;
	return other;
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
