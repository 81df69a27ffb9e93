#include "wire/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

static void
only_pid_1_is_more_than_a_service(void **unused)
{
	(void)unused;
	assert_int_equal(link_mode(2), MODE_SERVICE);
	assert_int_equal(link_mode(12345), MODE_SERVICE);
	assert_int_equal(link_mode(0), MODE_SERVICE);
}

/* 4026531836 is the inode of the first PID namespace: there PID 1 is a machine's. */
static void
pid_1_is_a_machine_in_the_first_namespace_only(void **unused)
{
	struct stat info;
	enum link_mode expected = MODE_CONTAINER;

	(void)unused;
	if (stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == 4026531836U)
		expected = MODE_MACHINE;
	assert_int_equal(link_mode(1), expected);
}

/* coppiced(8), Signals. */
static void
signals_ask_for_an_end(void **unused)
{
	const struct {
		int signal, service, machine;
	} rows[] = {
		{ SIGTERM, LEAVE_EXIT, LEAVE_REBOOT },
		{ SIGINT, LEAVE_EXIT, LEAVE_REBOOT },
		{ SIGPWR, LEAVE_EXIT, LEAVE_POWEROFF },
		{ SIGRTMIN + 3, LEAVE_EXIT, LEAVE_POWEROFF },
		{ SIGUSR1, -1, LEAVE_HALT },
		{ SIGUSR2, -1, LEAVE_POWEROFF },
		{ SIGHUP, -1, -1 },
		{ SIGCHLD, -1, -1 },
		{ SIGALRM, -1, -1 },
	};
	sigset_t taken;

	(void)unused;
	link_signals(&taken);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(link_leave_by(MODE_SERVICE, rows[i].signal), rows[i].service);
		assert_int_equal(link_leave_by(MODE_CONTAINER, rows[i].signal), rows[i].service);
		assert_int_equal(link_leave_by(MODE_MACHINE, rows[i].signal), rows[i].machine);
		assert_int_equal(sigismember(&taken, rows[i].signal), rows[i].signal != SIGALRM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_pid_1_is_more_than_a_service),
		cmocka_unit_test(pid_1_is_a_machine_in_the_first_namespace_only),
		cmocka_unit_test(signals_ask_for_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
