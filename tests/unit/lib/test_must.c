#include "lib/must.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
broken_invariant_says_where_and_aborts(void **unused)
{
	char text[600] = "";
	int ends[2], status = -1;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		/* cmocka catches what ends a test. */
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		must(getpid() == 0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_true(read(ends[0], text, sizeof text - 1) > 0);
	assert_non_null(strstr(text, "getpid() == 0"));
	assert_non_null(strstr(text, "test_must.c:"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	close(ends[0]);
	close(ends[1]);
}

static void
what_holds_goes_on(void **unused)
{
	int evaluated = 0;

	(void)unused;
	must(++evaluated == 1);
	assert_int_equal(evaluated, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_invariant_says_where_and_aborts),
		cmocka_unit_test(what_holds_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
