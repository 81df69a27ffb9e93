/*
 * child: the machine of one process.
 *
 * A child is wished up or down (NODE_WANTED) by people; its supervisor turns wishes and failures
 * into CHILD_START and CHILD_STOP. The machine itself knows only one process: it asks for it, waits
 * until it is ready, watches its end, and takes it through the stop sequence. It never decides
 * about a restart: every end is told to the supervisor (super.h), which does.
 *
 *   down (stopped waiting restarting finished failed) --START--> starting --ready--> running
 *   starting, running --STOP--> stopping --gone--> what the goal says
 *   starting, running --end by itself--> super_child_ended() decides the state
 *
 * Hooks (hook.h) lengthen that: pre_start runs in `starting` before the process is asked for;
 * stop_command in `stopping` before the first signal, post_stop there after the end, also after
 * one that came by itself (GOAL_ENDED).
 *
 * A stop always wins: it needs no supervisor's permission and cancels whatever the node waited for.
 * While stopping, a later goal may replace an earlier one (goal_outranks). Events carry the
 * incarnation that they are about and are dropped before the table when it is not the present one
 * or has no process any more.
 */
#ifndef COPPICE_CORE_CHILD_H
#define COPPICE_CORE_CHILD_H

#include "core/tree.h"

/* X(enumerator, meaning) */
#define CHILD_EVENTS(X)                                              \
	X(CHILD_START, "its supervisor wants it up now")             \
	X(CHILD_STOP, "its supervisor or an operator wants it down") \
	X(CHILD_SPAWNED, "exec succeeded")                           \
	X(CHILD_SPAWN_FAILED, "no process came of it")               \
	X(CHILD_READY, "it said that it is ready")                   \
	X(CHILD_EXITED, "its process has ended")                     \
	X(CHILD_EXTEND, "its process asks for time")                 \
	X(CHILD_HOOK_DONE, "its hook has ended")                     \
	X(CHILD_TIMER, "the deadline of its state has come")

#define X(name, meaning) name,
enum child_event_type {
	CHILD_EVENTS(X) CHILD_EVENT_COUNT
};
#undef X

struct child_event {
	enum child_event_type type;
	enum node_goal goal;     /* STOP */
	enum core_reason reason; /* START STOP: of the new state */
	bool now;                /* STOP: KILL at once */
	int32_t status;          /* EXITED HOOK_DONE */
	bool oom;                /* EXITED */
	int32_t step, error;     /* SPAWN_FAILED HOOK_DONE */
	int32_t pid;             /* SPAWNED */
	span_ms timeout;         /* EXTEND */
};

void child_handle(struct core *core, uint32_t id, const struct child_event *event);
/*
 * After an engine's death: sends the signal of the present stop step again (it may not have been
 * sent).
 */
void child_repeat_stop(struct core *core, uint32_t id);

#endif
