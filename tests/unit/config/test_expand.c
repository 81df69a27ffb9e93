#include "config/expand.h"
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct expand child = { .path = "shop/web", .name = "web" };
static const struct expand template = { .path = "shop/web", .name = "web", .is_template = true };
static const struct expand percent = { .no_percent = true };

static const struct {
	const struct expand *expand;
	const char *text, *expanded;
} cases[] = {
	{ &child, "", "" },
	{ &child, "plain $ } { text", "plain $ } { text" },
	{ &child, "%p-%n-%%", "shop/web-web-%" },
	{ &template, "%p %n %i", "shop/web@\1 web@\1 \1" },
	{ &child, "%%i", "%i" },
	{ &child, "a${COPPICE_TEST_SET}b", "avalue %n ${X}b" },
	{ &child, "${COPPICE_TEST_SET:-no}", "value %n ${X}" },
	{ &child, "${COPPICE_TEST_EMPTY}|${COPPICE_TEST_EMPTY:-e}", "|e" },
	{ &child, "${COPPICE_TEST_UNSET:-}", "" },
	{ &child, "<${COPPICE_TEST_UNSET:-a $b %n :-}>}", "<a $b web :->}" },
	{ &child, "\2{X}", "${X}" },
	{ &child, "$${X} $$${X} $$$${ $$ $", "${X} $${X} $$${ $$ $" },
	{ &child, "${COPPICE_TEST_UNSET:-a$${b}c}", "a${bc}" },
	{ &child, "%x41%x0a%x20%x7E%x02%%x41", "A\n ~\2%x41" },
	{ &percent, "%x41 $${", "%x41 ${" },
	{ &percent, "10% %n", "10% %n" },
};

static void
test_expand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *problem, *expanded = expand_text(cases[i].expand, cases[i].text, &problem);
		assert_null(problem);
		assert_string_equal(expanded, cases[i].expanded);
		free(expanded);
	}
}

static void
test_host(void **state)
{
	char host[256] = "", *problem, *expanded = expand_text(&child, "%h", &problem);

	(void)state;
	assert_int_equal(gethostname(host, sizeof host - 1), 0);
	assert_string_equal(expanded, host);
	free(expanded);
}

static void
test_refused(void **state)
{
	static const char *const texts[] = { "%", "%z", "%x", "%x0", "%x00", "%x01", "%x80", "%xfg",
		"%x 1", "%\xc3\xa4", "%i", "${", "${}", "${1}", "${A", "${A-b}", "${A:b}", "${A:-b",
		"${COPPICE_TEST_UNSET}", "${COPPICE_TEST_UNSET:-${HOME}}", "${COPPICE_TEST_LATIN}",
		"${COPPICE_TEST_MARK}" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char *problem;
		if (expand_text(&child, texts[i], &problem) != NULL)
			fail_msg("%s was taken", texts[i]);
		assert_non_null(problem);
		free(problem);
	}
}

static void
test_varies(void **state)
{
	(void)state;
	assert_true(expand_varies("a %p"));
	assert_true(expand_varies("%h %n"));
	assert_true(expand_varies("%i"));
	assert_true(expand_varies("%%%n"));
	assert_false(expand_varies("%h %% ${p} i 5%"));
	assert_false(expand_varies("%%p %%%%i %x6e %"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_varies),
	};

	setenv("COPPICE_TEST_SET", "value %n ${X}", 1);
	setenv("COPPICE_TEST_EMPTY", "", 1);
	setenv("COPPICE_TEST_LATIN", "\xfc", 1);
	setenv("COPPICE_TEST_MARK", "\1", 1);
	unsetenv("COPPICE_TEST_UNSET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
