#include "engine/act.h"

#include "engine/cgroup_tree.h"
#include "engine/checkpoint.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "engine/exits.h"
#include "engine/hooks.h"
#include "engine/leftovers.h"
#include "engine/listen.h"
#include "engine/notify.h"
#include "engine/process.h"
#include "engine/slot.h"
#include "lib/log.h"
#include "lib/must.h"
#include "lib/names.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LIST_KEEP  512 /* actions whose memory stays; a burst's is given back */
#define GROUP_FLAG 0x80

/* What takes a system call or more, and is done a little at a time. */
struct job {
	uint32_t slot, incarnation; /* of the table of processes (hooks.h) */
	int32_t signal;             /* 0: a start */
	bool group;
};

struct ring {
	struct job *jobs;
	uint32_t first, count, cap;
};

struct act {
	struct engine *engine;
	struct core_action *list; /* touched only as far as it is used */
	size_t count, cap;
	bool carrying;

	struct ring starts; /* a slot has at most one in it that is not stale */
	struct ring signals;
	uint32_t *pending; /* slots whose start is not over */
	uint32_t pending_count;
	/* [slot] to be sent once the start is over: number and GROUP_FLAG; 0: none */
	uint8_t *held_signals;

	bool leaving;
	struct core_action exit;
};

/* ---- rings ---- */

static bool
ring_init(struct ring *ring, uint32_t cap)
{
	ring->cap = cap;
	ring->jobs = calloc(cap, sizeof(*ring->jobs));
	return ring->jobs != NULL;
}

static void
ring_push(struct ring *ring, const struct job *job)
{
	must(ring->count < ring->cap);
	ring->jobs[(ring->first + ring->count++) % ring->cap] = *job;
}

static struct job
ring_pop(struct ring *ring)
{
	struct job job = ring->jobs[ring->first];

	ring->first = (ring->first + 1) % ring->cap;
	ring->count--;
	return job;
}

/* ---- life ---- */

struct act *
act_new(struct engine *engine)
{
	uint32_t nodes = core_count(engine->core), slots = hooks_slots(engine->hooks);
	struct act *act = calloc(1, sizeof(*act));
	void *list;

	if (!act)
		return NULL;
	act->engine = engine;
	act->cap = (size_t)nodes * 16 + 4096;
	act->pending = calloc(slots, sizeof(*act->pending));
	act->held_signals = calloc(slots, sizeof(*act->held_signals));
	list = mmap(NULL, act->cap * sizeof(*act->list), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	act->list = list == MAP_FAILED ? NULL : list;
	if (!ring_init(&act->starts, 2 * slots + 16) || !ring_init(&act->signals, slots + 16) ||
	    !act->pending || !act->held_signals || !act->list)
		act_free(&act);
	return act;
}

void
act_free(struct act **act)
{
	struct act *old = *act;

	*act = NULL;
	if (!old)
		return;
	if (old->list)
		(void)munmap(old->list, old->cap * sizeof(*old->list));
	free(old->starts.jobs);
	free(old->signals.jobs);
	free(old->pending);
	free(old->held_signals);
	free(old);
}

/* ---- starts ---- */

/*
 * The core may have changed its mind since, by an end that it was told of; then nobody waits for an
 * answer.
 */
static bool
is_wanted(const struct act *act, const struct job *start)
{
	struct core_view view;

	if (hooks_has(act->engine->hooks, start->slot))
		return hooks_is_wanted(act->engine, start->slot, start->incarnation);
	core_view(act->engine->core, start->slot, &view);
	return view.spawning && view.incarnation == start->incarnation;
}

/* Whether a start that has not begun is to end already, also where the signal is still to come. */
static bool
is_told_to_end(const struct act *act, const struct job *start)
{
	struct core_view view;

	core_view(act->engine->core, hooks_node(act->engine->hooks, start->slot), &view);
	return act->held_signals[start->slot] ||
	    (view.state == STATE_STOPPING && !hooks_has(act->engine->hooks, start->slot));
}

static void
answer_failed(struct act *act, uint32_t slot, uint32_t incarnation, int32_t step, int32_t error)
{
	struct core_event event = { .type = ON_SPAWN_FAILED,
		.node = slot,
		.incarnation = incarnation,
		.step = step,
		.error = error };

	act->held_signals[slot] = 0;
	cgroup_tree_doubt(act->engine->cgroups, hooks_node(act->engine->hooks, slot));
	if (hooks_has(act->engine->hooks, slot))
		event = hooks_failed(act->engine, slot, incarnation, step, error);
	else
		notify_end(act->engine->notify, slot);
	engine_submit(act->engine, &event);
}

static void
answer_spawned(struct act *act, uint32_t slot, uint32_t incarnation)
{
	const struct image_process *process = &act->engine->processes[slot];
	struct core_event event = {
		.type = ON_SPAWNED, .node = slot, .incarnation = incarnation, .pid = process->pid
	};
	uint8_t signal = act->held_signals[slot];

	act->held_signals[slot] = 0;
	exits_track(act->engine->exits, process->pid, slot);
	if (!hooks_has(act->engine->hooks, slot)) { /* of a hook the core hears its end */
		engine_submit(act->engine, &event);
		notify_spawned(act->engine->notify, slot);
	}
	/* asked for while there was no process to send it to; gone already is as good */
	if (signal)
		(void)process_signal(process, signal & ~GROUP_FLAG, signal & GROUP_FLAG);
}

/* The start is over; what it led to stands in the process table. */
static void
answer_from_table(struct act *act, const struct job *start)
{
	const struct image_process *process = &act->engine->processes[start->slot];

	if (process->state == PROCESS_FAILED)
		answer_failed(act, start->slot, start->incarnation, process->step, process->error);
	else
		answer_spawned(act, start->slot, start->incarnation);
}

/* A start that has failed before there was a process: the table says it too, for those who ask. */
static void
answer_unmade(struct act *act, const struct job *start, int32_t step, int32_t error)
{
	struct image_process *process = &act->engine->processes[start->slot];

	slot_open(process, start->incarnation);
	slot_close(process, step, error);
	answer_from_table(act, start);
}

/*
 * Whether what an earlier start has left is still there: a process that cannot even be killed, and
 * that will never be a program. Until it has gone every further start fails too; nothing is gained
 * by a second one that hangs.
 */
static bool
is_left_over(const struct act *act, uint32_t slot)
{
	const struct image_process *process = &act->engine->processes[slot];

	return spawn_is_pending(act->engine->spawner, slot) ||
	    (process->state == PROCESS_FAILED && process->step == STEP_HUNG &&
		process_look(process) != PROCESS_GONE);
}

static int
request_for(const struct engine *engine, const struct job *start, struct spawn_request *out)
{
	const struct place *place =
	    nodes_place(engine->nodes, hooks_node(engine->hooks, start->slot));
	int error;

	if (hooks_has(engine->hooks, start->slot))
		return hooks_request(engine, start->slot, start->incarnation, out);
	error = program_request(place->program, nodes_instance(engine->nodes, start->slot), out);
	out->start_timeout = place->spec.start_timeout;
	return error;
}

static void
make(struct act *act, const struct job *start)
{
	struct engine *engine = act->engine;
	struct spawn_request request;
	int error = request_for(engine, start, &request);

	if (error) {
		answer_failed(act, start->slot, start->incarnation, STEP_PREPARE, -error);
		return;
	}
	if (is_left_over(act, start->slot)) {
		engine->processes[start->slot].incarnation = start->incarnation;
		answer_from_table(act, start);
		return;
	}
	request.node = start->slot;
	request.incarnation = start->incarnation;
	request.files = engine->files;
	request.terminal = engine->terminal;
	error = cgroup_tree_enter(engine->cgroups, hooks_node(engine->hooks, start->slot),
	    &request.cgroup, &request.joins_cgroup);
	if (error) {
		answer_unmade(act, start, STEP_CGROUP, -error);
		return;
	}
	if (request.cgroup == 0 && !hooks_has(engine->hooks, start->slot))
		error = leftovers_mark(engine->leftovers, start->slot, &request);
	if (error) {
		answer_unmade(act, start, STEP_PREPARE, -error);
		return;
	}
	if (!hooks_has(engine->hooks, start->slot))
		error = listen_begin(engine->listen, &request);
	if (error) {
		answer_unmade(act, start, STEP_SOCKETS, -error);
		return;
	}
	if (!hooks_has(engine->hooks, start->slot))
		error =
		    notify_begin(engine->notify, nodes_place(engine->nodes, start->slot), &request);
	if (error) {
		answer_unmade(act, start, STEP_READY, -error);
		return;
	}
	if (spawn_start(engine->spawner, &request, &engine->processes[start->slot]))
		answer_from_table(act, start);
	else
		act->pending[act->pending_count++] = start->slot;
}

/* The next start of the ring: made, unless it is stale, or is to end before it has begun. */
static void
take_start(struct act *act, const struct job *start)
{
	if (!is_wanted(act, start))
		return;
	if (is_told_to_end(act, start))
		answer_failed(act, start->slot, start->incarnation, STEP_PREPARE, ECANCELED);
	else
		make(act, start);
}

/*
 * During a hold nothing starts by itself; but what is told to end before it has begun must end, and
 * who has ended, or is told to, has its hooks.
 */
static void
start_few(struct act *act)
{
	for (uint32_t left = act->starts.count; left > 0; left--) {
		struct job start = ring_pop(&act->starts);
		bool ends =
		    hooks_has(act->engine->hooks, start.slot) && hooks_ends(start.incarnation);
		if (ends || is_told_to_end(act, &start))
			take_start(act, &start);
		else if (is_wanted(act, &start))
			ring_push(&act->starts, &start);
	}
}

static bool
start_some(struct act *act, int64_t until_us)
{
	if (core_is_holding(act->engine->core)) {
		if (act->starts.count && exits_poll(act->engine->exits))
			start_few(act);
		return false;
	}
	for (bool first = true; act->starts.count; first = false) {
		struct job start;
		if (!first && span_mono_now_us() >= until_us)
			break;
		/* a PID that the next clone may be given must not be in the link any more */
		if (!exits_poll(act->engine->exits))
			break;
		if (!act->starts.count)
			break;
		start = ring_pop(&act->starts);
		take_start(act, &start);
	}
	return act->starts.count && !exits_is_deferred(act->engine->exits);
}

void
act_on_spawn_done(void *context, uint32_t slot, uint32_t incarnation, int32_t step, int32_t error)
{
	struct engine *engine = context;
	struct act *act = engine->act;
	uint32_t i = 0;

	while (i < act->pending_count && act->pending[i] != slot)
		i++;
	must(i < act->pending_count);
	act->pending[i] = act->pending[--act->pending_count];
	if (step)
		answer_failed(act, slot, incarnation, step, error);
	else
		answer_spawned(act, slot, incarnation);
	exits_resume(engine->exits);
}

uint32_t
act_pending_by_pid(const struct act *act, int32_t pid, uint32_t *from)
{
	while (*from < act->pending_count) {
		uint32_t slot = act->pending[(*from)++];
		/* the kernel or another thread may be writing it right now */
		const volatile struct image_process *process = &act->engine->processes[slot];
		if (process->pid == pid)
			return slot;
	}
	return CORE_NONE;
}

/* Whether the dead engine has made this start; if it has, answers it or has it watched. */
static bool
answer_made_start(struct act *act, const struct job *start)
{
	struct engine *engine = act->engine;
	struct image_process *process = &engine->processes[start->slot];
	const struct core_spec *spec =
	    core_spec_of(engine->core, hooks_node(engine->hooks, start->slot));

	if (process->incarnation != start->incarnation || process->state == PROCESS_NONE)
		return false;
	if (process->state != PROCESS_STARTING) {
		answer_from_table(act, start);
		return true;
	}
	if (process->pid == 0)
		return false; /* the table was ready, the clone had not happened */
	/* before exec, through it, failed or dead: the spawner finds out which, and tells */
	if (process->start_max == UINT64_MAX)
		process->start_max = process_ticks_now();
	act->pending[act->pending_count++] = start->slot;
	spawn_adopt(engine->spawner, start->slot, process,
	    hooks_has(engine->hooks, start->slot) ? spec->hook_timeout : spec->start_timeout);
	return true;
}

void
act_answer_made_starts(struct act *act)
{
	for (uint32_t left = act->starts.count; left > 0; left--) {
		struct job start = ring_pop(&act->starts);
		if (is_wanted(act, &start) && !answer_made_start(act, &start))
			ring_push(&act->starts, &start);
	}
}

/* ---- other actions ---- */

/*
 * Meanwhile the process may have ended, and the node may have another; only the core knows whether
 * one that the table does not show yet is still to come.
 */
static void
send_signal(struct act *act, const struct job *job)
{
	const struct image_process *process = &act->engine->processes[job->slot];
	const volatile int32_t *pid = &process->pid; /* the kernel writes it */
	uint32_t node = hooks_node(act->engine->hooks, job->slot);
	bool is_hook = hooks_has(act->engine->hooks, job->slot);
	char path[NODES_PATH_SIZE];
	struct core_view view;
	int error;

	core_view(act->engine->core, node, &view);
	if (is_hook ? !hooks_is_wanted(act->engine, job->slot, job->incarnation)
		    : !view.has_process || view.incarnation != job->incarnation)
		return;
	if (process->incarnation != job->incarnation ||
	    (process->state == PROCESS_STARTING && *pid == 0)) {
		/* no process yet; KILL is not weakened again */
		if ((act->held_signals[job->slot] & ~GROUP_FLAG) != SIGKILL)
			act->held_signals[job->slot] =
			    (uint8_t)(job->signal | (job->group ? GROUP_FLAG : 0));
		return;
	}
	if (process->state != PROCESS_STARTED && process->state != PROCESS_STARTING)
		return;
	error = process_signal(process, job->signal, job->group);
	if (error && error != -ESRCH)
		log_line(nodes_path(act->engine->nodes, node, path), "cannot send SIG%s: %s",
		    names_signal_text(job->signal), strerror(-error));
}

/* In the order in which they were decided, also where more come than there is room for. */
static void
queue_signal(struct act *act, const struct job *job)
{
	if (act->signals.count == act->signals.cap) {
		struct job oldest = ring_pop(&act->signals);
		send_signal(act, &oldest);
	}
	ring_push(&act->signals, job);
}

static void
signal_some(struct act *act, int64_t until_us)
{
	for (bool first = true; act->signals.count; first = false) {
		struct job job;
		if (!first && span_mono_now_us() >= until_us)
			return;
		job = ring_pop(&act->signals);
		send_signal(act, &job);
	}
}

bool
act_some(struct act *act, int64_t share_us)
{
	bool starts;

	signal_some(act, span_mono_now_us() + share_us);
	starts = start_some(act, span_mono_now_us() + share_us);
	starts = leftovers_some(act->engine->leftovers) || starts;
	return cgroup_tree_some(act->engine->cgroups) || starts || act->signals.count;
}

/*
 * What is left of the group, and in the cgroup, with the commit to come. Of a child whose main process was another in
 * the end: at once, since the commit has room for one group; its end is a fact already.
 */
static void
kill_tree(const struct engine *engine, uint32_t node)
{
	const struct image_process *process = &engine->processes[node];

	if (core_spec_of(engine->core, node)->kill_mode == KILL_TREE)
		checkpoint_add_kill_tree(engine->checkpoint, node);
	if (process->first != 0)
		process_kill_replaced(process);
	checkpoint_add_kill(
	    engine->checkpoint, process->first != 0 ? process->first : process->pid);
}

void
act_collect(struct act *act)
{
	struct engine *engine = act->engine;

	while (act->count < act->cap && core_next_action(engine->core, &act->list[act->count])) {
		const struct core_action *action = &act->list[act->count];
		if (action->type == DO_KILL_TREE)
			kill_tree(engine, action->node);
		else if (action->type == DO_RECORD)
			events_add(engine, &action->record);
		act->count++;
	}
	/*
	 * the list holds more than any event brings; a crash here loses nothing, the next engine
	 * asks again
	 */
	must(act->count < act->cap);
}

static void
do_one(struct act *act, const struct core_action *action)
{
	struct job job = { action->node, action->incarnation, action->signal, action->group };

	switch (action->type) {
	case DO_SPAWN: ring_push(&act->starts, &job); break;
	case DO_SIGNAL: queue_signal(act, &job); break;
	case DO_KILL_TREE: /* with the commit */ break;
	case DO_HOOK:
	case DO_END_HOOK:
		job.slot = hooks_slot(act->engine->hooks, action->node);
		job.incarnation = hooks_incarnation(action->incarnation, action->hook);
		job.group = true;
		job.signal = action->type == DO_HOOK ? 0 : SIGKILL;
		if (action->type == DO_HOOK)
			ring_push(&act->starts, &job);
		else
			queue_signal(act, &job);
		break;
	case DO_RECORD:
		cgroup_tree_note(act->engine->cgroups, &action->record);
		if (act->engine->control)
			control_on_record(act->engine->control, &action->record);
		break;
	case DO_EXIT:
		act->exit = *action;
		act->leaving = true;
		break;
	case ACTION_COUNT: must(false);
	}
}

void
act_carry_out(struct act *act)
{
	/*
	 * somebody who waited for a record may submit an event: its actions join the end of the
	 * list
	 */
	if (act->carrying)
		return;
	act->carrying = true;
	for (size_t i = 0; i < act->count; i++)
		do_one(act, &act->list[i]);
	if (act->count > LIST_KEEP) /* else memory just stays; failure loses nothing */
		(void)madvise(act->list, act->cap * sizeof(*act->list), MADV_DONTNEED);
	act->count = 0;
	act->carrying = false;
}

bool
act_is_leaving(const struct act *act, struct core_action *out)
{
	if (act->leaving)
		*out = act->exit;
	return act->leaving;
}
