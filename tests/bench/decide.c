/*
 * decide: how long the core takes for one event, in memory and virtual time, at depth 12: children die and are restarted after a
 * delay, fail to start, are stopped, started and restarted by an operator, among 10 and 10,000 siblings; and an escalation through
 * ten supervisors.
 *
 *   decide                              the times, as JSON
 *   decide 10 | 10000 | escalation      a few of these, for callgrind, which counts the instructions of decide_one
 */
#include "core/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH       12
#define LEVELS      10
#define ROUNDS      100000 /* for the mean */
#define TIMED       2000   /* for the worst */
#define COUNTED     20     /* for callgrind */
#define REPETITIONS 7
#define MOST_EVENTS ((size_t)TIMED * 8)
#define KILLED      9

struct bench {
	struct core *core;
	mono_ms now;
	uint64_t events;
	bool refuse;   /* the next start fails */
	int64_t *took; /* of each event the least so far, in ns; NULL: not asked for */
};

void decide_one(struct bench *bench, const struct core_event *event);

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is measured. */
__attribute__((noinline)) void
decide_one(struct bench *bench, const struct core_event *event)
{
	core_handle(bench->core, bench->now, event);
}

static void
decide(struct bench *bench, const struct core_event *event)
{
	int64_t begin = bench->took ? now_ns() : 0, took;

	decide_one(bench, event);
	if (bench->took) {
		took = now_ns() - begin;
		if (bench->events == MOST_EVENTS)
			abort();
		if (took < bench->took[bench->events])
			bench->took[bench->events] = took;
	}
	bench->events++;
}

/* Carries out an action as a shell would: spawns succeed, signals kill. */
static void
carry_out(struct bench *bench, const struct core_action *action)
{
	struct core_event event = {
		.node = action->node, .incarnation = action->incarnation, .status = KILLED
	};

	if (action->type == DO_SIGNAL) {
		event.type = ON_EXITED;
	} else if (action->type == DO_SPAWN) {
		event.type = bench->refuse ? ON_SPAWN_FAILED : ON_SPAWNED;
		bench->refuse = false;
	} else {
		return;
	}
	decide(bench, &event);
}

/* One event and all that follows from it, also after delays. */
static void
let(struct bench *bench, const struct core_event *event)
{
	struct core_action action;
	enum core_area area;
	uint32_t index;

	decide(bench, event);
	for (;;) {
		while (core_next_action(bench->core, &action))
			carry_out(bench, &action);
		while (core_next_dirty(bench->core, &area, &index))
			;
		if (core_next_deadline(bench->core) == MONO_NEVER)
			return;
		bench->now = core_next_deadline(bench->core);
		decide(bench, &(struct core_event){ .type = ON_TIMER });
	}
}

static void
add(struct core *core, uint32_t parent, const struct core_spec *spec, uint32_t count,
    uint32_t *first)
{
	if (core_add(core, parent, spec, count, first))
		abort();
}

static struct bench
tree(uint32_t siblings, uint32_t depth, uint32_t intensity, uint32_t *victim)
{
	struct bench bench = { .core = core_new(1), .now = 1 };
	struct core_spec super, child;
	uint32_t parent = CORE_NONE;

	spec_defaults(&super, KIND_SUPERVISOR);
	super.intensity = intensity;
	super.period = 1;
	spec_defaults(&child, KIND_CHILD);
	child.backoff = BACKOFF_FIXED;
	child.backoff_delay = 10;
	child.stop[0].wait = SPAN_INFINITE;
	for (uint32_t i = 0; i < depth; i++)
		add(bench.core, parent, &super, 1, &parent);
	add(bench.core, parent, &child, siblings, victim);
	core_handle(bench.core, bench.now, &(struct core_event){ .type = ON_BOOT });
	for (struct core_action action; core_next_action(bench.core, &action);) {
		if (action.type == DO_SPAWN)
			core_handle(bench.core, bench.now,
			    &(struct core_event){ .type = ON_SPAWNED,
				.node = action.node,
				.incarnation = action.incarnation });
	}
	return bench;
}

static void
die(struct bench *bench, uint32_t node)
{
	struct core_view view;

	core_view(bench->core, node, &view);
	let(bench,
	    &(struct core_event){ .type = ON_EXITED,
		.node = node,
		.incarnation = view.incarnation,
		.status = KILLED });
}

static void
play(struct bench *bench, uint32_t first, uint32_t siblings, uint32_t rounds)
{
	bench->events = 0;
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t node = first + i * 7919 % siblings;

		bench->now += 2;
		bench->refuse = i % 4 == 1;
		if (i % 4 < 2) {
			die(bench, node);
		} else if (i % 4 == 2) {
			let(bench, &(struct core_event){ .type = ON_STOP, .node = node });
			let(bench, &(struct core_event){ .type = ON_START, .node = node });
		} else {
			let(bench, &(struct core_event){ .type = ON_RESTART, .node = node });
		}
	}
}

static double
mean_ns(uint32_t siblings)
{
	uint32_t first;
	struct bench bench = tree(siblings, DEPTH, UINT16_MAX, &first);
	int64_t begin = now_ns();

	play(&bench, first, siblings, ROUNDS);
	begin = now_ns() - begin;
	core_free(&bench.core);
	return (double)begin / (double)bench.events;
}

/* The same events again and again: what an event never takes less than is the core's, the rest the machine's. */
static double
worst_ns(uint32_t siblings)
{
	int64_t *took = malloc(MOST_EVENTS * sizeof *took), worst = 0;
	uint64_t events = 0;

	if (!took)
		abort();
	for (size_t i = 0; i < MOST_EVENTS; i++)
		took[i] = INT64_MAX;
	for (int i = 0; i < REPETITIONS; i++) {
		uint32_t first;
		struct bench bench = tree(siblings, DEPTH, UINT16_MAX, &first);

		bench.took = took;
		play(&bench, first, siblings, TIMED);
		events = bench.events;
		core_free(&bench.core);
	}
	for (size_t i = 0; i < events; i++)
		worst = took[i] > worst ? took[i] : worst;
	free(took);
	return (double)worst;
}

/* Each level has intensity 0, so one death ends them all, from the bottom to the root. */
static int64_t
escalate(void)
{
	uint32_t first;
	struct bench bench = tree(1, LEVELS, 0, &first);
	int64_t begin = now_ns();

	die(&bench, first);
	begin = now_ns() - begin;
	if (!core_is_leaving(bench.core))
		abort();
	core_free(&bench.core);
	return begin;
}

static double
escalation_ns(void)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 1000; i++) {
		int64_t took = escalate();

		best = took < best ? took : best;
	}
	return (double)best;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "escalation") == 0) {
		escalate();
	} else if (argc > 1) {
		uint32_t siblings = (uint32_t)strtoul(argv[1], NULL, 10), first;
		struct bench bench;

		if (siblings == 0)
			return 64;
		bench = tree(siblings, DEPTH, UINT16_MAX, &first);
		play(&bench, first, siblings, COUNTED);
		core_free(&bench.core);
	} else {
		printf("{\"10\": {\"mean_ns\": %.0f, \"worst_ns\": %.0f}, ", mean_ns(10),
		    worst_ns(10));
		printf("\"10000\": {\"mean_ns\": %.0f, \"worst_ns\": %.0f}, ", mean_ns(10000),
		    worst_ns(10000));
		printf("\"escalation_ns\": %.0f}\n", escalation_ns());
	}
	return 0;
}
