#include "core/super.h"

#include "core/child.h"
#include "core/command.h"
#include "core/failure.h"
#include "core/goal.h"
#include "core/node.h"
#include "core/operation.h"
#include "core/queue.h"
#include "core/strategy.h"
#include "lib/must.h"

#define EXIT_ESCALATED  70
#define EXIT_UNKILLABLE 71
#define KILL_GRACE_MS   10000 /* between KILL everywhere and leaving whatever is left behind */
#define SIGNAL_BASE     128

typedef void super_step(struct core *core, uint32_t id, const struct super_event *event);

const struct super *
super_get(const struct core *core, uint32_t id)
{
	must(core->nodes[id].super != CORE_NONE);
	return &core->supers[core->nodes[id].super];
}

struct super *
super_touch(struct core *core, uint32_t id)
{
	must(core->nodes[id].super != CORE_NONE);
	tree_touch(core, CORE_AREA_SUPERS, core->nodes[id].super);
	return &core->supers[core->nodes[id].super];
}

/*
 * A supervisor that starts begins with an empty window; what is below it with streaks 0 (its own is
 * its parent's to keep).
 */
static void
begin(struct core *core, uint32_t id, const struct super_event *event)
{
	struct super *super = super_touch(core, id);

	if (node_get(core, id)->parent != CORE_NONE)
		queue_remove(core, id, UINT8_MAX);
	node_touch(core, id)->incarnation++;
	node_touch(core, id)->goal = GOAL_NONE;
	node_unmark(core, id, NODE_STABLE | NODE_FIRST);
	node_set_state(core, id, STATE_STARTING, event->reason);
	failure_clear_window(core, id);
	super->awaited = 0;
	for (uint32_t child = node_get(core, id)->first; child != CORE_NONE;
	     child = node_get(core, child)->next) {
		node_touch(core, child)->streak = 0;
		if (!node_has(core, child, NODE_WANTED))
			continue;
		node_mark(core, child, NODE_FIRST | NODE_IN_SET | NODE_AWAITED);
		super->awaited++;
	}
	operation_start_set(core, id, true);
}

static void
settle(struct core *core, uint32_t id, const struct super_event *event)
{
	goal_settle(core, id, event->goal, event->reason);
	operation_turn_over(core, id);
}

static void
end(struct core *core, uint32_t id, const struct super_event *event)
{
	node_note_stable(core, id);
	node_touch(core, id)->goal = (uint8_t)event->goal;
	node_set_state(core, id, STATE_STOPPING, event->reason);
	operation_stop_all(core, id);
}

/*
 * The root's own end is final: nothing outranks it, so that an escalation never looks like an
 * orderly exit.
 */
static void
change_goal(struct core *core, uint32_t id, const struct super_event *event)
{
	struct node *node = node_touch(core, id);

	if (node->parent == CORE_NONE && node->goal >= GOAL_ESCALATE)
		return;
	if (!goal_outranks(event->goal, node->goal))
		return;
	node->goal = (uint8_t)event->goal;
	node->reason = (uint8_t)event->reason;
}

static void
start_again(struct core *core, uint32_t id, const struct super_event *event)
{
	node_touch(core, id)->goal = GOAL_START;
	node_touch(core, id)->reason = (uint8_t)event->reason;
}

static int32_t
exit_code(const struct core *core, uint32_t id)
{
	int32_t status = node_get(core, id)->status;

	if (!node_has(core, id, NODE_ENDED) || status == CORE_STATUS_UNKNOWN)
		return EXIT_ESCALATED;
	return status & 0x7f ? SIGNAL_BASE + (status & 0x7f) : status >> 8 & 0xff;
}

static void
leave(struct core *core, int32_t status, bool escalated, bool automatic)
{
	struct head *head = tree_head_touch(core);

	head->left = 1;
	head->exit_status = status;
	head->escalated = escalated;
	head->automatic = automatic;
	super_leave(core);
}

void
super_leave(struct core *core)
{
	tree_action(core, DO_EXIT, CORE_ROOT);
}

/* The root is down: the daemon leaves, unless an operator has only stopped the tree. */
static void
root_ended(struct core *core, enum node_goal goal, enum core_reason reason)
{
	switch (goal) {
	case GOAL_STOPPED: node_set_state(core, CORE_ROOT, STATE_STOPPED, reason); return;
	case GOAL_START:
		node_set_state(core, CORE_ROOT, STATE_STOPPED, reason);
		node_start(core, CORE_ROOT, reason);
		return;
	case GOAL_LEAVE:
		node_set_state(core, CORE_ROOT, STATE_STOPPED, reason);
		leave(core, 0, false, false);
		return;
	case GOAL_AUTO:
		node_set_state(core, CORE_ROOT, STATE_FINISHED, reason);
		leave(core, exit_code(core, CORE_ROOT), false, true);
		return;
	case GOAL_ESCALATE:
	case GOAL_TERMINATE:
	case GOAL_ABORT:
		node_set_state(core, CORE_ROOT, STATE_FAILED, reason);
		leave(core, EXIT_ESCALATED, true, false);
		return;
	case GOAL_NONE:
	case GOAL_RESTARTING:
	case GOAL_FINISHED:
	case GOAL_GIVEN_UP:
	case GOAL_FAILED_START:
	case GOAL_ENDED:
	case GOAL_COUNT: never("a goal that only a node with a supervisor can have");
	}
}

/* All children are down: the goal says what it becomes, and what its parent learns. */
static void
ended(struct core *core, uint32_t id)
{
	enum node_goal goal = node_get(core, id)->goal;
	enum core_reason reason = node_get(core, id)->reason;

	node_touch(core, id)->goal = GOAL_NONE;
	if (id == CORE_ROOT) {
		root_ended(core, goal, reason);
		return;
	}
	switch (goal) {
	case GOAL_STOPPED:
	case GOAL_RESTARTING:
	case GOAL_FINISHED:
	case GOAL_GIVEN_UP:
		goal_settle(core, id, goal, reason);
		operation_turn_over(core, id);
		return;
	case GOAL_START: goal_start_again(core, id, reason); return;
	case GOAL_ESCALATE:
	case GOAL_AUTO: super_child_ended(core, id, END_SHUTDOWN, reason); return;
	case GOAL_TERMINATE:
		node_set_state(core, id, STATE_FAILED, reason);
		operation_turn_over(core, id);
		return;
	case GOAL_ABORT: super_child_ended(core, id, END_FAILED_START, reason); return;
	case GOAL_NONE:
	case GOAL_FAILED_START:
	case GOAL_ENDED:
	case GOAL_LEAVE:
	case GOAL_COUNT: never("a goal that only a child or the root can have");
	}
}

/* The head of the queue, one thing of it. */
static bool
take_from_queue(struct core *core, uint32_t id)
{
	uint32_t child = super_get(core, id)->queue.head;
	uint8_t pending;

	if (child == CORE_NONE)
		return false;
	pending = node_get(core, child)->pending;
	if (pending & PENDING_FAILURE) {
		queue_remove(core, child, PENDING_FAILURE);
		failure_handle(core, child);
	} else if (pending & PENDING_SIGNIFICANT) {
		queue_remove(core, child, PENDING_SIGNIFICANT);
		failure_significant(core, child);
	} else {
		queue_remove(core, child, UINT8_MAX);
		command_run(core, child, pending);
	}
	return true;
}

static void
give_slots(struct core *core, uint32_t id)
{
	uint32_t limit = node_spec(core, id)->max_starting;

	while (
	    super_get(core, id)->slots.head != CORE_NONE && super_get(core, id)->starting < limit)
		node_start(core, super_get(core, id)->slots.head, REASON_SLOT);
}

/*
 * During a hold, and below a supervisor that is ending (OTP 33), a supervisor does nothing but stop
 * when it is told to.
 */
static bool
is_held(const struct core *core, uint32_t id)
{
	return super_get(core, id)->operation != OPERATION_STOP_ALL && tree_is_still(core, id);
}

/* One step of what there is to do; false when the supervisor must wait for something. */
static bool
work(struct core *core, uint32_t id)
{
	bool busy = operation_advance(core, id);

	if (node_get(core, id)->state == STATE_STOPPING) {
		if (!busy)
			ended(core, id);
		return false;
	}
	/* nobody whom a stop will come to */
	if (!busy || super_get(core, id)->operation == OPERATION_START)
		give_slots(core, id);
	if (busy && !strategy_is_single(node_spec(core, id)))
		return false;
	if (super_get(core, id)->immediate) {
		operation_start_set(core, id, false);
		return true;
	}
	return take_from_queue(core, id) || (!busy && failure_set_due(core, id));
}

static void
operate(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)event;
	if (is_held(core, id))
		return;
	while (work(core, id))
		;
	if (node_get(core, id)->state == STATE_STARTING && super_get(core, id)->awaited == 0) {
		node_set_state(core, id, STATE_RUNNING, REASON_NONE);
		operation_turn_over(core, id);
	}
}

static void
set_due(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)event;
	tree_wake(core, id);
}

static void
delay_over(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)event;
	failure_due(core, id);
}

/* Only the root has a deadline while it stops: shutdown_timeout. */
static void
hurry(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)event;
	must(id == CORE_ROOT);
	if (core->head.hurried) {
		/* A process that even KILL does not end (state D, a dead mount): nothing more can be done. */
		leave(core, EXIT_UNKILLABLE, false, false);
		return;
	}
	super_hurry(core);
}

void
super_hurry(struct core *core)
{
	tree_head_touch(core)->hurried = 1;
	node_stop(core, CORE_ROOT, GOAL_LEAVE, REASON_SHUTDOWN, true);
	if (node_get(core, CORE_ROOT)->state == STATE_STOPPING)
		node_set_deadline(core, CORE_ROOT, span_after(core->head.now, KILL_GRACE_MS));
}

static void
ignore(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)core;
	(void)id;
	(void)event;
}

static void
impossible(struct core *core, uint32_t id, const struct super_event *event)
{
	(void)core;
	(void)id;
	(void)event;
	never("an event that this state of a supervisor cannot see");
}

static super_step *const table[STATE_COUNT][SUPER_EVENT_COUNT] = {
	/*                     START        STOP         STEP     TIMER */
	[STATE_STOPPED] = { begin, settle, ignore, impossible },
	[STATE_WAITING] = { begin, settle, ignore, impossible },
	[STATE_STARTING] = { ignore, end, operate, set_due },
	[STATE_RUNNING] = { ignore, end, operate, set_due },
	[STATE_STOPPING] = { start_again, change_goal, operate, hurry },
	[STATE_RESTARTING] = { begin, settle, ignore, delay_over },
	[STATE_FINISHED] = { begin, settle, ignore, impossible },
	[STATE_FAILED] = { begin, settle, ignore, impossible },
};

void
super_handle(struct core *core, uint32_t id, const struct super_event *event)
{
	table[node_get(core, id)->state][event->type](core, id, event);
}

enum core_state
super_fate(const struct core *core, uint32_t id, enum end_kind kind, enum core_reason *reason)
{
	const struct core_spec *spec = node_spec(core, id);
	const struct node *node = node_get(core, id);
	bool has_status =
	    *reason == REASON_EXITED || *reason == REASON_ENDED_EARLY || *reason == REASON_OOM;
	bool one_shot = spec->kind == KIND_CHILD && spec->ready == READY_EXIT;

	if (has_status && kind != END_NORMAL &&
	    spec_exit_matches(&spec->escalate_exit, node->status))
		return STATE_RESTARTING;
	if (kind == END_NORMAL && spec->on_demand) {
		*reason = REASON_DEMAND;
		return STATE_WAITING;
	}
	if (spec->restart == RESTART_TEMPORARY && kind != END_SHUTDOWN)
		return kind == END_FAILED_START ? STATE_FAILED : STATE_FINISHED;
	if (kind == END_NORMAL && (one_shot || spec->restart == RESTART_TRANSIENT))
		return STATE_FINISHED;
	if (kind == END_SHUTDOWN && spec->restart != RESTART_PERMANENT)
		return *reason == REASON_AUTO_SHUTDOWN ? STATE_FINISHED : STATE_FAILED;
	if (has_status && spec_exit_matches(&spec->no_restart_exit, node->status)) {
		*reason = REASON_NO_RESTART;
		return STATE_FAILED;
	}
	return STATE_RESTARTING;
}

bool
super_aborts(const struct core *core, uint32_t id, enum end_kind kind)
{
	uint32_t parent = node_get(core, id)->parent;
	const struct super *super = super_get(core, parent);

	return kind == END_FAILED_START && super->first_start &&
	    super->operation == OPERATION_START && node_has(core, id, NODE_IN_TURN) &&
	    node_spec(core, parent)->on_start_failure == START_FAILURE_ABORT;
}

/*
 * A failed start ends its operation; under one_for_one it was only this child's, and nobody waits
 * for it any longer.
 */
static void
release_operation(struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;
	bool single = strategy_is_single(node_spec(core, parent));

	if (single && node_get(core, id)->state == STATE_RESTARTING)
		node_not_awaited(core, id);
	if (!single && node_get(core, id)->state == STATE_RESTARTING &&
	    node_has(core, id, NODE_IN_TURN) &&
	    super_get(core, parent)->operation == OPERATION_START)
		operation_abandon(core, parent);
	operation_turn_over(core, id);
}

/* A one-shot on demand has done what was to be done. */
static void
waits_again(struct core *core, uint32_t id)
{
	node_not_awaited(core, id);
	operation_leave_old_set(core, id);
}

void
super_child_ended(struct core *core, uint32_t id, enum end_kind kind, enum core_reason reason)
{
	uint32_t parent = node_get(core, id)->parent;
	enum core_state state = super_fate(core, id, kind, &reason);

	if (super_aborts(core, id, kind)) {
		node_set_state(core, id, STATE_FAILED, reason);
		node_stop(core, parent, GOAL_ABORT, REASON_ABORT, false);
		return;
	}
	node_set_state(core, id, state, reason);
	release_operation(core, id);
	if (state == STATE_RESTARTING)
		queue_add(core, id, PENDING_FAILURE);
	else if (state == STATE_WAITING)
		waits_again(core, id);
	else if (node_spec(core, id)->significant &&
	    node_spec(core, parent)->auto_shutdown != AUTO_NEVER)
		queue_add(core, id, PENDING_SIGNIFICANT);
}
