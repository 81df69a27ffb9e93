/* Moments on a line: true to scale but for long gaps, which take little room. */
#include "ctl/axis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define near(a, b) assert_true(fabs((a) - (b)) < 1e-6)

static void
test_without_gaps_it_is_a_scale(void **state)
{
	static const double times[] = { 100, 101, 104, 105, 110 };
	struct axis axis;

	(void)state;
	axis_make(&axis, times, 5, 1000);
	assert_int_equal(axis.count, 1);
	for (int i = 0; i < 5; i++)
		near(axis_x(&axis, times[i]), (times[i] - 100) * 100);
	near(axis_x(&axis, 0), 0);
	near(axis_x(&axis, 1e9), 1000);
}

static void
test_a_busy_second_then_hours(void **state)
{
	static const double times[] = { 0, 0.25, 1, 8001, 8002, 20000 };
	struct axis axis;

	(void)state;
	axis_make(&axis, times, 6, 1000);
	assert_int_equal(axis.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(axis.parts[i].gap, i % 2);
	near(axis.scale, (1000 - 2 * AXIS_GAP_WIDTH) / 2.0);
	near(axis_x(&axis, 0.5), axis.scale / 2);
	near(axis_x(&axis, 1), axis.scale);
	near(axis_x(&axis, 4001), axis.scale + AXIS_GAP_WIDTH / 2.0);
	near(axis_x(&axis, 8001), axis.scale + AXIS_GAP_WIDTH);
	near(axis_x(&axis, 20000), 1000);
}

/* However many pauses there are and however they are spread, the line has its width and goes on. */
static void
test_any_times(void **state)
{
	double times[400];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct axis axis;
		size_t count = 1 + (size_t)round % 400;
		double at = 1e9, last = -1;
		for (size_t i = 0; i < count; i++) {
			seed = seed * 1103515245 + 12345;
			unsigned kind = seed >> 16;
			at += kind % 7 == 0 ? 0 : kind % 5 == 0 ? kind : kind / 1e5;
			times[i] = at;
		}
		axis_make(&axis, times, count, 1000);
		assert_true(axis.count <= 2 * AXIS_MAX_GAPS + 1);
		for (size_t i = 0; i < count; i++) {
			double x = axis_x(&axis, times[i]);
			assert_true(x >= last && x >= 0 && x <= 1000.001);
			last = x;
		}
		if (axis.scale > 0)
			near(last, 1000);
		assert_true(axis_step(&axis, 80) * axis.scale >= 80 || axis.scale <= 0);
	}
}

static void
test_times_as_text(void **state)
{
	static const struct {
		double seconds, step;
		const char *text;
	} rows[] = {
		{ 0, 1, "0s" },
		{ 0, 0.005, "0.000s" },
		{ 0.25, 0.05, "0.25s" },
		{ 1.5, 0.5, "1.5s" },
		{ 65.25, 0.05, "1m05.25s" },
		{ 65, 5, "1m05s" },
		{ 7980, 0.5, "2h13m" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };
		axis_put_time(&out, rows[i].seconds, rows[i].step);
		assert_string_equal(out.data, rows[i].text);
		buf_free(&out);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_gaps_it_is_a_scale),
		cmocka_unit_test(test_a_busy_second_then_hours),
		cmocka_unit_test(test_any_times),
		cmocka_unit_test(test_times_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
