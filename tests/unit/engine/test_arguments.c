#include "engine/arguments.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_WORDS 24

/* Splits at single spaces and reads; the words stay valid until the next call. */
static int
read_line(struct arguments *arguments, const char *line, const char **problem)
{
	static char text[512];
	static char *argv[MAX_WORDS + 1];
	char *rest = text;
	int argc = 0;

	(void)snprintf(text, sizeof(text), "%s", line);
	while (argc < MAX_WORDS && rest)
		argv[argc++] = strsep(&rest, " ");
	argv[argc] = NULL;
	return arguments_read(arguments, argc, argv, problem);
}

/* What the reaper passes to the first engine and to a later one. */
static void
what_the_reaper_writes(void **state)
{
	struct arguments arguments;
	const char *problem;
	char line[256];
	int checkpoint = open("/dev/null", O_RDONLY), control = open("/dev/null", O_RDONLY);
	int other = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(checkpoint > 3 || control > 3);
	assert_int_equal(
	    read_line(&arguments,
		"engine --link 2 --reaper 12 --generation 1 --files 1024 -- -c /etc/c.conf",
		&problem),
	    0);
	assert_int_equal(arguments.reaper, 12);
	assert_int_equal(arguments.generation, 1);
	assert_int_equal(arguments.files, 1024);
	assert_false(arguments.hold);
	assert_string_equal(arguments.given[0], "-c");
	assert_string_equal(arguments.given[1], "/etc/c.conf");
	assert_null(arguments.given[2]);
	assert_null(arguments.command);
	assert_false(arguments.terse || arguments.terminal);
	assert_int_equal(arguments.checkpoint, -1);
	assert_int_equal(arguments.control, -1);
	assert_int_equal(arguments.kept, -1);

	assert_int_equal(fd_move_above(&checkpoint, 10), 0);
	assert_int_equal(fd_move_above(&control, 10), 0);
	assert_int_equal(fd_move_above(&other, 10), 0);
	assert_int_equal(fd_set_cloexec(checkpoint, 0), 0);
	(void)snprintf(line, sizeof(line),
	    "engine --link 2 --reaper 1 --generation 7 --files 18446744073709551615 --hold "
	    "--store checkpoint=%d --store control=%d --store other=%d --kept 63 -- -c x",
	    checkpoint, control, other);
	assert_int_equal(read_line(&arguments, line, &problem), 0);
	assert_int_equal(arguments.generation, 7);
	assert_true(arguments.hold);
	assert_true(arguments.files == RLIM_INFINITY);
	assert_int_equal(arguments.checkpoint, checkpoint);
	assert_int_equal(arguments.control, control);
	assert_int_equal(arguments.specs, -1);
	assert_int_equal(arguments.kept, 63);
	/* no child may get them; what is not known is closed */
	assert_true(fcntl(checkpoint, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fcntl(other, F_GETFD), -1);
	fd_close(&checkpoint);
	fd_close(&control);
}

/* Options of the command's own are nothing to us. */
static void
a_command_line(void **state)
{
	struct arguments arguments;
	const char *problem;

	(void)state;
	assert_int_equal(read_line(&arguments,
			     "engine --link 2 --reaper 1 --generation 1 --terse --terminal -- "
			     "--set a=b --set c=d -- ls -c --set",
			     &problem),
	    0);
	assert_true(arguments.terse && arguments.terminal);
	assert_string_equal(arguments.given[0], "--set");
	assert_string_equal(arguments.given[4], "--");
	assert_string_equal(arguments.command[0], "ls");
	assert_string_equal(arguments.command[2], "--set");
	assert_null(arguments.command[3]);
	assert_int_equal(
	    read_line(&arguments, "engine --link 2 --reaper 1 --generation 1 -- -- ls", &problem),
	    0);
	assert_string_equal(arguments.command[0], "ls");
}

static void
anything_else_is_refused(void **state)
{
	static const char *const lines[] = {
		"engine",
		"engine -- -c x",
		"engine --link 3 --reaper 1 --generation 1 -- -c x",
		"engine --link 2 --reaper 0 --generation 1 -- -c x",
		"engine --link 2 --reaper 1x --generation 1 -- -c x",
		"engine --link 2 --reaper 1 --generation 0 -- -c x",
		"engine --link 2 --reaper 1 -- -c x",
		"engine --link 2 --reaper 1 --generation 1",
		"engine --link 2 --reaper 1 --generation 1 --",
		"engine --link 2 --reaper 1 --generation 1 -- -x y",
		"engine --link 2 --reaper 1 --generation 1 -- --set a=b --",
		"engine --link 2 --reaper 1 --generation 1 -- --set a=b ls",
		"engine --link 2 --reaper 1 --generation 1 -- --set a=b",
		"engine --link 2 --reaper 1 --generation 1 --store",
		"engine --link 2 --reaper 1 --generation 1 --store specs -- -c x",
		"engine --link 2 --reaper 1 --generation 1 --store specs=2 -- -c x",
		"engine --link 2 --reaper 1 --generation 1 --store specs=x -- -c x",
		"engine --link 2 --reaper 1 --generation 1 --kept 2 -- -c x",
		"engine --link 2 --reaper 1 --generation 1 --what 3 -- -c x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct arguments arguments;
		const char *problem = NULL;
		if (read_line(&arguments, lines[i], &problem) == 0)
			fail_msg("accepted: %s", lines[i]);
		assert_non_null(problem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_reaper_writes),
		cmocka_unit_test(a_command_line),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
