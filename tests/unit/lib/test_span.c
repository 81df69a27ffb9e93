#include "lib/span.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY INT64_C(86400000)

static const struct parse_case {
	const char *text;
	int rc;
	span_ms span;
} parse_cases[] = {
	{ "250ms", 0, 250 },
	{ "5s", 0, 5000 },
	{ "2m", 0, 120000 },
	{ "1h", 0, 3600000 },
	{ "1d", 0, DAY },
	{ "infinity", 0, SPAN_INFINITE },
	{ "0", 0, 0 },
	{ "7", 0, 7000 },
	{ "1.5", 0, 1500 },
	{ "1.5s", 0, 1500 },
	{ "1.500000s", 0, 1500 },
	{ "0.25m", 0, 15000 },
	{ "0.001", 0, 1 },
	{ "007s", 0, 7000 },
	{ "10000d", 0, 10000 * DAY },
	{ "10001d", -ERANGE, 0 },
	{ "10000.5d", -ERANGE, 0 },
	{ "99999999999999999999999999s", -ERANGE, 0 },
	{ "9223372036854775807ms", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ ".5s", -EINVAL, 0 },
	{ "5.", -EINVAL, 0 },
	{ "5.s", -EINVAL, 0 },
	{ "-1s", -EINVAL, 0 },
	{ "+1s", -EINVAL, 0 },
	{ " 1s", -EINVAL, 0 },
	{ "1 s", -EINVAL, 0 },
	{ "1s ", -EINVAL, 0 },
	{ "5S", -EINVAL, 0 },
	{ "5sec", -EINVAL, 0 },
	{ "1m30s", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "Infinity", -EINVAL, 0 },
	{ "infinity1", -EINVAL, 0 },
	{ "1.0005s", -EINVAL, 0 },
	{ "0.5ms", -EINVAL, 0 },
	{ "0.0000000001d", -EINVAL, 0 },
};

static void
parse_reads_whole_durations_or_nothing(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof parse_cases / sizeof parse_cases[0]; i++) {
		const struct parse_case *c = &parse_cases[i];
		span_ms span = -7;
		int rc = span_parse(c->text, &span);
		if (rc != c->rc || span != (rc == 0 ? c->span : -7))
			fail_msg("\"%s\": %d, %" PRId64, c->text, rc, span);
	}
}

static void
format_is_the_shortest_that_parse_reads(void **unused)
{
	static const struct {
		span_ms span;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 1000, "1s" },
		{ 1500, "1500ms" },
		{ 60000, "1m" },
		{ 61000, "61s" },
		{ 3600000, "1h" },
		{ 5400000, "90m" },
		{ DAY, "1d" },
		{ 10000 * DAY, "10000d" },
		{ 10000 * DAY - 1, "863999999999ms" },
		{ SPAN_INFINITE, "infinity" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[SPAN_TEXT_SIZE];
		span_ms again = -1;
		assert_string_equal(span_format(cases[i].span, text), cases[i].text);
		assert_int_equal(span_parse(text, &again), 0);
		assert_int_equal(again, cases[i].span);
	}
}

static void
about_is_two_units_at_most(void **unused)
{
	static const struct {
		span_ms span;
		const char *text;
	} cases[] = {
		{ -1, "0s" },
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 1099, "1s" },
		{ 1299, "1.2s" },
		{ 59999, "59.9s" },
		{ 60000, "1m" },
		{ 200000, "3m20s" },
		{ 3599999, "59m59s" },
		{ 7200000, "2h" },
		{ 18600000, "5h10m" },
		{ DAY - 1, "23h59m" },
		{ DAY, "1d" },
		{ 3 * DAY + 4 * 3600000 + 59999, "3d4h" },
		{ INT64_MAX - 1, "106751991167d7h" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[SPAN_TEXT_SIZE];
		assert_string_equal(span_about(cases[i].span, text), cases[i].text);
	}
}

static void
after_is_never_when_infinite_or_beyond(void **unused)
{
	(void)unused;
	assert_int_equal(span_after(100, 50), 150);
	assert_int_equal(span_after(100, 0), 100);
	assert_int_equal(span_after(100, SPAN_INFINITE), MONO_NEVER);
	assert_int_equal(span_after(0, SPAN_INFINITE), MONO_NEVER);
	assert_int_equal(span_after(INT64_MAX - 10, 11), MONO_NEVER);
	assert_int_equal(span_after(INT64_MAX - 10, 9), INT64_MAX - 1);
}

static void
clocks_go_forward_in_milliseconds(void **unused)
{
	(void)unused;
	mono_ms first = span_mono_now();
	assert_true(first > 0);
	assert_true(span_mono_now() >= first);
	/* After 2020 and before 2200, so neither seconds nor microseconds. */
	assert_in_range(span_wall_now_ms(), INT64_C(1577836800000), INT64_C(7258118400000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_reads_whole_durations_or_nothing),
		cmocka_unit_test(format_is_the_shortest_that_parse_reads),
		cmocka_unit_test(about_is_two_units_at_most),
		cmocka_unit_test(after_is_never_when_infinite_or_beyond),
		cmocka_unit_test(clocks_go_forward_in_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
