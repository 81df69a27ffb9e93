/* Every message, exactly as people see it; the tables are the .def files. */
#include "compiled.h"

#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
	const char *title, *text;
	size_t len;
	const char *messages;
} rows[] = {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): string literals */
#define ROW(title, text, messages) { title, text, sizeof text - 1, messages },
#include "mischief.def"
#include "unwise.def"
#include "wrong.def"
#undef ROW
};

static void
test_messages(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct compiled compiled;
		compiled_make(&compiled, rows[i].text, rows[i].len, BUILD_SERVICE);
		if (!str_equal(compiled.messages.data, rows[i].messages)) {
			fprintf(stderr, "%s:\nexpected:\n%sgot:\n%s", rows[i].title,
			    rows[i].messages, compiled.messages.data);
			wrong++;
		}
		compiled_free(&compiled);
	}
	assert_int_equal(wrong, 0);
}

static void
test_errors_decide(void **state)
{
	static const char bad[] = "[child:a]\n", unwise[] = "[child:a]\ncommand = x | y\n";
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, bad, sizeof bad - 1, BUILD_SERVICE);
	assert_int_equal(diag_errors(compiled.diag), 1);
	assert_null(strstr(compiled.messages.data, ": warning: "));
	compiled_free(&compiled);
	compiled_make(&compiled, unwise, sizeof unwise - 1, BUILD_SERVICE);
	assert_int_equal(diag_errors(compiled.diag), 0);
	assert_non_null(strstr(compiled.messages.data, ": warning: "));
	compiled_free(&compiled);
}

/* Their windows take memory of all supervisors together. */
static void
test_intensities_together(void **state)
{
	struct buf text = { 0 };
	struct compiled compiled;

	(void)state;
	buf_puts(&text, "[defaults]\nbackoff = none\n");
	for (int i = 1; i <= 153; i++)
		buf_printf(&text,
		    "[supervisor:s%d]\nintensity = 65535\n[child:s%d/a]\ncommand = x\n", i, i);
	compiled_make(&compiled, text.data, text.len, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data,
	    "t.conf:612: [supervisor:s153] intensity: the intensities of all supervisors are more than 10000000 together: make this one smaller, and others\n");
	compiled_free(&compiled);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_errors_decide),
		cmocka_unit_test(test_intensities_together),
	};

	/* Defaults that depend on these are not what is tested here. */
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("COPPICE_TEST_NOT_SET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
