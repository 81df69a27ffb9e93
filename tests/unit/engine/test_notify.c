/*
 * notify: what a datagram says, made harmless, and the sockets that they come through. The rest
 * needs real processes: tests/system/test_ready.py.
 */
#include "engine/notify_message.h"
#include "engine/notify_socket.h"
#include "lib/fd.h"
#include "lib/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct notify_message
parse(const char *text)
{
	struct notify_message message;

	assert_true(notify_message_read(&message, text, strlen(text)));
	return message;
}

/* --- messages --- */

static void
lines_mean_what_they_say(void **state)
{
	struct notify_message message =
	    parse("READY=1\nSTATUS=well\nMAINPID=17\nEXTEND_TIMEOUT_USEC=1500000");

	(void)state;
	assert_true(message.ready && message.has_status);
	assert_false(message.reloading || message.stopping);
	assert_string_equal(message.status, "well");
	assert_int_equal(message.main_pid, 17);
	assert_int_equal(message.extend, 1500);
	assert_true(parse("RELOADING=1").reloading);
	assert_true(parse("\n\nSTOPPING=1\n\n").stopping);
	assert_string_equal(parse("STATUS=a\nSTATUS=b").status, "b");
	assert_true(parse("STATUS=").has_status);
	assert_string_equal(parse("STATUS=a=b").status, "a=b");
}

static void
what_is_no_line_of_ours_means_nothing(void **state)
{
	static const char *const texts[] = { "", "\n", "=", "READY", "READY=", "READY=2",
		"READY=11", " READY=1", "ready=1", "XREADY=1", "STATUS", "MAINPID=", "MAINPID=x",
		"MAINPID=-1", "MAINPID=0", "MAINPID=1 2", "MAINPID=2147483648",
		"MAINPID=99999999999999999999", "EXTEND_TIMEOUT_USEC=", "EXTEND_TIMEOUT_USEC=-1",
		"EXTEND_TIMEOUT_USEC=0", "BARRIER=1" };
	const struct notify_message nothing = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct notify_message message = parse(texts[i]);
		if (message.ready || message.reloading || message.stopping || message.has_status ||
		    message.main_pid != nothing.main_pid || message.extend != 0)
			fail_msg("\"%s\" means something", texts[i]);
	}
}

static void
numbers_end_somewhere(void **state)
{
	(void)state;
	assert_int_equal(parse("MAINPID=2147483647").main_pid, INT32_MAX);
	assert_int_equal(parse("EXTEND_TIMEOUT_USEC=1").extend, 1); /* never less than asked for */
	assert_int_equal(parse("EXTEND_TIMEOUT_USEC=1001").extend, 2);
	assert_int_equal(
	    parse("EXTEND_TIMEOUT_USEC=18446744073709551615").extend, INT64_C(864000000000));
}

static void
a_nul_is_no_line_end(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} rows[] = { { "\0READY=1", 8 }, { "READY=1\0STATUS=x", 16 }, { "READY=1\n\0\n", 10 },
		{ "READY=1\0\0", 9 } };
	struct notify_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(notify_message_read(&message, rows[i].data, rows[i].len));
		assert_false(message.ready || message.has_status);
	}
	/* whoever sends a string as C has it */
	assert_true(notify_message_read(&message, "STATUS=x\nREADY=1\0", 17));
	assert_true(message.ready);
	assert_string_equal(message.status, "x");
	assert_true(notify_message_read(&message, "\0", 1));
	assert_true(notify_message_read(&message, "", 0));
}

static void
a_status_is_clean(void **state)
{
	static const struct {
		const char *sent, *shown;
	} rows[] = {
		{ "STATUS=\x1b[31m", "?[31m" },
		{ "STATUS=\xc2\x9b"
		  "31m",
		    "?31m" },
		{ "STATUS=a\tb\x7f", "a?b?" },
		{ "STATUS=\xff", "\xef\xbf\xbd" },
		{ "STATUS=\xc3", "\xef\xbf\xbd" },
		{ "STATUS=\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "STATUS=\xc2\xa0"
		  "\xf0\x9f\x8c\xb3",
		    "\xc2\xa0\xf0\x9f\x8c\xb3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(parse(rows[i].sent).status, rows[i].shown);
}

/* Whatever the bytes: valid UTF-8, no control character, and it ends. */
static void
any_bytes_are_survived(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char data[64 + NOTIFY_MESSAGE_STATUS_SIZE] = "STATUS=";
		size_t len = 7 + (size_t)(round % 1024);
		struct notify_message message;

		for (size_t i = 7; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			data[i] = (char)(seed >> 24);
			/* mostly what begins or goes on with a sequence */
			if (round % 2)
				data[i] = (char)(data[i] | 0x80);
		}
		(void)notify_message_read(&message, data, len);
		size_t used = strnlen(message.status, sizeof(message.status));
		assert_true(used < sizeof(message.status));
		assert_true(str_is_utf8(message.status, used));
		for (size_t i = 0; i < used; i++)
			assert_true((unsigned char)message.status[i] >= ' ');
	}
}

/* --- sockets --- */

static char scratch[64];

static int
make_scratch(void **state)
{
	(void)state;
	strcpy(scratch, "/tmp/notify-XXXXXX");
	return mkdtemp(scratch) == NULL || chmod(scratch, 0711) != 0;
}

static int
remove_scratch(void **state)
{
	(void)state;
	return rmdir(scratch); /* fails when something was left */
}

static const char *
control(void)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/s", scratch);
	return path;
}

/* Sends what it says to the address of the variable, and reads it from fd. */
static void
is_reached(int fd, const char *variable)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *text = strchr(variable, '=') + 1;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
	char got[16] = "";
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, text, strlen(text));
	if (*text == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(sendto(sender, "x", 1, 0, (struct sockaddr *)&address, len), 1);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 1);
	fd_close(&sender);
}

static void
a_file_is_made_and_removed(void **state)
{
	char variable[NOTIFY_SOCKET_VARIABLE_SIZE];
	char other[NOTIFY_SOCKET_VARIABLE_SIZE];
	int fd = notify_socket_open(control(), getuid(), variable);
	int second = notify_socket_open(control(), getuid(), other);

	(void)state;
	assert_true(fd >= 0 && second >= 0);
	assert_string_not_equal(variable, other);
	assert_int_equal(strncmp(variable, "NOTIFY_SOCKET=/tmp/", 19), 0);
	is_reached(fd, variable);
	notify_socket_leave(control()); /* not while it is used */
	is_reached(second, other);
	notify_socket_sweep(control()); /* nor are the living swept */
	is_reached(second, other);
	notify_socket_close(&fd);
	assert_int_equal(access(strchr(variable, '/'), F_OK), -1);
	fd_close(&second); /* as who is killed */
	assert_int_equal(access(strchr(other, '/'), F_OK), 0);
	notify_socket_sweep(control());
	assert_int_equal(access(strchr(other, '/'), F_OK), -1);
	notify_socket_leave(control());
}

/* FIELD 1.A.4 */
static void
without_a_place_it_is_abstract(void **state)
{
	char variable[NOTIFY_SOCKET_VARIABLE_SIZE];
	char deep[108];
	const char *const places[] = { "/proc/none/s", "relative/s", deep };

	(void)state;
	memset(deep, 'x', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = notify_socket_open(places[i], getuid(), variable);

		assert_true(fd >= 0);
		assert_int_equal(strncmp(variable, "NOTIFY_SOCKET=@", 15), 0);
		is_reached(fd, variable);
		notify_socket_close(&fd);
		notify_socket_sweep(places[i]);
		notify_socket_leave(places[i]);
	}
}

/* A directory that others could put sockets into is not used. */
static void
a_directory_of_others_is_not_used(void **state)
{
	char variable[NOTIFY_SOCKET_VARIABLE_SIZE], directory[96];
	int fd;

	(void)state;
	snprintf(directory, sizeof(directory), "%s.notify", control());
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	fd = notify_socket_open(control(), getuid(), variable);
	assert_int_equal(strncmp(variable, "NOTIFY_SOCKET=@", 15), 0);
	notify_socket_close(&fd);
	assert_int_equal(rmdir(directory), 0);
}

static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fd_close(&fd);
}

/* A dead socket at that path. */
static void
make_dead_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fd_close(&fd);
}

/*
 * Whoever may write beside the control socket may have put anything there. connect(2) says
 * ECONNREFUSED also of what is no socket.
 */
static void
nothing_but_sockets_is_swept(void **state)
{
	char directory[96], file[112], inner[112];

	(void)state;
	snprintf(directory, sizeof(directory), "%s.notify", control());
	snprintf(file, sizeof(file), "%s/file", directory);
	snprintf(inner, sizeof(inner), "%s/link", directory);
	assert_int_equal(mkdir(directory, 0711), 0);
	make_file(file);
	assert_int_equal(symlink(file, inner), 0);
	notify_socket_sweep(control());
	assert_int_equal(unlink(inner), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void
nothing_behind_a_link_is_swept(void **state)
{
	char link[96], elsewhere[96], dead[112];

	(void)state;
	snprintf(link, sizeof(link), "%s.notify", control());
	snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", control());
	snprintf(dead, sizeof(dead), "%s/dead", elsewhere);
	assert_int_equal(mkdir(elsewhere, 0711), 0);
	assert_int_equal(symlink(elsewhere, link), 0);
	make_dead_socket(dead);
	notify_socket_sweep(control());
	notify_socket_leave(control());
	assert_int_equal(unlink(dead), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(elsewhere), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_mean_what_they_say),
		cmocka_unit_test(what_is_no_line_of_ours_means_nothing),
		cmocka_unit_test(numbers_end_somewhere),
		cmocka_unit_test(a_nul_is_no_line_end),
		cmocka_unit_test(a_status_is_clean),
		cmocka_unit_test(any_bytes_are_survived),
		cmocka_unit_test_setup_teardown(
		    a_file_is_made_and_removed, make_scratch, remove_scratch),
		cmocka_unit_test(without_a_place_it_is_abstract),
		cmocka_unit_test_setup_teardown(
		    a_directory_of_others_is_not_used, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(
		    nothing_but_sockets_is_swept, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(
		    nothing_behind_a_link_is_swept, make_scratch, remove_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
