/* OTP, rules 22–29: restart intensity, escalation, automatic shutdown. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_otp_22_intensity_n_allows_n_restarts(void **state)
{
	struct world *world = world_of_otp("/ one 2/2s { a; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	world_exit(world, "b");
	expect_trace(world, "stop a 1 crash, start a 2, stop b 1 crash, start b 2");
	world_exit(world, "a");
	expect_trace(world, "stop a 2 crash, stop b 2 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_otp_22_ours_the_window_slides_in_milliseconds(void **state)
{
	static const struct {
		span_ms age;
		const char *alive;
	} rows[] = { { 1999, "" }, { 2000, "" }, { 2001, "a b" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of_otp("/ one 2/2s { a; b }");

		world_exit(world, "a");
		world_advance(world, 1500);
		world_exit(world, "b");
		world_advance(world, rows[i].age - 1500);
		world_exit(world, "a");
		expect_alive(world, rows[i].alive);
		world_end(world);
	}
}

static void
test_otp_22_a_group_restart_counts_once(void **state)
{
	struct world *world = world_of_otp("/ all 2/5s { a; b; c; s one 3/5s { d } }");

	(void)state;
	world_exit(world, "a");
	world_exit(world, "b");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	expect_alive(world, "a b c d");
	world_end(world);
}

static void
test_otp_22_operators_calls_and_first_starts_do_not_count(void **state)
{
	struct world *world = world_of_otp("/ one 0/5s { a; b transient }");

	(void)state;
	world_restart(world, "a");
	world_stop(world, "a");
	world_start(world, "a");
	world_exit(world, "b:normal");
	world_start(world, "b");
	expect_alive(world, "a b");
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_otp_23_too_many_stops_the_others_in_reverse(void **state)
{
	struct world *world = world_of_otp("/ one 0/5s { a; b; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(
	    world, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_otp_24_a_permanent_supervisor_that_gave_up_is_restarted_by_the_parents_strategy(void **state)
{
	struct world *world = world_of_otp("/ rest 3/5s { x; s one 0/5s { a; b }; y }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop b 1 shutdown, down s, stop y 1 shutdown, "
	    "start a 2, start b 2, up s, start y 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(world, "s").restarts, 1);
	world_end(world);
}

static void
test_otp_24_transient_and_temporary_supervisors_are_not_restarted(void **state)
{
	static const char *const plans[] = {
		"/ all 3/5s { x; s transient one 0/5s { a }; y }",
		"/ all 3/5s { x; s temporary one 0/5s { a }; y }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of_otp(plans[i]);

		world_trace(world);
		world_exit(world, "a");
		expect_trace(world, "stop a 1 crash, down s");
		expect_why(world, "s", STATE_FAILED, REASON_INTENSITY);
		expect_alive(world, "x y");
		world_end(world);
	}
}

static void
test_otp_25_it_climbs_and_each_ends_before_its_parent_acts(void **state)
{
	struct world *world =
	    world_of_otp("/ one 0/5s { x; s one 0/5s { y; t one 0/5s { a slow=1s; b } } }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world, "stop b 1 crash");
	world_advance(world, 1000);
	expect_trace(world,
	    "stop a 1 shutdown, down t, stop y 1 shutdown, down s, stop x 1 shutdown, "
	    "exit 70 escalated");
	world_end(world);
}

static void
test_otp_26_a_restarted_supervisor_starts_from_its_spec(void **state)
{
	struct world *world = world_of_otp(
	    "/ one 3/60s { s one 1/60s { a; t transient; u temporary; v no_restart=9 }; x }");

	(void)state;
	world_exit(world, "t:normal, u:crash, v:9");
	expect_state(world, "v", STATE_FAILED);
	world_exit(world, "a");
	assert_int_equal(world_view(world, "s").restarts_in_window, 1);
	expect_alive(world, "a x");
	world_exit(world, "a");
	expect_alive(world, "a t u v x");
	assert_int_equal(world_view(world, "s").restarts_in_window, 0);
	assert_int_equal(world_view(world, "x").incarnation, 1);
	world_exit(world, "a");
	assert_int_equal(world_view(world, "s").incarnation, 2);
	world_end(world);
}

static void
test_otp_26_the_same_after_an_operators_stop_and_start(void **state)
{
	struct world *world =
	    world_of_otp("/ one 3/60s { s one 1/60s { a; t transient; u temporary } }");

	(void)state;
	world_exit(world, "t:normal, u:crash, a");
	world_stop(world, "s");
	world_start(world, "s");
	expect_alive(world, "a t u");
	assert_int_equal(world_view(world, "s").restarts_in_window, 0);
	world_end(world);
}

static void
test_otp_26_ours_an_operators_stop_outlives_the_restart_of_the_supervisor(void **state)
{
	struct world *world = world_of_otp("/ one 3/60s { s one 0/60s { a; b } }");

	(void)state;
	world_stop(world, "b");
	world_exit(world, "a");
	expect_alive(world, "a");
	expect_state(world, "b", STATE_STOPPED);
	world_end(world);
}

static void
test_otp_27_when_automatic_shutdown_is_looked_at(void **state)
{
	static const struct {
		const char *member, *end;
		const char *alive;
	} rows[] = {
		{ "a transient significant", "a:normal", "x" },
		{ "a transient significant", "a:crash", "x a b" },
		{ "a transient significant no_restart=1", "a:crash", "x" },
		{ "a temporary significant", "a:normal", "x" },
		{ "a temporary significant", "a:crash", "x" },
		{ "a transient", "a:normal", "x b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char plan[128];
		struct world *world;

		snprintf(plan, sizeof plan,
		    "/ one 3/5s { x; s transient one 3/5s auto=any { %s; b } }", rows[i].member);
		print_message("%s, %s\n", plan, rows[i].end);
		world = world_of_otp(plan);
		world_exit(world, rows[i].end);
		expect_alive(world, rows[i].alive);
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_end(world);
	}
}

static void
test_otp_27_not_after_an_operators_stop(void **state)
{
	struct world *world = world_of_otp("/ one auto=any 3/5s { a transient significant; b }");

	(void)state;
	world_stop(world, "a");
	expect_alive(world, "b");
	world_end(world);
}

static void
test_otp_28_all_significant_waits_for_the_last(void **state)
{
	struct world *world =
	    world_of_otp("/ one auto=all 3/5s { a transient significant; b transient significant; "
			 "c temporary significant; d }");

	(void)state;
	world_exit(world, "a:normal");
	world_exit(world, "c:crash");
	expect_alive(world, "b d");
	world_trace(world);
	world_exit(world, "b:normal");
	expect_trace(world, "stop b 1 normal, stop d 1 shutdown, exit 0 automatic");
	world_end(world);
}

static void
test_otp_28_one_stopped_by_hand_does_not_hold_it_up(void **state)
{
	struct world *world = world_of_otp(
	    "/ one auto=all 3/5s { a transient significant; b transient significant; d }");

	(void)state;
	world_stop(world, "a");
	expect_alive(world, "b d");
	world_trace(world);
	world_exit(world, "b:normal");
	expect_trace(world, "stop b 1 normal, stop d 1 shutdown, exit 0 automatic");
	world_end(world);
}

static void
test_otp_28_one_that_waits_for_a_retry_holds_it_up(void **state)
{
	struct world *world =
	    world_of_otp("/ one auto=all 3/5s { a transient significant backoff=fixed delay=1s; "
			 "b transient significant; d }");

	(void)state;
	world_exit(world, "a");
	expect_state(world, "a", STATE_RESTARTING);
	world_exit(world, "b:normal");
	expect_alive(world, "d");
	world_advance(world, 1000);
	expect_alive(world, "a d");
	world_exit(world, "a:normal");
	expect_alive(world, "");
	world_end(world);
}

static void
test_otp_29_a_permanent_supervisor_is_restarted_and_counted(void **state)
{
	struct world *world =
	    world_of_otp("/ one 3/5s { s one auto=any 3/5s { a; b transient significant; c } }");

	(void)state;
	world_trace(world);
	world_exit(world, "b:normal");
	expect_trace(world,
	    "stop b 1 normal, stop c 1 shutdown, stop a 1 shutdown, down s, "
	    "start a 2, start b 2, start c 2, up s");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_otp_29_it_climbs_through_significant_supervisors(void **state)
{
	struct world *world = world_of_otp(
	    "/ one auto=any 3/5s { x; "
	    "s transient significant one auto=any 3/5s { a temporary significant; b } }");

	(void)state;
	world_trace(world);
	world_exit(world, "a:7");
	expect_trace(world,
	    "stop a 1 crash, stop b 1 shutdown, down s, stop x 1 shutdown, exit 7 automatic");
	world_end(world);
}

static void
test_otp_29_a_significant_supervisor_that_gives_up(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { p transient one auto=any 3/5s { x; "
					   "s transient significant one 0/5s { a } }; y }");

	(void)state;
	world_trace(world);
	world_exit(world, "a:7");
	expect_trace(world, "stop a 1 crash, down s, stop x 1 shutdown, down p");
	expect_alive(world, "y");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_otp_22_intensity_n_allows_n_restarts),
		cmocka_unit_test(test_otp_22_ours_the_window_slides_in_milliseconds),
		cmocka_unit_test(test_otp_22_a_group_restart_counts_once),
		cmocka_unit_test(test_otp_22_operators_calls_and_first_starts_do_not_count),
		cmocka_unit_test(test_otp_23_too_many_stops_the_others_in_reverse),
		cmocka_unit_test(
		    test_otp_24_a_permanent_supervisor_that_gave_up_is_restarted_by_the_parents_strategy),
		cmocka_unit_test(test_otp_24_transient_and_temporary_supervisors_are_not_restarted),
		cmocka_unit_test(test_otp_25_it_climbs_and_each_ends_before_its_parent_acts),
		cmocka_unit_test(test_otp_26_a_restarted_supervisor_starts_from_its_spec),
		cmocka_unit_test(test_otp_26_the_same_after_an_operators_stop_and_start),
		cmocka_unit_test(
		    test_otp_26_ours_an_operators_stop_outlives_the_restart_of_the_supervisor),
		cmocka_unit_test(test_otp_27_when_automatic_shutdown_is_looked_at),
		cmocka_unit_test(test_otp_27_not_after_an_operators_stop),
		cmocka_unit_test(test_otp_28_all_significant_waits_for_the_last),
		cmocka_unit_test(test_otp_28_one_stopped_by_hand_does_not_hold_it_up),
		cmocka_unit_test(test_otp_28_one_that_waits_for_a_retry_holds_it_up),
		cmocka_unit_test(test_otp_29_a_permanent_supervisor_is_restarted_and_counted),
		cmocka_unit_test(test_otp_29_it_climbs_through_significant_supervisors),
		cmocka_unit_test(test_otp_29_a_significant_supervisor_that_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
