#include "lib/sockmsg.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];

static int
open_pair(void **unused)
{
	(void)unused;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int
close_pair(void **unused)
{
	(void)unused;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static int
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
message_with_descriptors_arrives(void **unused)
{
	int sent[2] = { open("/dev/null", O_RDONLY), open("/dev/zero", O_RDONLY) };
	int got[4] = { -1, -1, -1, -1 };
	size_t count = 4;
	char data[16], zero = 'x';

	(void)unused;
	assert_int_equal(sockmsg_send(pair[0], "hello", 5, sent, 2), 0);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, 0, got, &count), 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(count, 2);
	assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(read(got[0], &zero, 1), 0);
	assert_int_equal(read(got[1], &zero, 1), 1);
	assert_int_equal(zero, '\0');
	for (int i = 0; i < 2; i++) {
		fd_close(&sent[i]);
		fd_close(&got[i]);
	}
}

static void
descriptors_without_room_do_not_leak(void **unused)
{
	int sent[SOCKMSG_MAX_FDS], got[2];
	size_t count = 2;
	char data[16];

	(void)unused;
	for (int i = 0; i < SOCKMSG_MAX_FDS; i++)
		sent[i] = pair[0];
	int before = count_descriptors();
	/* Room for two of sixteen. */
	assert_int_equal(sockmsg_send(pair[0], "a", 1, sent, SOCKMSG_MAX_FDS), 0);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, 0, got, &count), 1);
	assert_int_equal(count, 2);
	fd_close(&got[0]);
	fd_close(&got[1]);
	assert_int_equal(count_descriptors(), before);
	/* No room at all. */
	count = 0;
	assert_int_equal(sockmsg_send(pair[0], "b", 1, sent, 3), 0);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, 0, NULL, &count), 1);
	assert_int_equal(count, 0);
	assert_int_equal(count_descriptors(), before);
	/* A message that did not fit takes its descriptors with it. */
	count = 2;
	assert_int_equal(sockmsg_send(pair[0], "0123456789", 10, sent, 3), 0);
	assert_int_equal(sockmsg_recv(pair[1], data, 4, 0, got, &count), -EMSGSIZE);
	assert_int_equal(count, 0);
	assert_int_equal(count_descriptors(), before);
}

static void
peek_leaves_the_message(void **unused)
{
	char data[16];

	(void)unused;
	assert_int_equal(sockmsg_send(pair[0], "one", 3, NULL, 0), 0);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, MSG_PEEK, NULL, NULL), 3);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, 0, NULL, NULL), 3);
	assert_int_equal(
	    sockmsg_recv(pair[1], data, sizeof data, MSG_DONTWAIT, NULL, NULL), -EAGAIN);
}

static void
full_is_eagain_and_gone_is_epipe_without_signal(void **unused)
{
	static char big[4096];
	int rc = 0, sent = 0;

	(void)unused;
	while (rc == 0 && sent < 100000) {
		rc = sockmsg_send(pair[0], big, sizeof big, NULL, 0);
		sent++;
	}
	assert_int_equal(rc, -EAGAIN);
	assert_true(sent > 1);
	char data[8];
	fd_close(&pair[0]);
	/* What was queued is still there; then 0 says that the peer has gone. */
	for (int i = 1; i < sent; i++)
		assert_int_equal(
		    sockmsg_recv(pair[1], data, sizeof data, 0, NULL, NULL), -EMSGSIZE);
	assert_int_equal(sockmsg_recv(pair[1], data, sizeof data, 0, NULL, NULL), 0);
	assert_int_equal(sockmsg_send(pair[1], "x", 1, NULL, 0), -EPIPE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    message_with_descriptors_arrives, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
		    descriptors_without_room_do_not_leak, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(peek_leaves_the_message, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
		    full_is_eagain_and_gone_is_epipe_without_signal, open_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
