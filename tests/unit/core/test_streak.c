/*
 * The streak of failures and the delays it makes (coppice-semantics(7), Delays), seen from outside.
 */
#include "world.h"

#include "core/tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Lets a fail and tells how long it then waits. */
static span_ms
delay_after_failure(struct world *world)
{
	mono_ms from = world_now(world);
	struct core_view view;

	world_exit(world, "a");
	view = world_view(world, "a");
	if (view.state == STATE_RUNNING)
		return 0;
	assert_int_equal(view.state, STATE_RESTARTING);
	world_advance(world, view.next_start - from);
	expect_state(world, "a", STATE_RUNNING);
	return view.next_start - from;
}

static void
test_a_crash_looper_follows_its_curve(void **state)
{
	static const span_ms curve[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct world *world = world_of("/ one 100/60s { a max=5s }");

	(void)state;
	for (uint32_t n = 0; n < 8; n++) {
		assert_int_equal(delay_after_failure(world), curve[n]);
		assert_int_equal(world_view(world, "a").streak, n + 1);
	}
	world_end(world);
}

/* FIELD 1.B.9 */
static void
test_a_stable_run_is_forgiven(void **state)
{
	struct world *world = world_of("/ one 100/60s { a stable=10s }");

	(void)state;
	assert_int_equal(delay_after_failure(world), 100);
	assert_int_equal(delay_after_failure(world), 200);
	world_advance(world, 9999);
	assert_int_equal(delay_after_failure(world), 400);
	world_advance(world, 10000);
	assert_int_equal(delay_after_failure(world), 0);
	assert_int_equal(world_view(world, "a").streak, 0);
	assert_int_equal(delay_after_failure(world), 100);
	world_end(world);
}

static void
test_a_stable_run_does_not_clear_the_window(void **state)
{
	struct world *world = world_of("/ one 3/60s limit=give_up { a stable=1s }");

	(void)state;
	for (int i = 0; i < 4; i++) {
		expect_alive(world, "a");
		world_advance(world, 2000);
		world_exit(world, "a");
	}
	expect_why(world, "a", STATE_FAILED, REASON_GIVEN_UP);
	world_end(world);
}

static void
test_a_supervisor_is_forgiven_too(void **state)
{
	static const struct {
		span_ms up;
		uint32_t streak;
	} rows[] = { { 9999, 2 }, { 10000, 0 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *world =
		    world_of("/ one 9/60s { s delay=1s stable=10s one 0/60s { a } }");

		world_exit(world, "a");
		world_advance(world, 1000);
		expect_alive(world, "a");
		world_advance(world, rows[i].up);
		world_exit(world, "a");
		assert_int_equal(world_view(world, "s").streak, rows[i].streak);
		expect_state(world, "s", rows[i].streak == 0 ? STATE_RUNNING : STATE_RESTARTING);
		world_end(world);
	}
}

static void
test_stability_counts_from_readiness(void **state)
{
	struct world *world = world_of("/ one 100/60s { a ready=told says_ready=5s stable=3s }");

	(void)state;
	world_advance(world, 5000);
	expect_state(world, "a", STATE_RUNNING);
	world_advance(world, 2999);
	world_exit(world, "a");
	expect_state(world, "a", STATE_RESTARTING);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_end(world);
}

static void
test_failed_starts_and_timeouts_add_to_the_streak(void **state)
{
	struct world *world =
	    world_of("/ one 100/60s { a fails=2 ready=told says_ready=infinity start_timeout=1s }");

	(void)state;
	world_advance(world, 1000);
	assert_int_equal(world_view(world, "a").streak, 1);
	world_advance(world, 100);
	assert_int_equal(world_view(world, "a").streak, 2);
	world_advance(world, 200);
	expect_state(world, "a", STATE_STARTING);
	world_exit(world, "a:normal");
	expect_why(world, "a", STATE_RESTARTING, REASON_ENDED_EARLY);
	assert_int_equal(world_view(world, "a").streak, 3);
	world_end(world);
}

static void
test_an_operators_start_or_restart_clears_the_streak(void **state)
{
	struct world *world = world_of("/ one 100/60s { a }");

	(void)state;
	delay_after_failure(world);
	delay_after_failure(world);
	world_restart(world, "a");
	assert_int_equal(delay_after_failure(world), 100);
	delay_after_failure(world);
	world_stop(world, "a");
	world_start(world, "a");
	assert_int_equal(delay_after_failure(world), 100);
	world_end(world);
}

static void
test_the_normal_end_of_a_one_shot_clears_its_streak(void **state)
{
	struct world *world = world_of("/ all 100/60s { a ready=exit fails=1,2 lives=10ms:0; b }");

	(void)state;
	world_advance(world, 100 + 199);
	assert_int_equal(world_view(world, "a").streak, 2);
	world_advance(world, 100);
	expect_state(world, "a", STATE_FINISHED);
	assert_int_equal(world_view(world, "a").streak, 0);
	world_end(world);
}

static void
test_jitter_is_within_its_bounds_and_in_the_record(void **state)
{
	struct world *world = world_of("/ one 1000/60s { a backoff=fixed delay=1s jitter=100000 }");
	struct core_record record;
	span_ms first = 0;
	bool differ = false;

	(void)state;
	for (int i = 0; i < 50; i++) {
		span_ms delay = delay_after_failure(world);

		assert_in_range(delay, 900, 1100);
		assert_true(world_last_record(world, RECORD_RESTARTING, "a", &record));
		assert_int_equal(record.b, delay);
		assert_int_equal(record.a, i + 1);
		first = i == 0 ? delay : first;
		differ = differ || delay != first;
	}
	assert_true(differ);
	world_end(world);
}

static void
test_a_supervisor_must_earn_it_each_time(void **state)
{
	struct world *world = world_of("/ one 9/60s { s delay=1s stable=10s one 0/60s { a } }");

	(void)state;
	world_advance(world, 10000);
	world_exit(world, "a");
	expect_state(world, "s", STATE_RUNNING);
	world_exit(world, "a");
	expect_state(world, "s", STATE_RESTARTING);
	assert_int_equal(world_view(world, "s").streak, 1);
	world_end(world);
}

static void
test_it_does_not_wrap(void **state)
{
	struct world *world = world_of("/ one 9/60s { a max=1s }");

	(void)state;
	world_core(world)->nodes[world_id(world, "a")].streak = UINT32_MAX;
	assert_int_equal(delay_after_failure(world), 1000);
	assert_true(world_view(world, "a").streak == UINT32_MAX);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crash_looper_follows_its_curve),
		cmocka_unit_test(test_a_stable_run_is_forgiven),
		cmocka_unit_test(test_a_stable_run_does_not_clear_the_window),
		cmocka_unit_test(test_a_supervisor_is_forgiven_too),
		cmocka_unit_test(test_stability_counts_from_readiness),
		cmocka_unit_test(test_failed_starts_and_timeouts_add_to_the_streak),
		cmocka_unit_test(test_an_operators_start_or_restart_clears_the_streak),
		cmocka_unit_test(test_the_normal_end_of_a_one_shot_clears_its_streak),
		cmocka_unit_test(test_jitter_is_within_its_bounds_and_in_the_record),
		cmocka_unit_test(test_a_supervisor_must_earn_it_each_time),
		cmocka_unit_test(test_it_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
