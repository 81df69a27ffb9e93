/* A child asks for time to start or to stop (EXTEND_TIMEOUT_USEC of sd_notify). */
#include "world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

static void
extend(struct world *world, const char *name, span_ms timeout)
{
	world_feed(world,
	    &(struct core_event){ .type = ON_EXTEND,
		.node = world_id(world, name),
		.incarnation = world_view(world, name).incarnation,
		.timeout = timeout });
	world_run(world);
}

static void
test_a_start_may_take_longer_and_never_shorter(void **state)
{
	static const struct {
		span_ms after, asked, until;
	} rows[] = {
		{ 0, 15000, 15000 }, { 9999, 5000, 14999 }, { 0, 10000, 10000 },
		{ 5000, 5000, 10000 }, { 5000, 1, 10000 }, /* never shorter */
		{ 5000, 0, 10000 },                        /* nothing asked */
		{ 5000, -9, 10000 },                       /* nonsense */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of("/ one 9/60s { a ready=told says_ready=infinity }");

		world_advance(world, rows[i].after);
		extend(world, "a", rows[i].asked);
		world_advance(world, rows[i].until - rows[i].after - 1);
		expect_state(world, "a", STATE_STARTING);
		assert_int_equal(world_view(world, "a").incarnation, 1);
		world_advance(world, 1);
		assert_int_equal(world_records(world, RECORD_RESTARTING, "a"), 1);
		world_end(world);
	}
}

static void
test_it_may_ask_again_and_again(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ready=told says_ready=45s }");

	(void)state;
	for (int i = 0; i < 5; i++) {
		world_advance(world, 8000);
		extend(world, "a", 10000);
	}
	world_advance(world, 5000);
	expect_state(world, "a", STATE_RUNNING);
	assert_int_equal(world_view(world, "a").incarnation, 1);
	world_end(world);
}

/* Its message can be there before the word that exec succeeded. */
static void
test_before_it_is_known_to_be_spawned(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s start_parallel { a ready=told spawn=2s says_ready=infinity; "
		     "b ready=told spawn=2s says_ready=infinity; c spawn=2s start_timeout=1s }");

	(void)state;
	extend(world, "a", 20000); /* until 20 s */
	extend(world, "b", 3000);  /* less than start_timeout gives anyhow: until 12 s */
	extend(world, "c", 1000);  /* has no start_timeout */
	world_advance(world, 11999);
	expect_state(world, "c", STATE_RUNNING);
	expect_state(world, "b", STATE_STARTING);
	world_advance(world, 1);
	assert_int_equal(world_records(world, RECORD_RESTARTING, "b"), 1);
	world_advance(world, 7999);
	assert_int_equal(world_records(world, RECORD_RESTARTING, "a"), 0);
	world_advance(world, 1);
	assert_int_equal(world_records(world, RECORD_RESTARTING, "a"), 1);
	world_end(world);
}

static void
test_a_stop_step_may_take_longer(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores stop=INT:2s,TERM:5s,KILL }");

	(void)state;
	world_stop(world, "a");
	world_advance(world, 1000);
	extend(world, "a", 3000); /* INT until 4 s */
	world_advance(world, 2999);
	assert_int_equal(world_last_signal(world, "a"), SIGINT);
	world_advance(world, 1);
	assert_int_equal(world_last_signal(world, "a"), SIGTERM);
	extend(world, "a", 2000); /* never shorter */
	world_advance(world, 4999);
	assert_int_equal(world_last_signal(world, "a"), SIGTERM);
	world_advance(world, 1);
	assert_int_equal(world_last_signal(world, "a"), SIGKILL);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_it_outlives_the_engine(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores }");

	(void)state;
	world_stop(world, "a");
	extend(world, "a", 20000);
	world_resume(world);
	world_advance(world, 19999);
	assert_int_equal(world_last_signal(world, "a"), SIGTERM);
	world_advance(world, 1);
	assert_int_equal(world_last_signal(world, "a"), SIGKILL);
	world_end(world);
}

/* FIELD 1.F.26: nobody may hold up a shutdown that has a bound, or somebody's stop --now. */
static void
test_the_shutdown_is_not_held_up(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores; b ignores }");

	(void)state;
	world_feed(world, &(struct core_event){ .type = ON_SHUTDOWN, .timeout = 10000 });
	world_run(world);
	extend(world, "b", 1000000);
	world_advance(world, 9999);
	expect_alive(world, "a b");
	world_advance(world, 1);
	expect_alive(world, "");
	world_end(world);
	world = world_of("/ one 9/60s { a ignores }");
	world_stop(world, "a");
	extend(world, "a", 1000000);
	world_feed(world, &(struct core_event){ .type = ON_STOP, .node = 1, .now = true });
	extend(world, "a", 1000000); /* nothing is left to extend */
	world_run(world);
	expect_alive(world, "");
	world_end(world);
}

static void
test_elsewhere_and_of_old_incarnations_it_is_dropped(void **state)
{
	struct world *world = world_of("/ one 9/60s { b; c; a ready=told says_ready=infinity }");
	struct core_event event = { .type = ON_EXTEND, .timeout = 20000 };

	(void)state;
	extend(world, "b", 20000); /* running */
	world_exit(world, "c");
	extend(world, "c", 20000); /* its delay is not its own to choose */
	world_feed(world, &event); /* a supervisor */
	assert_true(world_view(world, "c").next_start == world_now(world) + 100);
	event.node = world_id(world, "a");
	event.incarnation = 0;
	world_feed(world, &event);
	event.incarnation = 2;
	world_feed(world, &event);
	world_advance(world, 10000);
	assert_int_equal(world_records(world, RECORD_RESTARTING, "a"), 1);
	expect_state(world, "b", STATE_RUNNING);
	world_end(world);
}

/* Where the wait has no end there is nothing to extend; where the sum has none, it waits for ever. */
static void
test_the_ends_of_time(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores stop=TERM }");

	(void)state;
	world_stop(world, "a");
	extend(world, "a", 1000);
	assert_true(core_next_deadline(world_core(world)) == MONO_NEVER);
	world_end(world);
	world = world_of("/ one 9/60s { a ignores }");
	world_stop(world, "a");
	extend(world, "a", SPAN_INFINITE - 1);
	world_advance(world, 1000000000);
	expect_alive(world, "a");
	world_end(world);
}

static void
test_with_ready_spawn_a_start_is_not_bounded_by_it(void **state)
{
	struct world *world = world_of("/ one 9/60s { a spawn=infinity start_timeout=1s }");

	(void)state;
	extend(world, "a", 500);
	world_advance(world, 100000);
	expect_state(world, "a", STATE_STARTING);
	assert_int_equal(world_view(world, "a").incarnation, 1);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_start_may_take_longer_and_never_shorter),
		cmocka_unit_test(test_it_may_ask_again_and_again),
		cmocka_unit_test(test_before_it_is_known_to_be_spawned),
		cmocka_unit_test(test_a_stop_step_may_take_longer),
		cmocka_unit_test(test_it_outlives_the_engine),
		cmocka_unit_test(test_the_shutdown_is_not_held_up),
		cmocka_unit_test(test_elsewhere_and_of_old_incarnations_it_is_dropped),
		cmocka_unit_test(test_the_ends_of_time),
		cmocka_unit_test(test_with_ready_spawn_a_start_is_not_bounded_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
