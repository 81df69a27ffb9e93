/*
 * The socket from outside: real connections to a control server that runs in this process, one turn
 * of its loop at a time.
 */
#include "engine/control.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "shell.h"
#include "wire/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PING      "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}\n"
#define STATUS    "{\"jsonrpc\": \"2.0\", \"id\": 2, \"method\": \"status\"}\n"
#define MAX_TURNS 20000 /* far more than anything here takes */

static const char *const tree[] = { "/", "shot exit off", "many spawn 1000", NULL };

static struct shell *shell;
static char directory[32];

static int
start(void **state)
{
	struct settings *settings;

	strcpy(directory, "/tmp/coppice-unit-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	shell = shell_new(tree);
	settings = &shell->engine.settings;
	snprintf(settings->control_socket, sizeof settings->control_socket, "%s/s", directory);
	shell->engine.loop = ev_loop_new(EVFLAG_AUTO);
	shell_submit(shell, ON_BOOT, NULL);
	shell->engine.control = control_new(&shell->engine, -1);
	*state = shell;
	return shell->engine.control != NULL ? 0 : -1;
}

static int
stop(void **state)
{
	(void)state;
	control_free(&shell->engine.control);
	(void)unlink(shell->engine.settings.control_socket);
	ev_loop_destroy(shell->engine.loop);
	shell_free(shell);
	return rmdir(directory);
}

static void
turn(void)
{
	ev_run(shell->engine.loop, EVRUN_NOWAIT);
}

static int
client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, shell->engine.settings.control_socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Writes what there is room for; the count, or -1 when the server has closed. */
static ssize_t
put(int fd, const char *text, size_t len)
{
	ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

	if (n < 0)
		assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
	return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(put(fd, text, strlen(text)), strlen(text));
}

/* Reads what has come; false at the end. */
static bool
get(int fd, struct buf *in)
{
	char part[65536];
	ssize_t n;

	while ((n = recv(fd, part, sizeof part, 0)) > 0)
		buf_append(in, part, (size_t)n);
	assert_true(n == 0 || errno == EAGAIN || errno == ECONNRESET);
	return n < 0 && errno == EAGAIN;
}

/* Turns the loop until a whole line has come; it is the caller's. */
static char *
hear(int fd)
{
	struct buf in = { 0 };

	for (int i = 0; i < MAX_TURNS; i++) {
		turn();
		bool more = get(fd, &in);
		if (in.len > 0 && in.data[in.len - 1] == '\n')
			return in.data;
		assert_true(more);
	}
	fail_msg("no answer");
	return NULL;
}

static void
assert_hears(int fd, const char *part)
{
	char *line = hear(fd);

	assert_non_null(strstr(line, part));
	free(line);
}

/* Turns the loop until the server has closed; what it said before is thrown away. */
static void
assert_closed(int fd)
{
	struct buf in = { 0 };
	bool open = true;

	for (int i = 0; i < MAX_TURNS && open; i++) {
		turn();
		open = get(fd, &in);
	}
	assert_false(open);
	buf_free(&in);
}

static unsigned
descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
a_request_may_come_in_pieces(void **unused)
{
	int fd = client();

	(void)unused;
	for (const char *at = PING; *at != '\0'; at++) {
		assert_int_equal(put(fd, at, 1), 1);
		turn();
	}
	assert_hears(fd, "\"protocol\":1");
	fd_close(&fd);
}

static void
empty_lines_are_nothing(void **unused)
{
	int fd = client();

	(void)unused;
	say(fd, "\n\n\n" PING);
	assert_hears(fd, "\"protocol\":1");
	fd_close(&fd);
}

static void
a_bad_line_does_not_end_the_connection(void **unused)
{
	int fd = client();

	(void)unused;
	say(fd, "garbage\n");
	assert_hears(fd, "-32700");
	assert_int_equal(put(fd, "pi\0ng\n", 6), 6);
	assert_hears(fd, "-32700");
	say(fd, PING);
	assert_hears(fd, "\"protocol\":1");
	fd_close(&fd);
}

static void
answers_come_in_the_order_of_the_requests(void **unused)
{
	int fd = client();
	struct buf in = { 0 };
	int lines = 0;

	(void)unused;
	say(fd, STATUS PING STATUS PING);
	for (int i = 0; i < MAX_TURNS && lines < 4; i++) {
		turn();
		assert_true(get(fd, &in));
		lines = 0;
		for (const char *at = in.data; at != NULL && (at = strchr(at, '\n')) != NULL; at++)
			lines++;
	}
	assert_int_equal(lines, 4);
	const char *at = in.data;
	for (int i = 0; i < 4; i++) {
		assert_memory_equal(at,
		    i % 2 == 0 ? "{\"jsonrpc\":\"2.0\",\"id\":2" : "{\"jsonrpc\":\"2.0\",\"id\":1",
		    23);
		at = strchr(at, '\n') + 1;
	}
	buf_free(&in);
	fd_close(&fd);
}

/*
 * `printf … | nc -N -U control.sock`: the peer writes no more, and still wants to be answered; also
 * without a newline.
 */
static void
a_peer_that_writes_no_more_is_answered(void **unused)
{
	int fd = client();

	(void)unused;
	say(fd, "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_hears(fd, "\"protocol\":1");
	assert_closed(fd);
	fd_close(&fd);
}

static void
an_oversized_request_is_told_and_closed(void **unused)
{
	int fd = client();
	char part[65536];
	struct buf in = { 0 };
	size_t sent = 0;

	(void)unused;
	memset(part, 'x', sizeof part);
	for (int i = 0; i < MAX_TURNS && get(fd, &in); i++) {
		ssize_t n = put(fd, part, sizeof part);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(sent > RPC_MAX_REQUEST);
	assert_non_null(strstr(in.data, "\"code\":7"));
	/* An endless one is not read for ever. */
	for (int i = 0; i < MAX_TURNS && put(fd, part, sizeof part) >= 0; i++)
		turn();
	assert_int_equal(put(fd, part, 1), -1);
	buf_free(&in);
	fd_close(&fd);
}

static void
the_longest_request_is_answered(void **unused)
{
	int fd = client();
	size_t len = RPC_MAX_REQUEST, sent = 0;
	char *line = malloc(len + 1);

	(void)unused;
	memset(line, ' ', len);
	memcpy(line, PING, strlen(PING) - 1);
	line[len] = '\n';
	while (sent < len + 1) {
		ssize_t n = put(fd, line + sent, len + 1 - sent);
		assert_true(n >= 0);
		sent += (size_t)n;
		turn();
	}
	assert_hears(fd, "\"protocol\":1");
	free(line);
	fd_close(&fd);
}

/* Fills a buffer with as many whole requests as fit. */
static size_t
repeat(char *out, size_t size, const char *request)
{
	size_t len = strlen(request), used = 0;

	for (; used + len <= size; used += len)
		memcpy(out + used, request, len);
	return used;
}

static void
a_turn_answers_a_few_requests_only(void **unused)
{
	int floods[3] = { client(), client(), client() };
	char part[20000];
	struct buf in = { 0 };
	size_t len = repeat(part, sizeof part, PING), answers = 0;

	(void)unused;
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(floods[i], part, len), len);
	for (int turns = 0; turns < MAX_TURNS && answers < len / strlen(PING) * 3; turns++) {
		size_t before = answers;
		turn();
		for (int i = 0; i < 3; i++) {
			buf_free(&in);
			assert_true(get(floods[i], &in));
			for (size_t at = 0; at < in.len; at++)
				answers += in.data[at] == '\n';
		}
		/* 256 units of work, 16 a request and one for its line. */
		assert_true(answers - before <= 16);
	}
	assert_int_equal(answers, len / strlen(PING) * 3);
	buf_free(&in);
	for (int i = 0; i < 3; i++)
		fd_close(&floods[i]);
}

/*
 * One that sends without end and reads gets no more than its turn, and one that reads nothing fills
 * no memory.
 */
static void
a_flood_holds_nobody_up(void **unused)
{
	int flood = client(), deaf = client(), other = client();
	char pings[65536], statuses[65536];
	size_t len = repeat(pings, sizeof pings, PING),
	       deaf_len = repeat(statuses, sizeof statuses, STATUS);
	struct buf in = { 0 };
	int turns = 0;

	(void)unused;
	size_t memory = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (int i = 0; i < 1000; i++) {
		(void)put(flood, pings, len);
		(void)put(deaf, statuses, deaf_len);
		turn();
	}
	/* What is read ahead, an answer of 170 KB or two, a little more for the flood. */
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd < memory + 2000000);
	say(other, PING);
	while (in.len == 0 && turns++ < 20) {
		(void)put(flood, pings, len);
		turn();
		(void)get(other, &in);
	}
	assert_true(turns < 8);
	assert_non_null(strstr(in.data, "\"protocol\":1"));
	buf_free(&in);
	fd_close(&flood);
	fd_close(&deaf);
	fd_close(&other);
}

static void
a_waiting_request_holds_up_those_behind_it(void **unused)
{
	int fd = client(), other = client();
	struct buf in = { 0 };

	(void)unused;
	say(fd,
	    "{\"jsonrpc\": \"2.0\", \"id\": 5, \"method\": \"start\", \"params\": {\"path\": \"shot\", \"wait\": true}}\n" PING);
	for (int i = 0; i < 20; i++)
		turn();
	assert_true(get(fd, &in));
	assert_int_equal(in.len, 0);
	say(other, PING);
	assert_hears(other, "\"protocol\":1");
	shell_end(shell, "shot", 0);
	char *lines = hear(fd);
	assert_memory_equal(lines, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\"", 32);
	free(lines);
	fd_close(&fd);
	fd_close(&other);
}

static void
a_waiter_that_goes_is_forgotten(void **unused)
{
	int fd = client();

	(void)unused;
	for (int i = 0; i < 20; i++)
		turn();
	unsigned before = descriptors();
	say(fd,
	    "{\"jsonrpc\": \"2.0\", \"id\": 5, \"method\": \"start\", \"params\": {\"path\": \"shot\", \"wait\": true}}\n");
	for (int i = 0; i < 20; i++)
		turn();
	fd_close(&fd);
	for (int i = 0; i < 20; i++)
		turn();
	assert_int_equal(descriptors(), before - 2);
	/* Nobody to be told any more. */
	shell_end(shell, "shot", 0);
	turn();
}

static void
without_descriptors_clients_are_turned_away(void **unused)
{
	struct rlimit old, few;
	int fd = client(), used[64], count = 0, other;
	const char *preloaded = getenv("LD_PRELOAD");

	(void)unused;
	/* valgrind has descriptors and limits of its own */
	if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
		skip();
	say(fd, PING);
	assert_hears(fd, "\"protocol\":1");
	other = client();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ 64, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < 64 && (used[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	assert_hears(other, "\"code\":10");
	assert_closed(other);
	/* Who is in stays in. */
	say(fd, PING);
	assert_hears(fd, "\"protocol\":1");
	while (count > 0)
		fd_close(&used[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fd_close(&other);
	other = client();
	say(other, PING);
	assert_hears(other, "\"protocol\":1");
	fd_close(&other);
	fd_close(&fd);
}

/* FIELD 2.G.2 */
static void
a_socket_that_vanished_is_made_anew(void **unused)
{
	int fd = client();
	const char *path = shell->engine.settings.control_socket;
	int listener = control_listener(shell->engine.control);
	struct stat before, after;

	(void)unused;
	assert_int_equal(stat(path, &before), 0);
	control_reopen(shell->engine.control);
	assert_int_equal(control_listener(shell->engine.control), listener);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(unlink(path), 0);
	/* fd has not even been accepted yet */
	control_reopen(shell->engine.control);
	assert_true(control_listener(shell->engine.control) >= 0);
	int other = client();
	say(other, PING);
	assert_hears(other, "\"protocol\":1");
	say(fd, PING);
	assert_hears(fd, "\"protocol\":1");
	fd_close(&fd);
	fd_close(&other);
}

static void
the_socket_is_removed_only_when_the_daemon_leaves(void **unused)
{
	const char *path = shell->engine.settings.control_socket;

	(void)unused;
	int listener = dup(control_listener(shell->engine.control));
	control_free(&shell->engine.control);
	assert_int_equal(access(path, F_OK), 0);
	shell->engine.control = control_new(&shell->engine, listener);
	int fd = client();
	say(fd, PING);
	assert_hears(fd, "\"protocol\":1");
	say(fd, "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"shutdown\"}\n");
	assert_hears(fd, "\"action\":\"exit\"");
	control_free(&shell->engine.control);
	assert_int_equal(access(path, F_OK), -1);
	fd_close(&fd);
}

int
main(void)
{
#define SERVED_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		SERVED_TEST(a_request_may_come_in_pieces),
		SERVED_TEST(empty_lines_are_nothing),
		SERVED_TEST(a_bad_line_does_not_end_the_connection),
		SERVED_TEST(answers_come_in_the_order_of_the_requests),
		SERVED_TEST(a_peer_that_writes_no_more_is_answered),
		SERVED_TEST(an_oversized_request_is_told_and_closed),
		SERVED_TEST(the_longest_request_is_answered),
		SERVED_TEST(a_turn_answers_a_few_requests_only),
		SERVED_TEST(a_flood_holds_nobody_up),
		SERVED_TEST(a_waiting_request_holds_up_those_behind_it),
		SERVED_TEST(a_waiter_that_goes_is_forgotten),
		SERVED_TEST(without_descriptors_clients_are_turned_away),
		SERVED_TEST(a_socket_that_vanished_is_made_anew),
		SERVED_TEST(the_socket_is_removed_only_when_the_daemon_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
