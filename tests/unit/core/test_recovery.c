/*
 * The engine dies: what was saved after the last event is enough to go on as if nothing had
 * happened.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What happens in the stories: an exit, a command, or time. */
struct scene {
	const char *exits;
	enum core_event_type command; /* with `name` */
	const char *name;
	span_ms ms;
};

static const struct scene busy_day[] = {
	{ .exits = "b" },
	{ .ms = 400 },
	{ .exits = "a, d" },
	{ .ms = 700 },
	{ .command = ON_STOP, .name = "c" },
	{ .exits = "e" },
	{ .exits = "e" },
	{ .ms = 350 },
	{ .command = ON_RESTART, .name = "s" },
	{ .ms = 5000 },
	{ .exits = "f:normal" },
	{ .command = ON_START, .name = "c" },
	{ .exits = "e" },
	{ .ms = 60000 },
	{ .exits = "d, e, b" },
	{ .ms = 333 },
	{ .command = ON_SHUTDOWN, .name = "/" },
	{ .ms = 60000 },
};

static void
play(struct world *world, const struct scene *scene)
{
	if (scene->exits != NULL)
		world_exit(world, scene->exits);
	else if (scene->name != NULL)
		world_order(world, scene->command, scene->name);
	else
		world_advance(world, scene->ms);
}

static const char busy_tree[] =
    "/ one 20/60s limit=backoff { a slow=300ms; "
    "s rest 5/10s { b delay=300ms; c ready=told says_ready=200ms slow=1s; d jitter=300000 }; "
    "t all 1/10s limit=backoff { e spawn=20ms max=2s; f transient; g ready=exit lives=50ms:0 }; "
    "u *3 fails=2 ignores stop=TERM:250ms,KILL }";

static void
test_a_resume_after_every_scene_changes_nothing(void **state)
{
	struct world *one = world_of(busy_tree), *other = world_of(busy_tree);

	(void)state;
	for (size_t i = 0; i < sizeof busy_day / sizeof busy_day[0]; i++) {
		char should[8192];

		play(one, &busy_day[i]);
		strcpy(should, world_trace(one));
		world_resume(other);
		play(other, &busy_day[i]);
		world_resume(other);
		expect_trace(other, should);
	}
	expect_alive(one, "");
	world_end(one);
	world_end(other);
}

static void
test_a_resume_between_any_two_milliseconds(void **state)
{
	for (span_ms step = 50; step < 1200; step += 50) {
		struct world *one = world_of(busy_tree), *other = world_of(busy_tree);
		char should[8192];

		(void)state;
		world_exit(one, "b, e");
		world_exit(other, "b, e");
		world_advance(one, 3000);
		strcpy(should, world_trace(one));
		world_advance(other, step);
		world_resume(other);
		world_advance(other, 3000 - step);
		expect_trace(other, should);
		world_end(one);
		world_end(other);
	}
}

static void
test_an_unanswered_start_is_asked_for_again(void **state)
{
	struct world *world = world_of("/ one 9/60s { a spawn=1s; b }");
	struct core_action action;
	uint32_t asked = 0;

	(void)state;
	core_handle(world_core(world), world_now(world), &(struct core_event){ .type = ON_RESUME });
	while (core_next_action(world_core(world), &action)) {
		if (action.type != DO_SPAWN)
			continue;
		asked++;
		assert_int_equal(action.node, world_id(world, "a"));
		assert_int_equal(action.incarnation, 1);
	}
	assert_int_equal(asked, 1);
	world_advance(world, 1000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_a_stop_is_told_again_and_goes_on(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ignores stop=INT:1s,TERM:1s,KILL }");

	(void)state;
	world_stop(world, "a");
	world_advance(world, 1500);
	assert_int_equal(world_signals(world, "a"), 2);
	world_resume(world);
	assert_int_equal(world_signals(world, "a"), 3);
	assert_int_equal(world_last_signal(world, "a"), 15);
	world_advance(world, 500);
	expect_state(world, "a", STATE_STOPPED);
	world_end(world);
}

static void
test_the_word_to_leave_is_given_again(void **state)
{
	struct world *world = world_of("/ one 9/60s { a }");
	struct core_action action;
	bool told = false;

	(void)state;
	world_shutdown(world);
	world_resume(world);
	core_handle(world_core(world), world_now(world), &(struct core_event){ .type = ON_RESUME });
	while (core_next_action(world_core(world), &action))
		told = told || action.type == DO_EXIT;
	assert_true(told);
	world_end(world);
}

static void
test_what_is_clean_is_not_told_dirty(void **state)
{
	struct world *world = world_of("/ one 9/60s { a; b; c }");
	enum core_area area;
	uint32_t index, touched = 0;

	(void)state;
	assert_false(core_next_dirty(world_core(world), &area, &index));
	core_handle(world_core(world), world_now(world),
	    &(struct core_event){ .type = ON_EXITED, .node = 1, .incarnation = 1, .status = 256 });
	while (core_next_dirty(world_core(world), &area, &index)) {
		touched++;
		assert_true(index < core_area_count(world_core(world), area));
		if (area == CORE_AREA_NODES)
			assert_true(index <= 1);
	}
	assert_true(touched > 0);
	world_end(world);
}

static void
test_during_a_hold_nothing_starts_or_stops_by_itself(void **state)
{
	struct world *world = world_of_otp(
	    "/ one 9/60s { a; s all 9/60s { b; c }; d backoff=fixed delay=1s; e slow=1s }");

	(void)state;
	world_exit(world, "d");
	world_order(world, ON_HOLD, "/");
	assert_true(core_is_holding(world_core(world)));
	world_trace(world);
	world_exit(world, "b, a");
	world_advance(world, 5000);
	expect_trace(world, "stop b 1 crash, stop a 1 crash");
	expect_alive(world, "c e");
	world_stop(world, "e"); /* a stop works */
	world_advance(world, 1000);
	expect_trace(world, "stop e 1 shutdown");
	world_order(world, ON_RELEASE, "/");
	assert_false(core_is_holding(world_core(world)));
	expect_alive(world, "a b c d");
	assert_int_equal(world_view(world, "/").restarts_in_window, 2);
	assert_int_equal(world_view(world, "s").restarts_in_window, 1);
	world_end(world);
}

static void
test_a_hold_outlives_the_engine_and_a_shutdown_ends_it(void **state)
{
	struct world *world = world_of_otp("/ one 9/60s { a; b }");

	(void)state;
	world_order(world, ON_HOLD, "/");
	world_exit(world, "a");
	world_resume(world);
	assert_true(core_is_holding(world_core(world)));
	expect_alive(world, "b");
	world_trace(world);
	world_shutdown(world);
	expect_trace(world, "stop b 1 shutdown, exit 0");
	world_end(world);
}

/* Its failure had ended the start of the set; when that is void, the others still have their turn. */
static void
test_a_stop_during_a_hold_lets_the_others_of_the_set_start(void **state)
{
	struct world *world = world_of("/ all 9/60s { a ready=told says_ready=infinity; b }");

	(void)state;
	world_order(world, ON_HOLD, "/");
	world_exit(world, "a");
	world_stop(world, "a");
	world_order(world, ON_RELEASE, "/");
	world_run(world);
	expect_alive(world, "b");
	expect_state(world, "/", STATE_RUNNING);
	world_end(world);
}

static void
test_a_stop_during_a_hold_does_not_cut_a_sets_delay_short(void **state)
{
	struct world *world = world_of("/ rest 9/60s { a; b delay=5s; c }");

	(void)state;
	world_exit(world, "b");
	world_order(world, ON_HOLD, "/");
	world_exit(world, "a");
	world_stop(world, "a");
	world_order(world, ON_RELEASE, "/");
	world_advance(world, 4999);
	expect_alive(world, "");
	world_advance(world, 1);
	expect_alive(world, "b c");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_resume_after_every_scene_changes_nothing),
		cmocka_unit_test(test_a_resume_between_any_two_milliseconds),
		cmocka_unit_test(test_an_unanswered_start_is_asked_for_again),
		cmocka_unit_test(test_a_stop_is_told_again_and_goes_on),
		cmocka_unit_test(test_the_word_to_leave_is_given_again),
		cmocka_unit_test(test_what_is_clean_is_not_told_dirty),
		cmocka_unit_test(test_during_a_hold_nothing_starts_or_stops_by_itself),
		cmocka_unit_test(test_a_hold_outlives_the_engine_and_a_shutdown_ends_it),
		cmocka_unit_test(test_a_stop_during_a_hold_lets_the_others_of_the_set_start),
		cmocka_unit_test(test_a_stop_during_a_hold_does_not_cut_a_sets_delay_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
