#include "lib/log.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* 2026-11-21T08:29:59.007Z and, since the calendar is our own, the ends of months and centuries. */
static const struct {
	int64_t wall_ms;
	const char *text;
} times[] = {
	{ INT64_C(1795249799007), "2026-11-21T08:29:59.007Z" },
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
	{ INT64_C(1709251199999), "2024-02-29T23:59:59.999Z" },
	{ INT64_C(1709251200000), "2024-03-01T00:00:00.000Z" },
	{ INT64_C(1735689599999), "2024-12-31T23:59:59.999Z" },
	{ INT64_C(4107542400000), "2100-03-01T00:00:00.000Z" },
};

static int saved = -1;

/* Puts `fd` in stderr's place until restore(). */
static void
redirect(int fd)
{
	fflush(stderr);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	assert_true(saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
}

static int
restore(void **unused)
{
	(void)unused;
	if (saved >= 0) {
		dup2(saved, STDERR_FILENO);
		fd_close(&saved);
	}
	log_set_pid(0);
	log_set_direct(true);
	return 0;
}

/* What is in the pipe or socket now. */
static size_t
drain(int fd, char *out, size_t cap)
{
	size_t len = 0;
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	while (len < cap - 1 && poll(&ready, 1, 0) > 0) {
		ssize_t n = read(fd, out + len, cap - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	out[len] = '\0';
	return len;
}

static void
lines_have_time_pid_and_path(void **unused)
{
	char text[512], expected[200];
	int ends[2];

	(void)unused;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1]);
	log_set_pid(4242);
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		log_line_at(times[i].wall_ms, "shop/web", "started %d", 7);
		drain(ends[0], text, sizeof text);
		snprintf(expected, sizeof expected, "%s coppiced[4242]: shop/web: started 7\n",
		    times[i].text);
		assert_string_equal(text, expected);
	}
	log_line(NULL, "a\nb\tc\x7f");
	drain(ends[0], text, sizeof text);
	assert_int_equal(strlen(text), strlen("2026-11-21T08:29:59.007Z coppiced[4242]: a?b?c?\n"));
	assert_string_equal(text + 24, " coppiced[4242]: a?b?c?\n");
	restore(NULL);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void
gathered_lines_wait_for_flush(void **unused)
{
	char text[512];
	int ends[2];

	(void)unused;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1]);
	log_set_direct(false);
	log_line(NULL, "one");
	log_line(NULL, "two");
	assert_int_equal(drain(ends[0], text, sizeof text), 0);
	log_flush();
	drain(ends[0], text, sizeof text);
	assert_non_null(strstr(text, ": one\n"));
	assert_non_null(strstr(text, ": two\n"));
	restore(NULL);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/*
 * Writes `count` numbered lines, then reads until all that was kept is out; each line must be there
 * or be counted.
 */
static void
flood(int reader, unsigned count)
{
	static char text[4000000];
	unsigned next = 0, lost = 0;

	for (unsigned i = 0; i < count; i++)
		log_line_at(0, NULL, "%u %0100d", i, 0);
	size_t len = drain(reader, text, sizeof text);
	/* Now there is room: the gap is told by the next line. */
	log_flush();
	len += drain(reader, text + len, sizeof text - len);
	log_line_at(0, NULL, "%u last", count);
	drain(reader, text + len, sizeof text - len);
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		const char *message = strstr(line, "]: ");
		assert_non_null(message);
		unsigned number = (unsigned)strtoul(message + 3, NULL, 10);
		if (strstr(line, "log lines lost") != NULL) {
			lost += number;
			next += number;
			continue;
		}
		assert_int_equal(number, next);
		next++;
	}
	assert_int_equal(next, count + 1);
	assert_true(lost > 0);
}

static void
full_pipe_neither_blocks_nor_loses_silently(void **unused)
{
	int ends[2];

	(void)unused;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1]);
	alarm(30);
	flood(ends[0], 3000);
	flood(ends[0], 3000);
	alarm(0);
	/* The description that others share is as it was. */
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	restore(NULL);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void
full_socket_neither_blocks_nor_loses_silently(void **unused)
{
	int ends[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	redirect(ends[1]);
	alarm(30);
	flood(ends[0], 30000);
	alarm(0);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	restore(NULL);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void
stopped_terminal_does_not_block(void **unused)
{
	char text[8192];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)unused;
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		skip();
	int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		skip();
	redirect(terminal);
	alarm(30);
	log_line(NULL, "seen");
	drain(master, text, sizeof text);
	assert_non_null(strstr(text, ": seen"));
	for (int i = 0; i < 3000; i++)
		log_line(NULL, "nobody reads the terminal");
	while (drain(master, text, sizeof text) > 0)
		log_flush();
	log_line(NULL, "read again");
	drain(master, text, sizeof text);
	assert_non_null(strstr(text, "log lines lost"));
	assert_non_null(strstr(text, ": read again"));
	alarm(0);
	assert_false(fcntl(terminal, F_GETFL) & O_NONBLOCK);
	restore(NULL);
	fd_close(&terminal);
	fd_close(&master);
}

static void
files_are_appended_through_the_shared_offset(void **unused)
{
	char path[] = "/tmp/coppice-test-log-XXXXXX", text[512];
	int file = mkstemp(path);

	(void)unused;
	assert_true(file >= 0);
	unlink(path);
	assert_int_equal(write(file, "before\n", 7), 7);
	redirect(file);
	log_line_at(0, NULL, "line");
	assert_int_equal(write(file, "after\n", 6), 6);
	restore(NULL);
	ssize_t len = pread(file, text, sizeof text - 1, 0);
	assert_true(len > 0);
	text[len] = '\0';
	assert_ptr_equal(strstr(text, "before\n1970-"), text);
	assert_non_null(strstr(text, ": line\nafter\n"));
	fd_close(&file);
}

static void
reader_that_left_and_long_lines_do_no_harm(void **unused)
{
	static char text[70000], longest[5000];
	int ends[2];

	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1]);
	fd_close(&ends[0]);
	log_line(NULL, "into the void");
	restore(NULL);
	fd_close(&ends[1]);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1]);
	memset(longest, 'x', sizeof longest - 1);
	log_line(NULL, "%s", longest);
	log_line(NULL, "short");
	size_t len = drain(ends[0], text, sizeof text);
	assert_non_null(strstr(text, "]: 1 log lines lost\n"));
	assert_non_null(strstr(text, "xxx\n"));
	assert_non_null(strstr(text, "]: short\n"));
	assert_in_range(len, 1000, 4096);
	restore(NULL);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lines_have_time_pid_and_path, restore),
		cmocka_unit_test_teardown(gathered_lines_wait_for_flush, restore),
		cmocka_unit_test_teardown(full_pipe_neither_blocks_nor_loses_silently, restore),
		cmocka_unit_test_teardown(full_socket_neither_blocks_nor_loses_silently, restore),
		cmocka_unit_test_teardown(stopped_terminal_does_not_block, restore),
		cmocka_unit_test_teardown(files_are_appended_through_the_shared_offset, restore),
		cmocka_unit_test_teardown(reader_that_left_and_long_lines_do_no_harm, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
