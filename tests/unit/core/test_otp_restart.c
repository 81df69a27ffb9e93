/* OTP, rules 9–21: the restart of a failed child, and starts that fail during it. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_otp_09_counted_first(void **state)
{
	struct world *world = world_of_otp("/ all 0/5s { a; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, stop b 1 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_otp_10_one_for_one_touches_nobody_else(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a; b; c; d transient }");

	(void)state;
	world_stop(world, "c");
	world_exit(world, "d:normal");
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, start a 2");
	expect_state(world, "c", STATE_STOPPED);
	expect_state(world, "d", STATE_FINISHED);
	assert_int_equal(world_view(world, "b").incarnation, 1);
	world_end(world);
}

static void
test_otp_11_one_for_all_stops_in_reverse_and_starts_in_order(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; b; c; d }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world,
	    "stop b 1 crash, stop d 1 shutdown, stop c 1 shutdown, stop a 1 shutdown, "
	    "start a 2, start b 2, start c 2, start d 2");
	assert_int_equal(world_view(world, "/").group_restarts, 1);
	world_end(world);
}

static void
test_otp_11_rest_for_one_does_not_touch_those_before(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; b; c; d }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world,
	    "stop b 1 crash, stop d 1 shutdown, stop c 1 shutdown, "
	    "start b 2, start c 2, start d 2");
	assert_int_equal(world_view(world, "a").incarnation, 1);
	world_end(world);
}

static void
test_otp_12_a_group_restart_revives_a_finished_transient(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; t transient }");

	(void)state;
	world_exit(world, "t:normal");
	expect_state(world, "t", STATE_FINISHED);
	world_exit(world, "a");
	expect_alive(world, "a t");
	world_end(world);
}

static void
test_otp_12_ours_a_group_restart_does_not_start_what_an_operator_stopped(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; b; c }");

	(void)state;
	world_stop(world, "b");
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, stop c 1 shutdown, start a 2, start c 2");
	expect_why(world, "b", STATE_STOPPED, REASON_OPERATOR);
	world_end(world);
}

static void
test_otp_12_ours_a_group_restart_does_not_start_a_supervisor_that_gave_up(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; s transient one 0/5s { b } }");

	(void)state;
	world_exit(world, "b");
	world_exit(world, "a");
	expect_alive(world, "a");
	expect_why(world, "s", STATE_FAILED, REASON_INTENSITY);
	world_end(world);
}

static void
test_otp_13_a_supervisor_in_the_group_is_stopped_with_all_below(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; s all 3/5s { b; c }; d }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop d 1 shutdown, stop c 1 shutdown, stop b 1 shutdown, down s, "
	    "start a 2, start b 2, start c 2, up s, start d 2");
	assert_int_equal(world_view(world, "s").incarnation, 2);
	world_end(world);
}

static void
test_otp_14a_a_member_that_ended_meanwhile_is_swallowed(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; b; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a, c");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 crash, stop b 1 shutdown, start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

/* Nor does it bring about automatic shutdown, though a temporary one is not started again. */
static void
test_otp_14a_a_significant_member_that_ended_meanwhile_is_swallowed(void **state)
{
	static const struct {
		const char *plan, *ends, *trace;
	} rows[] = {
		{ "/ all 3/5s auto=any { t temporary significant; a; b }", "a, t",
		    "stop a 1 crash, stop t 1 crash, stop b 1 shutdown, start a 2, start b 2" },
		{ "/ rest 3/5s auto=all { a; t temporary significant; b slow=1s }", "a, t",
		    "stop a 1 crash, stop t 1 crash, stop b 1 shutdown, start a 2, start b 2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of_otp(rows[i].plan);

		world_trace(world);
		world_exit(world, rows[i].ends);
		world_advance(world, 2000);
		expect_trace(world, rows[i].trace);
		expect_state(world, "t", STATE_FINISHED);
		world_end(world);
	}
}

/* As above, but when the failure is looked at it is down already. */
static void
test_otp_14a_a_significant_member_that_ended_after_the_failure_is_swallowed(void **state)
{
	struct world *world =
	    world_of_otp("/ rest 3/5s auto=any "
			 "{ a; t temporary significant; b ready=told says_ready=1s }");

	(void)state;
	world_advance(world, 1000);
	world_exit(world, "b"); /* a's failure waits until it is ready again */
	world_trace(world);
	world_exit(world, "a, t");
	world_advance(world, 5000);
	expect_trace(
	    world, "stop a 1 crash, stop t 1 crash, stop b 2 shutdown, start a 2, start b 3");
	world_end(world);
}

static void
test_otp_14b_a_failure_outside_the_group_is_handled_next(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; b; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "b, a");
	expect_trace(world,
	    "stop b 1 crash, stop a 1 crash, stop c 1 shutdown, start b 2, start c 2, "
	    "stop c 2 shutdown, stop b 2 shutdown, start a 2, start b 3, start c 3");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_14c_a_started_member_that_ends_again_waits_until_the_last_is_started(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; b at_start=2:a; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world,
	    "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown, "
	    "start a 2, stop a 2 crash, start b 2, start c 2, "
	    "stop c 2 shutdown, stop b 2 shutdown, start a 3, start b 3, start c 3");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_15_one_for_one_two_crashes_are_two_restarts(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "b, a");
	expect_trace(world, "stop b 1 crash, stop a 1 crash, start b 2, start a 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_16_the_retry_comes_behind_what_is_in_the_queue(void **state)
{
	struct world *world = world_of_otp("/ one 5/5s { a fails=2; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a, b");
	expect_trace(world, "stop a 1 crash, stop b 1 crash, fail a 2, start b 2, start a 3");
	world_end(world);
}

static void
test_otp_17_every_retry_is_counted(void **state)
{
	struct world *world = world_of_otp("/ one 5/5s { a fails=2,3; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, fail a 2, fail a 3, start a 4");
	assert_int_equal(world_view(world, "/").restarts_in_window, 3);
	world_end(world);
}

static void
test_otp_17_with_intensity_n_there_are_n_tries(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a fails_from=2; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, fail a 2, fail a 3, fail a 4, stop b 1 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_otp_18_one_for_all_retries_the_whole_round(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; b fails=2; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 shutdown, stop b 1 shutdown, start a 2, fail b 2, "
	    "stop a 2 shutdown, start a 3, start b 3, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_18_rest_for_one_goes_on_from_the_failed_start(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; b fails=2; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 shutdown, stop b 1 shutdown, start a 2, fail b 2, "
	    "start b 3, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_19_a_finished_transient_that_cannot_be_revived_is_retried(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; t transient fails=2; c }");

	(void)state;
	world_exit(world, "t:normal");
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 shutdown, start a 2, fail t 2, "
	    "stop a 2 shutdown, start a 3, start t 3, start c 2");
	world_end(world);
}

static void
test_otp_20_a_retry_of_what_another_restart_has_started_is_dropped(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { a; b fails=2; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "b, a");
	expect_trace(world,
	    "stop b 1 crash, stop a 1 crash, stop c 1 shutdown, fail b 2, "
	    "start a 2, start b 3, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_otp_20_a_retry_of_what_was_stopped_is_dropped(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a fails=2 backoff=fixed delay=1s; b }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 1000);
	expect_state(world, "a", STATE_RESTARTING);
	world_stop(world, "a");
	world_trace(world);
	world_advance(world, 4000);
	expect_trace(world, "");
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	world_end(world);
}

static void
test_otp_21_the_parent_retries_a_supervisor_that_cannot_start(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { s one 0/5s { a; b fails=2 }; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop b 1 shutdown, down s, start a 2, fail b 2, "
	    "stop a 2 shutdown, down s, start a 3, start b 3, up s");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	assert_int_equal(world_view(world, "c").incarnation, 1);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_otp_09_counted_first),
		cmocka_unit_test(test_otp_10_one_for_one_touches_nobody_else),
		cmocka_unit_test(test_otp_11_one_for_all_stops_in_reverse_and_starts_in_order),
		cmocka_unit_test(test_otp_11_rest_for_one_does_not_touch_those_before),
		cmocka_unit_test(test_otp_12_a_group_restart_revives_a_finished_transient),
		cmocka_unit_test(
		    test_otp_12_ours_a_group_restart_does_not_start_what_an_operator_stopped),
		cmocka_unit_test(
		    test_otp_12_ours_a_group_restart_does_not_start_a_supervisor_that_gave_up),
		cmocka_unit_test(test_otp_13_a_supervisor_in_the_group_is_stopped_with_all_below),
		cmocka_unit_test(test_otp_14a_a_member_that_ended_meanwhile_is_swallowed),
		cmocka_unit_test(
		    test_otp_14a_a_significant_member_that_ended_meanwhile_is_swallowed),
		cmocka_unit_test(
		    test_otp_14a_a_significant_member_that_ended_after_the_failure_is_swallowed),
		cmocka_unit_test(test_otp_14b_a_failure_outside_the_group_is_handled_next),
		cmocka_unit_test(
		    test_otp_14c_a_started_member_that_ends_again_waits_until_the_last_is_started),
		cmocka_unit_test(test_otp_15_one_for_one_two_crashes_are_two_restarts),
		cmocka_unit_test(test_otp_16_the_retry_comes_behind_what_is_in_the_queue),
		cmocka_unit_test(test_otp_17_every_retry_is_counted),
		cmocka_unit_test(test_otp_17_with_intensity_n_there_are_n_tries),
		cmocka_unit_test(test_otp_18_one_for_all_retries_the_whole_round),
		cmocka_unit_test(test_otp_18_rest_for_one_goes_on_from_the_failed_start),
		cmocka_unit_test(
		    test_otp_19_a_finished_transient_that_cannot_be_revived_is_retried),
		cmocka_unit_test(
		    test_otp_20_a_retry_of_what_another_restart_has_started_is_dropped),
		cmocka_unit_test(test_otp_20_a_retry_of_what_was_stopped_is_dropped),
		cmocka_unit_test(test_otp_21_the_parent_retries_a_supervisor_that_cannot_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
