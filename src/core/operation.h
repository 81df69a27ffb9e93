/*
 * operation: a supervisor's walk over its children: starting a set in order, stopping a set or
 * everything in reverse. Who belongs to the set is marked NODE_IN_SET; whom the walk waits for,
 * NODE_IN_TURN. Ordered: the nodes of one place at a time; parallel: all.
 */
#ifndef COPPICE_CORE_OPERATION_H
#define COPPICE_CORE_OPERATION_H

#include "core/tree.h"

/* Starts what is marked. `first`: it is the supervisor's own start. */
void operation_start_set(struct core *core, uint32_t supervisor, bool first);
/* Stops what is marked, with set_goal. */
void operation_stop_set(struct core *core, uint32_t supervisor);
/*
 * It is down and will not be started with the set. The restart would have ended a temporary one for
 * good, too: then it has not ended by itself (OTP 14, 27).
 */
void operation_leave_set(struct core *core, uint32_t id);
/* It waits for something of its own, and no set that will start it keeps it from that. */
void operation_leave_old_set(struct core *core, uint32_t id);
/* Stops every child; marks and queue are void. */
void operation_stop_all(struct core *core, uint32_t supervisor);
/* Goes as far as it can; whether the operation is still on. */
bool operation_advance(struct core *core, uint32_t supervisor);
/* A start in it has failed: the rest is not tried (OTP 18); what was not tried stays marked. */
void operation_abandon(struct core *core, uint32_t supervisor);
/* The walk waits for this node no more. */
void operation_turn_over(struct core *core, uint32_t id);
/* Whether the supervisor would start this member of a set. */
bool operation_may_start(const struct core *core, uint32_t id);

#endif
