#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

static void
copies_and_prints(void **unused)
{
	char *a = mem_strdup("abc"), *b = mem_strndup("abcdef", 2), *c = mem_strndup("ab", 9);
	char *d = mem_printf("%s-%d", "x", 7);

	(void)unused;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "ab");
	assert_string_equal(d, "x-7");
	free(a);
	free(b);
	free(c);
	free(d);
}

static void
zalloc_is_zeroed_and_grow_keeps(void **unused)
{
	int *numbers = mem_zalloc(4, sizeof *numbers);

	(void)unused;
	for (int i = 0; i < 4; i++)
		assert_int_equal(numbers[i], 0);
	numbers[3] = 9;
	numbers = mem_grow(numbers, 10000, sizeof *numbers);
	assert_int_equal(numbers[3], 9);
	free(numbers);
	void *nothing = mem_zalloc(0, 8);
	assert_non_null(nothing);
	free(nothing);
}

static int
status_of(void (*exhaust)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		close(STDERR_FILENO);
		exhaust();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
grow_too_much(void)
{
	volatile size_t count = SIZE_MAX / 2;
	free(mem_grow(NULL, count, 16));
}

static void
exhaustion_ends_with_its_status(void **unused)
{
	(void)unused;
	assert_int_equal(status_of(grow_too_much), EX_OSERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_prints),
		cmocka_unit_test(zalloc_is_zeroed_and_grow_keeps),
		cmocka_unit_test(exhaustion_ends_with_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
