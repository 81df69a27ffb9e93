#include "world.h"

#include "world_inside.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static void note(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct world *world, const char *format, ...)
{
	va_list args;
	size_t room;
	int len;

	if (world->trace_len > 0)
		world->trace_len += (size_t)snprintf(
		    world->trace + world->trace_len, TEXT_SIZE - world->trace_len, ", ");
	room = TEXT_SIZE - world->trace_len;
	va_start(args, format);
	len = vsnprintf(world->trace + world->trace_len, room, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room)
		fail_msg("the trace is too long");
	world->trace_len += (size_t)len;
}

static void
happen(struct world *world, span_ms in_ms, enum what what, uint32_t node, int32_t status)
{
	if (in_ms == SPAN_INFINITE)
		return;
	if (world->pending == MAX_EVENTS)
		fail_msg("too much happens");
	world->happenings[world->pending++] = (struct happening){
		.at = world->now + in_ms,
		.seq = world->seq++,
		.what = what,
		.node = node,
		.incarnation = world->procs[node].incarnation,
		.status = status,
	};
}

/* The one that comes first; NULL when nothing is on its way. */
static struct happening *
first_happening(struct world *world)
{
	struct happening *first = NULL;

	for (size_t i = 0; i < world->pending; i++) {
		struct happening *one = &world->happenings[i];

		if (first == NULL || one->at < first->at ||
		    (one->at == first->at && one->seq < first->seq))
			first = one;
	}
	return first;
}

/* "b,t": all of them before this one. */
static void
add_after(struct world *world, const uint32_t *ids, uint32_t waiter, const char *names)
{
	char copy[PLAN_NAME];
	char *save = NULL;

	snprintf(copy, sizeof copy, "%s", names);
	for (char *name = strtok_r(copy, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save)) {
		uint32_t on = 0;

		while (on < world->plan->count && strcmp(world->plan->nodes[on].name, name) != 0)
			on++;
		if (on == world->plan->count)
			fail_msg("after=%s: no such node", name);
		assert_int_equal(core_add_after(world->core, ids[waiter], ids[on]), 0);
	}
}

static void
make_core(struct world *world)
{
	uint32_t ids[PLAN_NODES];

	world->core = core_new(SEED);
	assert_non_null(world->core);
	for (uint32_t i = 0; i < world->plan->count; i++) {
		const struct plan_node *node = &world->plan->nodes[i];
		uint32_t parent = node->parent == UINT32_MAX ? CORE_NONE : ids[node->parent];
		uint32_t count = node->count == 0 ? 1 : node->count;
		const char *problem = spec_problem(&node->spec);

		if (problem != NULL)
			fail_msg("%s: %s", node->name, problem);
		assert_int_equal(core_add(world->core, parent, &node->spec, count, &ids[i]), 0);
	}
	assert_true(core_count(world->core) <= MAX_NODES);
	for (uint32_t i = 0; i < world->plan->count; i++)
		add_after(world, ids, i, world->plan->nodes[i].after);
}

static void
name_nodes(struct world *world)
{
	for (uint32_t i = 0; i < world->plan->count; i++) {
		const struct plan_node *node = &world->plan->nodes[i];

		for (uint32_t n = 0; n < (node->count == 0 ? 1 : node->count); n++) {
			uint32_t id = world->count++;

			if (node->count == 0)
				snprintf(world->names[id], PLAN_NAME, "%s", node->name);
			else
				snprintf(
				    world->names[id], PLAN_NAME, "%.12s@%u", node->name, n + 1);
			world->procs[id].habit = node->habit;
		}
	}
}

static void
save_dirty(struct world *world)
{
	enum core_area area;
	uint32_t index;

	while (core_next_dirty(world->core, &area, &index)) {
		uint32_t size = core_area_size(world->core, area);

		memcpy(world->saved[area] + (size_t)index * size,
		    core_area_item(world->core, area, index), size);
	}
}

/* The first image: every item as it is after the last core_add. */
static void
save_all(struct world *world)
{
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t size = core_area_size(world->core, area);
		uint32_t count = core_area_count(world->core, area);

		world->saved[i] = calloc((size_t)count + 1, size + 1);
		assert_non_null(world->saved[i]);
		for (uint32_t k = 0; k < count; k++)
			memcpy(world->saved[i] + (size_t)k * size,
			    core_area_item(world->core, area, k), size);
	}
}

static struct world *
make_world(const char *plan, bool otp)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->plan = calloc(1, sizeof *world->plan);
	assert_non_null(world->plan);
	world->now = 1000000;
	plan_read(world->plan, plan, otp);
	name_nodes(world);
	make_core(world);
	assert_int_equal(core_count(world->core), world->count);
	save_all(world);
	return world;
}

struct world *
world_unborn(const char *plan)
{
	return make_world(plan, false);
}

struct world *
world_of(const char *plan)
{
	struct world *world = make_world(plan, false);

	world_boot(world);
	return world;
}

struct world *
world_of_otp(const char *plan)
{
	struct world *world = make_world(plan, true);

	world_boot(world);
	return world;
}

void
world_boot(struct world *world)
{
	world_feed(world, &(struct core_event){ .type = ON_BOOT });
	world_run(world);
}

void
world_end(struct world *world)
{
	core_free(&world->core);
	assert_null(world->core);
	for (int i = 0; i < CORE_AREAS; i++)
		free(world->saved[i]);
	free(world->plan);
	free(world);
}

static const char *
how_it_ended(const struct proc *proc, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return "killed";
	if (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM))
		return proc->told ? "shutdown" : "normal";
	return "crash";
}

/* The process is gone now; the core hears of it with what else happens at this time. */
static void
die(struct world *world, uint32_t node, int status)
{
	struct proc *proc = &world->procs[node];

	if (!proc->alive)
		return;
	proc->alive = false;
	note(world, "stop %s %u %s", world->names[node], proc->incarnation,
	    how_it_ended(proc, status));
	happen(world, 0, EXIT_SEEN, node, status);
}

static void
obey(struct world *world, uint32_t node, int signal)
{
	struct proc *proc = &world->procs[node];

	if (signal == SIGKILL) {
		die(world, node, SIGKILL);
		return;
	}
	if (proc->habit.ignores || (proc->told && proc->habit.stop_ms > 0))
		return;
	proc->told = true;
	if (proc->habit.stop_victim[0] != '\0')
		world_kill(world, proc->habit.stop_victim);
	if (proc->habit.stop_ms > 0)
		happen(world, proc->habit.stop_ms, STOP_OVER, node, 0);
	else
		die(world, node, proc->habit.crashes_on_stop ? 1 << 8 : 0);
}

static void
do_signal(struct world *world, const struct core_action *action)
{
	struct proc *proc = &world->procs[action->node];

	if (action->incarnation != proc->incarnation)
		fail_msg("a signal for incarnation %u of %s, which is at %u", action->incarnation,
		    world->names[action->node], proc->incarnation);
	proc->signals++;
	proc->last_signal = action->signal;
	if (proc->spawning && action->signal == SIGKILL) {
		proc->spawning = false;
		happen(world, 0, SPAWN_REFUSED, action->node, 0);
	} else if (proc->spawning) {
		proc->early = action->signal;
	} else if (proc->alive) {
		obey(world, action->node, action->signal);
	}
}

static bool
attempt_fails(const struct proc *proc)
{
	const struct plan_habit *habit = &proc->habit;

	return proc->broken || (habit->fails_from != 0 && proc->attempts >= habit->fails_from) ||
	    (proc->attempts < 64 && (habit->fails >> proc->attempts & 1) != 0);
}

/* A start that is asked for again after a resume has been done already. */
static void
do_spawn(struct world *world, const struct core_action *action)
{
	struct proc *proc = &world->procs[action->node];

	if (action->incarnation == proc->incarnation && proc->attempts > 0)
		return;
	if (proc->alive || proc->spawning || proc->hook_runs)
		fail_msg("%s is started while it lives", world->names[action->node]);
	proc->incarnation = action->incarnation;
	proc->attempts++;
	proc->told = false;
	proc->early = 0;
	proc->signals = 0;
	proc->spawning = true;
	if (proc->habit.crash_attempt == proc->attempts)
		world_kill(world, proc->habit.crash_victim);
	happen(world, proc->habit.spawn_ms, SPAWN_DONE, action->node, 0);
}

static void
happen_hook(struct world *world, span_ms in_ms, enum what what, uint32_t node, int status)
{
	const struct proc *proc = &world->procs[node];
	struct happening *one;

	if (in_ms == SPAN_INFINITE)
		return;
	happen(world, in_ms, what, node, status);
	one = &world->happenings[world->pending - 1];
	one->incarnation = proc->hook_incarnation;
	one->hook = proc->hook;
	one->error = proc->habit.hooks[proc->hook].error;
}

/* It has run; the core hears of it with what else happens at this time. */
static void
hook_over(struct world *world, uint32_t node, int status)
{
	struct proc *proc = &world->procs[node];
	const char *how = proc->habit.hooks[proc->hook].error != 0 ? "error"
	    : status == SIGKILL                                    ? "cut"
	    : status == 0                                          ? "ok"
								   : "failed";

	proc->hook_runs = false;
	note(world, "end %s %s %s", world->names[node], core_hook_text(proc->hook), how);
	happen_hook(world, 0, HOOK_SEEN, node, status);
}

/* One that is asked for again after a resume has been begun already; no other comes twice. */
static void
do_hook(struct world *world, const struct core_action *action)
{
	struct proc *proc = &world->procs[action->node];
	uint32_t before = proc->hook_incarnation * HOOK_COUNT + proc->hook;
	uint32_t now = action->incarnation * HOOK_COUNT + action->hook;

	assert_true(action->hook != HOOK_NONE);
	if (now == before)
		return;
	if (now < before || proc->hook_runs)
		fail_msg("%s of %s runs twice, or beside another", core_hook_text(action->hook),
		    world->names[action->node]);
	if (proc->spawning || proc->alive != (action->hook == HOOK_STOP))
		fail_msg("%s of %s runs at a wrong time", core_hook_text(action->hook),
		    world->names[action->node]);
	proc->hook = action->hook;
	proc->hook_incarnation = action->incarnation;
	proc->hook_runs = true;
	note(world, "hook %s %u %s", world->names[action->node], action->incarnation,
	    core_hook_text(action->hook));
	happen_hook(world, proc->habit.hooks[action->hook].ms, HOOK_OVER, action->node,
	    proc->habit.hooks[action->hook].status);
	if (action->hook == HOOK_STOP && proc->habit.command_ms > 0)
		happen(world, proc->habit.command_ms, STOP_OVER, action->node, 0);
}

static void
do_end_hook(struct world *world, const struct core_action *action)
{
	struct proc *proc = &world->procs[action->node];

	if (action->incarnation != proc->hook_incarnation || action->hook != proc->hook)
		fail_msg("a hook of %s is to end that was not begun", world->names[action->node]);
	if (proc->hook_runs)
		hook_over(world, action->node, SIGKILL);
}

/* Supervisors are told by their states. */
static void
trace_supervisor(struct world *world, const struct core_record *record)
{
	enum core_state before = (enum core_state)record->a;
	bool was_up =
	    before == STATE_STARTING || before == STATE_RUNNING || before == STATE_STOPPING;

	switch (record->state) {
	case STATE_RUNNING: note(world, "up %s", world->names[record->node]); break;
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_RESTARTING:
	case STATE_FINISHED:
	case STATE_FAILED:
		if (was_up)
			note(world, "down %s", world->names[record->node]);
		break;
	case STATE_STARTING:
	case STATE_STOPPING:
	case STATE_COUNT: break;
	}
}

static void
do_record(struct world *world, const struct core_record *record)
{
	struct proc *proc = &world->procs[record->node];

	if (world->record_count == MAX_RECORDS)
		fail_msg("too many records");
	world->records[world->record_count++] = *record;
	if (record->type == RECORD_READY) /* stands for the change to `running` */
		proc->state = STATE_RUNNING;
	if (record->type != RECORD_STATE)
		return;
	if (record->a != (int32_t)proc->state)
		fail_msg("%s left %s, says the record, but it was %s", world->names[record->node],
		    core_state_text((enum core_state)record->a), core_state_text(proc->state));
	proc->state = record->state;
	if (record->node != CORE_ROOT &&
	    core_spec_of(world->core, record->node)->kind == KIND_SUPERVISOR)
		trace_supervisor(world, record);
}

static void
act(struct world *world, const struct core_action *action)
{
	switch (action->type) {
	case DO_SPAWN: do_spawn(world, action); break;
	case DO_SIGNAL: do_signal(world, action); break;
	case DO_KILL_TREE:
		assert_false(world->procs[action->node].alive);
		world->procs[action->node].sweeps++;
		break;
	case DO_RECORD: do_record(world, &action->record); break;
	case DO_EXIT:
		if (!world->over)
			note(world, "exit %d%s%s", action->status,
			    action->escalated ? " escalated" : "",
			    action->automatic ? " automatic" : "");
		world->over = true;
		break;
	case DO_HOOK: do_hook(world, action); break;
	case DO_END_HOOK: do_end_hook(world, action); break;
	case ACTION_COUNT: break;
	}
}

/* Records tell the same as the view, whatever came. */
static void
compare_states(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++) {
		struct core_view view;

		core_view(world->core, i, &view);
		if (view.state != world->procs[i].state)
			fail_msg("%s is %s, but its records say %s", world->names[i],
			    core_state_text(view.state), core_state_text(world->procs[i].state));
	}
}

void
world_feed(struct world *world, const struct core_event *event)
{
	struct core_action action;
	const char *broken;

	core_handle(world->core, world->now, event);
	while (core_next_action(world->core, &action))
		act(world, &action);
	broken = core_check(world->core);
	if (broken != NULL)
		fail_msg("core_check after %s: %s", core_event_text(event->type), broken);
	compare_states(world);
	save_dirty(world);
}

static void
feed_node(struct world *world, enum core_event_type type, const struct happening *one)
{
	world_feed(world,
	    &(struct core_event){ .type = type,
		.node = one->node,
		.incarnation = one->incarnation,
		.pid = (int32_t)(1000 + one->node),
		.status = one->status,
		.hook = one->hook,
		.step = type == ON_SPAWN_FAILED ? 3 : 0,
		.error = type == ON_SPAWN_FAILED ? 2 : one->error });
}

static void
spawn_done(struct world *world, const struct happening *one)
{
	struct proc *proc = &world->procs[one->node];

	if (!proc->spawning)
		return;
	proc->spawning = false;
	if (attempt_fails(proc)) {
		note(world, "fail %s %u", world->names[one->node], proc->attempts);
		feed_node(world, ON_SPAWN_FAILED, one);
		return;
	}
	proc->alive = true;
	note(world, "start %s %u", world->names[one->node], proc->incarnation);
	feed_node(world, ON_SPAWNED, one);
	if (!proc->alive || proc->incarnation != one->incarnation)
		return;
	if (core_spec_of(world->core, one->node)->ready == READY_TOLD)
		happen(world, proc->habit.ready_ms, SAYS_READY, one->node, 0);
	happen(world, proc->habit.life_ms, LIFE_OVER, one->node, proc->habit.life_status);
	if (proc->early != 0)
		obey(world, one->node, proc->early);
}

static void
take(struct world *world, struct happening one)
{
	struct proc *proc = &world->procs[one.node];
	bool current = proc->incarnation == one.incarnation;

	switch (one.what) {
	case SPAWN_DONE:
		if (current)
			spawn_done(world, &one);
		break;
	case SPAWN_REFUSED:
		note(world, "fail %s %u", world->names[one.node], proc->attempts);
		feed_node(world, ON_SPAWN_FAILED, &one);
		break;
	case SAYS_READY:
		if (current && proc->alive)
			feed_node(world, ON_READY, &one);
		break;
	case LIFE_OVER:
	case STOP_OVER:
		if (current)
			die(world, one.node, one.status);
		break;
	case EXIT_SEEN: feed_node(world, ON_EXITED, &one); break;
	case HOOK_OVER:
		if (proc->hook_runs && proc->hook == one.hook &&
		    proc->hook_incarnation == one.incarnation)
			hook_over(world, one.node, one.status);
		break;
	case HOOK_SEEN: feed_node(world, ON_HOOK_DONE, &one); break;
	}
}

void
world_advance(struct world *world, span_ms ms)
{
	mono_ms end = world->now + ms;

	for (int guard = 0;; guard++) {
		struct happening *first = first_happening(world);
		mono_ms deadline = core_next_deadline(world->core);
		bool timer = first == NULL || deadline < first->at ||
		    (deadline == first->at && world->timers_first);
		mono_ms next = timer ? deadline : first->at;

		if (next > end)
			break;
		if (guard == 100000)
			fail_msg("it never becomes quiet; so far: %.600s", world->trace);
		world->now = next > world->now ? next : world->now;
		if (timer) {
			world_feed(world, &(struct core_event){ .type = ON_TIMER });
		} else {
			struct happening one = *first;

			*first = world->happenings[--world->pending];
			take(world, one);
		}
	}
	world->now = end;
}

void
world_run(struct world *world)
{
	world_advance(world, 0);
}

void
world_timers_first(struct world *world)
{
	world->timers_first = true;
}

static int
status_of(const char *word)
{
	if (word == NULL || strcmp(word, "crash") == 0)
		return 1 << 8;
	if (strcmp(word, "normal") == 0)
		return 0;
	if (strcmp(word, "SEGV") == 0)
		return SIGSEGV;
	if (strcmp(word, "lost") == 0)
		return CORE_STATUS_UNKNOWN;
	return atoi(word) << 8;
}

void
world_kill(struct world *world, const char *who)
{
	char copy[256];
	char *save = NULL;

	snprintf(copy, sizeof copy, "%s", who);
	for (char *one = strtok_r(copy, ", ", &save); one != NULL;
	     one = strtok_r(NULL, ", ", &save)) {
		char *colon = strchr(one, ':');
		uint32_t node;

		if (colon != NULL)
			*colon++ = '\0';
		node = world_id(world, one);
		die(world, node, status_of(colon));
	}
}

void
world_exit(struct world *world, const char *who)
{
	world_kill(world, who);
	world_run(world);
}

void
world_ready(struct world *world, const char *name)
{
	uint32_t node = world_id(world, name);

	world_feed(world,
	    &(struct core_event){
		.type = ON_READY, .node = node, .incarnation = world->procs[node].incarnation });
	world_run(world);
}

void
world_order(struct world *world, enum core_event_type type, const char *name)
{
	world_feed(world,
	    &(struct core_event){ .type = type, .node = name == NULL ? 0 : world_id(world, name) });
	world_run(world);
}

void
world_break(struct world *world, const char *name)
{
	world->procs[world_id(world, name)].broken = true;
}

void
world_mend(struct world *world, const char *name)
{
	struct plan_habit *habit = &world->procs[world_id(world, name)].habit;

	world->procs[world_id(world, name)].broken = false;
	habit->fails_from = 0;
	habit->fails = 0;
}

void
world_resume(struct world *world)
{
	core_free(&world->core);
	make_core(world);
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t size = core_area_size(world->core, area);

		for (uint32_t k = 0; k < core_area_count(world->core, area); k++)
			assert_true(
			    core_load(world->core, area, k, world->saved[i] + (size_t)k * size));
	}
	assert_null(core_load_end(world->core));
	world_feed(world, &(struct core_event){ .type = ON_RESUME });
	world_run(world);
}
