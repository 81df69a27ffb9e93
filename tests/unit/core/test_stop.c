/*
 * Stopping: sequences, order, a stop that wins over everything, shutdown (coppice-semantics(7),
 * Stopping).
 */
#include "world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_the_sequence_goes_on_signal_by_signal(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ignores stop=INT:1s,TERM:2s,QUIT:500ms,KILL }");

	(void)state;
	world_stop(world, "a");
	assert_int_equal(world_last_signal(world, "a"), SIGINT);
	world_advance(world, 1000);
	assert_int_equal(world_last_signal(world, "a"), SIGTERM);
	world_advance(world, 1999);
	assert_int_equal(world_last_signal(world, "a"), SIGTERM);
	world_advance(world, 1);
	assert_int_equal(world_last_signal(world, "a"), SIGQUIT);
	world_advance(world, 500);
	assert_int_equal(world_last_signal(world, "a"), SIGKILL);
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	assert_int_equal(world_signals(world, "a"), 4);
	world_end(world);
}

static void
test_an_end_in_the_middle_ends_the_sequence(void **state)
{
	struct world *world = world_of("/ one 9/60s { a slow=1500ms stop=INT:1s,TERM:2s,KILL }");

	(void)state;
	world_stop(world, "a");
	world_advance(world, 1500);
	expect_state(world, "a", STATE_STOPPED);
	world_advance(world, 100000);
	assert_int_equal(world_signals(world, "a"), 2);
	world_end(world);
}

static void
test_stop_now_kills_at_once_also_in_the_middle_of_a_stop(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores; b slow=4s }");

	(void)state;
	world_trace(world);
	world_order_now(world, ON_STOP, "a");
	expect_trace(world, "stop a 1 killed");
	world_stop(world, "b");
	world_stop(world, "b");
	assert_int_equal(world_signals(world, "b"), 1);
	world_order_now(world, ON_STOP, "b");
	expect_trace(world, "stop b 1 killed");
	expect_state(world, "b", STATE_STOPPED);
	world_end(world);
}

static void
test_what_is_left_of_the_group_is_killed_unless_told_otherwise(void **state)
{
	struct world *world = world_of_otp("/ one 9/60s { a; b kill=group; c kill=process }");

	(void)state;
	world_exit(world, "a, b, c");
	world_stop(world, "a");
	world_stop(world, "c");
	assert_int_equal(world_sweeps(world, "a"), 2);
	assert_int_equal(world_sweeps(world, "b"), 1);
	assert_int_equal(world_sweeps(world, "c"), 0);
	world_end(world);
}

static void
test_parallel_stop_tells_all_at_once(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { x; s one stop_parallel 9/60s { a slow=1s; b slow=1s; c slow=2s } }");

	(void)state;
	world_trace(world);
	world_shutdown(world);
	world_advance(world, 1000);
	expect_alive(world, "x c");
	world_advance(world, 1000);
	expect_alive(world, "");
	world_end(world);
}

static void
test_instances_stop_together(void **state)
{
	struct world *world = world_of("/ one 9/60s { x slow=1s; t *3 slow=1s }");

	(void)state;
	world_shutdown(world);
	world_advance(world, 1000);
	expect_alive(world, "x");
	world_advance(world, 1000);
	expect_alive(world, "");
	world_end(world);
}

/* FIELD 1.C.18 */
static void
test_a_stop_wins_in_any_state(void **state)
{
	static const struct {
		const char *plan;
		enum core_state before;
		span_ms takes;
	} rows[] = {
		{ "/ one 9/60s { a }", STATE_RUNNING, 0 },
		{ "/ one 9/60s { a ready=told says_ready=5s }", STATE_STARTING, 0 },
		{ "/ one 9/60s { a spawn=3s }", STATE_STARTING, 3000 },
		{ "/ one 9/60s { a fails=1 backoff=fixed delay=5s }", STATE_RESTARTING, 0 },
		{ "/ one 9/60s { x ready=told says_ready=5s; a }", STATE_WAITING, 0 },
		{ "/ one start_parallel max_starting=1 9/60s { x ready=told says_ready=5s; a }",
		    STATE_WAITING, 0 },
		{ "/ all 9/60s { x fails=1 backoff=fixed delay=5s; a }", STATE_RESTARTING, 0 },
		{ "/ one 0/60s limit=backoff { a fails=1 }", STATE_RESTARTING, 0 },
		{ "/ one 9/60s { a temporary fails=1 }", STATE_FAILED, 0 },
		{ "/ one 9/60s { a temporary ready=exit lives=0ms:0 }", STATE_FINISHED, 0 },
		{ "/ one 9/60s { a manual }", STATE_STOPPED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(rows[i].plan);

		print_message("%s\n", rows[i].plan);
		expect_state(world, "a", rows[i].before);
		world_stop(world, "a");
		world_advance(world, rows[i].takes);
		expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
		world_trace(world);
		world_advance(world, 100000);
		expect_state(world, "a", STATE_STOPPED);
		assert_false(world_view(world, "a").wanted);
		assert_false(world_view(world, "a").has_process);
		world_start(world, "a");
		world_advance(world, 10000);
		assert_true(world_view(world, "a").wanted);
		assert_true(world_view(world, "a").state != STATE_STOPPED);
		world_end(world);
	}
}

static void
test_a_stop_wins_over_the_verdict_of_a_start_timeout(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ready=told says_ready=infinity start_timeout=1s ignores "
		     "stop=TERM:2s,KILL backoff=none }");

	(void)state;
	world_advance(world, 1500);
	expect_why(world, "a", STATE_STOPPING, REASON_START_TIMEOUT);
	world_stop(world, "a");
	world_advance(world, 1500);
	expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	assert_int_equal(world_signals(world, "a"), 2);
	world_end(world);
}

static void
test_a_later_start_waits_until_the_stop_is_done(void **state)
{
	struct world *world = world_of("/ one 9/60s { a slow=1s; b }");

	(void)state;
	world_stop(world, "a");
	world_start(world, "a");
	world_trace(world);
	world_advance(world, 999);
	expect_trace(world, "");
	world_advance(world, 1);
	expect_trace(world, "stop a 1 shutdown, start a 2");
	world_stop(world, "a");
	world_start(world, "a");
	world_stop(world, "a"); /* and a stop after that wins again */
	world_advance(world, 5000);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_a_shutdown_starts_nothing_more(void **state)
{
	static const char *const plans[] = {
		"/ one 9/60s { a backoff=fixed delay=1s; b slow=5s }",
		"/ all 9/60s { a backoff=fixed delay=1s; b slow=5s }",
		"/ one 9/60s { s one 9/60s { a backoff=fixed delay=1s }; b slow=5s }",
		"/ one 9/60s { s all 9/60s { a backoff=fixed delay=1s; c }; b slow=5s }",
		"/ one 9/60s { s delay=1s escalate { a backoff=none }; b slow=5s }",
		"/ one 0/1s limit=backoff { a max=1s; b slow=5s }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of(plans[i]);

		print_message("%s\n", plans[i]);
		world_exit(world, "a");
		assert_int_equal(world_view(world, "a").incarnation, 1);
		world_shutdown(world);
		world_advance(world, 20000);
		assert_int_equal(world_view(world, "a").incarnation, 1);
		expect_alive(world, "");
		assert_true(core_is_leaving(world_core(world)));
		world_end(world);
	}
}

static void
test_a_shutdown_during_the_first_start(void **state)
{
	struct world *world =
	    world_of("/ one start_parallel max_starting=2 9/60s { a; b ready=told says_ready=5s; "
		     "c spawn=2s; d; e }");

	(void)state;
	world_trace(world);
	world_shutdown(world);
	world_advance(world, 10000);
	expect_trace(
	    world, "start c 1, stop c 1 shutdown, stop b 1 shutdown, stop a 1 shutdown, exit 0");
	world_end(world);
}

static void
test_a_shutdown_voids_a_restart_in_flight(void **state)
{
	struct world *world = world_of("/ one 9/60s { a slow=1s; b slow=5s }");

	(void)state;
	world_restart(world, "a");
	world_shutdown(world);
	world_trace(world);
	world_advance(world, 20000);
	expect_trace(world, "stop a 1 shutdown, stop b 1 shutdown, exit 0");
	world_end(world);
}

static void
test_shutdown_now_kills_everywhere(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ignores; s one 9/60s { b ignores; c ignores } }");

	(void)state;
	world_trace(world);
	world_order_now(world, ON_SHUTDOWN, "/");
	expect_alive(world, "");
	assert_int_equal(world_signals(world, "a"), 1);
	assert_int_equal(world_signals(world, "b"), 1);
	world_end(world);
}

static void
test_shutdown_now_after_a_shutdown(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a ignores; s one 9/60s { b ignores; c ignores } }");

	(void)state;
	world_shutdown(world);
	world_advance(world, 1000);
	expect_alive(world, "a b c");
	world_order_now(world, ON_SHUTDOWN, "/");
	expect_alive(world, "");
	world_end(world);
}

static void
test_shutdown_timeout_ends_the_patience(void **state)
{
	static const struct {
		span_ms timeout, takes;
	} rows[] = { { 1500, 1500 }, { 3000, 3000 }, { 0, 7000 }, { SPAN_INFINITE, 7000 },
		{ 100000, 7000 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of("/ one 9/60s { a ignores; b slow=2s }");

		world_feed(
		    world, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = rows[i].timeout });
		world_advance(world, rows[i].takes - 1);
		assert_true(strlen(world_alive(world)) > 0);
		world_advance(world, 1);
		expect_alive(world, "");
		expect_why(world, "/", STATE_STOPPED, REASON_SHUTDOWN);
		world_end(world);
	}
}

static void
test_a_stop_while_it_is_spawned(void **state)
{
	struct world *world = world_of("/ one 9/60s { a spawn=2s ignores }");

	(void)state;
	world_stop(world, "a");
	world_advance(world, 4999);
	expect_trace(world, "start a 1");
	expect_state(world, "a", STATE_STOPPING);
	world_advance(world, 1);
	expect_trace(world, "stop a 1 killed");
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_a_group_waits_for_a_member_that_an_operator_is_stopping(void **state)
{
	struct world *world = world_of_otp("/ all 9/60s { a; b slow=1s; c }");

	(void)state;
	world_stop(world, "b");
	world_trace(world);
	world_exit(world, "c");
	expect_trace(world, "stop c 1 crash");
	world_advance(world, 1000);
	expect_trace(world, "stop b 1 shutdown, stop a 1 shutdown, start a 2, start c 2");
	expect_why(world, "b", STATE_STOPPED, REASON_OPERATOR);
	world_end(world);
}

/* Takes all actions; the status of the last DO_EXIT among them, else -1. */
static int
exit_asked_for(struct core *core)
{
	struct core_action action;
	int status = -1;

	while (core_next_action(core, &action)) {
		if (action.type == DO_EXIT)
			status = action.status;
	}
	return status;
}

/* A process in state D on a dead mount outlives KILL; the daemon must not wait for it for ever. */
static void
test_a_shutdown_ends_though_a_process_cannot_be_killed(void **state)
{
	struct core *core = core_new(1);
	struct core_spec root, child;
	struct core_event stop = { .type = ON_SHUTDOWN, .timeout = 1000 };

	(void)state;
	spec_defaults(&root, KIND_SUPERVISOR);
	spec_defaults(&child, KIND_CHILD);
	assert_int_equal(core_add(core, CORE_NONE, &root, 1, NULL), 0);
	assert_int_equal(core_add(core, CORE_ROOT, &child, 1, NULL), 0);
	core_handle(core, 1, &(struct core_event){ .type = ON_BOOT });
	core_handle(
	    core, 1, &(struct core_event){ .type = ON_SPAWNED, .node = 1, .incarnation = 1 });
	core_handle(core, 1, &stop);
	while (core_next_deadline(core) < 11001) {
		core_handle(
		    core, core_next_deadline(core), &(struct core_event){ .type = ON_TIMER });
		assert_int_equal(exit_asked_for(core), -1);
	}
	core_handle(core, core_next_deadline(core), &(struct core_event){ .type = ON_TIMER });
	assert_int_equal(exit_asked_for(core), 71);
	assert_null(core_check(core));
	core_free(&core);
}

/* Whatever wait it was given. */
static void
test_after_the_last_step_nothing_follows(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores stop=INT:1s,TERM:1s }");

	(void)state;
	world_stop(world, "a");
	world_advance(world, 100000);
	expect_state(world, "a", STATE_STOPPING);
	assert_int_equal(world_signals(world, "a"), 2);
	world_end(world);
}

static void
test_kill_is_sent_once(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores }");
	struct core_event stop = { .type = ON_STOP, .node = world_id(world, "a"), .now = true };

	(void)state;
	world_feed(world, &stop);
	world_feed(world, &stop);
	assert_int_equal(world_signals(world, "a"), 1);
	assert_int_equal(world_last_signal(world, "a"), 9);
	world_run(world);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_a_second_shutdown_does_not_extend_the_first(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores stop=TERM }");

	(void)state;
	world_feed(world, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = 1000 });
	world_advance(world, 500);
	world_feed(world, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = 10000 });
	world_advance(world, 499);
	expect_alive(world, "a");
	world_advance(world, 1);
	expect_alive(world, "");
	world_end(world);
}

static void
test_a_signal_goes_to_the_group_only_when_told_so(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; b stop_group }");
	struct core_action action;
	uint32_t signals = 0;

	(void)state;
	core_handle(
	    world_core(world), world_now(world), &(struct core_event){ .type = ON_SHUTDOWN });
	core_handle(world_core(world), world_now(world),
	    &(struct core_event){
		.type = ON_EXITED, .node = world_id(world, "b"), .incarnation = 1 });
	while (core_next_action(world_core(world), &action)) {
		if (action.type != DO_SIGNAL)
			continue;
		assert_int_equal(action.group, action.node == world_id(world, "b"));
		signals++;
	}
	assert_int_equal(signals, 2);
	world_end(world);
}

static void
test_a_shutdown_of_a_stopped_tree_leaves(void **state)
{
	struct world *world = world_of("/ one 9/60s { a }");

	(void)state;
	world_stop(world, "/");
	world_trace(world);
	world_shutdown(world);
	expect_trace(world, "exit 0");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_sequence_goes_on_signal_by_signal),
		cmocka_unit_test(test_an_end_in_the_middle_ends_the_sequence),
		cmocka_unit_test(test_stop_now_kills_at_once_also_in_the_middle_of_a_stop),
		cmocka_unit_test(test_what_is_left_of_the_group_is_killed_unless_told_otherwise),
		cmocka_unit_test(test_parallel_stop_tells_all_at_once),
		cmocka_unit_test(test_instances_stop_together),
		cmocka_unit_test(test_a_stop_wins_in_any_state),
		cmocka_unit_test(test_a_stop_wins_over_the_verdict_of_a_start_timeout),
		cmocka_unit_test(test_a_later_start_waits_until_the_stop_is_done),
		cmocka_unit_test(test_a_shutdown_starts_nothing_more),
		cmocka_unit_test(test_a_shutdown_during_the_first_start),
		cmocka_unit_test(test_a_shutdown_voids_a_restart_in_flight),
		cmocka_unit_test(test_shutdown_now_kills_everywhere),
		cmocka_unit_test(test_shutdown_now_after_a_shutdown),
		cmocka_unit_test(test_shutdown_timeout_ends_the_patience),
		cmocka_unit_test(test_a_shutdown_ends_though_a_process_cannot_be_killed),
		cmocka_unit_test(test_a_stop_while_it_is_spawned),
		cmocka_unit_test(test_a_group_waits_for_a_member_that_an_operator_is_stopping),
		cmocka_unit_test(test_after_the_last_step_nothing_follows),
		cmocka_unit_test(test_kill_is_sent_once),
		cmocka_unit_test(test_a_second_shutdown_does_not_extend_the_first),
		cmocka_unit_test(test_a_signal_goes_to_the_group_only_when_told_so),
		cmocka_unit_test(test_a_shutdown_of_a_stopped_tree_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
