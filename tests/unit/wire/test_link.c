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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_pid_1_is_more_than_a_service),
		cmocka_unit_test(pid_1_is_a_machine_in_the_first_namespace_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
