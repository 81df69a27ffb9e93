/*
 * The delay of a group restart (coppice-semantics(7), Delay of a group): new ground, OTP has none.
 * The manual's time lines are in test_group_delay_lines.c.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* FIELD 1.B.11: those that depend on what has failed come back with it, by themselves. */
static void
test_members_stop_at_once_and_start_when_the_delay_is_over(void **state)
{
	struct world *world = world_of("/ all 5/60s { a; b backoff=fixed delay=1s; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	expect_state(world, "a", STATE_RESTARTING);
	expect_state(world, "b", STATE_RESTARTING);
	expect_state(world, "c", STATE_RESTARTING);
	assert_int_equal(world_view(world, "a").next_start, world_now(world) + 1000);
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "start a 2, start b 2, start c 2");
	world_end(world);
}

static void
test_only_the_failed_one_counts_a_restart_and_a_streak(void **state)
{
	struct world *world = world_of("/ all 5/60s { a; b backoff=fixed delay=1s; c }");

	(void)state;
	world_exit(world, "b");
	world_advance(world, 1000);
	assert_int_equal(world_view(world, "/").group_restarts, 1);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(world, "b").restarts, 1);
	assert_int_equal(world_view(world, "b").streak, 1);
	assert_int_equal(world_view(world, "a").restarts, 0);
	assert_int_equal(world_view(world, "a").streak, 0);
	assert_int_equal(world_view(world, "a").incarnation, 2);
	world_end(world);
}

static void
test_siblings_streaks_do_not_change(void **state)
{
	struct world *world = world_of("/ all 9/60s { a delay=1s; b delay=1s }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 1000);
	world_exit(world, "a");
	world_advance(world, 2000);
	assert_int_equal(world_view(world, "a").streak, 2);
	world_exit(world, "b");
	world_advance(world, 999);
	expect_alive(world, "");
	world_advance(world, 1);
	expect_alive(world, "a b");
	assert_int_equal(world_view(world, "a").streak, 2);
	assert_int_equal(world_view(world, "b").streak, 1);
	world_end(world);
}

static void
test_the_delay_runs_while_members_stop(void **state)
{
	struct world *world = world_of("/ all 5/60s { a; b backoff=fixed delay=1s; c slow=3s }");

	(void)state;
	world_exit(world, "b");
	world_trace(world);
	world_advance(world, 2999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(
	    world, "stop c 1 shutdown, stop a 1 shutdown, start a 2, start b 2, start c 2");
	world_end(world);
}

static void
test_a_failure_to_the_left_joins_and_the_longer_delay_holds(void **state)
{
	static const struct {
		const char *plan;
		span_ms starts_at; /* after the first failure; the second comes at 1000 */
	} rows[] = {
		{ "/ rest 5/60s { a backoff=fixed delay=5s; b backoff=fixed delay=2s; c }", 6000 },
		{ "/ rest 5/60s { a backoff=fixed delay=100ms; b backoff=fixed delay=2s; c }",
		    2000 },
		{ "/ rest 5/60s { a backoff=none; b backoff=fixed delay=2s; c }", 2000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(rows[i].plan);

		world_exit(world, "b");
		expect_alive(world, "a");
		world_advance(world, 1000);
		world_exit(world, "a");
		world_trace(world);
		world_advance(world, rows[i].starts_at - 1001);
		expect_trace(world, "");
		world_advance(world, 1);
		expect_trace(world, "start a 2, start b 2, start c 2");
		assert_int_equal(world_view(world, "/").restarts_in_window, 2);
		assert_int_equal(world_view(world, "a").restarts, 1);
		assert_int_equal(world_view(world, "b").restarts, 1);
		world_end(world);
	}
}

static void
test_a_failure_to_the_left_while_members_stop_joins(void **state)
{
	struct world *world = world_of(
	    "/ rest 5/60s { a backoff=fixed delay=1s; b backoff=fixed delay=1s; c slow=500ms }");

	(void)state;
	world_exit(world, "b");
	world_advance(world, 100);
	world_exit(world, "a");
	world_trace(world);
	world_advance(world, 1399);
	expect_trace(world, "stop c 1 shutdown");
	world_advance(world, 101);
	expect_trace(world, "start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	world_end(world);
}

static void
test_a_failed_start_in_the_group_waits_its_own_next_delay(void **state)
{
	struct world *world = world_of("/ all 9/60s { a; b delay=1s fails=2; c }");

	(void)state;
	world_exit(world, "b");
	world_trace(world);
	world_advance(world, 1000);
	expect_trace(world, "start a 2, fail b 2, stop a 2 shutdown");
	assert_int_equal(world_view(world, "b").streak, 2);
	world_advance(world, 1999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "start a 3, start b 3, start c 2");
	world_end(world);
}

static void
test_an_operators_start_starts_the_whole_waiting_group_now(void **state)
{
	static const char *const whom[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = world_of("/ all 5/60s { a; b backoff=fixed delay=10s; c }");

		world_exit(world, "b");
		world_trace(world);
		world_start(world, whom[i]);
		expect_trace(world, "start a 2, start b 2, start c 2");
		world_advance(world, 20000);
		expect_trace(world, "");
		world_end(world);
	}
}

static void
test_an_operators_stop_of_a_member_takes_it_out(void **state)
{
	static const struct {
		const char *whom, *alive;
	} rows[] = { { "a", "b c" }, { "b", "a c" }, { "c", "a b" } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = world_of("/ all 5/60s { a; b backoff=fixed delay=1s; c }");

		world_exit(world, "b");
		world_stop(world, rows[i].whom);
		expect_why(world, rows[i].whom, STATE_STOPPED, REASON_OPERATOR);
		world_advance(world, 1000);
		expect_alive(world, rows[i].alive);
		world_end(world);
	}
}

static void
test_a_stop_of_the_supervisor_cancels_the_delay(void **state)
{
	struct world *world =
	    world_of("/ one 5/60s { s all 5/60s { a; b backoff=fixed delay=1s }; x }");

	(void)state;
	world_exit(world, "b");
	world_stop(world, "s");
	expect_state(world, "s", STATE_STOPPED);
	world_trace(world);
	world_advance(world, 5000);
	expect_trace(world, "");
	world_start(world, "s");
	expect_alive(world, "a b x");
	world_end(world);
}

static void
test_temporary_members_end_finished_also_when_the_start_must_be_repeated(void **state)
{
	struct world *world = world_of_otp("/ rest 5/5s { a fails=2,3; t temporary; c }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_trace(world,
	    "stop a 1 crash, stop c 1 shutdown, stop t 1 shutdown, fail a 2, fail a 3, "
	    "start a 4, start c 2");
	expect_state(world, "t", STATE_FINISHED);
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

static void
test_instances_of_a_template_do_not_restart_each_other_under_rest_for_one(void **state)
{
	struct world *rest = world_of_otp("/ rest 5/5s { a; t *3; c }");
	struct world *all = world_of_otp("/ all 5/5s { a; t *2; c }");

	(void)state;
	world_trace(rest);
	world_exit(rest, "t@2");
	expect_trace(rest, "stop t@2 1 crash, stop c 1 shutdown, start t@2 2, start c 2");
	world_trace(all);
	world_exit(all, "t@1");
	expect_trace(all,
	    "stop t@1 1 crash, stop c 1 shutdown, stop t@2 1 shutdown, stop a 1 shutdown, "
	    "start a 2, start t@1 2, start t@2 2, start c 2");
	world_end(rest);
	world_end(all);
}

/* Also of members to the left of the one that failed. */
static void
test_a_set_that_must_wait_for_room_says_so(void **state)
{
	struct world *world = world_of("/ rest 1/60s limit=backoff { a; b delay=5s; c; d manual }");

	(void)state;
	world_exit(world, "b");
	expect_why(world, "b", STATE_RESTARTING, REASON_EXITED);
	expect_why(world, "c", STATE_RESTARTING, REASON_GROUP);
	world_start(world, "d");
	world_exit(world, "d");
	expect_why(world, "b", STATE_RESTARTING, REASON_LIMIT);
	expect_why(world, "c", STATE_RESTARTING, REASON_LIMIT);
	expect_why(world, "d", STATE_RESTARTING, REASON_LIMIT);
	world_end(world);
}

/* By the time of the second failure there is room, but the set waits on, and its start counts. */
static void
test_a_failure_that_joins_does_not_end_the_wait_for_room(void **state)
{
	struct world *world = world_of_otp("/ rest 1/1s limit=backoff { a; b max=10s }");

	(void)state;
	world_exit(world, "b");
	world_exit(world, "b");
	world_advance(world, 2000);
	world_exit(world, "a");
	world_advance(world, 7999);
	expect_alive(world, "");
	world_advance(world, 1);
	expect_alive(world, "a b");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_who_was_stopped_and_started_meanwhile_is_no_member(void **state)
{
	struct world *world = world_of("/ rest 9/60s { b delay=5s; c; d }");

	(void)state;
	world_exit(world, "b");
	world_stop(world, "d");
	world_stop(world, "c");
	world_start(world, "c");
	world_start(world, "d");
	world_exit(world, "d");
	expect_alive(world, "c");
	world_advance(world, 5000);
	expect_alive(world, "b c d");
	assert_int_equal(world_view(world, "c").incarnation, 2);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_stop_at_once_and_start_when_the_delay_is_over),
		cmocka_unit_test(test_only_the_failed_one_counts_a_restart_and_a_streak),
		cmocka_unit_test(test_siblings_streaks_do_not_change),
		cmocka_unit_test(test_the_delay_runs_while_members_stop),
		cmocka_unit_test(test_a_failure_to_the_left_joins_and_the_longer_delay_holds),
		cmocka_unit_test(test_a_failure_to_the_left_while_members_stop_joins),
		cmocka_unit_test(test_a_failed_start_in_the_group_waits_its_own_next_delay),
		cmocka_unit_test(test_an_operators_start_starts_the_whole_waiting_group_now),
		cmocka_unit_test(test_an_operators_stop_of_a_member_takes_it_out),
		cmocka_unit_test(test_a_stop_of_the_supervisor_cancels_the_delay),
		cmocka_unit_test(
		    test_temporary_members_end_finished_also_when_the_start_must_be_repeated),
		cmocka_unit_test(
		    test_instances_of_a_template_do_not_restart_each_other_under_rest_for_one),
		cmocka_unit_test(test_a_set_that_must_wait_for_room_says_so),
		cmocka_unit_test(test_a_failure_that_joins_does_not_end_the_wait_for_room),
		cmocka_unit_test(test_who_was_stopped_and_started_meanwhile_is_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
