/*
 * The pull scanner: what it reads, what it refuses, and that it never looks behind the end of the
 * text.
 */
#include "ctl/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The text in memory of exactly its size, so that the sanitizers see a step too far. */
static char *
exact(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void
test_reads_members_and_elements(void **state)
{
	static const char text[] =
	    " {\"a\" : \"x\\\"y\", \"list\":[1, 2.5,-3e2,null],\"skip\":{\"b\":[\"}]\",{}]},\"t\":true}";
	struct scan scan;
	struct scan_text key, value;
	double numbers[4] = { 9, 9, 9, 9 };
	size_t count = 0;
	bool flag = false;

	(void)state;
	scan_begin(&scan, text, sizeof text - 1);
	assert_true(scan_object(&scan));
	assert_true(scan_key(&scan, &key) && scan_text_is(&key, "a"));
	assert_true(scan_string(&scan, &value));
	char *decoded = scan_text_decode(&value);
	assert_string_equal(decoded, "x\"y");
	free(decoded);
	assert_true(scan_key(&scan, &key) && scan_text_is(&key, "list"));
	assert_true(scan_array(&scan));
	while (scan_item(&scan))
		assert_true(scan_number(&scan, &numbers[count++]));
	assert_int_equal(count, 4);
	assert_true(numbers[0] == 1 && numbers[1] == 2.5 && numbers[2] == -300 && numbers[3] == 0);
	assert_true(scan_key(&scan, &key) && scan_text_is(&key, "skip"));
	assert_true(scan_skip(&scan, &value));
	assert_int_equal(value.len, strlen("{\"b\":[\"}]\",{}]}"));
	assert_true(scan_key(&scan, &key) && scan_text_is(&key, "t"));
	assert_true(scan_bool(&scan, &flag) && flag);
	assert_false(scan_key(&scan, &key));
	assert_null(scan.problem);
}

static void
test_a_key_is_the_whole_word(void **state)
{
	struct scan_text key = { "pid_of", 3 };

	(void)state;
	assert_true(scan_text_is(&key, "pid"));
	assert_false(scan_text_is(&key, "pi"));
	assert_false(scan_text_is(&key, "pid_"));
	assert_false(scan_text_is(&key, ""));
}

static void
test_decodes_escapes(void **state)
{
	static const struct {
		const char *raw, *decoded;
	} rows[] = {
		{ "plain", "plain" },
		{ "\\u00e9\\u20ac", "\xc3\xa9\xe2\x82\xac" },
		{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
		{ "\\ud83d", "\xef\xbf\xbd" },
		{ "\\uzzzz", "\xef\xbf\xbd" },
		{ "\\u12", "\xef\xbf\xbd" },
		{ "a\\nb\\tc\\\\d\\/e", "a b c\\d/e" },
		/* what would steer a terminal is not passed on */
		{ "\\u001b[31m\\u0000\x7f", "?[31m??" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].raw);
		char *raw = exact(rows[i].raw, len);
		char *decoded = scan_text_decode(&(struct scan_text){ raw, len });
		assert_string_equal(decoded, rows[i].decoded);
		free(decoded);
		free(raw);
	}
}

/* Goes through anything the way the program does; true when all of it was in order. */
static bool
walk(struct scan *scan)
{
	struct scan_text key, text;
	double number;

	if (!scan_object(scan))
		return false;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "n"))
			scan_number(scan, &number);
		else if (scan_text_is(&key, "s"))
			scan_string(scan, &text);
		else
			scan_skip(scan, NULL);
	}
	return scan->problem == NULL;
}

static void
test_refuses_what_is_no_json(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":[}]",
		"{\"a\":{]}",
		"{\"n\":\"x\"}",
		"{\"s\":1}",
		"{\"n\":1.2.3}",
		"{\"n\":--1}",
		"{\"s\":\"a\nb\"}",
		"{\"s\":\"\\",
		"{\"s\":\"\\\"",
		"{\"a\":tru}",
		"{a:1}",
		"{,\"a\":1}",
		"{\"n\":nul",
		"{\"a\":\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scan scan;
		char *text = exact(rows[i], strlen(rows[i]));
		scan_begin(&scan, text, strlen(rows[i]));
		assert_false(walk(&scan));
		assert_non_null(scan.problem);
		free(text);
	}
}

static void
test_every_beginning_of_an_answer_is_refused(void **state)
{
	static const char whole[] =
	    "{\"s\":\"a\\u00e9b\",\"n\":12.5e1,\"deep\":[[{\"x\":[null,true]}],\"]\"],\"n\":7}";

	(void)state;
	for (size_t len = 0; len < sizeof whole; len++) {
		struct scan scan;
		char *text = exact(whole, len);
		scan_begin(&scan, text, len);
		assert_int_equal(walk(&scan), len == sizeof whole - 1);
		free(text);
		if (len == sizeof whole - 1)
			break;
	}
}

static void
test_depth_is_bounded(void **state)
{
	char text[400] = "{\"a\":";
	struct scan scan;

	(void)state;
	memset(text + 5, '[', 200);
	scan_begin(&scan, text, 205);
	assert_false(walk(&scan));
	assert_string_equal(scan.problem, "it is nested too deeply");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_members_and_elements),
		cmocka_unit_test(test_a_key_is_the_whole_word),
		cmocka_unit_test(test_decodes_escapes),
		cmocka_unit_test(test_refuses_what_is_no_json),
		cmocka_unit_test(test_every_beginning_of_an_answer_is_refused),
		cmocka_unit_test(test_depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
