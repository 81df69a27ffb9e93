/* goal: which of two that stop a node wins, and what it becomes when it is down. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_a_groups_restart_replaces_that_of_one_member(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a; b slow=1s }");

	(void)state;
	world_trace(world);
	world_restart(world, "b");
	world_exit(world, "a");
	world_advance(world, 1000);
	expect_trace(world, "stop a 1 crash, stop b 1 shutdown, start a 2, start b 2");
	world_end(world);
}

static void
test_what_is_given_up_while_it_stops_is_not_started(void **state)
{
	struct world *world = world_of_otp("/ all 0/60s limit=give_up { a; b slow=1s }");

	(void)state;
	world_restart(world, "b");
	world_exit(world, "a");
	world_advance(world, 1000);
	expect_why(world, "b", STATE_FAILED, REASON_GIVEN_UP);
	expect_alive(world, "");
	world_end(world);
}

static void
test_who_was_done_before_the_limit_stays_so(void **state)
{
	struct world *world = world_of_otp("/ all 0/60s limit=give_up { a; b transient }");

	(void)state;
	world_exit(world, "b:normal");
	world_exit(world, "a");
	expect_why(world, "a", STATE_FAILED, REASON_GIVEN_UP);
	expect_why(world, "b", STATE_FINISHED, REASON_EXITED);
	world_end(world);
}

/* An escalation never looks like an orderly exit. */
static void
test_the_roots_own_end_is_final(void **state)
{
	static const enum core_event_type commands[] = { ON_SHUTDOWN, ON_STOP };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_of_otp("/ one 0/60s { a; b slow=1s }");

		world_exit(world, "a");
		world_trace(world);
		world_order(world, commands[i], "/");
		world_advance(world, 1000);
		expect_trace(world, "stop b 1 shutdown, exit 70 escalated");
		world_end(world);
	}
}

static void
test_a_shutdown_outranks_a_stop_of_the_root(void **state)
{
	struct world *world = world_of("/ one 9/60s { a slow=1s }");

	(void)state;
	world_trace(world);
	world_stop(world, "/");
	world_shutdown(world);
	world_advance(world, 1000);
	expect_trace(world, "stop a 1 shutdown, exit 0");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_groups_restart_replaces_that_of_one_member),
		cmocka_unit_test(test_what_is_given_up_while_it_stops_is_not_started),
		cmocka_unit_test(test_who_was_done_before_the_limit_stays_so),
		cmocka_unit_test(test_the_roots_own_end_is_final),
		cmocka_unit_test(test_a_shutdown_outranks_a_stop_of_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
