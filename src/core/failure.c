#include "core/failure.h"

#include "core/backoff.h"
#include "core/node.h"
#include "core/operation.h"
#include "core/strategy.h"
#include "core/super.h"
#include "lib/must.h"

static mono_ms *
stamps_of(const struct core *core, uint32_t supervisor)
{
	return core->stamps + super_get(core, supervisor)->stamps;
}

struct intensity
failure_window(const struct core *core, mono_ms now, uint32_t supervisor)
{
	struct intensity window = super_get(core, supervisor)->window;

	intensity_prune(
	    &window, stamps_of(core, supervisor), now, node_spec(core, supervisor)->period);
	return window;
}

static void
stamp(struct core *core, uint32_t supervisor)
{
	struct super *super = super_touch(core, supervisor);

	super->window = failure_window(core, core->head.now, supervisor);
	tree_stamp_touch(core,
	    super->stamps +
		intensity_stamp(&super->window, stamps_of(core, supervisor), core->head.now));
}

/*
 * The start after a wait for room is counted like a restart; with intensity 0 there is nothing to
 * count with.
 */
static bool
take_room(struct core *core, uint32_t supervisor)
{
	struct intensity window = failure_window(core, core->head.now, supervisor);

	if (node_spec(core, supervisor)->intensity == 0)
		return true;
	if (!intensity_has_room(&window))
		return false;
	stamp(core, supervisor);
	return true;
}

static mono_ms
room_at(const struct core *core, mono_ms now, uint32_t supervisor)
{
	struct intensity window = failure_window(core, now, supervisor);

	return intensity_room_at(
	    &window, stamps_of(core, supervisor), now, node_spec(core, supervisor)->period);
}

span_ms
failure_limit_wait(const struct core *core, mono_ms now, uint32_t id)
{
	span_ms wait = room_at(core, now, node_get(core, id)->parent) - now;

	if (wait < node_spec(core, id)->backoff_max)
		wait = node_spec(core, id)->backoff_max;
	return wait < 1 ? 1 : wait;
}

void
failure_clear_window(struct core *core, uint32_t supervisor)
{
	intensity_clear(&super_touch(core, supervisor)->window);
}

/*
 * Who is stopped by an operator, done as a temporary one, or given up, does not belong; but one
 * whom an operator is stopping right now is waited for.
 */
bool
failure_takes(const struct core *core, uint32_t failed, uint32_t member)
{
	return strategy_takes(core, failed, member) &&
	    (!node_is_down(core, member) || operation_may_start(core, member));
}

static void
mark_set(struct core *core, uint32_t failed, enum node_goal goal)
{
	uint32_t supervisor = node_get(core, failed)->parent;
	struct super *super = super_touch(core, supervisor);
	bool waits = super->wait != WAIT_NONE;
	uint32_t low = node_get(core, strategy_first(core, failed))->place;

	super->set_goal = (uint8_t)goal;
	super->set_low = waits && super->set_low < low ? super->set_low : low;
	for (uint32_t id = strategy_first(core, failed); id != CORE_NONE;
	     id = node_get(core, id)->next) {
		if (!strategy_takes(core, failed, id))
			continue;
		if (failure_takes(core, failed, id))
			node_mark(core, id, NODE_IN_SET);
		else
			operation_leave_set(core, id);
	}
}

static void
stop_set(struct core *core, uint32_t failed, enum core_reason reason)
{
	uint32_t supervisor = node_get(core, failed)->parent;

	super_touch(core, supervisor)->end_reason = (uint8_t)reason;
	operation_stop_set(core, supervisor);
}

mono_ms
failure_set_start(const struct core *core, uint32_t supervisor, mono_ms at)
{
	mono_ms before = node_get(core, supervisor)->deadline;
	bool waits = super_get(core, supervisor)->wait != WAIT_NONE;

	return waits && before != MONO_NEVER && before > at ? before : at;
}

/*
 * The set is stopped now and starts after the delay, or when a longer one that runs already is
 * over.
 */
static void
restart_set(struct core *core, uint32_t failed, span_ms delay, enum set_wait wait)
{
	uint32_t supervisor = node_get(core, failed)->parent;
	struct super *super = super_touch(core, supervisor);
	mono_ms at = failure_set_start(core, supervisor, span_after(core->head.now, delay));

	mark_set(core, failed, GOAL_RESTARTING);
	super->immediate = delay == 0 && super->wait == WAIT_NONE;
	super->wait = (uint8_t)(super->wait == WAIT_LIMIT ? WAIT_LIMIT : wait);
	super->group_restarts++;
	node_set_deadline(core, supervisor, at > core->head.now ? at : MONO_NEVER);
	tree_record(
	    core, RECORD_GROUP_RESTARTING, supervisor, (int32_t)failed, at - core->head.now);
	stop_set(core, failed, super->wait == WAIT_LIMIT ? REASON_LIMIT : REASON_GROUP);
}

static void
restart_one(struct core *core, uint32_t id, span_ms delay)
{
	if (delay == 0)
		node_start(core, id, node_get(core, id)->reason);
	else
		node_set_deadline(core, id, span_after(core->head.now, delay));
}

static void
restart(struct core *core, uint32_t id, span_ms delay, enum set_wait wait)
{
	node_touch(core, id)->restarts++;
	tree_record(core, RECORD_RESTARTING, id, (int32_t)node_get(core, id)->streak, delay);
	if (strategy_is_single(node_spec(core, node_get(core, id)->parent)))
		restart_one(core, id, delay);
	else
		restart_set(core, id, delay, wait);
}

static void
wait_for_room(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;
	span_ms wait = failure_limit_wait(core, core->head.now, id);

	node_set_state(core, id, STATE_RESTARTING, REASON_LIMIT);
	tree_record(core, RECORD_LIMIT, supervisor, LIMIT_BACKOFF, wait);
	restart(core, id, wait, WAIT_LIMIT);
}

static void
give_up(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	tree_record(core, RECORD_LIMIT, supervisor, LIMIT_GIVE_UP, 0);
	if (strategy_is_single(node_spec(core, supervisor))) {
		node_set_state(core, id, STATE_FAILED, REASON_GIVEN_UP);
		return;
	}
	mark_set(core, id, GOAL_GIVEN_UP);
	super_touch(core, supervisor)->wait = WAIT_NONE;
	super_touch(core, supervisor)->immediate = 0;
	node_set_deadline(core, supervisor, MONO_NEVER);
	stop_set(core, id, REASON_GIVEN_UP);
}

static void
fail_supervisor(struct core *core, uint32_t supervisor, enum core_reason reason)
{
	tree_record(core, RECORD_ESCALATED, supervisor, (int32_t)reason, 0);
	node_stop(core, supervisor, GOAL_ESCALATE, reason, false);
}

static void
hit_limit(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	switch (node_spec(core, supervisor)->on_limit) {
	case LIMIT_ESCALATE: fail_supervisor(core, supervisor, REASON_INTENSITY); return;
	case LIMIT_BACKOFF: wait_for_room(core, id); return;
	case LIMIT_GIVE_UP: give_up(core, id); return;
	case LIMIT_TERMINATE:
		tree_record(core, RECORD_LIMIT, supervisor, LIMIT_TERMINATE, 0);
		node_stop(core, supervisor, GOAL_TERMINATE, REASON_INTENSITY, false);
		return;
	}
}

static span_ms
next_delay(struct core *core, uint32_t id)
{
	uint32_t streak = node_get(core, id)->streak;

	if (streak == 0)
		return 0;
	return backoff_delay(node_spec(core, id), streak, &tree_head_touch(core)->rng);
}

static bool
escalates(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node_spec(core, node->parent)->strategy == STRATEGY_ESCALATE)
		return true;
	return node_has(core, id, NODE_ENDED) &&
	    (node->reason == REASON_EXITED || node->reason == REASON_ENDED_EARLY ||
		node->reason == REASON_OOM) &&
	    spec_exit_matches(&node_spec(core, id)->escalate_exit, node->status);
}

/* A stable run is forgiven: the streak begins anew and this restart is immediate. */
enum core_outcome
failure_outcome(const struct core *core, mono_ms now, uint32_t id, bool stable, uint32_t *streak)
{
	struct intensity window = failure_window(core, now, node_get(core, id)->parent);

	*streak = node_get(core, id)->streak;
	if (escalates(core, id))
		return OUTCOME_ESCALATE;
	if (stable)
		*streak = 0;
	else if (*streak < UINT32_MAX)
		(*streak)++;
	return intensity_has_room(&window) ? OUTCOME_RESTART : OUTCOME_LIMIT;
}

void
failure_handle(struct core *core, uint32_t id)
{
	struct node *node = node_touch(core, id);

	switch (failure_outcome(
	    core, core->head.now, id, node_has(core, id, NODE_STABLE), &node->streak)) {
	case OUTCOME_ESCALATE: fail_supervisor(core, node->parent, REASON_ESCALATE); return;
	case OUTCOME_LIMIT: hit_limit(core, id); return;
	case OUTCOME_RESTART:
		stamp(core, node->parent);
		restart(core, id, next_delay(core, id), WAIT_DELAY);
		return;
	case OUTCOME_NOTHING: never("a failure that is none");
	}
}

void
failure_restart_group(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	if (strategy_is_single(node_spec(core, supervisor)) ||
	    node_spec(core, supervisor)->strategy == STRATEGY_ESCALATE) {
		node_stop(core, id, GOAL_START, REASON_OPERATOR, false);
		return;
	}
	node_mark(core, id, NODE_FIRST); /* also a temporary one: somebody asked for it */
	restart_set(core, id, 0, WAIT_DELAY);
}

static bool
holds_up(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (!node_spec(core, id)->significant)
		return false;
	if (node->state == STATE_STOPPING)
		return node->goal != GOAL_STOPPED;
	return !node_is_down(core, id) || node->state == STATE_RESTARTING ||
	    node->state == STATE_WAITING;
}

/* A failed start has none, nor has a supervisor's own failure; that of an earlier end is not told again. */
static bool
ended_with_status(const struct core *core, uint32_t id)
{
	enum core_reason reason = node_get(core, id)->reason;

	return node_has(core, id, NODE_ENDED) && reason != REASON_START_FAILED &&
	    reason != REASON_QUEUE_TIMEOUT && reason != REASON_INTENSITY &&
	    reason != REASON_ESCALATE && reason != REASON_ABORT;
}

void
failure_significant(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	switch (node_spec(core, supervisor)->auto_shutdown) {
	case AUTO_NEVER: return;
	case AUTO_ANY_SIGNIFICANT: break;
	case AUTO_ALL_SIGNIFICANT:
		for (uint32_t m = node_get(core, supervisor)->first; m != CORE_NONE;
		     m = node_get(core, m)->next) {
			if (holds_up(core, m))
				return;
		}
		break;
	}
	node_touch(core, supervisor)->status = node_get(core, id)->status;
	if (ended_with_status(core, id))
		node_mark(core, supervisor, NODE_ENDED);
	else
		node_unmark(core, supervisor, NODE_ENDED);
	node_stop(core, supervisor, GOAL_AUTO, REASON_AUTO_SHUTDOWN, false);
}

void
failure_due(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;

	if (tree_is_still(core, id)) /* a hold takes it up again when it ends, a stop ends it */
		return;
	if (node_get(core, id)->reason == REASON_LIMIT && !take_room(core, supervisor)) {
		node_set_deadline(core, id, room_at(core, core->head.now, supervisor));
		return;
	}
	node_start(core, id, node_get(core, id)->reason);
}

bool
failure_set_due(struct core *core, uint32_t supervisor)
{
	const struct super *super = super_get(core, supervisor);
	mono_ms deadline = node_get(core, supervisor)->deadline;

	if (super->wait == WAIT_NONE || (deadline != MONO_NEVER && deadline > core->head.now))
		return false;
	if (super->wait == WAIT_LIMIT && !take_room(core, supervisor)) {
		node_set_deadline(core, supervisor, room_at(core, core->head.now, supervisor));
		return false;
	}
	operation_start_set(core, supervisor, false);
	return true;
}

/* Whom the limit has put down begins anew; temporary ones too: somebody asked. */
static void
forgive_set(struct core *core, uint32_t supervisor, bool given_up)
{
	failure_clear_window(core, supervisor);
	for (uint32_t m = node_get(core, supervisor)->first; m != CORE_NONE;
	     m = node_get(core, m)->next) {
		const struct node *node = node_get(core, m);

		if (given_up && node->state == STATE_FAILED && node->reason == REASON_GIVEN_UP &&
		    node_has(core, m, NODE_WANTED)) {
			node_set_state(core, m, STATE_RESTARTING, REASON_OPERATOR);
			node_mark(core, m, NODE_IN_SET | NODE_FIRST);
		}
		if (node_has(core, m, NODE_IN_SET) && node->streak > 0)
			node_touch(core, m)->streak = 0;
	}
}

void
failure_start_set_now(struct core *core, uint32_t id)
{
	uint32_t supervisor = node_get(core, id)->parent;
	bool given_up = node_get(core, id)->state == STATE_FAILED;

	if (given_up || super_get(core, supervisor)->wait == WAIT_LIMIT)
		forgive_set(core, supervisor, given_up);
	operation_start_set(core, supervisor, false);
}
