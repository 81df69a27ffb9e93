#include "config/words.h"
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Expected words are separated by '|'; \2 stands for a literal dollar. */
static const struct split {
	const char *text, *words;
	size_t count;
} splits[] = {
	{ "", "", 0 },
	{ "  \t\n ", "", 0 },
	{ "a", "a", 1 },
	{ " a  b\tc\nd ", "a|b|c|d", 4 },
	{ "''", "", 1 },
	{ "a '' \"\"", "a||", 3 },
	{ "'a b'", "a b", 1 },
	{ "a'b c'd\"e f\"g", "ab cde fg", 1 },
	{ "'\\n \"'", "\\n \"", 1 },
	{ "\"a\\\"b\\\\c\\d'\"", "a\"b\\c\\d'", 1 },
	{ "\"a\\\nb\"", "ab", 1 },
	{ "a\\ b\\'c\\\\", "a b'c\\", 1 },
	{ "a\\\nb", "ab", 1 },
	{ "$A '$A' \"$A\" \\$A \"\\$A\"", "$A|\2A|$A|\2A|\2A", 5 },
	{ "a#b # c;d", "a#b|#|c;d", 3 },
	{ "\xc3\xa4 '\xc3\xa4'", "\xc3\xa4|\xc3\xa4", 2 },
	{ "1 2 3 4 5 6 7 8 9", "1|2|3|4|5|6|7|8|9", 9 },
};

static void
test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
		const char *problem;
		char joined[128] = "";
		size_t count;
		char **words = words_split(splits[i].text, &count, &problem);
		assert_non_null(words);
		assert_null(problem);
		assert_null(words[count]);
		for (size_t k = 0; k < count; k++) {
			strcat(joined, k > 0 ? "|" : "");
			strcat(joined, words[k]);
		}
		assert_string_equal(joined, splits[i].words);
		assert_int_equal(count, splits[i].count);
		words_free(words);
	}
}

static void
test_open_quotes(void **state)
{
	static const char *const texts[] = { "'", "\"", "a 'b", "a \"b\\\"", "a\\", "\"\\" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *problem;
		size_t count;
		assert_null(words_split(texts[i], &count, &problem));
		assert_non_null(problem);
	}
}

static void
test_quote_is_the_opposite(void **state)
{
	static const char *const texts[] = { "", "a", "a b", "it's", "\"", "\\", "a\nb", "*", "~",
		"--x=%i" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct buf out = { 0 };
		const char *problem;
		size_t count;
		words_quote(texts[i], &out);
		char **words = words_split(out.data, &count, &problem);
		assert_non_null(words);
		assert_int_equal(count, 1);
		assert_string_equal(words[0], texts[i]);
		words_free(words);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_open_quotes),
		cmocka_unit_test(test_quote_is_the_opposite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
