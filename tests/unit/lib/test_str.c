#include "lib/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
starts_and_equal(void **unused)
{
	(void)unused;
	assert_true(str_starts("child.web", "child."));
	assert_true(str_starts("x", ""));
	assert_false(str_starts("chil", "child."));
	assert_false(str_starts("Child.web", "child."));
	assert_true(str_equal("a", "a"));
	assert_false(str_equal("a", "ab"));
}

static void
nearest_finds_typos_only(void **unused)
{
	static const char *const keys[] = { "restart", "intensity", "period", "command", "user",
		"group", "ready", "log", "stop_order", "start_order" };
	static const struct {
		const char *text, *nearest;
	} cases[] = {
		{ "restart", "restart" },
		{ "restrat", "restart" }, /* a swap is one edit */
		{ "resart", "restart" },
		{ "intensty", "intensity" },
		{ "intesnity", "intensity" },
		{ "comand", "command" },
		{ "comandd", "command" },
		{ "usr", "user" },
		{ "lgo", "log" },
		{ "lo", "log" },
		{ "stop_oder", "stop_order" },
		{ "strt_order", "start_order" },
		{ "frobnicate", NULL },
		{ "usxy", NULL },
		{ "xyz", NULL },
		{ "", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *found = str_nearest(cases[i].text, keys, sizeof keys / sizeof keys[0]);
		if (found != cases[i].nearest &&
		    (found == NULL || cases[i].nearest == NULL ||
			strcmp(found, cases[i].nearest) != 0))
			fail_msg(
			    "\"%s\" gave \"%s\"", cases[i].text, found != NULL ? found : "(none)");
	}
	assert_null(str_nearest("user", keys, 0));
}

static void
nearest_bears_long_words(void **unused)
{
	char text[300], candidate[300];
	const char *candidates[] = { candidate };

	(void)unused;
	memset(text, 'a', sizeof text);
	memset(candidate, 'a', sizeof candidate);
	text[sizeof text - 1] = candidate[sizeof candidate - 1] = '\0';
	assert_null(str_nearest(text, candidates, 1));
	text[64] = '\0';
	assert_null(str_nearest(text, candidates, 1));
	candidate[64] = '\0';
	candidate[3] = 'b';
	assert_ptr_equal(str_nearest(text, candidates, 1), candidate);
}

static void
to_int64_takes_whole_numbers_in_range(void **unused)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int rc;
		int64_t value;
	} cases[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "+10", 0, 10, 0, 10 },
		{ "-3", -5, 5, 0, -3 },
		{ "007", 0, 10, 0, 7 },
		{ "11", 0, 10, -ERANGE, 0 },
		{ "-1", 0, 10, -ERANGE, 0 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0 },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999", INT64_MIN, INT64_MAX, -ERANGE, 0 },
		{ "", 0, 10, -EINVAL, 0 },
		{ "-", -10, 10, -EINVAL, 0 },
		{ "+", -10, 10, -EINVAL, 0 },
		{ "--1", -10, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "1x", 0, 10, -EINVAL, 0 },
		{ "0x1", 0, 10, -EINVAL, 0 },
		{ "99999999999999999999999x", 0, 10, -EINVAL, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t value = -77;
		int rc = str_to_int64(cases[i].text, cases[i].min, cases[i].max, &value);
		if (rc != cases[i].rc || value != (rc == 0 ? cases[i].value : -77))
			fail_msg("\"%s\": %d, %lld", cases[i].text, rc, (long long)value);
	}
}

static void
utf8_follows_rfc_3629(void **unused)
{
	static const struct {
		const char *bytes;
		size_t length; /* of the sequence, 0: none */
	} cases[] = {
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xee\x80\x80", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2", 0 },
		{ "\xc2z", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xe2\x82", 0 },
		{ "\xe2\x82z", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].bytes);
		size_t found = str_utf8_sequence(cases[i].bytes, len);
		if (found != cases[i].length || str_is_utf8(cases[i].bytes, len) != (found == len))
			fail_msg("case %zu: %zu", i, found);
	}
	assert_int_equal(str_utf8_sequence("\xe2\x82\xac", 2), 0);
	assert_int_equal(str_utf8_sequence("", 0), 0);
	assert_true(str_is_utf8("", 0));
	assert_false(str_is_utf8("a\0b", 3));
	assert_true(str_is_utf8("gr\xc3\xbc\xc3\x9f", 6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_and_equal),
		cmocka_unit_test(nearest_finds_typos_only),
		cmocka_unit_test(nearest_bears_long_words),
		cmocka_unit_test(to_int64_takes_whole_numbers_in_range),
		cmocka_unit_test(utf8_follows_rfc_3629),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
