#include "lib/names.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
signals_by_any_of_their_names(void **unused)
{
	const struct {
		const char *text;
		int number;
	} cases[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "term", SIGTERM },
		{ "sigKill", SIGKILL },
		{ "15", 15 },
		{ "USR1", SIGUSR1 },
		{ "IOT", SIGABRT },
		{ "CLD", SIGCHLD },
		{ "IO", SIGIO },
		{ "POLL", SIGPOLL },
		{ "RTMIN", SIGRTMIN },
		{ "RTMIN+3", SIGRTMIN + 3 },
		{ "SIGRTMIN+3", SIGRTMIN + 3 },
		{ "RTMAX", SIGRTMAX },
		{ "RTMAX-1", SIGRTMAX - 1 },
		{ "RTMIN-1", -1 },
		{ "RTMAX+1", -1 },
		{ "RTMIN+99", -1 },
		{ "RTMIN3", -1 },
		{ "RTMIN+", -1 },
		{ "0", -1 },
		{ "-1", -1 },
		{ "65", -1 },
		{ "33", -1 }, /* glibc's own */
		{ "15x", -1 },
		{ "", -1 },
		{ "SIG", -1 },
		{ "TERMINATE", -1 },
		{ "TER", -1 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (names_signal(cases[i].text) != cases[i].number)
			fail_msg("\"%s\": %d", cases[i].text, names_signal(cases[i].text));
}

static void
every_signal_has_a_text_that_is_read_back(void **unused)
{
	(void)unused;
	assert_string_equal(names_signal_text(SIGTERM), "TERM");
	assert_string_equal(names_signal_text(SIGRTMIN + 3), "RTMIN+3");
	for (int number = 1; number <= SIGRTMAX; number++) {
		const char *text = names_signal_text(number);
		if (text[0] == '?')
			assert_true(number == 32 || number == 33);
		else
			assert_int_equal(names_signal(text), number);
	}
	assert_string_equal(names_signal_text(0), "?");
	assert_string_equal(names_signal_text(-1), "?");
	assert_string_equal(names_signal_text(1000), "?");
}

static void
errors_by_name(void **unused)
{
	(void)unused;
	assert_string_equal(names_errno(ENOENT), "ENOENT");
	assert_string_equal(names_errno(EACCES), "EACCES");
	assert_string_equal(names_errno(0), "E?");
	assert_string_equal(names_errno(-ENOENT), "E?");
	assert_string_equal(names_errno(9999), "E?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_by_any_of_their_names),
		cmocka_unit_test(every_signal_has_a_text_that_is_read_back),
		cmocka_unit_test(errors_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
