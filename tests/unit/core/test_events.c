/*
 * Every event in every state: the two machines decide each cell, and nothing that comes can break
 * an invariant.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* How `a` (a child or a supervisor) comes into a state. */
struct recipe {
	enum core_state state;
	const char *plan;
	const char *exits, *stops; /* what then ends, what then is stopped */
};

static const struct recipe recipes[] = {
	{ STATE_STOPPED, "/ one 9/60s { a manual; x }", NULL, NULL },
	{ STATE_STOPPED, "/ all 9/60s { a; x }", NULL, "a" },
	{ STATE_WAITING, "/ one 9/60s { x ready=told says_ready=9s; a }", NULL, NULL },
	{ STATE_WAITING,
	    "/ one start_parallel max_starting=1 9/60s { x ready=told says_ready=9s; a }", NULL,
	    NULL },
	{ STATE_STARTING, "/ one 9/60s { a spawn=2s; x }", NULL, NULL },
	{ STATE_STARTING, "/ rest 9/60s { a ready=told says_ready=2s; x }", NULL, NULL },
	{ STATE_STARTING, "/ rest 9/60s { a ready=exit; x }", NULL, NULL },
	{ STATE_RUNNING, "/ all 9/60s { a; x }", NULL, NULL },
	{ STATE_RUNNING, "/ escalate { a; x }", NULL, NULL },
	{ STATE_STOPPING, "/ all 9/60s { a slow=2s; x }", NULL, "a" },
	{ STATE_STOPPING, "/ all 9/60s { a spawn=2s; x }", NULL, "a" },
	{ STATE_STOPPING, "/ all 9/60s { a slow=2s; x }", "x", NULL },
	{ STATE_RESTARTING, "/ one 9/60s { a; x }", "a", NULL },
	{ STATE_RESTARTING, "/ all 9/60s { a; x }", "x", NULL },
	{ STATE_RESTARTING, "/ rest 0/60s limit=backoff { a; x }", "a", NULL },
	{ STATE_FINISHED, "/ all 9/60s { a transient; x }", "a:normal", NULL },
	{ STATE_FINISHED, "/ all 9/60s { a ready=exit lives=0ms:0; x }", NULL, NULL },
	{ STATE_FAILED, "/ rest 0/60s limit=give_up { a; x }", "a", NULL },
	{ STATE_FAILED, "/ rest 9/60s { a no_restart=1; x }", "a", NULL },

	{ STATE_STOPPED, "/ one 9/60s { a manual one 9/60s { y }; x }", NULL, NULL },
	{ STATE_WAITING, "/ one 9/60s { x ready=told says_ready=9s; a all 9/60s { y } }", NULL,
	    NULL },
	{ STATE_STARTING, "/ all 9/60s { a all 9/60s { y ready=told says_ready=2s }; x }", NULL,
	    NULL },
	{ STATE_RUNNING, "/ rest 9/60s { a rest 9/60s { y; z }; x }", NULL, NULL },
	{ STATE_STOPPING, "/ rest 9/60s { a rest 9/60s { y slow=2s; z }; x }", NULL, "a" },
	{ STATE_STOPPING, "/ rest 9/60s { a one 0/60s { y slow=2s; z }; x }", "z", NULL },
	{ STATE_STOPPING, "/ rest 9/60s { a one 0/60s limit=terminate { y slow=2s; z }; x }", "z",
	    NULL },
	{ STATE_RESTARTING, "/ all 9/60s { a one 0/60s { y }; x }", "y", NULL },
	{ STATE_FINISHED,
	    "/ all 9/60s { a transient one auto=any 9/60s { y temporary significant }; x }", "y",
	    NULL },
	{ STATE_FAILED, "/ one 9/60s { a one 0/60s limit=terminate { y }; x }", "y", NULL },
};

static struct world *
cook(const struct recipe *recipe)
{
	struct world *world = world_of(recipe->plan);

	if (recipe->exits != NULL)
		world_exit(world, recipe->exits);
	if (recipe->stops != NULL)
		world_stop(world, recipe->stops);
	expect_state(world, "a", recipe->state);
	return world;
}

/* What makes sense only once, or only for a process. */
static bool
is_possible(const struct world *world, enum core_event_type type)
{
	bool about_process =
	    type == ON_SPAWNED || type == ON_SPAWN_FAILED || type == ON_READY || type == ON_EXITED;

	return type != ON_BOOT && type != ON_RESUME &&
	    (!about_process || world_view(world, "a").kind == KIND_CHILD);
}

static void
test_every_event_in_every_state_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
		for (int type = 0; type < EVENT_COUNT; type++) {
			struct world *world = cook(&recipes[i]);
			struct core_event event = { .type = (enum core_event_type)type,
				.node = world_id(world, "a"),
				.incarnation = world_view(world, "a").incarnation };

			if (is_possible(world, event.type)) {
				core_handle(world_core(world), world_now(world), &event);
				assert_null(core_check(world_core(world)));
			}
			world_end(world);
		}
	}
}

static void
test_every_state_can_be_shut_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
		struct world *world = cook(&recipes[i]);

		world_shutdown(world);
		world_advance(world, 100000);
		expect_alive(world, "");
		expect_why(world, "/", STATE_STOPPED, REASON_SHUTDOWN);
		world_end(world);
	}
}

static void
test_every_state_outlives_the_engine(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
		struct world *world = cook(&recipes[i]);
		struct core_view before = world_view(world, "a"), after;

		world_resume(world);
		after = world_view(world, "a");
		assert_int_equal(after.state, before.state);
		assert_int_equal(after.reason, before.reason);
		assert_int_equal(after.incarnation, before.incarnation);
		assert_int_equal(after.streak, before.streak);
		assert_true(after.next_start == before.next_start);
		assert_true(after.since == before.since);
		world_end(world);
	}
}

static void
test_every_state_can_be_started_from_in_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
		struct world *world = cook(&recipes[i]);

		world_advance(world, 20000);
		world_stop(world, "a");
		world_advance(world, 20000);
		expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
		world_start(world, "a");
		world_advance(world, 20000);
		assert_true(world_view(world, "a").state == STATE_RUNNING ||
		    world_view(world, "a").state == STATE_FINISHED ||
		    world_view(world, "a").state == STATE_STARTING);
		world_end(world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_in_every_state_is_survived),
		cmocka_unit_test(test_every_state_can_be_shut_down),
		cmocka_unit_test(test_every_state_outlives_the_engine),
		cmocka_unit_test(test_every_state_can_be_started_from_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
