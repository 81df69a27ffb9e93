#include "sim.h"

#include "judge.h"
#include "lib/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_STEPS  4000000 /* some three seconds */
#define SCENARIO_STEPS 1500
#define QUIET_STEPS \
	5000 /* some trees never rest: a one-shot that ends its permanent supervisor … */
#define START_MS 1000000

struct options {
	uint64_t seed, steps;
	double seconds; /* 0: by steps */
	uint32_t nodes;
	bool trace;
};

uint64_t
sim_random(struct sim *sim)
{
	/* splitmix64 (Steele, Lea, Flood 2014) */
	uint64_t z = (sim->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint32_t
sim_below(struct sim *sim, uint32_t bound)
{
	return (uint32_t)((sim_random(sim) >> 32) * bound >> 32);
}

bool
sim_once_in(struct sim *sim, uint32_t n)
{
	return sim_below(sim, n) == 0;
}

void
sim_trace(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->trace)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void
sim_break(struct sim *sim, int invariant, uint32_t node, const char *what)
{
	printf("sim: seed %llu, step %llu: invariant %d: node %d: %s",
	    (unsigned long long)sim->seed, (unsigned long long)sim->step, invariant,
	    node == CORE_NONE ? -1 : (int)node, what);
	if (invariant == 3)
		printf(" (%u)", sim->because);
	putchar('\n');
	longjmp(sim->broken, 1);
}

static void
trace_tree(struct sim *sim)
{
	static const char *const strategies[] = { "one_for_one", "one_for_all", "rest_for_one",
		"escalate" };
	static const char *const limits[] = { "escalate", "backoff", "give_up", "terminate" };
	static const char *const restarts[] = { "permanent", "transient", "temporary" };
	static const char *const readies[] = { "spawn", "exit", "told" };

	for (uint32_t i = 0; i < sim->count; i++) {
		const struct core_spec *spec = &sim->nodes[i].spec;
		int indent = 2 * (int)sim->nodes[i].depth;

		if (spec->kind == KIND_SUPERVISOR)
			sim_trace(sim,
			    "%*s%u (in %d) %s %s %u/%lldms limit=%s auto=%d%s%s%s max_starting=%u%s%s",
			    indent, "", i, (int)sim->nodes[i].parent, restarts[spec->restart],
			    strategies[spec->strategy], spec->intensity, (long long)spec->period,
			    limits[spec->on_limit], (int)spec->auto_shutdown,
			    spec->start_order == ORDER_PARALLEL ? " start_parallel" : "",
			    spec->stop_order == ORDER_PARALLEL ? " stop_parallel" : "",
			    spec->on_start_failure == START_FAILURE_ABORT ? " abort" : "",
			    spec->max_starting, spec->significant ? " significant" : "",
			    spec->autostart ? "" : " manual");
		else
			sim_trace(sim,
			    "%*s%u (in %d, place %u) %s ready=%s backoff=%d %lld..%lld stable=%lld stop=%u%s%s",
			    indent, "", i, (int)sim->nodes[i].parent, sim->nodes[i].place,
			    restarts[spec->restart], readies[spec->ready], (int)spec->backoff,
			    (long long)spec->backoff_delay, (long long)spec->backoff_max,
			    (long long)spec->stable_after, spec->stop_steps,
			    spec->significant ? " significant" : "",
			    spec->autostart ? "" : " manual");
	}
}

void
sim_make_core(struct sim *sim)
{
	sim->core = core_new(sim->core_seed);
	for (uint32_t i = 0; i < sim->place_count; i++) {
		uint32_t first;

		if (core_add(sim->core, sim->places[i].parent,
			&sim->nodes[sim->places[i].first].spec, sim->places[i].count,
			&first) != 0 ||
		    first != sim->places[i].first)
			sim_break(sim, 11, sim->places[i].first, "core_add refuses a good node");
	}
}

static void
save(struct sim *sim, enum core_area area, uint32_t index)
{
	uint32_t size = core_area_size(sim->core, area);

	memcpy(
	    sim->saved[area] + (size_t)index * size, core_area_item(sim->core, area, index), size);
}

static void
save_all(struct sim *sim)
{
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t count = core_area_count(sim->core, area);

		sim->saved[i] = calloc((size_t)count + 1, core_area_size(sim->core, area) + 1U);
		for (uint32_t k = 0; k < count; k++)
			save(sim, area, k);
	}
}

static void
trace_action(struct sim *sim, const struct core_action *action, bool lost)
{
	const struct core_record *record = &action->record;

	if (!sim->trace)
		return;
	if (action->type == DO_RECORD)
		sim_trace(sim, "    %-22s %u: %s (%s) a=%d b=%lld", core_record_text(record->type),
		    record->node, core_state_text(record->state), core_reason_text(record->reason),
		    record->a, (long long)record->b);
	else
		sim_trace(sim, "    %s%s %u incarnation %u signal %d", lost ? "LOST " : "",
		    core_action_text(action->type), action->node, action->incarnation,
		    action->signal);
}

static void
carry_out(struct sim *sim, const struct core_action *action)
{
	const struct sim_process *process = &sim->nodes[action->node].process;

	switch (action->type) {
	case DO_SPAWN: /* asked for again: done already, unless it was lost */
		if (process->incarnation != action->incarnation)
			fate_spawn(sim, action->node, action->incarnation);
		break;
	case DO_SIGNAL:
		if (process->incarnation == action->incarnation)
			fate_signal(sim, action->node, action->signal);
		break;
	case DO_EXIT: sim->exited = true; break;
	case DO_KILL_TREE:
	case DO_RECORD:
	case DO_HOOK:
	case DO_END_HOOK:
	case ACTION_COUNT: break;
	}
}

/* The first items of what it was told to do may be done before the engine dies. */
void
sim_feed(struct sim *sim, const struct core_event *event)
{
	struct core_action action;
	enum core_area area;
	uint32_t index;
	bool dies = sim->lossy && event->type != ON_RESUME, lost = false;

	sim->step++;
	if (sim->trace)
		sim_trace(sim, "%llu at %lld: %s %u incarnation %u status %d%s%s",
		    (unsigned long long)sim->step, (long long)sim->now,
		    core_event_text(event->type), event->node, event->incarnation, event->status,
		    event->now ? " now" : "", event->group ? " group" : "");
	judge_event(sim, event);
	core_handle(sim->core, sim->now, event);
	while (core_next_dirty(sim->core, &area, &index))
		save(sim, area, index);
	while (core_next_action(sim->core, &action)) {
		lost = lost || (dies && sim_once_in(sim, 3));
		trace_action(sim, &action, lost);
		judge_action(sim, &action);
		if (!lost)
			carry_out(sim, &action);
	}
	judge_step(sim, event);
	if (dies)
		sim_resume(sim);
}

void
sim_resume(struct sim *sim)
{
	sim_trace(sim, "  the engine dies");
	sim->lossy = false;
	core_free(&sim->core);
	sim_make_core(sim);
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t size = core_area_size(sim->core, area);

		for (uint32_t k = 0; k < core_area_count(sim->core, area); k++)
			must(core_load(sim->core, area, k, sim->saved[i] + (size_t)k * size));
	}
	must(core_load_end(sim->core) == NULL);
	sim->resuming = true;
	sim_feed(sim, &(struct core_event){ .type = ON_RESUME });
	sim->resuming = false;
}

/*
 * What comes next: something that happens to a process, or the core's deadline; at the same time,
 * either.
 */
static bool
go_on(struct sim *sim)
{
	uint32_t node = fate_next(sim);
	mono_ms deadline = core_next_deadline(sim->core), at = MONO_NEVER;

	if (node != CORE_NONE) {
		const struct sim_process *process = &sim->nodes[node].process;

		at = process->next < process->echo_at ? process->next : process->echo_at;
	}
	if (at == MONO_NEVER && deadline == MONO_NEVER)
		return false;
	if (chaos_delays(sim))
		return true;
	if (deadline < at || (deadline == at && sim_once_in(sim, 2))) {
		if (deadline > sim->now)
			sim->now = deadline;
		sim_feed(sim, &(struct core_event){ .type = ON_TIMER });
	} else {
		if (at > sim->now)
			sim->now = at;
		fate_happen(sim, node);
	}
	return true;
}

/* Until the daemon has left, or nothing happens any more; false when that is not to be seen. */
static bool
settle(struct sim *sim)
{
	for (uint32_t i = 0; !sim->exited && i < QUIET_STEPS; i++) {
		if (!go_on(sim))
			return true;
	}
	return sim->exited;
}

static void
begin(struct sim *sim, uint32_t nodes)
{
	sim->rng = sim->seed * 0x2545f4914f6cdd1dULL + 1;
	sim->core_seed = sim_random(sim);
	sim->now = START_MS;
	sim->step = 0;
	sim->calm = sim->leaving = sim->exited = sim->lossy = sim->resuming = false;
	sim->leave_by = 0;
	sim->hurry_at = MONO_NEVER;
	grow_tree(sim, nodes);
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (node->spec.kind != KIND_SUPERVISOR)
			continue;
		node->notes.stamps = calloc(node->spec.intensity + 1U, sizeof(mono_ms));
		judge_forget_window(sim, i);
	}
	trace_tree(sim);
	sim_make_core(sim);
	save_all(sim);
}

static void
clean_up(struct sim *sim)
{
	core_free(&sim->core);
	for (int i = 0; i < CORE_AREAS; i++) {
		free(sim->saved[i]);
		sim->saved[i] = NULL;
	}
	for (uint32_t i = 0; i < sim->count; i++)
		free(sim->nodes[i].notes.stamps);
}

static void
shut_down(struct sim *sim)
{
	struct core_event event = { .type = ON_SHUTDOWN, .now = sim_once_in(sim, 4) };
	span_ms bound = judge_shutdown_bound(sim);

	if (sim_once_in(sim, 2)) {
		event.timeout = 1 + sim_below(sim, 10000);
		if (event.timeout + 1000 < bound)
			bound = event.timeout + 1000;
	}
	sim->leave_by = sim->now + bound;
	sim_feed(sim, &event);
}

/* Boot, chaos, then peace or at once the shutdown. */
static void
play(struct sim *sim)
{
	uint64_t end = 100 + sim_below(sim, SCENARIO_STEPS);

	sim_feed(sim, &(struct core_event){ .type = ON_BOOT });
	while (sim->step < end && !sim->exited) {
		if (!chaos_strikes(sim) && !go_on(sim) && !sim_once_in(sim, 4))
			sim->now += 1000;
	}
	if (core_is_holding(sim->core))
		sim_feed(sim, &(struct core_event){ .type = ON_RELEASE });
	sim->lossy = false;
	if (!sim->exited && sim_once_in(sim, 2)) {
		sim_trace(sim, "  peace");
		fate_calm(sim);
		if (settle(sim) && !sim->exited)
			judge_peace(sim);
	}
	if (sim->exited)
		return;
	shut_down(sim);
	if (!settle(sim) || !sim->exited)
		sim_break(sim, 8, CORE_ROOT, "the shutdown does not end");
}

/* 0, or 1 when an invariant was broken. */
static int
scenario(struct sim *sim, uint32_t nodes)
{
	if (setjmp(sim->broken) != 0) {
		clean_up(sim);
		return 1;
	}
	begin(sim, nodes);
	play(sim);
	clean_up(sim);
	return 0;
}

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
run(struct sim *sim, const struct options *options)
{
	double begun = seconds_now(), now = begun;
	uint64_t steps = 0, scenarios = 0;

	sim->trace = options->trace;
	for (sim->seed = options->seed;; sim->seed++) {
		int status = scenario(sim, options->nodes);

		if (status != 0) {
			printf("sim: see it with --seed %llu --steps 1%s --trace\n",
			    (unsigned long long)sim->seed,
			    options->nodes ? " and the same --nodes" : "");
			return status;
		}
		steps += sim->step;
		scenarios++;
		now = seconds_now();
		if (options->seconds > 0 ? now - begun >= options->seconds
					 : steps >= options->steps)
			break;
	}
	printf(
	    "sim: seeds %llu to %llu: %llu steps in %llu scenarios, %.0f steps/s, all invariants hold\n",
	    (unsigned long long)options->seed, (unsigned long long)sim->seed,
	    (unsigned long long)steps, (unsigned long long)scenarios,
	    (double)steps / (now - begun));
	return 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: sim [--seconds S | --steps N] [--seed N] [--nodes N] [--trace]\n");
	return 64;
}

int
main(int argc, char **argv)
{
	struct options options = { .seed = 1, .steps = DEFAULT_STEPS };
	static struct sim sim; /* too large for the stack */

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--trace") == 0) {
			options.trace = true;
			continue;
		}
		if (value[0] == '\0')
			return usage();
		if (strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--steps") == 0)
			options.steps = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			options.seconds = strtod(value, NULL);
		else if (strcmp(argv[i], "--nodes") == 0)
			options.nodes = (uint32_t)strtoul(value, NULL, 10);
		else
			return usage();
		i++;
	}
	return run(&sim, &options);
}
