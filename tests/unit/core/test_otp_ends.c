/*
 * OTP, rules 1–8 (the child list, what an end means), and 38, 39. Tests bear the rule's number;
 * "ours" in a name says that coppice-semantics(7) wants something else than OTP there.
 *
 * Rules that are about children added and removed at run time (start_child, delete_child) come with
 * add/remove:
 *
 *   2   start_child appends            26  (part) added and deleted children after a restart
 *   3   a deleted child comes last     36  start_child's refusals
 *                                      37  delete_child's refusals
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_otp_01_starts_in_order_and_stops_in_reverse(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { a; s all 3/5s { b; c }; d }");

	(void)state;
	expect_trace(world, "start a 1, start b 1, start c 1, up s, start d 1");
	world_shutdown(world);
	expect_trace(world,
	    "stop d 1 shutdown, stop c 1 shutdown, stop b 1 shutdown, down s, "
	    "stop a 1 shutdown, exit 0");
	world_end(world);
}

static void
test_otp_04_ours_a_temporary_child_is_kept_when_it_ends(void **state)
{
	struct world *world = world_of_otp("/ one 0/5s { t temporary; u temporary }");

	(void)state;
	world_exit(world, "t:crash, u:normal");
	expect_state(world, "t", STATE_FINISHED);
	expect_state(world, "u", STATE_FINISHED);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_otp_04_ours_a_temporary_child_is_kept_by_a_group_restart(void **state)
{
	struct world *world = world_of_otp("/ all 3/5s { a; t temporary; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(
	    world, "stop a 1 crash, stop b 1 shutdown, stop t 1 shutdown, start a 2, start b 2");
	expect_state(world, "t", STATE_FINISHED);
	world_end(world);
}

static void
test_otp_04_ours_a_temporary_child_is_kept_by_an_operators_stop(void **state)
{
	struct world *world = world_of_otp("/ one 3/5s { t temporary }");

	(void)state;
	world_stop(world, "t");
	expect_why(world, "t", STATE_STOPPED, REASON_OPERATOR);
	world_start(world, "t");
	expect_alive(world, "t");
	world_end(world);
}

static void
test_otp_05_a_supervisors_end_is_normal(void **state)
{
	struct world *world = world_of_otp("/ one 0/5s { s transient one 0/5s { a }; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, down s");
	expect_alive(world, "b");
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_otp_06_what_each_restart_type_does(void **state)
{
	static const struct {
		const char *plan, *end;
		const char *alive;
		uint32_t counted;
	} rows[] = {
		{ "/ one 3/5s { a permanent }", "a:crash", "a", 1 },
		{ "/ one 3/5s { a permanent }", "a:normal", "a", 1 },
		{ "/ one 3/5s { a transient }", "a:crash", "a", 1 },
		{ "/ one 3/5s { a transient }", "a:SEGV", "a", 1 },
		{ "/ one 3/5s { a transient }", "a:lost", "a", 1 },
		{ "/ one 3/5s { a transient }", "a:normal", "", 0 },
		{ "/ one 3/5s { a transient success=0,3 }", "a:3", "", 0 },
		{ "/ one 3/5s { a transient success=3 }", "a:normal", "a", 1 },
		{ "/ one 3/5s { a transient success=SEGV }", "a:SEGV", "", 0 },
		{ "/ one 3/5s { a temporary }", "a:crash", "", 0 },
		{ "/ one 3/5s { a temporary }", "a:normal", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of_otp(rows[i].plan);

		world_exit(world, rows[i].end);
		print_message("%s after %s\n", rows[i].plan, rows[i].end);
		expect_alive(world, rows[i].alive);
		assert_int_equal(world_view(world, "/").restarts_in_window, rows[i].counted);
		assert_int_equal(world_view(world, "a").restarts, rows[i].counted);
		if (rows[i].counted == 0)
			expect_state(world, "a", STATE_FINISHED);
		world_end(world);
	}
}

static void
test_otp_07_an_end_that_is_no_failure_touches_nobody(void **state)
{
	static const char *const plans[] = {
		"/ one 0/5s { a; t transient; b }",
		"/ all 0/5s { a; t transient; b }",
		"/ rest 0/5s { a; t transient; b }",
		"/ escalate { a; t transient; b }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of_otp(plans[i]);

		world_trace(world);
		world_exit(world, "t:normal");
		expect_trace(world, "stop t 1 normal");
		expect_alive(world, "a b");
		expect_state(world, "/", STATE_RUNNING);
		world_end(world);
	}
}

static void
test_otp_08_an_end_during_the_supervisors_stop_is_no_failure(void **state)
{
	struct world *world = world_of_otp("/ all 1/5s { a; b crashes_on_stop; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 shutdown, stop b 1 crash, start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(world, "b").restarts, 0);
	world_end(world);
}

static void
test_otp_08_a_member_found_dead_is_no_failure(void **state)
{
	struct world *world = world_of_otp("/ all 1/5s { a; b; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a, b");
	expect_trace(world,
	    "stop a 1 crash, stop b 1 crash, stop c 1 shutdown, start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_otp_08_a_significant_member_stopped_by_a_group_restart(void **state)
{
	struct world *world = world_of_otp("/ all auto=any 3/5s { a; b transient significant }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, stop b 1 shutdown, start a 2, start b 2");
	world_end(world);
}

static void
test_otp_38_two_crashes_at_once_in_order_of_arrival(void **state)
{
	struct world *one = world_of_otp("/ rest 5/5s { a; b; c }");
	struct world *other = world_of_otp("/ rest 5/5s { a; b; c }");

	(void)state;
	world_exit(one, "a, c");
	world_exit(other, "c, a");
	assert_int_equal(world_view(one, "/").restarts_in_window, 1);
	assert_int_equal(world_view(one, "c").incarnation, 2);
	assert_int_equal(world_view(other, "/").restarts_in_window, 2);
	assert_int_equal(world_view(other, "c").incarnation, 3);
	world_end(one);
	world_end(other);
}

static void
test_otp_39_children_are_gone_before_the_parent_goes_on(void **state)
{
	struct world *world =
	    world_of("/ one 5/60s { s one abort backoff=none { a slow=1s; b fails=1 }; c }");

	(void)state;
	expect_trace(world, "start a 1, fail b 1");
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "stop a 1 shutdown, down s, start c 1, start a 2, start b 2, up s");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_otp_01_starts_in_order_and_stops_in_reverse),
		cmocka_unit_test(test_otp_04_ours_a_temporary_child_is_kept_when_it_ends),
		cmocka_unit_test(test_otp_04_ours_a_temporary_child_is_kept_by_a_group_restart),
		cmocka_unit_test(test_otp_04_ours_a_temporary_child_is_kept_by_an_operators_stop),
		cmocka_unit_test(test_otp_05_a_supervisors_end_is_normal),
		cmocka_unit_test(test_otp_06_what_each_restart_type_does),
		cmocka_unit_test(test_otp_07_an_end_that_is_no_failure_touches_nobody),
		cmocka_unit_test(test_otp_08_an_end_during_the_supervisors_stop_is_no_failure),
		cmocka_unit_test(test_otp_08_a_member_found_dead_is_no_failure),
		cmocka_unit_test(test_otp_08_a_significant_member_stopped_by_a_group_restart),
		cmocka_unit_test(test_otp_38_two_crashes_at_once_in_order_of_arrival),
		cmocka_unit_test(test_otp_39_children_are_gone_before_the_parent_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
