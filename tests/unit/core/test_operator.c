/* Operator's commands (coppice-semantics(7), Operators). */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
restart_group(struct world *world, const char *name)
{
	world_feed(world,
	    &(struct core_event){
		.type = ON_RESTART, .node = world_id(world, name), .group = true });
	world_run(world);
}

static void
test_a_restart_concerns_that_child_alone(void **state)
{
	static const char *const plans[] = { "/ one 0/5s { a; b; c }", "/ all 0/5s { a; b; c }",
		"/ rest 0/5s { a; b; c }", "/ escalate { a; b; c }" };

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of(plans[i]);

		world_trace(world);
		world_restart(world, "b");
		expect_trace(world, "stop b 1 shutdown, start b 2");
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		assert_int_equal(world_view(world, "b").restarts, 0);
		world_end(world);
	}
}

/* FIELD 1.B.13 */
static void
test_a_group_restart_applies_the_strategy(void **state)
{
	static const struct {
		const char *plan, *trace;
	} rows[] = {
		{ "/ one 0/5s { a; b; c }", "stop b 1 shutdown, start b 2" },
		{ "/ all 0/5s { a; b; c }",
		    "stop c 1 shutdown, stop b 1 shutdown, stop a 1 shutdown, "
		    "start a 2, start b 2, start c 2" },
		{ "/ rest 0/5s { a; b; c }",
		    "stop c 1 shutdown, stop b 1 shutdown, start b 2, start c 2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(rows[i].plan);

		world_trace(world);
		restart_group(world, "b");
		expect_trace(world, rows[i].trace);
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_end(world);
	}
}

/* Who is named is restarted, whatever it is; temporary siblings are not. */
static void
test_a_group_restart_of_a_temporary_child_is_one_of_it(void **state)
{
	struct world *world = world_of("/ all 0/5s { a; b temporary; c temporary }");

	(void)state;
	world_trace(world);
	restart_group(world, "b");
	expect_trace(
	    world, "stop c 1 shutdown, stop b 1 shutdown, stop a 1 shutdown, start a 2, start b 2");
	expect_why(world, "c", STATE_FINISHED, REASON_GROUP);
	world_exit(world, "b"); /* it is temporary as before */
	expect_trace(world, "stop b 2 crash");
	expect_why(world, "b", STATE_FINISHED, REASON_EXITED);
	restart_group(world, "a");
	expect_trace(world, "stop a 2 shutdown, start a 3");
	world_end(world);
	world = world_of("/ all 0/5s { a slow=1s; b temporary }");
	restart_group(world, "b");
	expect_why(world, "b", STATE_RESTARTING, REASON_GROUP);
	world_advance(world, 1000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_a_start_of_what_runs_forgets_its_failures(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; b }");

	(void)state;
	world_exit(world, "a, b");
	world_advance(world, 200);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_trace(world);
	world_start(world, "a");
	expect_trace(world, "");
	assert_int_equal(world_view(world, "a").streak, 0);
	assert_int_equal(world_view(world, "b").streak, 1);
	world_end(world);
}

static void
test_a_supervisor_means_its_subtree(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { s one 9/60s { a; t all 9/60s { b; c } }; x }");

	(void)state;
	world_trace(world);
	world_stop(world, "s");
	expect_trace(
	    world, "stop c 1 shutdown, stop b 1 shutdown, down t, stop a 1 shutdown, down s");
	expect_why(world, "s", STATE_STOPPED, REASON_OPERATOR);
	world_start(world, "s");
	expect_trace(world, "start a 2, start b 2, start c 2, up t, up s");
	world_restart(world, "s");
	expect_trace(world,
	    "stop c 2 shutdown, stop b 2 shutdown, down t, stop a 2 shutdown, down s, "
	    "start a 3, start b 3, start c 3, up t, up s");
	assert_int_equal(world_view(world, "x").incarnation, 1);
	world_end(world);
}

static void
test_each_node_keeps_its_own_wish(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 9/60s { a; b; m manual } }");

	(void)state;
	world_stop(world, "a");
	world_stop(world, "s");
	world_start(world, "s");
	expect_alive(world, "b");
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	expect_state(world, "m", STATE_STOPPED);
	world_start(world, "a");
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_the_root_can_be_stopped_and_started(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; s all 9/60s { b } }");

	(void)state;
	world_stop(world, "/");
	expect_alive(world, "");
	expect_why(world, "/", STATE_STOPPED, REASON_OPERATOR);
	assert_false(core_is_leaving(world_core(world)));
	world_start(world, "/");
	expect_alive(world, "a b");
	world_restart(world, "/");
	expect_alive(world, "a b");
	assert_int_equal(world_view(world, "b").incarnation, 3);
	world_end(world);
}

static void
test_below_what_is_down_starts_are_refused_and_change_nothing(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 9/60s { t one 9/60s { a; b } } }");
	struct core *core = world_core(world);

	(void)state;
	assert_int_equal(core_refusal(core, world_id(world, "a")), CORE_NONE);
	world_stop(world, "b");
	world_stop(world, "s");
	assert_int_equal(core_refusal(core, world_id(world, "a")), world_id(world, "s"));
	assert_int_equal(core_refusal(core, world_id(world, "t")), world_id(world, "s"));
	assert_int_equal(core_refusal(core, world_id(world, "s")), CORE_NONE);
	world_start(world, "b");
	world_restart(world, "b");
	world_start(world, "t");
	expect_alive(world, "");
	world_start(world, "s");
	expect_alive(world, "a");
	assert_false(world_view(world, "b").wanted);
	world_end(world);
}

static void
test_below_what_is_stopping_or_failed_too(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { s one 0/60s limit=terminate { a; b slow=1s } }");
	struct core *core = world_core(world);

	(void)state;
	world_exit(world, "a");
	expect_state(world, "s", STATE_STOPPING);
	assert_int_equal(core_refusal(core, world_id(world, "a")), world_id(world, "s"));
	world_start(world, "a");
	world_advance(world, 1000);
	expect_state(world, "s", STATE_FAILED);
	assert_int_equal(core_refusal(core, world_id(world, "a")), world_id(world, "s"));
	world_start(world, "a");
	expect_alive(world, "");
	world_start(world, "s");
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_nothing_is_started_while_the_daemon_leaves(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; b slow=1s }");

	(void)state;
	world_stop(world, "a");
	world_shutdown(world);
	assert_true(core_refusal(world_core(world), world_id(world, "a")) != CORE_NONE);
	world_start(world, "a");
	world_start(world, "/");
	world_trace(world);
	world_advance(world, 5000);
	expect_trace(world, "stop b 1 shutdown, exit 0");
	world_end(world);
}

static void
test_a_start_during_an_operation_waits_for_its_end(void **state)
{
	struct world *world =
	    world_of("/ all 9/60s { a backoff=none; b ready=told says_ready=2s; c }");

	(void)state;
	world_advance(world, 2000);
	world_stop(world, "c");
	world_exit(world, "a"); /* a, then b, which takes 2 s */
	world_trace(world);
	world_start(world, "c");
	world_advance(world, 1999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "start c 2");
	world_end(world);
}

static void
test_a_stop_during_an_operation_does_not_wait(void **state)
{
	struct world *world =
	    world_of("/ all 9/60s { a backoff=none; b ready=told says_ready=2s; c }");

	(void)state;
	world_advance(world, 2000);
	world_exit(world, "a");
	world_trace(world);
	world_stop(world, "a");
	expect_trace(world, "stop a 2 shutdown");
	world_stop(world, "b"); /* the operation goes on without it */
	expect_trace(world, "stop b 2 shutdown, start c 2");
	world_end(world);
}

static void
test_starts_of_what_runs_change_nothing(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; s one 9/60s { b } }");

	(void)state;
	world_trace(world);
	world_start(world, "a");
	world_start(world, "s");
	world_start(world, "/");
	expect_trace(world, "");
	world_end(world);
}

static void
test_a_start_revives_what_is_finished_or_failed(void **state)
{
	struct world *world =
	    world_of_otp("/ one 0/60s { t transient; u temporary; v no_restart=1 }");

	(void)state;
	world_exit(world, "t:normal, u:crash, v:crash");
	expect_alive(world, "");
	world_start(world, "t");
	world_start(world, "u");
	world_start(world, "v");
	expect_alive(world, "t u v");
	world_end(world);
}

static void
test_a_stop_of_what_waits_in_the_queue_voids_its_failure(void **state)
{
	struct world *world =
	    world_of("/ all 9/60s { a; b backoff=none; c ready=told says_ready=2s }");

	(void)state;
	world_advance(world, 2000);
	world_exit(world, "b"); /* a and b run again, c is on its way */
	world_exit(world, "a"); /* waits for the end of that */
	expect_state(world, "a", STATE_RESTARTING);
	world_stop(world, "a");
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	world_advance(world, 10000);
	expect_alive(world, "b c");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(world, "b").incarnation, 2);
	world_end(world);
}

static void
test_a_start_from_above_passes_over_what_is_being_stopped(void **state)
{
	struct world *world = world_of_otp(
	    "/ one 9/60s { p one 9/60s { s one 0/60s limit=backoff { a }; f one 9/60s { g no_restart=1 }; b slow=5s } }");

	(void)state;
	world_exit(world, "a, g");
	expect_why(world, "a", STATE_RESTARTING, REASON_LIMIT);
	expect_state(world, "g", STATE_FAILED);
	world_stop(world, "p"); /* b takes its time; it is not yet the turn of s and f */
	world_start(world, "/");
	expect_alive(world, "b");
	world_advance(world, 100000);
	expect_alive(world, "");
	world_end(world);
}

static void
test_a_queued_start_does_not_overtake_the_retry_of_a_failed_start(void **state)
{
	struct world *world =
	    world_of_otp("/ rest 9/60s { x; t *2 spawn=100ms ready=told says_ready=1s; u; y }");

	(void)state;
	world_advance(world, 1100);
	expect_alive(world, "x t@1 t@2 u y");
	world_break(world, "t@2");
	world_exit(world, "x");
	world_start(world, "y"); /* waits for the end of the operation */
	world_trace(world);
	world_advance(world, 100);
	expect_trace(world, "start t@1 2, fail t@2 2");
	world_mend(world, "t@2");
	world_advance(world, 1099);
	expect_trace(world, "start t@2 3");
	world_advance(world, 1);
	expect_trace(world, "start u 2, start y 2");
	world_end(world);
}

static void
test_a_start_of_a_supervisor_is_none_of_its_manual_children(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 9/60s { a; m manual } }");

	(void)state;
	world_start(world, "m");
	expect_state(world, "m", STATE_RUNNING);
	world_restart(world, "s");
	expect_state(world, "m", STATE_RUNNING);
	world_stop(world, "s");
	world_start(world, "s");
	expect_state(world, "a", STATE_RUNNING);
	expect_state(world, "m", STATE_STOPPED);
	assert_int_equal(world_view(world, "m").reason, REASON_AUTOSTART);
	world_end(world);
}

/* Started and stopped in the same moment, it waits for none of its children; also not later. */
static void
test_a_supervisor_stopped_before_its_first_step_awaits_nobody(void **state)
{
	struct world *world = world_of("/ all 9/60s { a; x ready=told says_ready=5s; "
				       "s temporary one 0/60s { b; m manual no_restart=9 } }");

	(void)state;
	world_advance(world, 5000);
	world_start(world, "m");
	world_exit(world, "m:9");
	world_stop(world, "s");
	world_exit(world, "a");
	world_advance(world, 100);
	world_restart(world, "s"); /* waits for the group */
	world_exit(world, "x");    /* comes right after s has begun, and stops it */
	expect_state(world, "s", STATE_FINISHED);
	world_advance(world, 10000);
	world_start(world, "s");
	expect_state(world, "s", STATE_RUNNING);
	expect_alive(world, "a x b");
	world_end(world);
}

static void
test_a_start_of_a_supervisor_that_is_up_starts_what_has_failed_below(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 0/60s limit=give_up { a; m manual } }");

	(void)state;
	world_exit(world, "a");
	expect_state(world, "a", STATE_FAILED);
	world_start(world, "s");
	expect_alive(world, "a");
	world_start(world, "m");
	world_exit(world, "m");
	world_stop(world, "s");
	world_start(world, "s"); /* is none of m, which nobody wants any more */
	world_start(world, "s");
	expect_alive(world, "a");
	expect_state(world, "m", STATE_FAILED);
	world_end(world);
}

/* The failure counts, although an operator starts it meanwhile. */
static void
test_a_start_comes_behind_a_failure_that_waits(void **state)
{
	struct world *world = world_of_otp("/ rest 9/60s { a; b; c slow=1s }");

	(void)state;
	world_exit(world, "b");
	world_exit(world, "a");
	world_start(world, "a");
	world_advance(world, 5000);
	expect_alive(world, "a b c");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	assert_int_equal(world_view(world, "a").restarts, 1);
	world_end(world);
}

/* What it asked for has happened. */
static void
test_a_restart_of_one_that_its_set_restarts_is_done_with_it(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { s one 9/60s { x }; a; b slow=1s; c }");

	(void)state;
	world_exit(world, "c");
	expect_state(world, "b", STATE_STOPPING);
	world_restart(world, "s");
	world_restart(world, "a");
	world_advance(world, 5000);
	expect_alive(world, "x a b c");
	assert_int_equal(world_view(world, "s").incarnation, 2);
	assert_int_equal(world_view(world, "a").incarnation, 2);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_restart_concerns_that_child_alone),
		cmocka_unit_test(test_a_group_restart_applies_the_strategy),
		cmocka_unit_test(test_a_group_restart_of_a_temporary_child_is_one_of_it),
		cmocka_unit_test(test_a_start_of_what_runs_forgets_its_failures),
		cmocka_unit_test(test_a_supervisor_means_its_subtree),
		cmocka_unit_test(test_each_node_keeps_its_own_wish),
		cmocka_unit_test(test_the_root_can_be_stopped_and_started),
		cmocka_unit_test(test_below_what_is_down_starts_are_refused_and_change_nothing),
		cmocka_unit_test(test_below_what_is_stopping_or_failed_too),
		cmocka_unit_test(test_nothing_is_started_while_the_daemon_leaves),
		cmocka_unit_test(test_a_start_during_an_operation_waits_for_its_end),
		cmocka_unit_test(test_a_stop_during_an_operation_does_not_wait),
		cmocka_unit_test(test_starts_of_what_runs_change_nothing),
		cmocka_unit_test(test_a_start_revives_what_is_finished_or_failed),
		cmocka_unit_test(test_a_stop_of_what_waits_in_the_queue_voids_its_failure),
		cmocka_unit_test(test_a_start_of_a_supervisor_is_none_of_its_manual_children),
		cmocka_unit_test(test_a_start_from_above_passes_over_what_is_being_stopped),
		cmocka_unit_test(test_a_queued_start_does_not_overtake_the_retry_of_a_failed_start),
		cmocka_unit_test(test_a_supervisor_stopped_before_its_first_step_awaits_nobody),
		cmocka_unit_test(
		    test_a_start_of_a_supervisor_that_is_up_starts_what_has_failed_below),
		cmocka_unit_test(test_a_start_comes_behind_a_failure_that_waits),
		cmocka_unit_test(test_a_restart_of_one_that_its_set_restarts_is_done_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
