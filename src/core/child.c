#include "core/child.h"

#include "core/failure.h"
#include "core/gate.h"
#include "core/goal.h"
#include "core/hook.h"
#include "core/node.h"
#include "core/operation.h"
#include "core/queue.h"
#include "core/super.h"
#include "lib/must.h"

#define SIGNAL_KILL 9

typedef void child_step(struct core *core, uint32_t id, const struct child_event *event);

static void
send_signal(struct core *core, uint32_t id, int32_t signal)
{
	struct action *action = tree_action(core, DO_SIGNAL, id);

	action->signal = signal;
	action->group = node_spec(core, id)->stop_group;
}

static void
spawn(struct core *core, uint32_t id)
{
	node_touch(core, id)->started_at = core->head.now;
	node_mark(core, id, NODE_PROCESS | NODE_SPAWNING);
	tree_action(core, DO_SPAWN, id);
}

static void
begin(struct core *core, uint32_t id)
{
	const struct core_spec *spec = node_spec(core, id);
	struct node *node = node_touch(core, id);

	node->incarnation++;
	node->goal = GOAL_NONE;
	node->stop_step = 0;
	node_unmark(core, id, NODE_STABLE | NODE_FIRST);
	node_set_state(core, id, STATE_STARTING, node->reason);
	if (spec->pre_start)
		hook_begin(core, id, HOOK_PRE_START, spec->start_timeout);
	else
		spawn(core, id);
}

static bool
has_slot(const struct core *core, uint32_t parent)
{
	uint32_t limit = node_spec(core, parent)->max_starting;

	return limit == 0 || super_get(core, parent)->starting < limit;
}

static bool
waits_for_slot(const struct core *core, uint32_t id)
{
	return node_get(core, id)->state == STATE_WAITING &&
	    node_get(core, id)->reason == REASON_SLOT;
}

/* Its operation goes on without it; its supervisor is up without one that is started on demand. */
static void
hold_back(struct core *core, uint32_t id, enum core_reason reason)
{
	operation_leave_old_set(core, id);
	node_set_state(core, id, STATE_WAITING, reason);
	if (reason == REASON_DEMAND)
		node_not_awaited(core, id);
	operation_turn_over(core, id);
}

/* START of a node that is down: what was pending is void now (OTP 20). */
static void
start(struct core *core, uint32_t id, const struct child_event *event)
{
	uint32_t parent = node_get(core, id)->parent;
	enum core_reason held;

	if (waits_for_slot(core, id)) {
		if (!has_slot(core, parent))
			return;
		queue_remove_slot(core, id);
	}
	queue_remove(core, id, UINT8_MAX);
	if (gate_holds(core, id, &held)) {
		hold_back(core, id, held);
		return;
	}
	if (has_slot(core, parent)) {
		node_touch(core, id)->reason = (uint8_t)event->reason;
		begin(core, id);
		return;
	}
	node_set_state(core, id, STATE_WAITING, REASON_SLOT);
	node_set_deadline(
	    core, id, span_after(core->head.now, node_spec(core, parent)->start_queue_timeout));
	queue_add_slot(core, id);
}

static void
settle(struct core *core, uint32_t id, const struct child_event *event)
{
	if (waits_for_slot(core, id))
		queue_remove_slot(core, id);
	goal_settle(core, id, event->goal, event->reason);
	operation_turn_over(core, id);
}

/* One signal of the stop sequence; the last one is waited for without end. */
static void
stop_step(struct core *core, uint32_t id, uint32_t step)
{
	const struct core_spec *spec = node_spec(core, id);
	span_ms wait = step + 1 < spec->stop_steps ? spec->stop[step].wait : SPAN_INFINITE;

	node_touch(core, id)->stop_step = (uint8_t)step;
	send_signal(core, id, spec->stop[step].signal);
	node_set_deadline(core, id, span_after(core->head.now, wait));
}

/* After the last step: nothing more will be sent. */
static void
kill_now(struct core *core, uint32_t id)
{
	node_touch(core, id)->stop_step = (uint8_t)node_spec(core, id)->stop_steps;
	send_signal(core, id, SIGNAL_KILL);
	node_set_deadline(core, id, MONO_NEVER);
}

static void
order_stop(struct core *core, uint32_t id, const struct child_event *event)
{
	bool was_up =
	    node_get(core, id)->state == STATE_RUNNING && !node_has(core, id, NODE_SPAWNING);

	node_touch(core, id)->goal = (uint8_t)event->goal;
	node_set_state(core, id, STATE_STOPPING, event->reason);
	if (hook_of(core, id) != HOOK_NONE)
		hook_cut(core, id); /* pre_start: there is no process yet */
	else if (event->now)
		kill_now(core, id);
	else if (was_up && node_spec(core, id)->stop_command)
		hook_begin(core, id, HOOK_STOP, SPAN_INFINITE);
	else
		stop_step(core, id, 0);
}

/* Its own end, whose post_stop runs, is final: what is done to its set does not revive it. */
static bool
has_failed_for_good(const struct core *core, uint32_t id)
{
	enum core_reason reason = node_get(core, id)->reason;

	return node_get(core, id)->goal == GOAL_ENDED &&
	    super_fate(core, id, (enum end_kind)node_get(core, id)->end_kind, &reason) ==
	    STATE_FAILED;
}

static void
change_goal(struct core *core, uint32_t id, const struct child_event *event)
{
	const struct node *node = node_get(core, id);
	bool final = event->goal != GOAL_STOPPED && has_failed_for_good(core, id);

	if (goal_outranks(event->goal, node->goal) && !final) {
		node_touch(core, id)->goal = (uint8_t)event->goal;
		node_touch(core, id)->reason = (uint8_t)event->reason;
	}
	if (!event->now)
		return;
	if (hook_of(core, id) != HOOK_NONE)
		hook_cut(core, id);
	if (node->stop_step >= node_spec(core, id)->stop_steps)
		return;
	if (node_has(core, id, NODE_PROCESS))
		kill_now(core, id);
	else /* nor is there time for post_stop, when the hook has ended */
		node_touch(core, id)->stop_step = (uint8_t)node_spec(core, id)->stop_steps;
}

/* START while stopping: a later start waits until the stop is done. */
static void
start_again(struct core *core, uint32_t id, const struct child_event *event)
{
	node_touch(core, id)->goal = GOAL_START;
	node_touch(core, id)->reason = (uint8_t)event->reason;
}

static void
next_stop_step(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)event;
	if (hook_of(core, id) != HOOK_NONE)
		hook_cut(core, id);
	else
		stop_step(core, id, node_get(core, id)->stop_step + 1U);
}

static void
note_spawned(struct core *core, uint32_t id, const struct child_event *event)
{
	if (!node_has(core, id, NODE_SPAWNING))
		return;
	node_unmark(core, id, NODE_SPAWNING);
	node_touch(core, id)->started_at = core->head.now;
	tree_record(core, RECORD_STARTED, id, event->pid, 0);
}

static void
become_ready(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)event;
	node_set_state(core, id, STATE_RUNNING, REASON_NONE);
	operation_turn_over(core, id);
}

/* What it waits for ends not before that, and not earlier than it would have. */
static void
allow_time(struct core *core, uint32_t id, span_ms time)
{
	mono_ms until = span_after(core->head.now, time);
	mono_ms deadline = node_get(core, id)->deadline;

	if (deadline == MONO_NEVER || until > deadline)
		node_set_deadline(core, id, until);
}

/* Of start_timeout; pre_start has taken its part. */
static span_ms
time_to_start(const struct core *core, uint32_t id)
{
	const struct core_spec *spec = node_spec(core, id);
	span_ms taken = spec->pre_start ? core->head.now - node_get(core, id)->since : 0;

	return spec->start_timeout > taken ? spec->start_timeout - taken : 0;
}

static void
spawned(struct core *core, uint32_t id, const struct child_event *event)
{
	const struct core_spec *spec = node_spec(core, id);

	note_spawned(core, id, event);
	if (spec->ready == READY_SPAWN)
		become_ready(core, id, event);
	else
		allow_time(core, id, time_to_start(core, id));
}

/* It asks for time, for what runs now, if that ends at all. */
static void
extend(struct core *core, uint32_t id, const struct child_event *event)
{
	if (node_get(core, id)->deadline != MONO_NEVER)
		allow_time(core, id, event->timeout);
}

/* It asks for time to start, perhaps before the core has heard that it was spawned. */
static void
extend_start(struct core *core, uint32_t id, const struct child_event *event)
{
	const struct core_spec *spec = node_spec(core, id);

	if (spec->ready == READY_SPAWN)
		return;
	if (node_has(core, id, NODE_SPAWNING))
		allow_time(core, id, time_to_start(core, id));
	extend(core, id, event);
}

static void
told_ready(struct core *core, uint32_t id, const struct child_event *event)
{
	if (node_spec(core, id)->ready == READY_TOLD)
		become_ready(core, id, event);
}

/* There is no process any more. */
static void
note_gone(struct core *core, uint32_t id)
{
	node_unmark(core, id, NODE_PROCESS | NODE_SPAWNING);
}

static void
note_end(struct core *core, uint32_t id, int32_t status)
{
	struct node *node = node_touch(core, id);

	node_note_stable(core, id);
	note_gone(core, id);
	node_mark(core, id, NODE_ENDED);
	node->status = status;
	tree_record(core, RECORD_EXITED, id, status, core->head.now - node->started_at);
	if (node_spec(core, id)->kill_mode != KILL_PROCESS)
		tree_action(core, DO_KILL_TREE, id);
}

static bool
is_normal(const struct core *core, uint32_t id, int32_t status)
{
	return spec_exit_matches(&node_spec(core, id)->success_exit, status);
}

static enum core_reason
end_reason(const struct child_event *end, enum core_reason reason)
{
	if (end->oom)
		return REASON_OOM;
	return end->status == CORE_STATUS_UNKNOWN ? REASON_LOST : reason;
}

/* For the record of the end; the state that it leads to has its own. */
static void
note_oom(struct core *core, uint32_t id, const struct child_event *event)
{
	if (event->oom)
		node_touch(core, id)->reason = REASON_OOM;
}

static void
failed_start(struct core *core, uint32_t id, const struct child_event *event)
{
	note_gone(core, id);
	tree_record(core, RECORD_START_FAILED, id, event->step, event->error);
	super_child_ended(core, id, END_FAILED_START, REASON_START_FAILED);
}

/* What it led to: at once, or when post_stop is over. */
static void
end_by_itself(struct core *core, uint32_t id, enum end_kind kind, enum core_reason reason)
{
	if (!node_spec(core, id)->post_stop) {
		super_child_ended(core, id, kind, reason);
		return;
	}
	node_touch(core, id)->goal = GOAL_ENDED;
	node_touch(core, id)->end_kind = (uint8_t)kind;
	node_set_state(core, id, STATE_STOPPING, reason);
	hook_begin(core, id, HOOK_POST_STOP, SPAN_INFINITE);
}

/*
 * An end before readiness is a failed start whatever its status, except the normal end of a
 * one-shot.
 */
static void
ended_early(struct core *core, uint32_t id, const struct child_event *event)
{
	note_oom(core, id, event);
	note_end(core, id, event->status);
	if (node_spec(core, id)->ready == READY_EXIT && is_normal(core, id, event->status)) {
		node_touch(core, id)->streak = 0;
		end_by_itself(core, id, END_NORMAL, REASON_EXITED);
		return;
	}
	end_by_itself(core, id, END_FAILED_START, end_reason(event, REASON_ENDED_EARLY));
}

static void
ended(struct core *core, uint32_t id, const struct child_event *event)
{
	note_oom(core, id, event);
	note_end(core, id, event->status);
	end_by_itself(core, id, is_normal(core, id, event->status) ? END_NORMAL : END_ABNORMAL,
	    end_reason(event, REASON_EXITED));
}

static void
pre_start_done(struct core *core, uint32_t id, const struct child_event *event)
{
	hook_clear(core, id);
	if (event->error == 0 && event->status == 0) {
		spawn(core, id);
		return;
	}
	tree_record(core, RECORD_START_FAILED, id, event->step, event->error);
	super_child_ended(core, id, END_FAILED_START, REASON_START_FAILED);
}

static void
start_timeout(struct core *core, uint32_t id, const struct child_event *event)
{
	const struct core_spec *spec = node_spec(core, id);
	bool by_hook = hook_of(core, id) != HOOK_NONE && spec->hook_timeout < spec->start_timeout;
	struct child_event stop = { .type = CHILD_STOP,
		.goal = GOAL_FAILED_START,
		.reason = by_hook ? REASON_HOOK_TIMEOUT : REASON_START_TIMEOUT };

	(void)event;
	order_stop(core, id, &stop);
}

static void
queue_timeout(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)event;
	queue_remove_slot(core, id);
	node_unmark(core, id, NODE_FIRST | NODE_STABLE); /* that was of the run before */
	super_child_ended(core, id, END_FAILED_START, REASON_QUEUE_TIMEOUT);
}

void
child_repeat_stop(struct core *core, uint32_t id)
{
	const struct core_spec *spec = node_spec(core, id);
	uint32_t step = node_get(core, id)->stop_step;

	if (!node_has(core, id, NODE_PROCESS) || (hook_of(core, id) != HOOK_NONE && step == 0))
		return;
	send_signal(core, id, step < spec->stop_steps ? spec->stop[step].signal : SIGNAL_KILL);
}

/* The process that was being stopped is gone: the goal says what comes. */
static void
stopped(struct core *core, uint32_t id)
{
	enum node_goal goal = node_get(core, id)->goal;
	enum core_reason reason = node_get(core, id)->reason;

	node_touch(core, id)->goal = GOAL_NONE;
	switch (goal) {
	case GOAL_FAILED_START: super_child_ended(core, id, END_FAILED_START, reason); return;
	case GOAL_ENDED:
		super_child_ended(core, id, (enum end_kind)node_get(core, id)->end_kind, reason);
		return;
	case GOAL_START: goal_start_again(core, id, reason); return;
	case GOAL_STOPPED:
	case GOAL_RESTARTING:
	case GOAL_FINISHED:
	case GOAL_GIVEN_UP:
		goal_settle(core, id, goal, reason);
		operation_turn_over(core, id);
		return;
	case GOAL_NONE:
	case GOAL_ESCALATE:
	case GOAL_AUTO:
	case GOAL_TERMINATE:
	case GOAL_ABORT:
	case GOAL_LEAVE:
	case GOAL_COUNT: never("a goal of supervisors");
	}
}

/* A stop that is to be quick has no time for post_stop. */
static void
after_end(struct core *core, uint32_t id)
{
	const struct core_spec *spec = node_spec(core, id);

	if (spec->post_stop && node_get(core, id)->stop_step < spec->stop_steps)
		hook_begin(core, id, HOOK_POST_STOP, SPAN_INFINITE);
	else
		stopped(core, id);
}

static void
gone(struct core *core, uint32_t id, const struct child_event *event)
{
	note_end(core, id, event->status);
	if (hook_of(core, id) != HOOK_NONE)
		hook_cut(core, id); /* stop_command has done its work */
	else
		after_end(core, id);
}

/* A start that has failed without a program: what the one before ended with is not its status. */
static void
stopped_unspawned(struct core *core, uint32_t id)
{
	if (node_get(core, id)->goal == GOAL_FAILED_START)
		node_unmark(core, id, NODE_ENDED);
	stopped(core, id);
}

static void
stop_hook_done(struct core *core, uint32_t id, const struct child_event *event)
{
	enum core_hook hook = hook_of(core, id);

	(void)event;
	hook_clear(core, id);
	if (hook == HOOK_PRE_START)
		stopped_unspawned(core, id);
	else if (hook == HOOK_POST_STOP)
		stopped(core, id);
	else if (!node_has(core, id, NODE_PROCESS))
		after_end(core, id);
	else if (node_get(core, id)->stop_step < node_spec(core, id)->stop_steps)
		stop_step(core, id, 0);
}

static void
gone_unspawned(struct core *core, uint32_t id, const struct child_event *event)
{
	note_gone(core, id);
	tree_record(core, RECORD_START_FAILED, id, event->step, event->error);
	stopped_unspawned(core, id);
}

static void
delay_over(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)event;
	failure_due(core, id);
}

static void
ignore(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)core;
	(void)id;
	(void)event;
}

static void
impossible(struct core *core, uint32_t id, const struct child_event *event)
{
	(void)core;
	(void)id;
	(void)event;
	never("an event that this state of a child cannot see");
}

/*
 * The columns are the events; a node without a process never sees the five about one, one without
 * a hook none about that (they are dropped before the table), and nobody starts what is up.
 */
#define DOWN(timer)                                                                        \
	{                                                                                  \
		start, settle, impossible, impossible, impossible, impossible, impossible, \
		    impossible, timer                                                      \
	}
static child_step *const table[STATE_COUNT][CHILD_EVENT_COUNT] = {
	/* START, STOP, SPAWNED, SPAWN_FAILED, READY, EXITED, EXTEND, HOOK_DONE, TIMER */
	[STATE_STOPPED] = DOWN(impossible),
	[STATE_WAITING] = DOWN(queue_timeout),
	[STATE_STARTING] = { impossible, order_stop, spawned, failed_start, told_ready, ended_early,
	    extend_start, pre_start_done, start_timeout },
	[STATE_RUNNING] = { impossible, order_stop, note_spawned, failed_start, ignore, ended,
	    ignore, impossible, impossible },
	[STATE_STOPPING] = { start_again, change_goal, note_spawned, gone_unspawned, ignore, gone,
	    extend, stop_hook_done, next_stop_step },
	[STATE_RESTARTING] = DOWN(delay_over),
	[STATE_FINISHED] = DOWN(impossible),
	[STATE_FAILED] = DOWN(impossible),
};
#undef DOWN

void
child_handle(struct core *core, uint32_t id, const struct child_event *event)
{
	table[node_get(core, id)->state][event->type](core, id, event);
}
