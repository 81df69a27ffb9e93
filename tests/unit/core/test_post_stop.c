/* post_stop: what an end leads to waits for it. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_post_stop_after_a_crash(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=300ms; b post=1s:9; c post=error }");
	struct core_record record;

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_why(world, "a", STATE_STOPPING, REASON_EXITED);
	expect_hook(world, "a", HOOK_POST_STOP);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	assert_false(world_view(world, "a").has_process);
	world_advance(world, 300);
	expect_why(world, "a", STATE_RESTARTING, REASON_EXITED);
	assert_int_equal(world_view(world, "a").streak, 1);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_advance(world, 100);
	expect_trace(world, "stop a 1 crash, hook a 1 post_stop, end a post_stop ok, start a 2");
	world_exit(world, "b, c"); /* what comes of it is only told */
	world_advance(world, 1100);
	assert_true(world_last_record(world, RECORD_HOOK, "b", &record));
	assert_int_equal(record.a, 9 << 8);
	expect_alive(world, "a b c");
	assert_int_equal(world_view(world, "/").restarts_in_window, 3);
	assert_int_equal(world_view(world, "a").restarts, 1);
	world_end(world);
}

static void
test_post_stop_after_a_stop(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a post=300ms slow=200ms; b post=infinity hook_timeout=2s }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_advance(world, 500);
	expect_trace(world, "stop a 1 shutdown, hook a 1 post_stop, end a post_stop ok");
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	world_stop(world, "b");
	world_advance(world, 1999);
	expect_why(world, "b", STATE_STOPPING, REASON_OPERATOR);
	world_advance(world, 1);
	expect_trace(world, "stop b 1 shutdown, hook b 1 post_stop, end b post_stop cut");
	expect_state(world, "b", STATE_STOPPED);
	world_end(world);
}

/* What the end leads to is decided by the end alone, when post_stop is over. */
static void
test_every_kind_of_end_waits_for_post_stop(void **state)
{
	static const struct {
		const char *words, *how;
		enum core_state state;
		enum core_reason reason;
		uint32_t counted;
	} rows[] = {
		{ "permanent", "a:normal", STATE_RESTARTING, REASON_EXITED, 1 },
		{ "permanent", "a:lost", STATE_RESTARTING, REASON_LOST, 1 },
		{ "transient", "a:normal", STATE_FINISHED, REASON_EXITED, 0 },
		{ "transient", "a:3", STATE_RESTARTING, REASON_EXITED, 1 },
		{ "temporary", "a:3", STATE_FINISHED, REASON_EXITED, 0 },
		{ "no_restart=3", "a:3", STATE_FAILED, REASON_NO_RESTART, 0 },
		{ "ready=exit", "a:normal", STATE_FINISHED, REASON_EXITED, 0 },
		{ "ready=exit", "a:3", STATE_RESTARTING, REASON_ENDED_EARLY, 1 },
		{ "ready=told says_ready=infinity", "a:normal", STATE_RESTARTING,
		    REASON_ENDED_EARLY, 1 },
		{ "ready=told says_ready=infinity temporary", "a:normal", STATE_FAILED,
		    REASON_ENDED_EARLY, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char plan[128];
		struct world *world;

		snprintf(
		    plan, sizeof plan, "/ one 9/60s { a post=1s delay=9s %s; b }", rows[i].words);
		world = world_of(plan);
		world_exit(world, rows[i].how);
		expect_state(world, "a", STATE_STOPPING);
		assert_int_equal(world_view(world, "a").streak, 0);
		world_advance(world, 999);
		expect_hook(world, "a", HOOK_POST_STOP);
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_advance(world, 1);
		expect_why(world, "a", rows[i].state, rows[i].reason);
		assert_int_equal(world_view(world, "/").restarts_in_window, rows[i].counted);
		assert_int_equal(world_view(world, "a").streak, rows[i].counted);
		world_end(world);
	}
}

/* The run counts as stable or not up to its end, not with post_stop. */
static void
test_post_stop_is_no_part_of_the_run(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=2s stable=10s }");

	(void)state;
	world_advance(world, 9000);
	world_exit(world, "a");
	world_advance(world, 2000);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_advance(world, 10100);
	world_exit(world, "a");
	world_advance(world, 2000);
	assert_int_equal(world_view(world, "a").streak, 0);
	expect_alive(world, "a");
	world_end(world);
}

static void
test_an_operator_during_post_stop(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=1s delay=9s }");

	(void)state;
	world_exit(world, "a");
	world_trace(world);
	world_stop(world, "a");
	expect_why(world, "a", STATE_STOPPING, REASON_OPERATOR);
	expect_trace(world, ""); /* it has its time */
	world_advance(world, 1000);
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	assert_int_equal(world_view(world, "a").streak, 0);
	world_start(world, "a");
	for (int restart = 0; restart < 2; restart++) { /* what was due is void */
		world_exit(world, "a");
		world_advance(world, 500);
		world_order(world, restart ? ON_RESTART : ON_START, "a");
		expect_state(world, "a", STATE_STOPPING);
		world_advance(world, 500);
		expect_state(world, "a", STATE_RUNNING);
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		assert_int_equal(world_view(world, "a").streak, 0);
	}
	world_exit(world, "a");
	world_start(world, "a");
	world_stop(world, "a"); /* the last word holds */
	world_advance(world, 1000);
	expect_state(world, "a", STATE_STOPPED);
	world_start(world, "a");
	world_trace(world);
	world_exit(world, "a");
	world_order_now(world, ON_STOP, "a");
	expect_trace(world, "stop a 5 crash, hook a 5 post_stop, end a post_stop cut");
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_a_reset_during_post_stop_clears_the_streak(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=1s }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 1100);
	world_exit(world, "a");
	world_order(world, ON_RESET, "a");
	world_advance(world, 1000);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_end(world);
}

/* A failure is handled when post_stop is over; a group restart that comes first takes it along. */
static void
test_a_group_restart_during_post_stop(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a post=1s; b; c post=2s }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	world_advance(world, 500);
	world_exit(world, "b");

	world_advance(world, 5000);
	expect_trace(world,
	    "stop a 1 crash, hook a 1 post_stop, stop b 1 crash, "
	    "stop c 1 shutdown, hook c 1 post_stop, end a post_stop ok, "
	    "end c post_stop ok, start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(world, "/").group_restarts, 1);
	world_end(world);
}

/* What will not be restarted after its post_stop, a group does not start either. */
static void
test_a_group_restart_does_not_revive_who_has_failed_for_good(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a post=3s no_restart=3; "
					   "t temporary post=2s; u transient post=1s; b }");

	(void)state;
	world_exit(world, "a:3, t, u:normal");
	world_exit(world, "b");
	world_advance(world, 1500);
	expect_why(world, "t", STATE_STOPPING, REASON_GROUP);
	world_advance(world, 1000);
	expect_state(world, "t", STATE_FINISHED);
	expect_why(world, "a", STATE_STOPPING, REASON_EXITED);
	world_advance(world, 500);
	expect_why(world, "a", STATE_FAILED, REASON_NO_RESTART);
	expect_alive(world, "u b"); /* as in OTP */
	world_end(world);
}

static void
test_an_operator_stops_who_has_failed_for_good(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=1s no_restart=3 }");

	(void)state;
	world_exit(world, "a:3");
	world_stop(world, "a");
	world_advance(world, 1000);
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	world_end(world);
}

/* The next place waits also for an instance that has failed, and whose post_stop runs. */
static void
test_a_round_waits_for_a_failing_sibling(void **state)
{
	struct world *world = world_of(
	    "/ rest 9/60s { t *2 backoff=none ready=told says_ready=infinity post=1s; x }");

	(void)state;
	world_exit(world, "t@1:normal");
	world_advance(world, 500);
	world_exit(world, "t@2:normal");
	world_advance(world, 500);
	world_ready(world, "t@1");
	expect_alive(world, "t@1");
	world_advance(world, 500);
	world_ready(world, "t@2");
	expect_alive(world, "t@1 t@2 x");
	world_end(world);
}

/* A one-shot is ready when it has finished, and so is its place. */
static void
test_a_round_waits_for_a_finishing_sibling(void **state)
{
	struct world *world = world_of("/ rest 9/60s { t *2 backoff=none ready=exit post=1s; x }");
	struct core_event done = { .type = ON_HOOK_DONE, .incarnation = 2, .hook = HOOK_POST_STOP };

	(void)state;
	done.node = world_id(world, "t@2");
	world_exit(world, "t@2:3");
	world_advance(world, 900);
	world_exit(world, "t@1:normal");
	world_advance(world, 100);
	world_exit(world, "t@2:normal");
	world_feed(world, &done); /* its post_stop is quicker this time */
	world_advance(world, 0);
	expect_state(world, "t@2", STATE_FINISHED);
	expect_state(world, "t@1", STATE_STOPPING);
	expect_alive(world, "");
	world_advance(world, 900);
	expect_state(world, "t@1", STATE_FINISHED);
	expect_alive(world, "x");
	world_end(world);
}

static void
test_a_failed_start_with_post_stop_ends_the_round(void **state)
{
	struct world *world = world_of_otp("/ one { s all 9/60s { a; b post=1s; c ready=told } }");

	(void)state;
	world_exit(world, "b");
	world_advance(world, 900);
	world_trace(world);
	world_advance(world, 100);
	expect_trace(world,
	    "end b post_stop ok, stop c 1 shutdown, stop a 1 shutdown, "
	    "start a 2, start b 2, start c 2");
	expect_alive(world, "a b c");
	world_end(world);
}

static void
test_escalation_waits_for_post_stop(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { s one 0/60s { a post=1s; b post=2s }; e escalate { x post=1s } }");

	(void)state;
	world_trace(world);
	world_exit(world, "a");
	expect_state(world, "s", STATE_RUNNING);
	world_advance(world, 1000);
	expect_state(world, "s", STATE_STOPPING);
	world_advance(world, 1999);
	expect_state(world, "s", STATE_STOPPING);
	world_advance(world, 1);
	expect_state(world, "s", STATE_RESTARTING);
	assert_int_equal(world_records(world, RECORD_ESCALATED, "s"), 1);
	world_exit(world, "x");
	world_stop(world, "e"); /* it ends while post_stop of its child runs */
	expect_state(world, "e", STATE_STOPPING);
	world_advance(world, 1000);
	expect_state(world, "e", STATE_STOPPED);
	assert_int_equal(world_records(world, RECORD_ESCALATED, "e"), 0);
	world_end(world);
}

static void
test_automatic_shutdown_waits_for_post_stop(void **state)
{
	struct world *world = world_of("/ one auto=any { a transient significant post=1s; b }");

	(void)state;
	world_trace(world);
	world_exit(world, "a:normal");
	expect_trace(world, "stop a 1 normal, hook a 1 post_stop");
	world_advance(world, 1000);
	expect_trace(world, "end a post_stop ok, stop b 1 shutdown, exit 0 automatic");
	world_end(world);
	world =
	    world_of("/ one auto=all { a transient significant post=1s; b transient significant }");
	world_trace(world);
	world_exit(world, "a:normal");
	world_exit(world, "b:normal"); /* a is not done */
	expect_trace(world, "stop a 1 normal, hook a 1 post_stop, stop b 1 normal");
	world_advance(world, 1000);
	expect_trace(world, "end a post_stop ok, exit 0 automatic");
	world_end(world);
}

static void
test_a_first_start_that_is_to_abort_waits_for_post_stop(void **state)
{
	struct world *world = world_of("/ one 9/60s { s all abort { a; "
				       "b ready=told says_ready=infinity post=1s }; z }");

	(void)state;
	world_exit(world, "b:normal");
	expect_state(world, "s", STATE_STARTING);
	world_advance(world, 1000);
	expect_why(world, "s", STATE_RESTARTING, REASON_ABORT);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_post_stop_after_a_crash),
		cmocka_unit_test(test_post_stop_after_a_stop),
		cmocka_unit_test(test_every_kind_of_end_waits_for_post_stop),
		cmocka_unit_test(test_post_stop_is_no_part_of_the_run),
		cmocka_unit_test(test_an_operator_during_post_stop),
		cmocka_unit_test(test_a_reset_during_post_stop_clears_the_streak),
		cmocka_unit_test(test_a_group_restart_during_post_stop),
		cmocka_unit_test(test_a_group_restart_does_not_revive_who_has_failed_for_good),
		cmocka_unit_test(test_an_operator_stops_who_has_failed_for_good),
		cmocka_unit_test(test_a_round_waits_for_a_failing_sibling),
		cmocka_unit_test(test_a_round_waits_for_a_finishing_sibling),
		cmocka_unit_test(test_a_failed_start_with_post_stop_ends_the_round),
		cmocka_unit_test(test_escalation_waits_for_post_stop),
		cmocka_unit_test(test_automatic_shutdown_waits_for_post_stop),
		cmocka_unit_test(test_a_first_start_that_is_to_abort_waits_for_post_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
