/* Starting: order, readiness, slots, timeouts, templates (coppice-semantics(7), Starting). */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_one_for_one_waits_until_ready_or_failed_once(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { a ready=told says_ready=1s; b fails=1 backoff=fixed delay=5s; c }");

	(void)state;
	expect_trace(world, "start a 1");
	expect_why(world, "b", STATE_WAITING, REASON_TURN);
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "fail b 1, start c 1");
	expect_state(world, "/", STATE_RUNNING); /* not waited for: its first attempt has failed */
	world_advance(world, 5000);
	expect_trace(world, "start b 2");
	world_end(world);
}

/* FIELD 1.C.16, 1.C.17: for readiness, however long it takes. */
static void
test_groups_wait_until_ready_through_retries(void **state)
{
	static const char *const plans[] = {
		"/ all 9/60s { a fails=1 backoff=fixed delay=5s; b }",
		"/ rest 9/60s { a fails=1 backoff=fixed delay=5s; b }",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_of(plans[i]);

		expect_trace(world, "fail a 1");
		expect_state(world, "/", STATE_STARTING);
		world_advance(world, 4999);
		expect_trace(world, "");
		world_advance(world, 1);
		expect_trace(world, "start a 2, start b 1");
		expect_state(world, "/", STATE_RUNNING);
		world_end(world);
	}
}

static void
test_the_next_supervisor_waits_for_all_of_the_one_before(void **state)
{
	struct world *world = world_of(
	    "/ all 9/60s { s all 9/60s { a; b ready=told says_ready=2s }; t one 9/60s { c }; d }");

	(void)state;
	expect_trace(world, "start a 1, start b 1");
	expect_state(world, "s", STATE_STARTING);
	world_advance(world, 2000);
	expect_trace(world, "up s, start c 1, up t, start d 1");
	world_end(world);
}

static void
test_parallel_starts_all_at_once(void **state)
{
	struct world *world =
	    world_of("/ all start_parallel 9/60s { a spawn=1s; b; c ready=told says_ready=2s }");

	(void)state;
	expect_trace(world, "start b 1, start c 1");
	world_advance(world, 1000);
	expect_trace(world, "start a 1");
	expect_state(world, "/", STATE_STARTING);
	world_advance(world, 1000);
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

static void
test_at_most_max_starting_at_a_time(void **state)
{
	struct world *world = world_of(
	    "/ one start_parallel max_starting=2 9/60s "
	    "{ a ready=told says_ready=1s; b ready=told says_ready=3s; c ready=told says_ready=1s; d }");

	(void)state;
	expect_trace(world, "start a 1, start b 1");
	expect_why(world, "c", STATE_WAITING, REASON_SLOT);
	expect_why(world, "d", STATE_WAITING, REASON_SLOT);
	world_advance(world, 1000);
	expect_trace(world, "start c 1");
	world_advance(world, 1000);
	expect_trace(world, "start d 1");
	world_end(world);
}

static void
test_restarts_need_a_slot_too(void **state)
{
	struct world *world = world_of_otp("/ one max_starting=1 9/60s { a spawn=1s; b; c }");

	(void)state;
	world_advance(world, 1000);
	expect_alive(world, "a b c");
	world_exit(world, "a, b");
	expect_why(world, "b", STATE_WAITING, REASON_SLOT);
	world_advance(world, 1000);
	expect_alive(world, "a b c");
	world_end(world);
}

static void
test_who_waits_too_long_for_a_slot_has_failed_to_start(void **state)
{
	struct world *world = world_of("/ one start_parallel max_starting=1 queue=500ms 9/60s "
				       "{ a ready=told says_ready=2s; b backoff=fixed delay=5s }");

	(void)state;
	world_advance(world, 499);
	expect_why(world, "b", STATE_WAITING, REASON_SLOT);
	world_advance(world, 1);
	expect_why(world, "b", STATE_RESTARTING, REASON_QUEUE_TIMEOUT);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_advance(world, 5000);
	expect_alive(world, "a b");
	world_end(world);
}

/* Its last run was stable and is forgiven; that it finds no slot now is another failure. */
static void
test_no_slot_after_a_stable_run_is_a_failure_like_any_other(void **state)
{
	struct world *world = world_of("/ one max_starting=1 queue=500ms 9/60s "
				       "{ a ready=told says_ready=2s stable=1s; b stable=1s }");

	(void)state;
	world_advance(world, 4000);
	expect_alive(world, "a b");
	world_exit(world, "a, b");
	expect_why(world, "b", STATE_WAITING, REASON_SLOT);
	assert_int_equal(world_view(world, "b").streak, 0);
	world_advance(world, 500);
	expect_why(world, "b", STATE_RESTARTING, REASON_QUEUE_TIMEOUT);
	assert_int_equal(world_view(world, "b").streak, 1);
	world_end(world);
}

/* That was its try: a group restart has no business with it. */
static void
test_a_temporary_child_that_found_no_slot_stays_failed(void **state)
{
	struct world *world = world_of("/ all start_parallel max_starting=1 queue=500ms 9/60s "
				       "{ a ready=told says_ready=2s; b temporary }");
	uint32_t states;

	(void)state;
	world_advance(world, 2000);
	expect_why(world, "b", STATE_FAILED, REASON_QUEUE_TIMEOUT);
	states = world_records(world, RECORD_STATE, "b");
	world_exit(world, "a");
	world_advance(world, 3000);
	expect_alive(world, "a");
	expect_state(world, "b", STATE_FAILED);
	assert_int_equal(world_records(world, RECORD_STATE, "b"), states);
	world_end(world);
}

static void
test_not_ready_in_time_is_a_failed_start(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ready=told says_ready=infinity start_timeout=2s "
		     "ignores stop=TERM:1s,KILL backoff=fixed delay=5s; b }");

	(void)state;
	world_advance(world, 1999);
	expect_state(world, "a", STATE_STARTING);
	world_advance(world, 1);
	expect_why(world, "a", STATE_STOPPING, REASON_START_TIMEOUT);
	world_advance(world, 1000);
	expect_trace(world, "start a 1, stop a 1 killed, start b 1");
	expect_why(world, "a", STATE_RESTARTING, REASON_START_TIMEOUT);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_advance(world, 5000);
	expect_trace(world, "start a 2");
	world_end(world);
}

static void
test_the_end_of_one_that_timed_out_adds_nothing(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a transient ready=told says_ready=infinity start_timeout=2s "
		     "no_restart=0 escalate_exit=0 backoff=fixed delay=5s }");

	(void)state;
	world_advance(world, 2000); /* told to stop, it ends with status 0 */
	expect_why(world, "a", STATE_RESTARTING, REASON_START_TIMEOUT);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_end(world);
}

static void
test_an_infinite_start_timeout_waits_for_ever(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ready=told says_ready=100000s start_timeout=infinity }");

	(void)state;
	world_advance(world, 99999999);
	expect_state(world, "a", STATE_STARTING);
	world_advance(world, 1);
	expect_state(world, "a", STATE_RUNNING);
	world_end(world);
}

/* A start may have to queue in the engine, which bounds what happens before exec by itself. */
static void
test_start_timeout_runs_from_the_moment_of_the_spawn(void **state)
{
	struct world *world = world_of("/ one 9/60s { a spawn=30s start_timeout=1s ready=told "
				       "says_ready=infinity "
				       "backoff=fixed delay=10s }");

	(void)state;
	world_advance(world, 30000);
	expect_state(world, "a", STATE_STARTING);
	assert_false(world_view(world, "a").spawning);
	world_advance(world, 999);
	expect_state(world, "a", STATE_STARTING);
	world_advance(world, 1);
	expect_state(world, "a", STATE_RESTARTING);
	world_end(world);
}

static void
test_an_end_before_readiness_is_a_failed_start_whatever_its_status(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { a transient ready=told says_ready=1s lives=100ms:0 backoff=fixed delay=5s }");

	(void)state;
	world_advance(world, 100);
	expect_why(world, "a", STATE_RESTARTING, REASON_ENDED_EARLY);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_readiness_is_earned_anew_by_every_incarnation(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a ready=told says_ready=1s; b }");

	(void)state;
	world_advance(world, 1000);
	world_trace(world);
	world_exit(world, "b");
	expect_trace(world, "stop b 1 crash, stop a 1 shutdown, start a 2");
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "start b 2");
	world_end(world);
}

static void
test_a_one_shot_is_ready_when_it_has_ended_normally(void **state)
{
	struct world *world = world_of("/ all 9/60s { a ready=exit lives=1s:0; b }");

	(void)state;
	expect_trace(world, "start a 1");
	world_advance(world, 1000);
	expect_trace(world, "stop a 1 normal, start b 1");
	expect_state(world, "a", STATE_FINISHED);
	expect_state(world, "/", STATE_RUNNING);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_a_one_shot_that_fails_is_retried(void **state)
{
	struct world *world = world_of("/ all 9/60s { a ready=exit lives=1s:3 delay=100ms; b }");

	(void)state;
	world_advance(world, 1100);
	expect_trace(world, "start a 1, stop a 1 crash, start a 2");
	expect_alive(world, "a");
	world_end(world);
}

static void
test_a_one_shot_runs_again_in_group_restarts_and_with_its_supervisor(void **state)
{
	struct world *world =
	    world_of_otp("/ one 9/60s { s all 1/60s { a ready=exit lives=1s:0; b } }");

	(void)state;
	world_advance(world, 1000);
	world_trace(world);
	world_exit(world, "b");
	world_advance(world, 1000);
	expect_trace(world, "stop b 1 crash, start a 2, stop a 2 normal, start b 2");
	world_exit(world, "b");
	world_advance(world, 1000);
	expect_trace(world, "stop b 2 crash, down s, start a 3, stop a 3 normal, start b 3, up s");
	world_end(world);
}

static void
test_instances_start_together_and_the_next_waits_for_all(void **state)
{
	struct world *world = world_of("/ rest 9/60s { a; t *3 ready=told says_ready=1s; b }");

	(void)state;
	expect_trace(world, "start a 1, start t@1 1, start t@2 1, start t@3 1");
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "start b 1");
	world_end(world);
}

static void
test_the_next_waits_for_all_instances_also_when_one_is_retried(void **state)
{
	struct world *world = world_unborn(
	    "/ rest 9/60s { t *2 ready=told says_ready=infinity start_timeout=infinity "
	    "backoff=fixed delay=1s; b }");

	(void)state;
	world_break(world, "t@2");
	world_boot(world);
	expect_trace(world, "start t@1 1, fail t@2 1");
	world_mend(world, "t@2");
	world_advance(world, 1000);
	expect_trace(world, "start t@2 2");
	world_ready(world, "t@2");
	expect_trace(world, "");
	world_ready(world, "t@1");
	expect_trace(world, "start b 1");
	world_end(world);
}

static void
test_an_instance_is_retried_while_another_is_still_starting(void **state)
{
	struct world *world = world_unborn(
	    "/ rest 9/60s { x; t *2 ready=told says_ready=infinity start_timeout=infinity backoff=fixed delay=1s; b }");

	(void)state;
	world_break(world, "t@2");
	world_boot(world);
	world_mend(world, "t@2");
	world_trace(world);
	world_advance(world, 1000);
	expect_trace(world, "start t@2 2");
	world_ready(world, "t@1");
	world_ready(world, "t@2");
	expect_trace(world, "start b 1");
	world_end(world);
}

static void
test_autostart_no_is_neither_started_nor_waited_for(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a; m manual; b }");

	(void)state;
	expect_trace(world, "start a 1, start b 1");
	expect_why(world, "m", STATE_STOPPED, REASON_AUTOSTART);
	expect_state(world, "/", STATE_RUNNING);
	world_exit(world, "a");
	expect_alive(world, "a b");
	world_start(world, "m");
	expect_alive(world, "a m b");
	world_exit(world, "a"); /* started once, it is a member like the others */
	expect_alive(world, "a m b");
	assert_int_equal(world_view(world, "m").incarnation, 2);
	world_end(world);
}

static void
test_a_supervisor_is_running_once_each_child_was_ready_whatever_they_do_later(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ready=told says_ready=1s backoff=fixed delay=5s; b }");

	(void)state;
	expect_state(world, "/", STATE_STARTING);
	world_advance(world, 1000);
	expect_state(world, "/", STATE_RUNNING);
	world_exit(world, "a");
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

static void
test_what_an_operator_stopped_is_not_waited_for(void **state)
{
	struct world *world = world_of("/ all 9/60s { a ready=told says_ready=infinity; b }");

	(void)state;
	world_stop(world, "a");
	expect_alive(world, "b");
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

static void
test_a_temporary_child_that_cannot_start_has_failed(void **state)
{
	struct world *world = world_of("/ all 0/60s { t temporary fails=1; b }");

	(void)state;
	expect_why(world, "t", STATE_FAILED, REASON_START_FAILED);
	expect_alive(world, "b");
	expect_state(world, "/", STATE_RUNNING);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_stale_and_repeated_messages_are_dropped(void **state)
{
	struct world *world = world_of_otp("/ one 9/60s { a; b }");
	uint32_t a = world_id(world, "a");

	(void)state;
	world_exit(world, "a");
	world_trace(world);
	world_feed(world,
	    &(struct core_event){ .type = ON_EXITED, .node = a, .incarnation = 1, .status = 256 });
	world_feed(
	    world, &(struct core_event){ .type = ON_SPAWN_FAILED, .node = a, .incarnation = 1 });
	world_feed(world, &(struct core_event){ .type = ON_READY, .node = a, .incarnation = 1 });
	world_feed(world,
	    &(struct core_event){ .type = ON_EXITED, .node = a, .incarnation = 3, .status = 0 });
	world_run(world);
	expect_trace(world, "");
	expect_state(world, "a", STATE_RUNNING);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

static void
test_an_empty_tree_runs_and_leaves(void **state)
{
	struct world *world = world_of("/ one 9/60s { s all 9/60s { } }");

	(void)state;
	expect_state(world, "s", STATE_RUNNING);
	expect_state(world, "/", STATE_RUNNING);
	world_shutdown(world);
	expect_trace(world, "up s, down s, exit 0");
	world_end(world);
}

static void
expect_uptime(struct world *world, const char *name, span_ms uptime)
{
	struct core_record record;

	assert_true(world_last_record(world, RECORD_EXITED, name, &record));
	assert_int_equal(record.b, uptime);
}

/* Not from its readiness, nor from its last change of state; across an engine's death. */
static void
test_uptime_counts_from_the_start_of_the_process(void **state)
{
	struct world *world =
	    world_of("/ one start_parallel 9/60s { a spawn=1s ready=told says_ready=4s; "
		     "b ready=told says_ready=100s; "
		     "c ready=told says_ready=100s start_timeout=3s slow=500ms; "
		     "d slow=2s }");

	(void)state;
	world_advance(world, 3500); /* c was told to stop after 3 s, and took its time */
	expect_uptime(world, "c", 3500);
	world_advance(world, 4500);
	world_exit(world, "a"); /* was there after 1 s, ready after 5 */
	expect_uptime(world, "a", 7000);
	world_resume(world);
	world_stop(world, "b"); /* never ready */
	expect_uptime(world, "b", 8000);
	world_stop(world, "d");
	world_advance(world, 2000);
	expect_uptime(world, "d", 10000);
	world_end(world);
}

static void
test_a_start_says_why(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a spawn=1s; b }");

	(void)state;
	expect_why(world, "a", STATE_STARTING, REASON_BOOT);
	world_advance(world, 1000);
	world_exit(world, "b");
	expect_why(world, "a", STATE_STARTING, REASON_GROUP);
	world_end(world);
}

static void
test_a_one_shot_is_not_made_ready_by_a_word(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ready=exit; b }");

	(void)state;
	world_ready(world, "a");
	expect_state(world, "a", STATE_STARTING);
	expect_state(world, "b", STATE_WAITING);
	world_end(world);
}

/* x would be started only to be stopped, or be left up by a stop that has passed it. */
static void
test_no_slot_is_given_while_the_set_is_stopped(void **state)
{
	struct world *world = world_of("/ all start_parallel max_starting=1 9/60s { x manual; z; "
				       "y manual ready=told says_ready=infinity slow=1s }");

	(void)state;
	world_start(world, "y");
	world_start(world, "x");
	expect_why(world, "x", STATE_WAITING, REASON_SLOT);
	world_exit(world, "z");
	expect_state(world, "y", STATE_STOPPING);
	assert_int_equal(world_view(world, "x").incarnation, 0);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_for_one_waits_until_ready_or_failed_once),
		cmocka_unit_test(test_groups_wait_until_ready_through_retries),
		cmocka_unit_test(test_the_next_supervisor_waits_for_all_of_the_one_before),
		cmocka_unit_test(test_parallel_starts_all_at_once),
		cmocka_unit_test(test_at_most_max_starting_at_a_time),
		cmocka_unit_test(test_restarts_need_a_slot_too),
		cmocka_unit_test(test_who_waits_too_long_for_a_slot_has_failed_to_start),
		cmocka_unit_test(test_no_slot_after_a_stable_run_is_a_failure_like_any_other),
		cmocka_unit_test(test_a_temporary_child_that_found_no_slot_stays_failed),
		cmocka_unit_test(test_not_ready_in_time_is_a_failed_start),
		cmocka_unit_test(test_the_end_of_one_that_timed_out_adds_nothing),
		cmocka_unit_test(test_an_infinite_start_timeout_waits_for_ever),
		cmocka_unit_test(test_start_timeout_runs_from_the_moment_of_the_spawn),
		cmocka_unit_test(
		    test_an_end_before_readiness_is_a_failed_start_whatever_its_status),
		cmocka_unit_test(test_readiness_is_earned_anew_by_every_incarnation),
		cmocka_unit_test(test_a_one_shot_is_ready_when_it_has_ended_normally),
		cmocka_unit_test(test_a_one_shot_that_fails_is_retried),
		cmocka_unit_test(
		    test_a_one_shot_runs_again_in_group_restarts_and_with_its_supervisor),
		cmocka_unit_test(test_instances_start_together_and_the_next_waits_for_all),
		cmocka_unit_test(test_the_next_waits_for_all_instances_also_when_one_is_retried),
		cmocka_unit_test(test_an_instance_is_retried_while_another_is_still_starting),
		cmocka_unit_test(test_autostart_no_is_neither_started_nor_waited_for),
		cmocka_unit_test(
		    test_a_supervisor_is_running_once_each_child_was_ready_whatever_they_do_later),
		cmocka_unit_test(test_what_an_operator_stopped_is_not_waited_for),
		cmocka_unit_test(test_a_temporary_child_that_cannot_start_has_failed),
		cmocka_unit_test(test_stale_and_repeated_messages_are_dropped),
		cmocka_unit_test(test_uptime_counts_from_the_start_of_the_process),
		cmocka_unit_test(test_an_empty_tree_runs_and_leaves),
		cmocka_unit_test(test_a_start_says_why),
		cmocka_unit_test(test_a_one_shot_is_not_made_ready_by_a_word),
		cmocka_unit_test(test_no_slot_is_given_while_the_set_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
