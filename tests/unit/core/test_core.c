/* core: which events count, and when. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CRASH (1 << 8)

static void
feed(struct world *world, enum core_event_type type, const char *name)
{
	world_feed(world,
	    &(struct core_event){ .type = type,
		.node = world_id(world, name),
		.incarnation = world_view(world, name).incarnation,
		.status = CRASH });
}

static void
test_what_has_been_spawned_cannot_fail_to_be(void **state)
{
	struct world *world = world_of("/ one 9/60s { b; a ready=told says_ready=infinity }");

	(void)state;
	feed(world, ON_SPAWN_FAILED, "a");
	expect_state(world, "a", STATE_STARTING);
	feed(world, ON_SPAWN_FAILED, "b");
	expect_state(world, "b", STATE_RUNNING);
	assert_int_equal(world_records(world, RECORD_START_FAILED, NULL), 0);
	world_end(world);
}

static void
test_time_never_goes_back(void **state)
{
	struct world *world = world_of("/ one 9/60s { a }");
	mono_ms now = world_now(world);

	(void)state;
	core_handle(world_core(world), now - 5000,
	    &(struct core_event){
		.type = ON_EXITED, .node = 1, .incarnation = 1, .status = CRASH });
	assert_true(world_view(world, "a").since == now);
	assert_true(core_next_deadline(world_core(world)) == now + 100);
	world_end(world);
}

static void
test_a_state_is_as_old_as_it_is(void **state)
{
	struct world *world = world_of("/ one 9/60s { a slow=1s }");
	mono_ms begin = world_now(world);

	(void)state;
	assert_true(world_view(world, "a").since == begin);
	world_advance(world, 500);
	world_exit(world, "a");
	assert_true(world_view(world, "a").since == begin + 500);
	world_advance(world, 2000);
	assert_true(world_view(world, "a").since == begin + 600);
	world_stop(world, "a");
	assert_true(world_view(world, "a").since == begin + 2500);
	assert_true(world_view(world, "/").since == begin);
	world_end(world);
}

static void
test_a_second_boot_starts_nothing(void **state)
{
	struct world *world = world_of("/ one 9/60s { a }");

	(void)state;
	world_stop(world, "/");
	world_boot(world);
	expect_why(world, "/", STATE_STOPPED, REASON_OPERATOR);
	expect_alive(world, "");
	world_end(world);
}

static void
test_a_boot_during_a_hold_comes_when_it_ends(void **state)
{
	struct world *world = world_unborn("/ one 9/60s { a }");

	(void)state;
	world_order(world, ON_HOLD, "/");
	world_boot(world);
	expect_state(world, "/", STATE_STOPPED);
	world_order(world, ON_RELEASE, "/");
	expect_alive(world, "a");
	world_end(world);
}

static void
test_a_boot_of_a_root_that_is_up_changes_nothing(void **state)
{
	struct world *world = world_unborn("/ one 9/60s { a ready=told says_ready=1s }");

	(void)state;
	world_start(world, "/");
	expect_state(world, "/", STATE_STARTING);
	world_boot(world);
	expect_why(world, "/", STATE_STARTING, REASON_OPERATOR);
	world_end(world);
	world = world_unborn("/ one 9/60s { a }");
	world_start(world, "/");
	expect_state(world, "/", STATE_RUNNING);
	world_boot(world);
	assert_int_equal(world_view(world, "/").incarnation, 1);
	expect_trace(world, "start a 1");
	world_end(world);
}

/* It spoke before exec's end was known, which then is a failure. */
static void
test_one_that_is_ready_can_still_fail_to_be_spawned(void **state)
{
	struct world *world = world_of("/ one 9/60s { a ready=told spawn=infinity }");

	(void)state;
	world_ready(world, "a");
	expect_state(world, "a", STATE_RUNNING);
	feed(world, ON_SPAWN_FAILED, "a");
	expect_why(world, "a", STATE_RESTARTING, REASON_START_FAILED);
	assert_int_equal(world_records(world, RECORD_START_FAILED, "a"), 1);
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_been_spawned_cannot_fail_to_be),
		cmocka_unit_test(test_time_never_goes_back),
		cmocka_unit_test(test_a_state_is_as_old_as_it_is),
		cmocka_unit_test(test_a_second_boot_starts_nothing),
		cmocka_unit_test(test_a_boot_during_a_hold_comes_when_it_ends),
		cmocka_unit_test(test_a_boot_of_a_root_that_is_up_changes_nothing),
		cmocka_unit_test(test_one_that_is_ready_can_still_fail_to_be_spawned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
