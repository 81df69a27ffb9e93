#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
close_leaves_minus_one(void **unused)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	(void)unused;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	fd_close(&fd);
	assert_int_equal(fd, -1);
}

static void
flags_are_set_and_cleared(void **unused)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)unused;
	assert_int_equal(fd_set_cloexec(fd, 1), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(fd, 0), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	fd_close(&fd);
	assert_int_equal(fd_set_cloexec(fd, 1), -EBADF);
}

static void
move_above_closes_the_old_number(void **unused)
{
	int fd = open("/dev/null", O_RDONLY), old = fd, bad = -1;

	(void)unused;
	assert_int_equal(fd_move_above(&fd, 100), 0);
	assert_in_range(fd, 100, 1000);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(old, F_GETFD), -1);
	/* High enough already: stays, but is made CLOEXEC. */
	int high = fd;
	fd_set_cloexec(fd, 0);
	assert_int_equal(fd_move_above(&fd, 100), 0);
	assert_int_equal(fd, high);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(fd_move_above(&bad, 100), -EBADF);
	assert_int_equal(bad, -1);
}

static void
ignore_alarm(int number)
{
	(void)number;
}

/* Signals without SA_RESTART every 2 ms, and a pipe that is full most of the time. */
static void
all_is_written_and_read_through_interruptions(void **unused)
{
	struct sigaction action = { .sa_handler = ignore_alarm };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	static char out[300000], in[300000];
	int ends[2];

	(void)unused;
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t writer = fork();
	assert_true(writer >= 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	if (writer == 0) {
		fd_close(&ends[0]);
		_exit(fd_write_all(ends[1], out, sizeof out) == 0 ? 0 : 1);
	}
	fd_close(&ends[1]);
	assert_int_equal(fd_read_all(ends[0], in, sizeof in), sizeof in);
	assert_memory_equal(in, out, sizeof in);
	assert_int_equal(fd_read_all(ends[0], in, sizeof in), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	fd_close(&ends[0]);
	int status = -1;
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(fd_read_all(-1, in, 1), -EBADF);
}

static void
standard_descriptors_are_filled(void **unused)
{
	int status = -1;

	(void)unused;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct stat null, filled;
		close(0);
		close(2);
		int rc = fd_fill_standard();
		int same = stat("/dev/null", &null) == 0 && fstat(0, &filled) == 0 &&
		    filled.st_rdev == null.st_rdev && fstat(2, &filled) == 0 &&
		    filled.st_rdev == null.st_rdev;
		_exit(rc == 0 && same ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
memfile_has_its_space(void **unused)
{
	struct stat info;
	int fd = fd_memfile("test", 100000);

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &info), 0);
	assert_int_equal(info.st_size, 100000);
	assert_true(info.st_blocks * 512 >= 100000);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fd_close(&fd);
	assert_true(fd_memfile("test", SIZE_MAX) < 0);
	/* The failed one left nothing open: the number is free again. */
	int again = fd_memfile("test", 1);
	assert_true(again >= 0);
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(next, again + 1);
	fd_close(&again);
	fd_close(&next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_leaves_minus_one),
		cmocka_unit_test(flags_are_set_and_cleared),
		cmocka_unit_test(move_above_closes_the_old_number),
		cmocka_unit_test(all_is_written_and_read_through_interruptions),
		cmocka_unit_test(standard_descriptors_are_filled),
		cmocka_unit_test(memfile_has_its_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
