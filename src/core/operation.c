#include "core/operation.h"

#include "core/node.h"
#include "core/queue.h"
#include "core/super.h"

static void
begin(struct core *core, uint32_t supervisor, enum operation operation, uint32_t cursor)
{
	struct super *super = super_touch(core, supervisor);

	super->operation = (uint8_t)operation;
	super->cursor = cursor;
	super->in_turn = 0;
	tree_wake(core, supervisor);
}

static void
unmark_all(struct core *core, uint32_t supervisor, uint32_t marks)
{
	for (uint32_t id = node_get(core, supervisor)->first; id != CORE_NONE;
	     id = node_get(core, id)->next) {
		if (node_get(core, id)->marks & marks)
			node_unmark(core, id, marks);
	}
}

static void
join_turn(struct core *core, uint32_t supervisor, uint32_t id)
{
	struct super *super = super_touch(core, supervisor);

	super->turn = node_get(core, id)->place;
	super->in_turn++;
	node_mark(core, id, NODE_IN_TURN);
}

/*
 * The next place waits for all instances of a template, also for those that a failed sibling's set
 * has left alone.
 */
static void
join_unready_siblings(struct core *core, uint32_t supervisor)
{
	uint32_t place = super_get(core, supervisor)->set_low;

	for (uint32_t id = node_get(core, supervisor)->first; id != CORE_NONE;
	     id = node_get(core, id)->next) {
		const struct node *node = node_get(core, id);
		bool waits = node->state == STATE_WAITING && node->reason != REASON_AFTER &&
		    node->reason != REASON_DEMAND;
		bool one_shot = node_spec(core, id)->ready == READY_EXIT;
		bool ends = node->goal == GOAL_FAILED_START ||
		    (node->goal == GOAL_ENDED && (one_shot || node->end_kind == END_FAILED_START));
		bool unready =
		    node->state == STATE_STARTING || waits || ends || node->goal == GOAL_START;

		if (node->place == place && unready && !node_has(core, id, NODE_IN_SET))
			join_turn(core, supervisor, id);
	}
}

void
operation_start_set(struct core *core, uint32_t supervisor, bool first)
{
	struct super *super = super_touch(core, supervisor);

	super->wait = WAIT_NONE;
	super->immediate = 0;
	super->first_start = first;
	node_set_deadline(core, supervisor, MONO_NEVER);
	begin(core, supervisor, OPERATION_START, node_get(core, supervisor)->first);
	if (!first)
		join_unready_siblings(core, supervisor);
}

void
operation_stop_set(struct core *core, uint32_t supervisor)
{
	begin(core, supervisor, OPERATION_STOP_SET, node_get(core, supervisor)->last);
}

void
operation_stop_all(struct core *core, uint32_t supervisor)
{
	struct super *super = super_touch(core, supervisor);

	super->wait = WAIT_NONE;
	super->immediate = 0;
	super->first_start = 0;
	super->awaited = 0;
	unmark_all(core, supervisor, NODE_IN_SET | NODE_IN_TURN | NODE_FIRST | NODE_AWAITED);
	begin(core, supervisor, OPERATION_STOP_ALL, node_get(core, supervisor)->last);
}

void
operation_abandon(struct core *core, uint32_t supervisor)
{
	struct super *super = super_touch(core, supervisor);

	unmark_all(core, supervisor, NODE_IN_TURN);
	super->operation = OPERATION_NONE;
	super->cursor = CORE_NONE;
	super->in_turn = 0;
	super->first_start = 0;
}

void
operation_turn_over(struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;

	if (parent == CORE_NONE)
		return;
	tree_wake(core, parent);
	if (!node_has(core, id, NODE_IN_TURN))
		return;
	node_unmark(core, id, NODE_IN_TURN);
	super_touch(core, parent)->in_turn--;
}

/*
 * A group starts nobody whom an operator stopped, who is done as a temporary one, or given up; a
 * first start starts all wanted.
 */
bool
operation_may_start(const struct core *core, uint32_t id)
{
	if (!node_has(core, id, NODE_WANTED) || !node_is_down(core, id))
		return false;
	if (node_has(core, id, NODE_FIRST))
		return true;
	return node_get(core, id)->state != STATE_FAILED &&
	    node_spec(core, id)->restart != RESTART_TEMPORARY;
}

static bool
must_wait(const struct core *core, uint32_t supervisor, uint32_t id, enum core_order order)
{
	const struct super *super = super_get(core, supervisor);

	return order == ORDER_ORDERED && super->in_turn > 0 &&
	    node_get(core, id)->place != super->turn;
}

/* Those whose turn has not come show it. */
static void
show_waiting(struct core *core, uint32_t id)
{
	for (; id != CORE_NONE; id = node_get(core, id)->next) {
		if (node_get(core, id)->state == STATE_WAITING &&
		    node_get(core, id)->reason == REASON_TURN)
			return; /* shown before, and all after it */
		if (node_has(core, id, NODE_IN_SET | NODE_FIRST) && operation_may_start(core, id))
			node_set_state(core, id, STATE_WAITING, REASON_TURN);
	}
}

static bool
advance_start(struct core *core, uint32_t supervisor)
{
	enum core_order order = node_spec(core, supervisor)->start_order;
	enum core_reason reason =
	    super_get(core, supervisor)->first_start ? REASON_BOOT : REASON_GROUP;
	uint32_t id;

	while ((id = super_get(core, supervisor)->cursor) != CORE_NONE) {
		if (node_has(core, id, NODE_IN_SET) && must_wait(core, supervisor, id, order)) {
			show_waiting(core, id);
			return true;
		}
		super_touch(core, supervisor)->cursor = node_get(core, id)->next;
		if (!node_has(core, id, NODE_IN_SET))
			continue;
		node_unmark(core, id, NODE_IN_SET);
		if (!operation_may_start(core, id))
			continue;
		join_turn(core, supervisor, id);
		node_start(core, id, reason);
	}
	return super_get(core, supervisor)->in_turn > 0;
}

static enum node_goal
member_goal(const struct core *core, uint32_t supervisor, uint32_t id)
{
	enum node_goal goal = super_get(core, supervisor)->set_goal;

	if (goal == GOAL_RESTARTING && !node_is_down(core, id) && !node_has(core, id, NODE_FIRST) &&
	    node_spec(core, id)->restart == RESTART_TEMPORARY)
		return GOAL_FINISHED;
	return goal;
}

static void
stop_one(struct core *core, uint32_t supervisor, uint32_t id)
{
	bool all = super_get(core, supervisor)->operation == OPERATION_STOP_ALL;
	enum core_reason reason =
	    all ? REASON_SUPERVISOR : (enum core_reason)super_get(core, supervisor)->end_reason;

	queue_remove(core, id, all ? UINT8_MAX : PENDING_FAILURE);
	if (!all && super_get(core, supervisor)->set_goal == GOAL_RESTARTING)
		queue_remove(core, id, PENDING_SIGNIFICANT); /* it did not end for good */
	node_stop(core, id, all ? GOAL_STOPPED : member_goal(core, supervisor, id), reason, false);
	if (!node_is_down(core, id))
		join_turn(core, supervisor, id);
}

void
operation_leave_set(struct core *core, uint32_t id)
{
	node_unmark(core, id, NODE_IN_SET);
	if (node_spec(core, id)->restart == RESTART_TEMPORARY &&
	    super_get(core, node_get(core, id)->parent)->set_goal == GOAL_RESTARTING)
		queue_remove(core, id, PENDING_SIGNIFICANT);
}

/*
 * A set that was given up stays marked, for whoever starts one of it starts all; but it holds nobody
 * back who waits for something else. Nor does one that waits, whom it will not start.
 */
void
operation_leave_old_set(struct core *core, uint32_t id)
{
	const struct super *super = super_get(core, node_get(core, id)->parent);

	bool waits = super->wait != WAIT_NONE && operation_may_start(core, id);

	if (super->operation == OPERATION_NONE && !waits)
		node_unmark(core, id, NODE_IN_SET);
}

/* One that an operator has stopped meanwhile, or that ended and is temporary, is a member no more. */
static bool
is_member(struct core *core, uint32_t id)
{
	if (!node_has(core, id, NODE_IN_SET))
		return false;
	if (node_is_down(core, id) && !operation_may_start(core, id))
		operation_leave_set(core, id);
	return node_has(core, id, NODE_IN_SET);
}

static bool
advance_stop(struct core *core, uint32_t supervisor)
{
	bool all = super_get(core, supervisor)->operation == OPERATION_STOP_ALL;
	enum core_order order = node_spec(core, supervisor)->stop_order;
	uint32_t id;

	while ((id = super_get(core, supervisor)->cursor) != CORE_NONE) {
		if (must_wait(core, supervisor, id, order))
			return true;
		super_touch(core, supervisor)->cursor = node_get(core, id)->prev;
		if (!all && node_get(core, id)->place < super_get(core, supervisor)->set_low)
			super_touch(core, supervisor)->cursor = CORE_NONE;
		else if (all || is_member(core, id))
			stop_one(core, supervisor, id);
	}
	return super_get(core, supervisor)->in_turn > 0;
}

bool
operation_advance(struct core *core, uint32_t supervisor)
{
	bool on = false;

	switch ((enum operation)super_get(core, supervisor)->operation) {
	case OPERATION_NONE: return false;
	case OPERATION_START: on = advance_start(core, supervisor); break;
	case OPERATION_STOP_SET:
	case OPERATION_STOP_ALL: on = advance_stop(core, supervisor); break;
	}
	if (!on) {
		super_touch(core, supervisor)->operation = OPERATION_NONE;
		super_touch(core, supervisor)->first_start = 0;
	}
	return on;
}
