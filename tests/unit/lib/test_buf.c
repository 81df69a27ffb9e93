#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
grows_and_stays_terminated(void **unused)
{
	struct buf buf = { 0 };

	(void)unused;
	for (int i = 0; i < 5000; i++) {
		buf_append(&buf, "ab", 2);
		assert_int_equal(buf.data[buf.len], '\0');
	}
	buf_puts(&buf, "end");
	assert_int_equal(buf.len, 10003);
	assert_string_equal(buf.data + 9998, "abend");
	buf_append(&buf, NULL, 0);
	assert_int_equal(buf.len, 10003);
	buf_free(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.len, 0);
}

static void
printf_of_any_length(void **unused)
{
	struct buf buf = { 0 };
	char filler[600];

	(void)unused;
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	buf_printf(&buf, "%d", 42);
	assert_string_equal(buf.data, "42");
	/* Lengths around the first capacity: one that fits exactly, one byte more, much more. */
	for (int len = 250; len <= 260; len++) {
		struct buf exact = { 0 };
		buf_puts(&exact, "");
		buf_printf(&exact, "%.*s", len, filler);
		assert_int_equal(exact.len, len);
		assert_int_equal(strlen(exact.data), len);
		buf_free(&exact);
	}
	buf_printf(&buf, "-%s-%d", filler, 7);
	assert_int_equal(buf.len, 2 + 1 + 599 + 2);
	assert_string_equal(buf.data + buf.len - 4, "xx-7");
	buf_free(&buf);
}

static void
json_strings_are_valid_whatever_comes(void **unused)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\n\t\r\b\x01\x1f", "\"\\n\\t\\r\\u0008\\u0001\\u001f\"" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb3",
		    "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb3\"" },
		{ "a\xff"
		  "b",
		    "\"a\xef\xbf\xbd"
		    "b\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf buf = { 0 };
		buf_json_string(&buf, cases[i].text);
		assert_string_equal(buf.data, cases[i].json);
		buf_free(&buf);
	}
}

static void
consume_keeps_the_rest(void **unused)
{
	struct buf buf = { 0 };

	(void)unused;
	buf_consume(&buf, 0);
	buf_puts(&buf, "hello world");
	buf_consume(&buf, 6);
	assert_string_equal(buf.data, "world");
	buf_consume(&buf, 5);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
	buf_puts(&buf, "again");
	assert_string_equal(buf.data, "again");
	buf_free(&buf);
}

static void
reserve_gives_room_in_place(void **unused)
{
	struct buf buf = { 0 };

	(void)unused;
	buf_puts(&buf, "ab");
	char *room = buf_reserve(&buf, 1000);
	assert_non_null(room);
	assert_ptr_equal(room, buf.data + 2);
	memset(room, 'z', 1000);
	buf.len += 1000;
	buf_puts(&buf, "!");
	assert_int_equal(buf.len, 1003);
	buf_free(&buf);
}

static void
failure_keeps_what_is_there_and_sticks(void **unused)
{
	struct buf buf = { 0 };

	(void)unused;
	buf_puts(&buf, "kept");
	assert_null(buf_reserve(&buf, SIZE_MAX - 2));
	assert_true(buf.failed);
	buf_puts(&buf, "more");
	buf_printf(&buf, "%d", 1);
	buf_json_string(&buf, "x");
	assert_string_equal(buf.data, "kept");
	assert_int_equal(buf.len, 4);
	buf_free(&buf);
	assert_false(buf.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(printf_of_any_length),
		cmocka_unit_test(json_strings_are_valid_whatever_comes),
		cmocka_unit_test(consume_keeps_the_rest),
		cmocka_unit_test(reserve_gives_room_in_place),
		cmocka_unit_test(failure_keeps_what_is_there_and_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
