/* Automatic shutdown beyond OTP 27–29: statuses that climb, and ends that somebody asked for. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_the_daemon_exits_with_the_significant_childs_status(void **state)
{
	static const struct {
		const char *end, *trace;
	} rows[] = {
		{ "a:normal", "stop a 1 normal, stop b 1 shutdown, exit 0 automatic" },
		{ "a:7", "stop a 1 crash, stop b 1 shutdown, exit 7 automatic" },
		{ "a:SEGV", "stop a 1 crash, stop b 1 shutdown, exit 139 automatic" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world =
		    world_of("/ one auto=any 9/60s { a temporary significant; b }");

		world_trace(world);
		world_exit(world, rows[i].end);
		expect_trace(world, rows[i].trace);
		world_end(world);
	}
}

static void
test_it_takes_effect_under_every_strategy(void **state)
{
	static const char *const strategies[] = { "one", "all", "rest" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char plan[128];
		struct world *world;

		snprintf(plan, sizeof plan, "/ %s auto=any 9/60s { x; a transient significant; b }",
		    strategies[i]);
		world = world_of(plan);
		world_trace(world);
		world_exit(world, "a:normal");
		expect_trace(world,
		    "stop a 1 normal, stop b 1 shutdown, stop x 1 shutdown, exit 0 automatic");
		world_end(world);
	}
}

/* FIELD 1.A.3 */
static void
test_a_significant_one_shot(void **state)
{
	struct world *world = world_of(
	    "/ one auto=any 9/60s { x; a transient significant ready=exit lives=1s:0; b }");

	(void)state;
	world_trace(world);
	world_advance(world, 1000);
	expect_alive(world, "");
	world_end(world);
}

static void
test_a_temporary_one_that_cannot_start_has_ended(void **state)
{
	struct world *world =
	    world_of("/ one auto=any 9/60s { x; a temporary significant fails=1; b }");

	(void)state;
	expect_alive(world, "");
	world_end(world);
}

static void
test_what_an_operator_a_group_or_a_shutdown_asked_for_never_triggers_it(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { s all auto=any 9/60s { x; a transient significant; "
			 "t temporary significant } }");

	(void)state;
	world_exit(world, "x"); /* the group restart ends t for good */
	expect_state(world, "t", STATE_FINISHED);
	expect_alive(world, "x a");
	world_stop(world, "a");
	expect_alive(world, "x");
	world_restart(world, "s");
	expect_alive(world, "x t");
	world_trace(world);
	world_shutdown(world);
	expect_trace(world, "stop t 2 shutdown, stop x 3 shutdown, down s, exit 0");
	world_end(world);
}

static void
test_all_significant_counts_only_those_alive(void **state)
{
	struct world *world = world_of_otp(
	    "/ one auto=all 9/60s { a transient significant; "
	    "b transient significant no_restart=4; m transient significant manual; x }");

	(void)state;
	world_exit(world, "b:4");
	expect_state(world, "b", STATE_FAILED);
	expect_alive(world, "a x");
	world_exit(world, "a:normal");
	expect_alive(world, "");
	world_end(world);
}

static void
test_one_that_is_being_stopped_by_hand_does_not_hold_it_up(void **state)
{
	struct world *world = world_of_otp("/ one auto=all 9/60s { a transient significant; "
					   "b transient significant slow=5s; x }");

	(void)state;
	world_stop(world, "b");
	world_exit(world, "a:normal");
	world_advance(world, 5000);
	expect_alive(world, "");
	assert_true(core_is_leaving(world_core(world)));
	world_end(world);
}

static void
test_a_queued_end_takes_effect_after_the_operation(void **state)
{
	struct world *world = world_of_otp(
	    "/ rest auto=any 9/60s { a temporary significant; b; c ready=told says_ready=1s }");

	(void)state;
	world_advance(world, 1000);
	world_exit(world, "b");
	world_exit(world, "a:5"); /* outside the set that is being started */
	world_trace(world);
	world_advance(world, 1000);
	expect_trace(world, "stop c 2 shutdown, stop b 2 shutdown, exit 5 automatic");
	world_end(world);
}

static void
test_a_transient_supervisor_that_ended_so_is_finished_and_can_be_started(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { s transient one auto=any 9/60s { a temporary significant; b }; x }");

	(void)state;
	world_exit(world, "a:3");
	expect_why(world, "s", STATE_FINISHED, REASON_AUTO_SHUTDOWN);
	expect_alive(world, "x");
	world_start(world, "s");
	expect_alive(world, "a b x");
	world_end(world);
}

static void
test_one_that_waits_for_its_turn_holds_it_up(void **state)
{
	struct world *world = world_of("/ one 9/60s auto=all start_parallel max_starting=1 "
				       "{ a temporary significant; x ready=told "
				       "says_ready=infinity; b temporary significant }");

	(void)state;
	world_exit(world, "a:normal");
	expect_why(world, "b", STATE_WAITING, REASON_SLOT);
	expect_alive(world, "x");
	world_end(world);
}

static void
test_a_lost_status_is_exit_70(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s auto=any { a temporary significant; b slow=1s }");

	(void)state;
	world_trace(world);
	world_exit(world, "a:lost");
	expect_why(world, "a", STATE_FINISHED, REASON_LOST);
	world_advance(world, 1000);
	expect_trace(world, "stop a 1 crash, stop b 1 shutdown, exit 70 automatic");
	world_end(world);
}

/* The status of an earlier end is not told again. */
static void
test_an_end_without_a_status_is_exit_70(void **state)
{
	struct world *world = world_of("/ one 9/60s auto=all { h temporary significant; "
				       "s transient significant one 9/60s auto=all "
				       "{ a manual temporary significant; "
				       "b manual temporary significant } }");

	(void)state;
	world_start(world, "a");
	world_exit(world, "a:3");
	expect_why(world, "s", STATE_FINISHED, REASON_AUTO_SHUTDOWN);
	world_start(world, "s");
	world_stop(world, "h");
	world_break(world, "b");
	world_trace(world);
	world_start(world, "b");
	expect_trace(world, "fail b 1, down s, exit 70 automatic");
	world_end(world);
}

/* Nor where that earlier end was the same node's. */
static void
test_a_failed_start_after_an_end_is_exit_70(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s auto=all { h temporary significant; a temporary significant }");

	(void)state;
	world_exit(world, "a:3");
	world_stop(world, "h");
	world_break(world, "a");
	world_trace(world);
	world_start(world, "a");
	expect_trace(world, "fail a 2, exit 70 automatic");
	world_end(world);
}

static void
test_an_escalation_after_an_automatic_shutdown_is_exit_70(void **state)
{
	struct world *world = world_of("/ one 9/60s auto=all { h temporary significant; "
				       "s transient significant one 0/60s limit=escalate auto=any "
				       "{ a temporary significant; b } }");

	(void)state;
	world_exit(world, "a:3");
	expect_why(world, "s", STATE_FINISHED, REASON_AUTO_SHUTDOWN);
	world_start(world, "s");
	world_stop(world, "h");
	world_trace(world);
	world_exit(world, "b:4");
	expect_trace(world, "stop b 2 crash, stop a 2 shutdown, down s, exit 70 automatic");
	world_end(world);
}

/* It has ended for good, whatever becomes of its siblings. */
static void
test_one_that_ended_before_its_set_is_given_up(void **state)
{
	struct world *world = world_of("/ one 9/60s { s transient all 0/5s limit=give_up auto=any "
				       "{ a; b transient significant ready=exit lives=1s:0 } }");

	(void)state;
	world_exit(world, "a"); /* waits until b is ready, or done */
	world_advance(world, 1000);
	expect_why(world, "a", STATE_FAILED, REASON_GIVEN_UP);
	expect_why(world, "s", STATE_FINISHED, REASON_AUTO_SHUTDOWN);
	world_end(world);
	/* unless it is restarted with them */
	world = world_of("/ one 9/60s { s transient all 9/60s auto=any "
			 "{ a delay=1s; b transient significant ready=exit lives=1s:0 } }");
	world_exit(world, "a");
	world_advance(world, 1000);
	expect_why(world, "b", STATE_RESTARTING, REASON_GROUP);
	expect_state(world, "s", STATE_RUNNING);
	world_end(world);
}

/* The restart of its set would not have ended it for good. */
static void
test_one_that_failed_for_good_before_its_set_restarts(void **state)
{
	struct world *world = world_of("/ one 9/60s { s transient all 9/60s auto=any "
				       "{ t transient significant no_restart=4; a; b slow=1s } }");

	(void)state;
	world_exit(world, "a");
	world_exit(world, "t:4"); /* b is still being stopped */
	world_advance(world, 60000);
	expect_why(world, "s", STATE_FINISHED, REASON_AUTO_SHUTDOWN);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_daemon_exits_with_the_significant_childs_status),
		cmocka_unit_test(test_it_takes_effect_under_every_strategy),
		cmocka_unit_test(test_a_significant_one_shot),
		cmocka_unit_test(test_a_temporary_one_that_cannot_start_has_ended),
		cmocka_unit_test(
		    test_what_an_operator_a_group_or_a_shutdown_asked_for_never_triggers_it),
		cmocka_unit_test(test_all_significant_counts_only_those_alive),
		cmocka_unit_test(test_one_that_is_being_stopped_by_hand_does_not_hold_it_up),
		cmocka_unit_test(test_a_queued_end_takes_effect_after_the_operation),
		cmocka_unit_test(
		    test_a_transient_supervisor_that_ended_so_is_finished_and_can_be_started),
		cmocka_unit_test(test_one_that_waits_for_its_turn_holds_it_up),
		cmocka_unit_test(test_a_lost_status_is_exit_70),
		cmocka_unit_test(test_an_end_without_a_status_is_exit_70),
		cmocka_unit_test(test_a_failed_start_after_an_end_is_exit_70),
		cmocka_unit_test(test_one_that_ended_before_its_set_is_given_up),
		cmocka_unit_test(test_one_that_failed_for_good_before_its_set_restarts),
		cmocka_unit_test(test_an_escalation_after_an_automatic_shutdown_is_exit_70),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
