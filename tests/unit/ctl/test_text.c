/* Foreign text on a screen: harmless, counted, shortened. */
#include "ctl/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_what_may_be_shown(void **state)
{
	static const struct {
		const char *in, *out;
		size_t columns;
	} rows[] = {
		{ "", "", 0 },
		{ "shop/web@1", "shop/web@1", 10 },
		{ "a\\\"b\\\\c\\/", "a\"b\\c/", 6 },
		{ "a\\nb\\tc", "a b c", 5 },
		{ "\\u001b[2J", "?[2J", 4 },
		{ "a\x7f"
		  "b",
		    "a?b", 3 },
		{ "\xc2\x9b"
		  "31m",
		    "?31m", 4 },             /* CSI as one character */
		{ "\\u202eabc", "?abc", 4 }, /* would be read backwards */
		{ "\\u2028", "?", 1 },
		{ "\xff\xfe", "??", 2 },
		{ "\xe4\xb8", "??", 2 },
		{ "zu Köln", "zu Köln", 7 },
		{ "日本", "日本", 4 },
		{ "e\xcc\x81", "e\xcc\x81", 1 },
		{ "\\ud83d\\ude00", "😀", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };
		struct scan_text in = { rows[i].in, strlen(rows[i].in) };
		text_put(&out, &in);
		buf_append(&out, "", 0);
		assert_string_equal(out.data == NULL ? "" : out.data, rows[i].out);
		assert_int_equal(text_columns(out.data, out.len), rows[i].columns);
		buf_free(&out);
	}
}

static void
test_what_does_not_fit(void **state)
{
	static const struct {
		const char *in;
		size_t columns;
		enum text_cut cut;
		bool unicode;
		const char *out;
	} rows[] = {
		{ "shop/database", 13, TEXT_CUT_END, true, "shop/database" },
		{ "shop/database", 12, TEXT_CUT_END, true, "shop/databa…" },
		{ "shop/database", 12, TEXT_CUT_END, false, "shop/data..." },
		{ "shop/database", 10, TEXT_CUT_MIDDLE, true, "sho…tabase" },
		{ "shop/database", 10, TEXT_CUT_MIDDLE, false, "sh...abase" },
		{ "shop/database", 1, TEXT_CUT_MIDDLE, true, "…" },
		{ "shop/database", 2, TEXT_CUT_END, false, "" },
		{ "shop/database", 0, TEXT_CUT_END, true, "" },
		{ "日本日本", 8, TEXT_CUT_END, true, "日本日本" },
		{ "日本日本", 7, TEXT_CUT_END, true, "日本日…" },
		{ "日本日本", 6, TEXT_CUT_END, true, "日本…" },
		{ "日本日本", 6, TEXT_CUT_MIDDLE, true, "…日本" },
		{ "日本", 8, TEXT_CUT_END, false, "??" },
		{ "e\xcc\x81"
		  "e\xcc\x81"
		  "e",
		    2, TEXT_CUT_END, true, "e\xcc\x81…" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };
		buf_puts(&out, "> ");
		buf_puts(&out, rows[i].in);
		size_t columns = text_fit(&out, 2, rows[i].columns, rows[i].cut, rows[i].unicode);
		buf_append(&out, "", 0);
		out.data[out.len] = '\0';
		assert_string_equal(out.data + 2, rows[i].out);
		assert_int_equal(columns, text_columns(out.data + 2, out.len - 2));
		assert_true(columns <= rows[i].columns);
		buf_free(&out);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_may_be_shown),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
