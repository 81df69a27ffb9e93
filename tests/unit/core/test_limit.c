/*
 * What happens when the restart intensity is reached: on_limit × strategy, and the two exits that
 * act like it.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A supervisor `s` with 1 restart in 10 s, between x and y; its b fails twice at once. */
static struct world *
after_two_failures(const char *strategy, const char *limit)
{
	char plan[256];
	struct world *world;

	snprintf(plan, sizeof plan,
	    "/ one 9/60s { x; s %s 1/10s limit=%s { a max=3s; b max=3s; c max=3s }; y }", strategy,
	    limit);
	world = world_of_otp(plan);
	world_exit(world, "b");
	world_trace(world);
	world_exit(world, "b");
	return world;
}

static void
test_backoff_stops_the_set_and_waits(void **state)
{
	static const struct {
		const char *strategy, *stops, *starts;
	} rows[] = {
		{ "one", "stop b 2 crash", "start b 3" },
		{ "all", "stop b 2 crash, stop c 2 shutdown, stop a 2 shutdown",
		    "start a 3, start b 3, start c 3" },
		{ "rest", "stop b 2 crash, stop c 2 shutdown", "start b 3, start c 3" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = after_two_failures(rows[i].strategy, "backoff");

		expect_trace(world, rows[i].stops);
		expect_why(world, "b", STATE_RESTARTING, REASON_LIMIT);
		assert_int_equal(
		    world_view(world, "s").restarts_in_window, 1); /* this failure is not stamped */
		world_advance(world, 10000);
		expect_trace(world, "");
		world_advance(world, 1); /* a stamp leaves when it is older than the period */
		expect_trace(world, rows[i].starts);
		assert_int_equal(
		    world_view(world, "s").restarts_in_window, 1); /* but its start is */
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_end(world);
	}
}

static void
test_backoff_waits_for_backoff_max_if_that_is_longer(void **state)
{
	struct world *world = world_of_otp("/ one 1/2s limit=backoff { a max=5s; b }");

	(void)state;
	world_exit(world, "a");
	world_exit(world, "a");
	world_advance(world, 4999);
	expect_alive(world, "b");
	world_advance(world, 1);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_backoff_with_intensity_0_waits_one_period(void **state)
{
	static const char *const plans[] = {
		"/ one 0/2s limit=backoff { a max=1s; b }",
		"/ all 0/2s limit=backoff { a max=1s; b }",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_of_otp(plans[i]);

		world_exit(world, "a");
		world_advance(world, 1999);
		assert_int_equal(world_view(world, "a").incarnation, 1);
		world_advance(world, 1);
		expect_alive(world, "a b");
		world_exit(world, "a");
		world_advance(world, 2000);
		expect_alive(world, "a b");
		world_end(world);
	}
}

/* FIELD 1.B.7, 1.B.8: it is tried again and again, at a pace that hurts nobody. */
static void
test_one_broken_program_never_takes_the_others_down_and_heals(void **state)
{
	struct world *world = world_of("/ one 3/10s limit=backoff { a fails_from=2 max=1s; b }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 3600000);
	assert_int_equal(world_view(world, "b").incarnation, 1);
	assert_true(world_view(world, "a").incarnation > 100);
	world_mend(world, "a");
	world_advance(world, 20000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_give_up_fails_the_set_and_siblings_go_on(void **state)
{
	static const struct {
		const char *strategy, *stops, *alive;
	} rows[] = {
		{ "one", "stop b 2 crash", "x a c y" },
		{ "all", "stop b 2 crash, stop c 2 shutdown, stop a 2 shutdown", "x y" },
		{ "rest", "stop b 2 crash, stop c 2 shutdown", "x a y" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = after_two_failures(rows[i].strategy, "give_up");

		expect_trace(world, rows[i].stops);
		expect_why(world, "b", STATE_FAILED, REASON_GIVEN_UP);
		expect_alive(world, rows[i].alive);
		expect_state(world, "s", STATE_RUNNING);
		world_advance(world, 100000);
		expect_trace(world, "");
		world_end(world);
	}
}

static void
test_later_groups_pass_over_failed_members(void **state)
{
	struct world *world = after_two_failures("rest", "give_up");

	(void)state;
	world_advance(world, 11000);
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, start a 2");
	expect_state(world, "b", STATE_FAILED);
	expect_state(world, "c", STATE_FAILED);
	world_end(world);
}

/* Also over those whose turn had never come. */
static void
test_later_groups_pass_over_members_given_up_untried(void **state)
{
	struct world *world =
	    world_of("/ rest 1/60s limit=give_up { a; b fails=1,2; c; t temporary }");

	(void)state;
	world_advance(world, 61000);
	expect_why(world, "b", STATE_FAILED, REASON_GIVEN_UP);
	expect_why(world, "c", STATE_FAILED, REASON_GIVEN_UP);
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world, "stop a 1 crash, start a 2");
	expect_why(world, "c", STATE_FAILED, REASON_GIVEN_UP);
	world_mend(world, "b");
	world_start(world, "c");
	expect_trace(world, "start b 3, start c 1, start t 1");
	world_end(world);
}

/* Of one that was given up, or that waits for room in the window. */
static void
test_an_operators_start_of_one_starts_the_whole_set(void **state)
{
	static const struct {
		const char *strategy, *starts;
	} rows[] = {
		{ "one", "start b 3" },
		{ "all", "start a 3, start b 3, start c 3" },
		{ "rest", "start b 3, start c 3" },
	};
	static const char *const limits[] = { "give_up", "backoff" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct world *world = after_two_failures(rows[i % 3].strategy, limits[i / 3]);

		world_trace(world);
		world_start(world, "b");
		expect_trace(world, rows[i % 3].starts);
		assert_int_equal(world_view(world, "s").restarts_in_window, 0);
		assert_int_equal(world_view(world, "b").streak, 0);
		world_advance(world, 60000);
		expect_trace(world, "");
		world_end(world);
	}
}

static void
test_terminate_stops_the_supervisor_and_its_parent_sees_nothing(void **state)
{
	static const char *const strategies[] = { "one", "all", "rest" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = after_two_failures(strategies[i], "terminate");

		expect_why(world, "s", STATE_FAILED, REASON_INTENSITY);
		expect_alive(world, "x y");
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_start(world, "s");
		expect_alive(world, "x a b c y");
		assert_int_equal(world_view(world, "s").restarts_in_window, 0);
		world_end(world);
	}
}

static void
test_escalate_ends_the_supervisor_and_the_parent_restarts_it(void **state)
{
	static const char *const strategies[] = { "one", "all", "rest" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = after_two_failures(strategies[i], "escalate");

		expect_alive(world, "x a b c y");
		assert_int_equal(world_view(world, "s").incarnation, 2);
		assert_int_equal(world_view(world, "s").restarts_in_window, 0);
		assert_int_equal(world_view(world, "b").streak, 0);
		assert_int_equal(world_view(world, "/").restarts_in_window, 1);
		world_end(world);
	}
}

static void
test_an_escalated_supervisor_is_delayed_by_its_own_backoff(void **state)
{
	struct world *world = world_of("/ one 9/60s { s delay=2s one 0/10s { a backoff=none } }");

	(void)state;
	world_exit(world, "a");
	expect_state(world, "s", STATE_RESTARTING);
	world_advance(world, 1999);
	expect_alive(world, "");
	world_advance(world, 1);
	expect_alive(world, "a");
	world_exit(world, "a"); /* its own streak goes on */
	world_advance(world, 3999);
	expect_alive(world, "");
	world_advance(world, 1);
	expect_alive(world, "a");
	assert_int_equal(world_view(world, "s").streak, 2);
	world_end(world);
}

static void
test_at_the_root(void **state)
{
	static const struct {
		const char *limit, *trace;
	} rows[] = {
		{ "escalate", "stop a 1 crash, stop b 1 shutdown, exit 70 escalated" },
		{ "terminate", "stop a 1 crash, stop b 1 shutdown, exit 70 escalated" },
		{ "give_up", "stop a 1 crash" },
		{ "backoff", "stop a 1 crash" },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char plan[64];
		struct world *world;

		snprintf(plan, sizeof plan, "/ one 0/60s limit=%s { a; b }", rows[i].limit);
		world = world_of_otp(plan);
		world_trace(world);
		world_exit(world, "a");
		expect_trace(world, rows[i].trace);
		world_end(world);
	}
}

static void
test_escalate_exit_escalates_whatever_on_limit_says(void **state)
{
	static const char *const limits[] = { "escalate", "backoff", "give_up", "terminate" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char plan[128];
		struct world *world;

		snprintf(plan, sizeof plan,
		    "/ one 9/60s { s one 5/60s limit=%s { a escalate_exit=9,SEGV; b } }",
		    limits[i]);
		world = world_of_otp(plan);
		world_exit(world, "a:1");
		assert_int_equal(world_view(world, "s").incarnation, 1);
		world_exit(world, "a:9");
		assert_int_equal(world_view(world, "s").incarnation, 2);
		world_exit(world, "a:SEGV");
		assert_int_equal(world_view(world, "s").incarnation, 3);
		assert_int_equal(world_view(world, "/").restarts_in_window, 2);
		expect_alive(world, "a b");
		world_end(world);
	}
}

static void
test_strategy_escalate_makes_any_failure_the_supervisors(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { s escalate { a; b transient; t temporary }; "
			 "r transient escalate { c } }");

	(void)state;
	world_exit(world, "b:normal, t:crash");
	assert_int_equal(world_view(world, "s").incarnation, 1);
	world_exit(world, "a:normal"); /* of a permanent child any end */
	assert_int_equal(world_view(world, "s").incarnation, 2);
	world_exit(world, "c");
	expect_why(world, "r", STATE_FAILED, REASON_ESCALATE);
	expect_alive(world, "a b t");
	world_end(world);
}

static void
test_escalation_at_the_root_is_exit_70(void **state)
{
	struct world *world = world_of_otp("/ one 9/60s limit=backoff { a escalate_exit=9; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a:9");
	expect_trace(world, "stop a 1 crash, stop b 1 shutdown, exit 70 escalated");
	world_end(world);
}

static void
test_no_restart_exit_fails_that_child_at_once(void **state)
{
	static const char *const strategies[] = { "one", "all", "rest" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char plan[128];
		struct world *world;

		snprintf(
		    plan, sizeof plan, "/ %s 0/60s { x; a no_restart=9,SEGV; b }", strategies[i]);
		world = world_of_otp(plan);
		world_exit(world, "a:9");
		expect_why(world, "a", STATE_FAILED, REASON_NO_RESTART);
		expect_alive(world, "x b");
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_start(world, "a");
		expect_alive(world, "x a b");
		world_exit(world, "a:SEGV");
		expect_state(world, "a", STATE_FAILED);
		world_end(world);
	}
}

/* There is room for one: the other goes on waiting. */
static void
test_who_waits_for_room_takes_it(void **state)
{
	struct world *world = world_of_otp("/ one 2/5s limit=backoff { a max=1ms; b max=1ms; c }");

	(void)state;
	world_exit(world, "c");
	world_advance(world, 1000);
	world_exit(world, "c");
	world_advance(world, 1000);
	world_exit(world, "a, b");
	world_advance(world, 3001);
	expect_alive(world, "a c");
	expect_why(world, "b", STATE_RESTARTING, REASON_LIMIT);
	world_advance(world, 999);
	expect_alive(world, "a c");
	world_advance(world, 1);
	expect_alive(world, "a b c");
	world_end(world);
}

static void
test_escalate_exit_of_a_temporary_child_escalates_too(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { s one 9/60s { a temporary escalate_exit=9 } }");

	(void)state;
	world_exit(world, "a:9");
	assert_int_equal(world_view(world, "s").incarnation, 2);
	expect_alive(world, "a");
	world_end(world);
}

/* Whom nobody wants any more is not started with the others that were given up. */
static void
test_a_start_of_what_was_given_up_is_of_those_wanted(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { s all 0/60s limit=give_up { m manual; b } }");

	(void)state;
	world_start(world, "m");
	world_exit(world, "b");
	expect_why(world, "m", STATE_FAILED, REASON_GIVEN_UP);
	world_stop(world, "s");
	world_start(world, "s"); /* is none of m */
	world_exit(world, "b");
	expect_alive(world, "");
	world_start(world, "b");
	expect_alive(world, "b");
	expect_why(world, "m", STATE_FAILED, REASON_GIVEN_UP);
	world_end(world);
}

static void
test_what_has_left_the_window_is_not_shown(void **state)
{
	struct world *world = world_of_otp("/ one 9/60s { a; b }");

	(void)state;
	world_exit(world, "a");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_advance(world, 60001);
	world_stop(world, "b");
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

/* Whoever has not been started when that start fails waits for the next one, not for room. */
static void
test_what_no_longer_waits_for_room_does_not_say_so(void **state)
{
	struct world *world = world_of("/ all 2/60s limit=backoff { a max=100s fails=4; b }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 1000);
	world_exit(world, "a");
	world_advance(world, 1000);
	world_exit(world, "a");
	expect_why(world, "b", STATE_RESTARTING, REASON_LIMIT);
	world_advance(world, 100000);
	expect_why(world, "a", STATE_RESTARTING, REASON_START_FAILED);
	expect_why(world, "b", STATE_RESTARTING, REASON_GROUP);
	world_end(world);
}

/* The set that waits for room will not start it; so it waits for its own connections alone. */
static void
test_a_temporary_one_on_demand_is_started_alone(void **state)
{
	struct world *world =
	    world_of("/ all 0/60s limit=backoff { a; t temporary on_demand ready=exit }");

	(void)state;
	world_start(world, "t");
	world_exit(world, "a");
	expect_why(world, "t", STATE_FINISHED, REASON_LIMIT);
	world_start(world, "t");
	world_exit(world, "t:normal");
	expect_why(world, "t", STATE_WAITING, REASON_DEMAND);
	world_order(world, ON_DEMAND, "t");
	expect_alive(world, "t");
	world_end(world);
}

/* One that ends well before the walk has come to it is given up like the others. */
static void
test_one_on_demand_is_given_up_with_its_set(void **state)
{
	struct world *world = world_of("/ all 0/60s limit=give_up { d on_demand; b; c slow=1s }");

	(void)state;
	world_start(world, "d");
	world_exit(world, "b");
	world_exit(world, "d:normal");
	expect_why(world, "d", STATE_WAITING, REASON_DEMAND);
	world_advance(world, 1000);
	expect_why(world, "d", STATE_FAILED, REASON_GIVEN_UP);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff_stops_the_set_and_waits),
		cmocka_unit_test(test_backoff_waits_for_backoff_max_if_that_is_longer),
		cmocka_unit_test(test_backoff_with_intensity_0_waits_one_period),
		cmocka_unit_test(test_one_broken_program_never_takes_the_others_down_and_heals),
		cmocka_unit_test(test_give_up_fails_the_set_and_siblings_go_on),
		cmocka_unit_test(test_a_temporary_one_on_demand_is_started_alone),
		cmocka_unit_test(test_one_on_demand_is_given_up_with_its_set),
		cmocka_unit_test(test_later_groups_pass_over_failed_members),
		cmocka_unit_test(test_later_groups_pass_over_members_given_up_untried),
		cmocka_unit_test(test_an_operators_start_of_one_starts_the_whole_set),
		cmocka_unit_test(test_terminate_stops_the_supervisor_and_its_parent_sees_nothing),
		cmocka_unit_test(test_escalate_ends_the_supervisor_and_the_parent_restarts_it),
		cmocka_unit_test(test_an_escalated_supervisor_is_delayed_by_its_own_backoff),
		cmocka_unit_test(test_at_the_root),
		cmocka_unit_test(test_escalate_exit_escalates_whatever_on_limit_says),
		cmocka_unit_test(test_strategy_escalate_makes_any_failure_the_supervisors),
		cmocka_unit_test(test_escalation_at_the_root_is_exit_70),
		cmocka_unit_test(test_no_restart_exit_fails_that_child_at_once),
		cmocka_unit_test(test_who_waits_for_room_takes_it),
		cmocka_unit_test(test_escalate_exit_of_a_temporary_child_escalates_too),
		cmocka_unit_test(test_a_start_of_what_was_given_up_is_of_those_wanted),
		cmocka_unit_test(test_what_has_left_the_window_is_not_shown),
		cmocka_unit_test(test_what_no_longer_waits_for_room_does_not_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
