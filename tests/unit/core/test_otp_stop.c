/* OTP, rules 30–35: boot, stop, shutdown, operator's calls. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_otp_30_a_failed_first_start_fails_the_supervisor(void **state)
{
	static const char *const plans[] = {
		"/ one 3/5s { a; b fails=1; c }",
		"/ all 3/5s { a; b transient fails=1; c }",
		"/ rest 3/5s { a; b temporary fails=1; c }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of_otp(plans[i]);

		expect_trace(world, "start a 1, fail b 1, stop a 1 shutdown, exit 70 escalated");
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_end(world);
	}
}

static void
test_otp_30_up_to_the_root_at_first_boot(void **state)
{
	struct world *world =
	    world_of_otp("/ one 3/5s { x; s one 3/5s { t one 3/5s { a; b fails=1 }; c }; y }");

	(void)state;
	expect_trace(world,
	    "start x 1, start a 1, fail b 1, stop a 1 shutdown, down t, down s, "
	    "stop x 1 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_otp_31_a_worker_is_told_waited_for_and_killed(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a ignores stop=TERM:5s,KILL; b }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_advance(world, 4999);
	expect_trace(world, "");
	expect_state(world, "a", STATE_STOPPING);
	world_advance(world, 1);
	expect_trace(world, "stop a 1 killed");
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_otp_31_infinity_waits_for_ever(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a slow=100000s stop=TERM:infinity }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_advance(world, 99999999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "stop a 1 shutdown");
	world_end(world);
}

static void
test_otp_31_brutal_kill_does_not_tell(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a stop=KILL }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	expect_trace(world, "stop a 1 killed");
	world_end(world);
}

static void
test_otp_32_strictly_one_after_the_other(void **state)
{
	struct world *world = world_of_otp(
	    "/ one 3/5s { a slow=1s; s one 3/5s { b slow=1s; c slow=1s }; d slow=1s }");

	(void)state;
	world_trace(world);
	world_shutdown(world);
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "stop d 1 shutdown");
	world_advance(world, 1000);
	expect_trace(world, "stop c 1 shutdown");
	world_advance(world, 1000);
	expect_trace(world, "stop b 1 shutdown, down s");
	world_advance(world, 1000);
	expect_trace(world, "stop a 1 shutdown, exit 0");
	world_end(world);
}

static void
test_otp_33_nothing_is_restarted_below_a_supervisor_that_ends(void **state)
{
	struct world *world =
	    world_of_otp("/ one 3/5s { s one 0/5s { a; b; t one 3/5s { c }; d slow=1s }; x }");

	(void)state;
	world_exit(world, "a");
	expect_alive(world, "b c d x");
	world_exit(world, "b, c");
	expect_alive(world, "d x");
	world_advance(world, 1000);
	expect_alive(world, "a b c d x");
	assert_int_equal(world_view(world, "b").incarnation, 2);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_otp_33_what_waits_in_its_queue_is_lost(void **state)
{
	struct world *world = world_of_otp("/ one 1/5s { s rest 0/5s { a; b; c }; x }");

	(void)state;
	world_trace(world);
	world_exit(world, "b, a");
	expect_trace(world,
	    "stop b 1 crash, stop a 1 crash, stop c 1 shutdown, down s, "
	    "start a 2, start b 2, start c 2, up s");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_otp_34_a_stop_counts_nothing_and_is_idempotent(void **state)
{
	struct world *world = world_of_otp("/ all 0/5s { a crashes_on_stop; b }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_stop(world, "a");
	expect_trace(world, "stop a 1 crash");
	expect_alive(world, "b");
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_otp_34_a_siblings_end_during_a_stop_is_handled(void **state)
{
	struct world *world = world_of_otp("/ all 1/5s { a; b slow=1s; c }");

	(void)state;
	world_stop(world, "b");
	world_exit(world, "a");
	world_advance(world, 2000);
	expect_alive(world, "a c");
	expect_state(world, "b", STATE_STOPPED);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_otp_34_the_end_of_a_child_that_is_dead_already_is_swallowed(void **state)
{
	struct world *world = world_of_otp("/ all 0/5s { a; b }");

	(void)state;
	world_kill(world, "a");
	world_stop(world, "a");
	expect_alive(world, "b");
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_otp_35_ours_a_restart_starts_what_is_down_and_restarts_what_runs(void **state)
{
	struct world *world = world_of_otp("/ all 0/5s { a; b }");

	(void)state;
	world_stop(world, "a");
	world_trace(world);
	world_restart(world, "a");
	expect_trace(world, "start a 2");
	world_restart(world, "a");
	expect_trace(world, "stop a 2 shutdown, start a 3");
	assert_int_equal(world_view(world, "a").restarts, 0);
	world_end(world);
}

static void
test_otp_35_ours_a_start_during_a_delay_starts_now(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a backoff=fixed delay=10s }");

	(void)state;
	world_exit(world, "a");
	expect_state(world, "a", STATE_RESTARTING);
	world_start(world, "a");
	expect_alive(world, "a");
	world_end(world);
}

static void
test_otp_35_ours_an_operators_start_that_fails_is_retried(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a fails=2; b }");

	(void)state;
	world_stop(world, "a");
	world_trace(world);
	world_start(world, "a");
	expect_trace(world, "fail a 2, start a 3");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_otp_30_a_failed_first_start_fails_the_supervisor),
		cmocka_unit_test(test_otp_30_up_to_the_root_at_first_boot),
		cmocka_unit_test(test_otp_31_a_worker_is_told_waited_for_and_killed),
		cmocka_unit_test(test_otp_31_infinity_waits_for_ever),
		cmocka_unit_test(test_otp_31_brutal_kill_does_not_tell),
		cmocka_unit_test(test_otp_32_strictly_one_after_the_other),
		cmocka_unit_test(test_otp_33_nothing_is_restarted_below_a_supervisor_that_ends),
		cmocka_unit_test(test_otp_33_what_waits_in_its_queue_is_lost),
		cmocka_unit_test(test_otp_34_a_stop_counts_nothing_and_is_idempotent),
		cmocka_unit_test(test_otp_34_a_siblings_end_during_a_stop_is_handled),
		cmocka_unit_test(test_otp_34_the_end_of_a_child_that_is_dead_already_is_swallowed),
		cmocka_unit_test(
		    test_otp_35_ours_a_restart_starts_what_is_down_and_restarts_what_runs),
		cmocka_unit_test(test_otp_35_ours_a_start_during_a_delay_starts_now),
		cmocka_unit_test(test_otp_35_ours_an_operators_start_that_fails_is_retried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
