/*
 * goal: what a node that is being stopped becomes when it is down, and which of two goals wins.
 */
#ifndef COPPICE_CORE_GOAL_H
#define COPPICE_CORE_GOAL_H

#include "core/tree.h"

/*
 * Whether, for a node that is stopping already, `new` replaces `old`: people over sets, sets over
 * what concerns one node.
 */
bool goal_outranks(enum node_goal new, enum node_goal old);
/*
 * Gives a node that is down (or just came down) the state of a goal: STOPPED, RESTARTING, FINISHED
 * or GIVEN_UP. What was done or given up before stays so, unless an operator asked.
 */
void goal_settle(struct core *core, uint32_t id, enum node_goal goal, enum core_reason reason);

/*
 * GOAL_START: starts it again; where nothing may start now, it waits as `restarting` for the end of
 * the hold, or for its stop.
 */
void goal_start_again(struct core *core, uint32_t id, enum core_reason reason);

#endif
