#include "core/command.h"

#include "core/failure.h"
#include "core/gate.h"
#include "core/node.h"
#include "core/operation.h"
#include "core/queue.h"
#include "core/strategy.h"
#include "core/super.h"

static bool
is_up(const struct core *core, uint32_t id)
{
	return node_get(core, id)->state == STATE_STARTING ||
	    node_get(core, id)->state == STATE_RUNNING;
}

/*
 * The delay is cut short: of the whole waiting set, or of this node alone. A failure not handled
 * yet comes first.
 */
static void
start_restarting(struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;

	if (parent != CORE_NONE && node_has(core, id, NODE_IN_SET)) {
		/*
		 * without a wait its set is to be started anyway, by a retry that is in the queue
		 * already
		 */
		if (super_get(core, parent)->wait != WAIT_NONE)
			failure_start_set_now(core, id);
		return;
	}
	if (parent != CORE_NONE && node_get(core, id)->reason == REASON_LIMIT)
		failure_clear_window(core, parent);
	node_start(core, id, REASON_OPERATOR);
}

static void
start_down(struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;
	const struct node *node = node_get(core, id);
	bool by_limit =
	    node->state == STATE_FAILED && node->reason == REASON_GIVEN_UP && parent != CORE_NONE;

	if (by_limit)
		failure_clear_window(core, parent);
	if (by_limit && !strategy_is_single(node_spec(core, parent)))
		failure_start_set_now(core, id);
	else
		node_start(core, id, REASON_OPERATOR);
}

static void
run_start(struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	switch ((enum core_state)node->state) {
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_WAITING: return;
	case STATE_STOPPING: node_start(core, id, REASON_OPERATOR); break;
	case STATE_RESTARTING: start_restarting(core, id); break;
	case STATE_STOPPED:
	case STATE_FINISHED:
	case STATE_FAILED: start_down(core, id); break;
	case STATE_COUNT: break;
	}
	node_touch(core, id)->streak = 0;
}

static void
run_restart(struct core *core, uint32_t id, bool group)
{
	if (!is_up(core, id)) {
		run_start(core, id);
		return;
	}
	if (group && id != CORE_ROOT)
		failure_restart_group(core, id);
	else
		node_stop(core, id, GOAL_START, REASON_OPERATOR, false);
}

/* Its supervisor has an operation in hand (under one_for_one a child is an operation of its own). */
static bool
must_queue(const struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;

	if (parent == CORE_NONE)
		return false;
	return super_get(core, parent)->operation != OPERATION_NONE &&
	    !strategy_is_single(node_spec(core, parent));
}

static bool
parent_is_up(const struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;

	return parent == CORE_NONE || is_up(core, parent);
}

void
command_run(struct core *core, uint32_t id, uint32_t pending)
{
	if (pending & (PENDING_RESTART | PENDING_RESTART_GROUP))
		run_restart(core, id, pending & PENDING_RESTART_GROUP);
	else if (pending & PENDING_START)
		run_start(core, id);
}

static void
start_one(struct core *core, uint32_t id)
{
	enum core_state state = node_get(core, id)->state;

	gate_ask(core, id);
	if (!parent_is_up(core, id) || tree_is_still(core, id) || state == STATE_WAITING)
		return; /* the wish is enough: it starts with its supervisor, or when its turn comes */
	if (must_queue(core, id) && (!is_up(core, id) || node_has(core, id, NODE_IN_SET)))
		queue_add(core, id, PENDING_START);
	else
		run_start(core, id);
}

/*
 * A supervisor's start means its subtree: who is wanted there but given up or delayed starts too.
 */
static void
start_below(struct core *core, uint32_t top)
{
	for (uint32_t id = tree_walk(core, top, top); id != CORE_NONE;
	     id = tree_walk(core, top, id)) {
		enum core_state state = node_get(core, id)->state;

		if (!node_has(core, id, NODE_WANTED) || node_has(core, id, NODE_FIRST))
			continue;
		if (state == STATE_FAILED || state == STATE_RESTARTING)
			start_one(core, id);
	}
}

/*
 * A start of a supervisor is none of its `autostart = no` children, also where somebody had started
 * them before.
 */
static void
forget_manual_starts(struct core *core, uint32_t top)
{
	for (uint32_t id = tree_walk(core, top, top); id != CORE_NONE;
	     id = tree_walk(core, top, id)) {
		if (node_spec(core, id)->autostart || !node_has(core, id, NODE_WANTED))
			continue;
		node_unmark(core, id, NODE_WANTED);
		if (node_get(core, id)->state == STATE_STOPPED)
			node_set_state(core, id, STATE_STOPPED, REASON_AUTOSTART);
	}
}

/* Also of all below it; marked only where it changes, since each mark is another item to save. */
static void
set_drained(struct core *core, uint32_t top, bool drained)
{
	for (uint32_t id = top; id != CORE_NONE; id = tree_walk(core, top, id)) {
		if (node_has(core, id, NODE_DRAINED) == drained)
			continue;
		if (drained)
			node_mark(core, id, NODE_DRAINED);
		else
			node_unmark(core, id, NODE_DRAINED);
	}
}

/* Records it; the node is wanted, for all that it does, and its failures so far are forgotten. */
static void
accept(struct core *core, uint32_t id, enum core_event_type command)
{
	tree_record(core, RECORD_OPERATOR, id, (int32_t)command, 0);
	node_touch(core, id)->streak = 0;
	node_mark(core, id, NODE_WANTED);
	set_drained(core, id, false);
}

void
command_start(struct core *core, uint32_t id)
{
	bool was_up = is_up(core, id);

	accept(core, id, ON_START);
	if (!was_up)
		forget_manual_starts(core, id);
	start_one(core, id);
	if (was_up && node_get(core, id)->kind == KIND_SUPERVISOR)
		start_below(core, id);
}

/*
 * A failure in the queue may have ended the start of its set, to begin it anew: when it is void,
 * the others go on.
 */
static void
drop_pending(struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;
	bool failed = node_get(core, id)->pending & PENDING_FAILURE;

	if (parent == CORE_NONE)
		return;
	queue_remove(core, id, UINT8_MAX);
	if (failed && parent_is_up(core, id) && !strategy_is_single(node_spec(core, parent)) &&
	    super_get(core, parent)->operation == OPERATION_NONE &&
	    super_get(core, parent)->wait == WAIT_NONE)
		operation_start_set(core, parent, false);
}

void
command_stop(struct core *core, uint32_t id, bool now, bool until_restart)
{
	tree_record(core, RECORD_OPERATOR, id, ON_STOP, 0);
	drop_pending(core, id);
	node_unmark(core, id, until_restart ? NODE_FIRST : NODE_WANTED | NODE_FIRST);
	node_stop(core, id, GOAL_STOPPED, REASON_OPERATOR, now);
	/* else an operation that is stopping its set still waits for it */
	if (node_is_down(core, id))
		node_unmark(core, id, NODE_IN_SET);
}

void
command_restart(struct core *core, uint32_t id, bool group)
{
	accept(core, id, ON_RESTART);
	if (!parent_is_up(core, id))
		return;
	if (!is_up(core, id))
		start_one(core, id);
	else if (must_queue(core, id))
		queue_add(core, id, group ? PENDING_RESTART_GROUP : PENDING_RESTART);
	else
		run_restart(core, id, group);
}

/* Whether it has failed, or a limit has put it down or is about to. */
static bool
is_put_down(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node->state == STATE_FAILED)
		return true;
	if (!node_has(core, id, NODE_WANTED))
		return false;
	if (node_has(core, id, NODE_IN_SET) && super_get(core, node->parent)->wait == WAIT_LIMIT)
		return true;
	return (node->state == STATE_RESTARTING || node->state == STATE_STOPPING) &&
	    (node->reason == REASON_LIMIT || node->reason == REASON_GIVEN_UP ||
		node->reason == REASON_INTENSITY);
}

void
command_reset(struct core *core, uint32_t id)
{
	bool put_down = is_put_down(core, id);

	tree_record(core, RECORD_OPERATOR, id, ON_RESET, 0);
	node_touch(core, id)->streak = 0;
	if (node_get(core, id)->kind == KIND_SUPERVISOR)
		failure_clear_window(core, id);
	if (!put_down)
		return;
	node_mark(core, id, NODE_WANTED);
	start_one(core, id);
}

void
command_drain(struct core *core, uint32_t id)
{
	tree_record(core, RECORD_OPERATOR, id, ON_DRAIN, 0);
	set_drained(core, id, true);
}

void
command_shutdown(struct core *core, bool now, span_ms timeout)
{
	tree_record(core, RECORD_OPERATOR, CORE_ROOT, ON_SHUTDOWN, 0);
	if (core->head.left)
		return;
	/* an operator had stopped it: nothing is left to stop */
	if (node_is_down(core, CORE_ROOT)) {
		tree_head_touch(core)->left = 1;
		super_leave(core);
		return;
	}
	if (now) {
		super_hurry(core);
		return;
	}
	node_stop(core, CORE_ROOT, GOAL_LEAVE, REASON_SHUTDOWN, false);
	if (timeout > 0 && node_get(core, CORE_ROOT)->deadline == MONO_NEVER)
		node_set_deadline(core, CORE_ROOT, span_after(core->head.now, timeout));
}
