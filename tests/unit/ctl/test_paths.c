/* Which nodes an argument names. */
#include "ctl/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* FIELD 2.G.7 */
static void
test_what_an_argument_names(void **state)
{
	static const struct {
		const char *arg, *path;
		bool exactly, below;
	} rows[] = {
		{ "shop", "shop", true, true },
		{ "shop", "shop/db", false, true },
		{ "shop", "shopping", false, false },
		{ "shop/web", "shop/web@3", true, true },
		{ "/", "/", true, true },
		{ "/", "shop/db", false, true },
		{ "shop/*", "shop/db", true, true },
		{ "shop/*", "shop/a/b", false, false },
		{ "*", "shop", true, true },
		{ "*", "shop/db", false, false },
		{ "shop/web@*", "shop/web@12", true, true },
		{ "shop/web@[12]", "shop/web@12", false, false },
		{ "shop/db", "shop", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct node node = { .path = { rows[i].path, strlen(rows[i].path) } };
		assert_int_equal(paths_match(rows[i].arg, &node, false), rows[i].exactly);
		assert_int_equal(paths_match(rows[i].arg, &node, true), rows[i].below);
	}
}

static void
test_tidy(void **state)
{
	static const char *const rows[][2] = {
		{ "shop", "shop" },
		{ "/shop/db", "shop/db" },
		{ "shop/", "shop" },
		{ "/", "/" },
		{ "//", "/" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[16];
		snprintf(text, sizeof text, "%s", rows[i][0]);
		assert_string_equal(paths_tidy(text), rows[i][1]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_an_argument_names),
		cmocka_unit_test(test_tidy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
