/*
 * Random trees whose children have hooks and gates, and a random day: after each event the core's own check is content, no
 * hook runs at a wrong time or twice (world.c), an engine's death changes nothing, and a shutdown ends.
 */
#include "world.h"

#include "lib/buf.h"
#include "lib/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS  600
#define EVENTS 60
#define NAMES  9 /* "a" to "i", children; "d" to "f" are below supervisor "s" */

static struct rng rng;

static uint32_t
below(uint32_t bound)
{
	return (uint32_t)rng_below(&rng, bound);
}

static bool
once_in(uint32_t n)
{
	return below(n) == 0;
}

static void
add_child(struct buf *plan, char name)
{
	static const char *const hooks[] = { "pre", "command", "post" };
	static const char *const ready[] = { "", "ready=told says_ready=150ms", "ready=exit",
		"ready=told says_ready=infinity start_timeout=2s" };
	static const char *const other[] = { "", "transient", "temporary", "on_demand", "ignores",
		"slow=400ms", "fails=2", "no_restart=3", "spawn=300ms", "command_ends_it=100ms" };

	buf_printf(plan, "%c delay=%ums hook_timeout=1s %s %s", name, below(500), ready[below(4)],
	    other[below(10)]);
	for (size_t i = 0; i < 3; i++) {
		if (once_in(2))
			continue;
		buf_printf(plan, " %s=%ums%s", hooks[i], below(800), once_in(5) ? ":1" : "");
		if (once_in(8))
			buf_printf(plan, " %s=infinity", hooks[i]);
		if (once_in(8))
			buf_printf(plan, " %s=error", hooks[i]);
	}
	if (name > 'a' && once_in(4)) /* never in a circle */
		buf_printf(plan, " after=%c", 'a' + (char)below((uint32_t)(name - 'a')));
	buf_printf(plan, "; ");
}

static void
add_supervisor(struct buf *plan, const char *name)
{
	static const char *const strategies[] = { "one", "all", "rest" };
	static const char *const limits[] = { "limit=backoff", "limit=give_up", "limit=escalate" };

	buf_printf(plan, "%s %s %u/5s %s %s %s { ", name, strategies[below(3)], 1 + below(5),
	    limits[below(3)], once_in(3) ? "start_parallel" : "",
	    once_in(4) ? "max_starting=1" : "");
}

static void
make_plan(struct buf *plan)
{
	buf_puts(plan, "/ one 99/1s limit=backoff start_parallel { ");
	for (int name = 'a'; name < 'a' + NAMES; name++) {
		if (name == 'd')
			add_supervisor(plan, "s");
		add_child(plan, (char)name);
		if (name == 'f')
			buf_puts(plan, "}; ");
	}
	buf_puts(plan, "}");
}

static const char *
some_name(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "s",
		"/" };

	return names[below(once_in(20) ? 11 : 10)];
}

/* One event of the day, the same for both worlds. */
struct scene {
	const char *name;
	uint32_t what;
	span_ms ms;
};

static void
play(struct world *world, const struct scene *scene)
{
	static const enum core_event_type commands[] = { ON_START, ON_STOP, ON_RESTART, ON_RESET,
		ON_DEMAND, ON_START };
	bool child = strcmp(scene->name, "s") != 0 && strcmp(scene->name, "/") != 0;
	char exit[16];

	if (scene->what < 6) {
		world_order(world, commands[scene->what], scene->name);
	} else if (scene->what < 14 && child) {
		snprintf(exit, sizeof exit, "%s:%s", scene->name,
		    scene->what == 6       ? "normal"
			: scene->what == 7 ? "3"
					   : "crash");
		world_exit(world, exit);
	} else if (scene->what == 14) {
		world_feed(world,
		    &(struct core_event){
			.type = ON_STOP, .node = world_id(world, scene->name), .now = true });
	} else if (scene->what == 15) {
		world_feed(world,
		    &(struct core_event){
			.type = ON_RESTART, .node = world_id(world, scene->name), .group = true });
	} else if (scene->what == 16 || core_is_holding(world_core(world))) {
		world_order(world, core_is_holding(world_core(world)) ? ON_RELEASE : ON_HOLD, "/");
	}
	world_advance(world, scene->ms);
}

static void
test_random_days(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		static char should[16384];
		struct buf plan = { 0 };
		struct world *one, *other;

		rng_seed(&rng, seed);
		make_plan(&plan);
		one = world_of(plan.data);
		other = world_of(plan.data);
		for (int i = 0; i < EVENTS; i++) {
			struct scene scene = { .name = some_name(),
				.what = below(20),
				.ms = below(once_in(6) ? 3000 : 200) };

			play(one, &scene);
			play(other, &scene);
			world_resume(other);
			snprintf(should, sizeof should, "%s", world_trace(one));
			if (strcmp(should, world_trace(other)) != 0)
				fail_msg("seed %u, event %d: a resume changes something: %s",
				    (unsigned)seed, i, plan.data);
		}
		world_feed(one, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = 30000 });
		world_advance(one, 60000);
		expect_alive(one, "");
		if (strstr(world_trace(one), "exit ") == NULL)
			fail_msg(
			    "seed %u: the shutdown does not end: %s", (unsigned)seed, plan.data);
		world_end(one);
		world_end(other);
		buf_free(&plan);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
