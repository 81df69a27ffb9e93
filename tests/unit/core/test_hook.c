/* pre_start and stop_command, and what a shutdown, a hold or an engine's death does to hooks; see test_post_stop.c. */
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- pre_start ---- */

static void
test_pre_start_comes_before_the_program(void **state)
{
	struct world *world = world_of("/ rest 9/60s { a pre=300ms; b }");
	struct core_record record;

	(void)state;
	expect_why(world, "a", STATE_STARTING, REASON_BOOT);
	expect_hook(world, "a", HOOK_PRE_START);
	assert_false(world_view(world, "a").has_process);
	expect_alive(world, "");
	world_advance(world, 300);
	expect_trace(world, "hook a 1 pre_start, end a pre_start ok, start a 1, start b 1");
	expect_hook(world, "a", HOOK_NONE);
	assert_true(world_last_record(world, RECORD_HOOK, "a", &record));
	assert_int_equal(record.a, 0);
	assert_int_equal(record.b, HOOK_PRE_START);
	world_exit(world, "a");
	world_advance(world, 400);
	expect_alive(world, "a b");
	expect_trace(world,
	    "stop a 1 crash, stop b 1 shutdown, hook a 2 pre_start, end a pre_start ok, start a 2, start b 2");
	world_end(world);
}

static void
test_a_pre_start_that_fails_is_a_failed_start(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=10ms:7; b pre=error; c }");
	struct core_record record;

	(void)state;
	world_advance(world, 50);
	expect_why(world, "a", STATE_RESTARTING, REASON_START_FAILED);
	expect_why(world, "b", STATE_RESTARTING, REASON_START_FAILED);
	expect_alive(world, "c");
	assert_int_equal(world_view(world, "a").streak, 1);
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	assert_true(world_last_record(world, RECORD_HOOK, "a", &record));
	assert_int_equal(record.a, 7 << 8);
	assert_int_equal(record.b, HOOK_PRE_START);
	assert_true(world_last_record(world, RECORD_HOOK, "b", &record));
	assert_true(record.b == ENOENT * RECORD_HOOK_ERROR + (int64_t)HOOK_PRE_START);
	assert_true(world_last_record(world, RECORD_START_FAILED, "b", &record));
	assert_int_equal(record.b, ENOENT);
	world_advance(world, 100);
	assert_int_equal(world_view(world, "a").incarnation, 2);
	assert_int_equal(world_signals(world, "a"), 0);
	assert_int_equal(world_sweeps(world, "a"), 0); /* there never was a program */
	world_end(world);
}

/* No status of a program is known; one of an earlier run must not decide. */
static void
test_a_failed_pre_start_is_no_end_that_is_listed(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { a pre=10ms no_restart=3; t temporary pre=10ms:1 post=1s; u transient pre=10ms:1 }");

	(void)state;
	world_advance(world, 40);
	expect_why(world, "t", STATE_FAILED, REASON_START_FAILED);
	expect_why(world, "u", STATE_RESTARTING, REASON_START_FAILED);
	world_exit(world, "a:3");
	expect_why(world, "a", STATE_FAILED, REASON_NO_RESTART);
	world_end(world);
}

static void
test_start_timeout_covers_pre_start(void **state)
{
	struct world *world =
	    world_of("/ one 999/1s start_parallel { a pre=infinity start_timeout=2s; "
		     "b pre=infinity hook_timeout=1s; "
		     "c pre=800ms ready=told says_ready=1199ms start_timeout=2s; "
		     "d pre=800ms ready=told says_ready=infinity start_timeout=2s; "
		     "e pre=3s start_timeout=infinity ready=told says_ready=99s }");

	(void)state;
	world_trace(world);
	world_advance(world, 999);
	expect_hook(world, "b", HOOK_PRE_START);
	world_advance(world, 1);
	expect_why(world, "b", STATE_RESTARTING, REASON_HOOK_TIMEOUT);
	expect_hook(world, "a", HOOK_PRE_START);
	world_advance(world, 999);
	expect_why(world, "a", STATE_STARTING, REASON_BOOT);
	expect_state(world, "c", STATE_RUNNING);
	expect_state(world, "d", STATE_STARTING);
	world_advance(world, 1);
	expect_why(world, "a", STATE_RESTARTING, REASON_START_TIMEOUT);
	assert_int_equal(world_records(world, RECORD_EXITED, "d"), 1);
	expect_why(world, "d", STATE_RESTARTING, REASON_START_TIMEOUT);
	assert_int_equal(world_view(world, "d").streak, 1);
	world_advance(world, 100000);
	assert_int_equal(world_view(world, "e").incarnation, 1);
	expect_state(world, "e", STATE_RUNNING);
	world_end(world);
}

static void
test_pre_start_may_have_used_all_of_start_timeout(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=1s spawn=2s start_timeout=2s "
				       "ready=told says_ready=infinity }");

	(void)state;
	world_advance(world, 3000);
	expect_why(world, "a", STATE_RESTARTING, REASON_START_TIMEOUT);
	world_end(world);
}

static void
test_a_stop_cuts_pre_start_short(void **state)
{
	for (int now = 0; now < 2; now++) {
		struct world *world =
		    world_of("/ one 9/60s { a pre=infinity command=1s post=1s; b }");

		(void)state;
		if (now)
			world_order_now(world, ON_STOP, "a");
		else
			world_stop(world, "a");
		expect_trace(world, "hook a 1 pre_start, end a pre_start cut, start b 1");
		expect_why(world, "a", STATE_STOPPED, REASON_OPERATOR);
		assert_int_equal(world_signals(world, "a"), 0);
		assert_int_equal(world_records(world, RECORD_START_FAILED, "a"), 0);
		world_start(world, "a");
		world_advance(world, 9999);
		expect_hook(world, "a", HOOK_PRE_START);
		world_restart(world, "a"); /* cuts it, and begins again */
		expect_trace(world, "hook a 2 pre_start, end a pre_start cut, hook a 3 pre_start");
		assert_int_equal(world_view(world, "a").streak, 0);
		world_end(world);
	}
}

static void
test_a_group_restart_cuts_pre_start_short(void **state)
{
	struct world *world = world_of("/ all 9/60s { b; a pre=1s; c }");

	(void)state;
	world_advance(world, 500);
	world_exit(world, "b");
	world_advance(world, 500);
	world_advance(world, 600);
	/* the start went on until it was over; then b's failure was handled */
	expect_trace(world,
	    "start b 1, hook a 1 pre_start, stop b 1 crash, end a pre_start ok, "
	    "start a 1, start c 1, stop c 1 shutdown, stop a 1 shutdown, "
	    "start b 2, hook a 2 pre_start");
	world_restart(world, "a");
	world_advance(world, 1000);
	expect_trace(world,
	    "end a pre_start ok, start a 2, start c 2, "
	    "stop a 2 shutdown, hook a 3 pre_start");
	world_feed(world, &(struct core_event){ .type = ON_SHUTDOWN });
	world_run(world);
	expect_trace(world, "stop c 2 shutdown, end a pre_start cut, stop b 2 shutdown, exit 0");
	world_end(world);
}

/* No program has ended this time; the status of the run before is not told again. */
static void
test_a_pre_start_that_is_too_slow_has_no_status(void **state)
{
	struct world *world =
	    world_of("/ one auto=any { t temporary significant pre=100ms hook_timeout=1s }");
	struct core *core = world_core(world);
	struct core_event timer = { .type = ON_TIMER };
	struct core_event done = { .type = ON_HOOK_DONE,
		.node = 1,
		.incarnation = 2,
		.hook = HOOK_PRE_START,
		.status = SIGKILL };
	struct core_action action = { 0 };

	(void)state;
	world_advance(world, 100);
	world_stop(world, "t");
	world_start(world, "t");
	core_handle(core, world_now(world) + 1000, &timer);
	core_handle(core, world_now(world) + 1000, &done);
	expect_why(world, "t", STATE_FAILED, REASON_HOOK_TIMEOUT);
	while (action.type != DO_EXIT)
		assert_true(core_next_action(core, &action));
	assert_true(action.automatic);
	assert_int_equal(action.status, 70);
	world_end(world);
}

/* It asks for no time at all, before the core has heard of it: what pre_start took stays taken. */
static void
test_asking_for_time_is_no_new_start_timeout(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=1s spawn=3s start_timeout=2s "
				       "ready=told says_ready=infinity }");

	(void)state;
	world_advance(world, 1500);
	world_feed(world, &(struct core_event){ .type = ON_EXTEND, .node = 1, .incarnation = 1 });
	assert_true(core_next_deadline(world_core(world)) == world_now(world) + 500);
	world_end(world);
}

/* ready = spawn: the start itself has no limit, and that of pre_start is not left behind. */
static void
test_a_slow_start_after_pre_start(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=100ms hook_timeout=1s spawn=5s }");

	(void)state;
	world_advance(world, 5100);
	expect_state(world, "a", STATE_RUNNING);
	assert_int_equal(world_view(world, "a").incarnation, 1);
	world_end(world);
}

/* Told to end it is waited for; nothing more is said. */
static void
test_a_hook_is_told_to_end_once(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=infinity }");
	struct core *core = world_core(world);
	struct core_event stop = { .type = ON_STOP, .node = 1 };
	struct core_action action;
	int told = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		stop.now = i > 1;
		core_handle(core, world_now(world), &stop);
		assert_true(core_next_deadline(core) == MONO_NEVER);
	}
	while (core_next_action(core, &action))
		told += action.type == DO_END_HOOK;
	assert_int_equal(told, 1);
	world_end(world);
	world = world_of("/ one 9/60s { a post=infinity }");
	core = world_core(world);
	world_exit(world, "a");
	assert_true(core_next_deadline(core) == world_now(world) + 10000);
	core_handle(core, world_now(world), &stop); /* now */
	assert_true(core_next_deadline(core) == MONO_NEVER);
	world_end(world);
}

static void
test_pre_start_takes_a_start_slot(void **state)
{
	struct world *world = world_of("/ one 9/60s start_parallel max_starting=1 { a pre=1s; b }");

	(void)state;
	expect_why(world, "b", STATE_WAITING, REASON_SLOT);
	world_advance(world, 1000);
	expect_alive(world, "a b");
	world_end(world);
}

/* ---- stop_command ---- */

static void
test_stop_command_then_the_signals(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a command=300ms; b command=error; c command=1s:3 }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	expect_why(world, "a", STATE_STOPPING, REASON_OPERATOR);
	expect_hook(world, "a", HOOK_STOP);
	assert_int_equal(world_signals(world, "a"), 0);
	world_advance(world, 300);
	expect_trace(world, "hook a 1 stop_command, end a stop_command ok, stop a 1 shutdown");
	world_stop(world, "b"); /* its result changes nothing */
	world_stop(world, "c");
	world_advance(world, 1000);
	expect_trace(world,
	    "hook b 1 stop_command, end b stop_command error, "
	    "stop b 1 shutdown, hook c 1 stop_command, "
	    "end c stop_command failed, stop c 1 shutdown");
	world_end(world);
}

static void
test_the_process_ends_while_stop_command_runs(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a command=infinity command_ends_it=500ms post=100ms; "
		     "b command=500ms command_ends_it=200ms }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_advance(world, 600);
	expect_trace(world,
	    "hook a 1 stop_command, stop a 1 normal, end a stop_command cut, "
	    "hook a 1 post_stop, end a post_stop ok");
	expect_state(world, "a", STATE_STOPPED);
	assert_int_equal(world_signals(world, "a"), 0);
	assert_int_equal(world_sweeps(world, "a"), 1);
	world_restart(world, "b");
	world_advance(world, 200);
	expect_trace(
	    world, "hook b 1 stop_command, stop b 1 normal, end b stop_command cut, start b 2");
	world_end(world);
}

static void
test_a_stop_command_that_is_too_slow(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { a command=infinity hook_timeout=2s ignores stop=INT:1s,KILL }");

	(void)state;
	world_trace(world);
	world_stop(world, "a");
	world_advance(world, 1999);
	expect_hook(world, "a", HOOK_STOP);
	world_advance(world, 1);
	expect_trace(world, "hook a 1 stop_command, end a stop_command cut");
	assert_int_equal(world_last_signal(world, "a"), SIGINT);
	world_advance(world, 999);
	expect_alive(world, "a");
	world_advance(world, 1);
	expect_trace(world, "stop a 1 killed");
	world_end(world);
}

static void
test_stop_now_has_no_time_for_hooks(void **state)
{
	struct world *world = world_of(
	    "/ one 9/60s { a command=1s post=1s; b command=1s post=1s; c post=1s ignores; d post=1s stop=KILL }");

	(void)state;
	world_trace(world);
	world_order_now(world, ON_STOP, "a");
	expect_trace(world, "stop a 1 killed");
	expect_state(world, "a", STATE_STOPPED);
	world_stop(world, "b");
	world_order_now(world, ON_STOP, "b");
	expect_trace(world, "hook b 1 stop_command, end b stop_command cut, stop b 1 killed");
	expect_state(world, "b", STATE_STOPPED);
	assert_int_equal(world_signals(world, "b"), 1);
	/* a KILL that is a step of the sequence leaves the time */
	world_stop(world, "c");
	world_advance(world, 5000);
	expect_trace(world, "stop c 1 killed, hook c 1 post_stop");
	world_order_now(world, ON_STOP, "c");
	expect_trace(world, "end c post_stop cut");
	expect_state(world, "c", STATE_STOPPED);
	world_stop(world, "d");
	world_advance(world, 1000);
	expect_trace(world, "stop d 1 killed, hook d 1 post_stop, end d post_stop ok");
	world_end(world);
}

/* The program has ended, and its stop_command not quite: post_stop would come next. */
static void
test_stop_now_between_two_hooks(void **state)
{
	struct world *world = world_of("/ one 9/60s { a command=infinity post=infinity }");
	struct core *core = world_core(world);
	struct core_event stop = { .type = ON_STOP, .node = 1 };
	struct core_event exited = { .type = ON_EXITED, .node = 1, .incarnation = 1 };
	struct core_event done = {
		.type = ON_HOOK_DONE, .node = 1, .incarnation = 1, .hook = HOOK_STOP
	};
	struct core_action action;

	(void)state;
	core_handle(core, world_now(world), &stop);
	core_handle(core, world_now(world), &exited);
	stop.now = true;
	core_handle(core, world_now(world), &stop);
	core_handle(core, world_now(world), &done);
	while (core_next_action(core, &action))
		assert_false(action.type == DO_HOOK && action.hook == HOOK_POST_STOP);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

/* Nobody can be asked to end who is not up yet. */
static void
test_no_stop_command_before_it_is_ready(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s start_parallel { "
		     "a command=1s ready=told says_ready=infinity start_timeout=2s; "
		     "b command=1s spawn=1s }");

	(void)state;
	world_trace(world);
	world_stop(world, "b");
	world_advance(world, 2000);
	assert_int_equal(world_records(world, RECORD_HOOK, NULL), 0);
	expect_state(world, "b", STATE_STOPPED);
	expect_why(world, "a", STATE_RESTARTING, REASON_START_TIMEOUT);
	world_end(world);
}

static void
test_a_child_may_ask_for_time_for_its_stop_command(void **state)
{
	struct world *world = world_of("/ one 9/60s { a command=infinity hook_timeout=2s }");

	(void)state;
	world_stop(world, "a");
	world_feed(world,
	    &(struct core_event){
		.type = ON_EXTEND, .node = 1, .incarnation = 1, .timeout = 5000 });
	world_advance(world, 4999);
	expect_hook(world, "a", HOOK_STOP);
	world_advance(world, 1);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

/* ---- shutdown ---- */

static void
test_a_shutdown_runs_them_and_its_bound_ends_them(void **state)
{
	struct world *world = world_of("/ one 9/60s { a command=1s post=1s; b }");

	(void)state;
	world_trace(world);
	world_shutdown(world);
	world_advance(world, 2000);
	expect_trace(world,
	    "stop b 1 shutdown, hook a 1 stop_command, end a stop_command ok, "
	    "stop a 1 shutdown, hook a 1 post_stop, end a post_stop ok, exit 0");
	world_end(world);
	world = world_of("/ one 9/60s { a command=infinity post=infinity; b post=infinity; "
			 "c pre=infinity }");
	world_trace(world);
	world_feed(world, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = 3000 });
	world_advance(world, 3000);
	expect_trace(world,
	    "end c pre_start cut, stop b 1 shutdown, hook b 1 post_stop, "
	    "stop a 1 killed, end b post_stop cut, exit 0");
	world_end(world);
}

/* ---- hold, resume ---- */

static void
test_the_engine_dies_in_each_phase(void **state)
{
	static const char plan[] =
	    "/ one 9/60s { a pre=500ms command=500ms post=500ms slow=100ms }";

	(void)state;
	for (span_ms step = 50; step < 4000; step += 50) {
		struct world *one = world_of(plan), *other = world_of(plan);
		struct world *worlds[] = { one, other };
		char should[2048];

		for (size_t i = 0; i < 2; i++) {
			struct world *world = worlds[i];

			for (span_ms at = 0; at < 4000; at += 50) {
				if (at == 800)
					world_exit(world, "a");
				if (at == 2200)
					world_stop(world, "a");
				if (world == other && at == step)
					world_resume(world);
				world_advance(world, 50);
			}
			expect_state(world, "a", STATE_STOPPED);
		}
		snprintf(should, sizeof should, "%s", world_trace(one));
		expect_trace(other, should);
		assert_string_equal(should,
		    "hook a 1 pre_start, end a pre_start ok, start a 1, stop a 1 crash, "
		    "hook a 1 post_stop, end a post_stop ok, hook a 2 pre_start, "
		    "end a pre_start ok, start a 2, hook a 2 stop_command, "
		    "end a stop_command ok, stop a 2 shutdown, hook a 2 post_stop, "
		    "end a post_stop ok");
		world_end(one);
		world_end(other);
	}
}

static void
test_what_a_resume_asks_for_again(void **state)
{
	static const struct {
		bool stop, exit, now, late; /* what happens before it */
		uint32_t hooks, ends, signals, spawns;
		const char *words;
	} rows[] = {
		{ .words = "pre=infinity", .hooks = 1 },
		{ .words = "pre=infinity", .stop = true, .hooks = 1, .ends = 1 },
		{ .words = "command=infinity", .stop = true, .hooks = 1, .spawns = 0 },
		{ .words = "command=infinity", .stop = true, .late = true, .hooks = 1, .ends = 1 },
		{ .words = "command=infinity",
		    .stop = true,
		    .now = true,
		    .hooks = 1,
		    .ends = 1,
		    .signals = 1 },
		{ .words = "post=infinity", .exit = true, .hooks = 1 },
		{ .words = "post=infinity", .exit = true, .late = true, .hooks = 1, .ends = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t count[ACTION_COUNT] = { 0 };
		struct core_action action;
		struct core_event event = { .node = 1, .incarnation = 1 };
		struct world *world;
		char plan[128];

		snprintf(plan, sizeof plan, "/ one 9/60s { a ignores hook_timeout=1s %s }",
		    rows[i].words);
		world = world_of(plan);
		event.type = rows[i].exit ? ON_EXITED : ON_STOP;
		if (rows[i].stop || rows[i].exit)
			core_handle(world_core(world), world_now(world), &event);
		if (rows[i].now) {
			event.now = true;
			core_handle(world_core(world), world_now(world), &event);
		}
		if (rows[i].late)
			core_handle(world_core(world), world_now(world) + 1000,
			    &(struct core_event){ .type = ON_TIMER });
		while (core_next_action(world_core(world), &action))
			;
		core_handle(world_core(world), world_now(world) + 1000,
		    &(struct core_event){ .type = ON_RESUME });
		while (core_next_action(world_core(world), &action)) {
			if (action.type != DO_RECORD)
				assert_int_equal(action.incarnation, 1);
			count[action.type]++;
		}
		assert_int_equal(count[DO_HOOK], rows[i].hooks);
		assert_int_equal(count[DO_END_HOOK], rows[i].ends);
		assert_int_equal(count[DO_SIGNAL], rows[i].signals);
		world_end(world);
	}
}

static void
test_ends_of_hooks_that_do_not_run_are_dropped(void **state)
{
	struct world *world = world_of("/ one 9/60s { a pre=1s post=1s }");
	struct core_event event = { .type = ON_HOOK_DONE, .node = 1, .incarnation = 1 };

	(void)state;
	event.hook = HOOK_POST_STOP; /* another */
	world_feed(world, &event);
	event.hook = HOOK_NONE;
	world_feed(world, &event);
	event.hook = HOOK_PRE_START;
	event.incarnation = 2;
	world_feed(world, &event);
	event.incarnation = 0;
	world_feed(world, &event);
	world_feed(world, &(struct core_event){ .type = ON_HOOK_DONE, .hook = HOOK_PRE_START });
	expect_hook(world, "a", HOOK_PRE_START);
	assert_int_equal(world_records(world, RECORD_HOOK, NULL), 0);
	world_advance(world, 1000);
	event.incarnation = 1;
	world_feed(world, &event);
	expect_state(world, "a", STATE_RUNNING);
	world_end(world);
}

/* During a hold nothing begins; what had begun goes on to its end. */
static void
test_during_a_hold(void **state)
{
	struct world *world = world_of("/ one 9/60s { a post=1s; b command=1s post=1s; c }");

	(void)state;
	world_order(world, ON_HOLD, "/");
	world_trace(world);
	world_exit(world, "a");
	world_stop(world, "b");
	world_advance(world, 5000);
	expect_trace(world,
	    "stop a 1 crash, hook a 1 post_stop, hook b 1 stop_command, "
	    "end a post_stop ok, end b stop_command ok, stop b 1 shutdown, "
	    "hook b 1 post_stop, end b post_stop ok");
	expect_why(world, "a", STATE_RESTARTING, REASON_EXITED);
	expect_state(world, "b", STATE_STOPPED);
	world_order(world, ON_RELEASE, "/");
	world_advance(world, 100);
	expect_alive(world, "a c");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pre_start_comes_before_the_program),
		cmocka_unit_test(test_a_pre_start_that_fails_is_a_failed_start),
		cmocka_unit_test(test_a_failed_pre_start_is_no_end_that_is_listed),
		cmocka_unit_test(test_start_timeout_covers_pre_start),
		cmocka_unit_test(test_a_pre_start_that_is_too_slow_has_no_status),
		cmocka_unit_test(test_asking_for_time_is_no_new_start_timeout),
		cmocka_unit_test(test_pre_start_may_have_used_all_of_start_timeout),
		cmocka_unit_test(test_a_stop_cuts_pre_start_short),
		cmocka_unit_test(test_a_group_restart_cuts_pre_start_short),
		cmocka_unit_test(test_pre_start_takes_a_start_slot),
		cmocka_unit_test(test_a_slow_start_after_pre_start),
		cmocka_unit_test(test_a_hook_is_told_to_end_once),
		cmocka_unit_test(test_stop_command_then_the_signals),
		cmocka_unit_test(test_the_process_ends_while_stop_command_runs),
		cmocka_unit_test(test_a_stop_command_that_is_too_slow),
		cmocka_unit_test(test_stop_now_has_no_time_for_hooks),
		cmocka_unit_test(test_stop_now_between_two_hooks),
		cmocka_unit_test(test_no_stop_command_before_it_is_ready),
		cmocka_unit_test(test_a_child_may_ask_for_time_for_its_stop_command),
		cmocka_unit_test(test_a_shutdown_runs_them_and_its_bound_ends_them),
		cmocka_unit_test(test_the_engine_dies_in_each_phase),
		cmocka_unit_test(test_what_a_resume_asks_for_again),
		cmocka_unit_test(test_ends_of_hooks_that_do_not_run_are_dropped),
		cmocka_unit_test(test_during_a_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
