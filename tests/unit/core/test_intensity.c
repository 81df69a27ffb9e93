/* intensity: the window alone. */
#include "core/intensity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_there_is_room_for_as_many_as_the_capacity(void **state)
{
	struct intensity window = { .capacity = 3 };
	mono_ms stamps[3];

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(intensity_has_room(&window));
		assert_int_equal(intensity_stamp(&window, stamps, 100 + i), i);
	}
	assert_false(intensity_has_room(&window));
	assert_int_equal(window.count, 3);
}

static void
test_a_stamp_leaves_when_it_is_older_than_the_period(void **state)
{
	struct intensity window = { .capacity = 1 };
	mono_ms stamps[1];

	(void)state;
	intensity_stamp(&window, stamps, 1000);
	intensity_prune(&window, stamps, 1500, 500);
	assert_false(intensity_has_room(&window));
	intensity_prune(&window, stamps, 1501, 500);
	assert_true(intensity_has_room(&window));
	assert_int_equal(window.count, 0);
}

static void
test_the_ring_goes_round(void **state)
{
	struct intensity window = { .capacity = 3 };
	mono_ms stamps[3];

	(void)state;
	for (mono_ms now = 0; now < 10000; now += 40) {
		intensity_prune(&window, stamps, now, 100);
		assert_true(intensity_has_room(&window));
		intensity_stamp(&window, stamps, now);
		assert_true(window.count <= 3);
	}
	assert_int_equal(window.count, 3);
}

static void
test_when_there_will_be_room(void **state)
{
	struct intensity none = { .capacity = 0 }, window = { .capacity = 2 };
	mono_ms stamps[2], at;

	(void)state;
	assert_false(intensity_has_room(&none));
	assert_int_equal(intensity_room_at(&none, stamps, 700, 50), 750);
	assert_int_equal(intensity_room_at(&window, stamps, 700, 50), 700);
	intensity_stamp(&window, stamps, 700);
	intensity_stamp(&window, stamps, 720);
	at = intensity_room_at(&window, stamps, 730, 50);
	intensity_prune(&window, stamps, at - 1, 50);
	assert_false(intensity_has_room(&window));
	intensity_prune(&window, stamps, at, 50);
	assert_true(intensity_has_room(&window));
	assert_int_equal(window.count, 1);
}

static void
test_clear_forgets_all(void **state)
{
	struct intensity window = { .capacity = 2 };
	mono_ms stamps[2];

	(void)state;
	intensity_stamp(&window, stamps, 1);
	intensity_stamp(&window, stamps, 1);
	intensity_clear(&window);
	assert_int_equal(window.count, 0);
	assert_int_equal(window.capacity, 2);
	assert_true(intensity_has_room(&window));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_is_room_for_as_many_as_the_capacity),
		cmocka_unit_test(test_a_stamp_leaves_when_it_is_older_than_the_period),
		cmocka_unit_test(test_the_ring_goes_round),
		cmocka_unit_test(test_when_there_will_be_room),
		cmocka_unit_test(test_clear_forgets_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
