/*
 * decide: how long the core takes for one event, in memory and virtual time: the death of a stable
 * child, its restart and its readiness, with 10 and 10,000 siblings at depth 12; and an escalation
 * through ten supervisors. Prints nanoseconds as JSON.
 */
#include "core/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEPTH  12
#define ROUNDS 200000

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct bench {
	struct core *core;
	mono_ms now;
	uint64_t events;
};

/* Takes all actions as a shell would; spawns succeed, signals kill. */
static void
settle(struct bench *bench)
{
	struct core_action action;
	enum core_area area;
	uint32_t index;

	while (core_next_action(bench->core, &action)) {
		struct core_event event = { .node = action.node,
			.incarnation = action.incarnation };

		if (action.type != DO_SPAWN && action.type != DO_SIGNAL)
			continue;
		event.type = action.type == DO_SPAWN ? ON_SPAWNED : ON_EXITED;
		event.status = 9;
		core_handle(bench->core, bench->now, &event);
		bench->events++;
	}
	while (core_next_dirty(bench->core, &area, &index))
		;
}

static void
add(struct core *core, uint32_t parent, const struct core_spec *spec, uint32_t count,
    uint32_t *first)
{
	if (core_add(core, parent, spec, count, first))
		abort();
}

static struct bench
tree(uint32_t siblings, uint32_t depth, const struct core_spec *super, uint32_t *victim)
{
	struct bench bench = { .core = core_new(1), .now = 1 };
	struct core_spec child;
	uint32_t parent = CORE_NONE;

	spec_defaults(&child, KIND_CHILD);
	child.backoff = BACKOFF_NONE;
	for (uint32_t i = 0; i < depth; i++)
		add(bench.core, parent, super, 1, &parent);
	add(bench.core, parent, &child, siblings, victim);
	core_handle(bench.core, bench.now, &(struct core_event){ .type = ON_BOOT });
	settle(&bench);
	return bench;
}

static double
decision_ns(uint32_t siblings)
{
	struct core_spec super;
	struct core_view view;
	struct bench bench;
	uint32_t first;
	int64_t begin;

	spec_defaults(&super, KIND_SUPERVISOR);
	super.intensity = 65535;
	super.period = 1;
	bench = tree(siblings, DEPTH, &super, &first);
	bench.events = 0;
	begin = now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct core_event event = {
			.type = ON_EXITED, .node = first + i % siblings, .status = 9
		};

		core_view(bench.core, event.node, &view);
		event.incarnation = view.incarnation;
		bench.now += 2;
		core_handle(bench.core, bench.now, &event);
		bench.events++;
		settle(&bench);
	}
	begin = now_ns() - begin;
	core_free(&bench.core);
	return (double)begin / (double)bench.events;
}

/* Each level has intensity 0, so one death ends them all, from the bottom to the root. */
static double
escalation_ns(void)
{
	struct core_spec super;
	struct bench bench;
	uint32_t first;
	int64_t best = INT64_MAX;

	spec_defaults(&super, KIND_SUPERVISOR);
	super.intensity = 0;
	for (int i = 0; i < 1000; i++) {
		int64_t begin;

		bench = tree(1, 10, &super, &first);
		begin = now_ns();
		core_handle(bench.core, bench.now,
		    &(struct core_event){
			.type = ON_EXITED, .node = first, .incarnation = 1, .status = 9 });
		settle(&bench);
		begin = now_ns() - begin;
		best = begin < best ? begin : best;
		if (!core_is_leaving(bench.core))
			abort();
		core_free(&bench.core);
	}
	return (double)best;
}

int
main(void)
{
	printf(
	    "{\"decision_ns_10\": %.0f, \"decision_ns_10000\": %.0f, \"escalation_10_levels_ns\": %.0f}\n",
	    decision_ns(10), decision_ns(10000), escalation_ns());
	return 0;
}
