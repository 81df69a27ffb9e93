#include "core/goal.h"

#include "core/node.h"
#include "lib/must.h"

bool
goal_outranks(enum node_goal new, enum node_goal old)
{
	static const uint8_t rank[GOAL_COUNT] = {
		[GOAL_NONE] = 0,
		[GOAL_FAILED_START] = 1,
		[GOAL_ENDED] = 1,
		[GOAL_START] = 2,
		[GOAL_ESCALATE] = 3,
		[GOAL_AUTO] = 3,
		[GOAL_ABORT] = 3,
		[GOAL_RESTARTING] = 4,
		[GOAL_FINISHED] = 4,
		[GOAL_GIVEN_UP] = 5,
		[GOAL_TERMINATE] = 5,
		[GOAL_STOPPED] = 6,
		[GOAL_LEAVE] = 7,
	};

	return rank[new] > rank[old];
}

void
goal_settle(struct core *core, uint32_t id, enum node_goal goal, enum core_reason reason)
{
	enum core_state state = node_get(core, id)->state;
	bool done = state == STATE_FINISHED || state == STATE_FAILED;

	switch (goal) {
	case GOAL_STOPPED:
		if ((!done && state != STATE_STOPPED) || reason == REASON_OPERATOR)
			node_set_state(core, id, STATE_STOPPED, reason);
		return;
	case GOAL_RESTARTING:
		/*
		 * One that is restarting already keeps the reason of its own failure, unless the
		 * limit is why it waits, or was.
		 */
		if (state != STATE_RESTARTING || reason == REASON_LIMIT ||
		    node_get(core, id)->reason == REASON_LIMIT)
			node_set_state(core, id, STATE_RESTARTING, reason);
		return;
	case GOAL_FINISHED: node_set_state(core, id, STATE_FINISHED, reason); return;
	case GOAL_GIVEN_UP:
		if (!done && state != STATE_STOPPED)
			node_set_state(core, id, STATE_FAILED, reason);
		if (state != STATE_STOPPED) /* later groups pass over it, tried or not */
			node_unmark(core, id, NODE_FIRST);
		return;
	case GOAL_NONE:
	case GOAL_FAILED_START:
	case GOAL_START:
	case GOAL_ENDED:
	case GOAL_ESCALATE:
	case GOAL_AUTO:
	case GOAL_TERMINATE:
	case GOAL_ABORT:
	case GOAL_LEAVE:
	case GOAL_COUNT: never("a goal that is no state");
	}
}

void
goal_start_again(struct core *core, uint32_t id, enum core_reason reason)
{
	bool still = tree_is_still(core, id);
	bool demanded = node_has(core, id, NODE_DEMANDED);

	goal_settle(core, id, still ? GOAL_RESTARTING : GOAL_STOPPED, reason);
	if (demanded) /* it is asked for as it was before */
		node_mark(core, id, NODE_DEMANDED);
	if (!still)
		node_start(core, id, reason);
}
