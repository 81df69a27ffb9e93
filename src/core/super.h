/*
 * super: the machine of one supervisor.
 *
 * A supervisor does one operation at a time (enum operation): the first start of its children,
 * stopping the set of a group restart, starting that set, or stopping everything. What happens
 * meanwhile waits in its queue in order of arrival: failures, significant ends, operators' starts
 * and restarts. Under one_for_one each child is an operation of its own and only the stop of
 * everything is the supervisor's.
 *
 * An operation is a walk over the children: a cursor, and the place whose nodes it waits for
 * (instances of a template share a place, so they go together). The walk is driven by what is:
 * SUPER_STEP looks at the operation and goes as far as it can. Whoever changes a child wakes the
 * supervisor (tree_wake). START and STOP, which one machine may hand to another, only mark and
 * wake: so there is no recursion, however deep the tree.
 *
 * A group restart stops the set at once; then the set waits (enum set_wait) until its delay is
 * over; then it is started. With no delay the stop and the start are one operation, as in OTP.
 * During the delay failures are handled, and join the set.
 *
 * Ends: whatever makes a supervisor end (operator, parent, limit, automatic shutdown, a start that
 * is aborted) is OPERATION_STOP_ALL with a goal; when all children are down the goal says what the
 * supervisor becomes and what its parent learns.
 */
#ifndef COPPICE_CORE_SUPER_H
#define COPPICE_CORE_SUPER_H

#include "core/tree.h"

/* X(enumerator, meaning) */
#define SUPER_EVENTS(X)                                 \
	X(SUPER_START, "its parent wants it up now")    \
	X(SUPER_STOP, "it is to end, with a goal")      \
	X(SUPER_STEP, "something below it has changed") \
	X(SUPER_TIMER, "its deadline has come: its own delay, or its set's")

#define X(name, meaning) name,
enum super_event_type {
	SUPER_EVENTS(X) SUPER_EVENT_COUNT
};
#undef X

struct super_event {
	enum super_event_type type;
	enum node_goal goal;     /* STOP */
	enum core_reason reason; /* START STOP */
};

void super_handle(struct core *core, uint32_t id, const struct super_event *event);

/* The supervisor state of node `id`, which must be a supervisor. */
const struct super *super_get(const struct core *core, uint32_t id);
struct super *super_touch(struct core *core, uint32_t id);

/* The last stage of a shutdown: KILL everywhere; what survives that for ten seconds is left behind. */
void super_hurry(struct core *core);
/* Asks the shell to leave, as head says. */
void super_leave(struct core *core);

/* How a node ended by itself. */
enum end_kind {
	END_NORMAL,       /* an end that is no failure for a transient one */
	END_ABNORMAL,     /* any other end of a process */
	END_FAILED_START, /* it never became ready */
	END_SHUTDOWN,     /* a supervisor: limit, escalation, automatic shutdown */
};

/*
 * What a node becomes that ended by itself; STATE_RESTARTING: it is a failure, and its supervisor
 * decides. May change the reason.
 */
enum core_state super_fate(
    const struct core *core, uint32_t id, enum end_kind kind, enum core_reason *reason);
/*
 * on_start_failure = abort: a child that cannot start, of any restart type, fails its supervisor's
 * own start (OTP 30).
 */
bool super_aborts(const struct core *core, uint32_t id, enum end_kind kind);
/*
 * A node below a supervisor, or a supervisor below another, has ended by itself: gives it its state
 * and queues what follows from it. `reason` is that of the end.
 */
void super_child_ended(struct core *core, uint32_t id, enum end_kind kind, enum core_reason reason);

#endif
