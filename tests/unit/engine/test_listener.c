#include "engine/listener.h"
#include "lib/fd.h"
#include "lib/span.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scratch {
	char dir[32];
	struct settings settings;
	struct listener listener;
	mode_t umask;
};

static int
make_scratch(void **state)
{
	struct scratch *scratch = calloc(1, sizeof *scratch);

	strcpy(scratch->dir, "/tmp/coppice-unit-XXXXXX");
	if (mkdtemp(scratch->dir) == NULL)
		return -1;
	scratch->settings.control_mode = 0640;
	scratch->settings.control_gid = (gid_t)-1;
	snprintf(scratch->settings.control_socket, sizeof scratch->settings.control_socket,
	    "%s/run/s", scratch->dir);
	scratch->settings.make_runtime_dir = true;
	scratch->listener.fd = -1;
	/* Whatever the umask is, modes come out right. */
	scratch->umask = umask(0277);
	*state = scratch;
	return 0;
}

static int
drop_scratch(void **state)
{
	struct scratch *scratch = *state;
	char command[64];

	umask(scratch->umask);
	listener_close(&scratch->listener, &scratch->settings, false);
	snprintf(command, sizeof command, "rm -rf %s", scratch->dir);
	int status = system(command); /* NOLINT(cert-env33-c): a test's own directory */
	free(scratch);
	return status;
}

static struct stat
look(const char *path)
{
	struct stat st = { 0 };

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static int
client(const struct scratch *scratch)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, scratch->settings.control_socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		fd_close(&fd);
	return fd;
}

static void
directory_and_socket_are_made_with_their_modes(void **state)
{
	struct scratch *scratch = *state;
	char directory[64];

	snprintf(directory, sizeof directory, "%s/run", scratch->dir);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	assert_int_equal(look(directory).st_mode & 07777, geteuid() == 0 ? 0755 : 0700);
	assert_int_equal(look(scratch->settings.control_socket).st_mode & 07777, 0640);
	assert_true(S_ISSOCK(look(scratch->settings.control_socket).st_mode));
	assert_true(listener_is_reachable(&scratch->listener, &scratch->settings));
	int fd = client(scratch);
	assert_true(fd >= 0);
	fd_close(&fd);
}

/* FIELD 2.G.1 */
static void
a_dead_socket_is_replaced_and_a_living_one_is_not(void **state)
{
	struct scratch *scratch = *state;
	struct listener second;

	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	assert_int_equal(listener_open(&second, &scratch->settings), -EADDRINUSE);
	assert_int_equal(second.fd, -1);
	assert_true(listener_is_reachable(&scratch->listener, &scratch->settings));
	/* The knocking is no client to be served for ever: it has gone. */
	listener_close(&scratch->listener, &scratch->settings, false);
	assert_true(client(scratch) < 0);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	int fd = client(scratch);
	assert_true(fd >= 0);
	fd_close(&fd);
}

static void
what_is_no_socket_is_left_alone(void **state)
{
	struct scratch *scratch = *state;
	const char *path = scratch->settings.control_socket;

	scratch->settings.make_runtime_dir = false;
	snprintf(scratch->settings.control_socket, sizeof scratch->settings.control_socket, "%s/s",
	    scratch->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), -EEXIST);
	assert_true(S_ISREG(look(path).st_mode));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), -EEXIST);
	assert_true(S_ISLNK(look(path).st_mode));
}

static void
only_our_own_file_is_removed(void **state)
{
	struct scratch *scratch = *state;
	const char *path = scratch->settings.control_socket;
	struct listener second;

	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	assert_int_equal(unlink(path), 0);
	assert_false(listener_is_reachable(&scratch->listener, &scratch->settings));
	assert_int_equal(listener_open(&second, &scratch->settings), 0);
	assert_false(listener_is_reachable(&scratch->listener, &scratch->settings));
	listener_close(&scratch->listener, &scratch->settings, true);
	assert_true(listener_is_reachable(&second, &scratch->settings));
	listener_close(&second, &scratch->settings, true);
	assert_int_equal(access(path, F_OK), -1);
}

static void
a_directory_that_others_may_write_to_is_refused(void **state)
{
	struct scratch *scratch = *state;
	char directory[64];

	snprintf(directory, sizeof directory, "%s/run", scratch->dir);
	umask(0);
	assert_int_equal(mkdir(directory, 0777), 0);
	assert_true(listener_open(&scratch->listener, &scratch->settings) < 0);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	listener_close(&scratch->listener, &scratch->settings, true);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(symlink(".", directory), 0);
	assert_true(listener_open(&scratch->listener, &scratch->settings) < 0);
}

static void
the_settings_own_directory_is_not_made(void **state)
{
	struct scratch *scratch = *state;

	scratch->settings.make_runtime_dir = false;
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), -ENOENT);
	assert_int_equal(scratch->listener.fd, -1);
}

static void
a_socket_taken_over_is_the_one_that_is_there(void **state)
{
	struct scratch *scratch = *state;
	struct listener first;

	assert_int_equal(listener_open(&first, &scratch->settings), 0);
	listener_adopt(&scratch->listener, first.fd, &scratch->settings);
	assert_true(listener_is_reachable(&scratch->listener, &scratch->settings));
	assert_int_equal(unlink(scratch->settings.control_socket), 0);
	assert_false(listener_is_reachable(&scratch->listener, &scratch->settings));
	listener_adopt(&scratch->listener, first.fd, &scratch->settings);
	assert_false(listener_is_reachable(&scratch->listener, &scratch->settings));
}

/* FIELD 2.G.1: who starts at the same moment is waited for; whoever holds the lock for ever is not. */
static void
another_that_looks_for_its_place_is_waited_for(void **state)
{
	struct scratch *scratch = *state;
	struct listener first = { .fd = -1 };
	char directory[64];

	snprintf(directory, sizeof directory, "%s/run", scratch->dir);
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(chmod(directory, 0700), 0);
	int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	mono_ms before = span_mono_now();
	assert_int_equal(listener_open(&first, &scratch->settings), 0);
	assert_true(span_mono_now() - before >= 90);
	/* it has not taken the lock with it, and none stays behind */
	assert_int_equal(flock(lock, LOCK_UN), 0);
	listener_close(&first, &scratch->settings, true);
	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	fd_close(&lock);
}

enum outcome {
	SERVES,
	REFUSED,
	GAVE_UP, /* on the lock: somebody was held up for as long as nobody waits */
};

/* Opens it once the gate is closed, and keeps it until `stay` is; tells the outcome. */
static pid_t
opener(const struct scratch *scratch, const int gate[2], const int stay[2], const int said[2])
{
	struct listener listener = { .fd = -1 };
	char outcome, none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	close(gate[1]);
	close(stay[1]);
	if (read(gate[0], &none, 1) != 0)
		_exit(1);
	mono_ms before = span_mono_now();
	int error = listener_open(&listener, &scratch->settings);
	outcome = (char)(span_mono_now() - before >= 90 ? GAVE_UP
		: error == -EADDRINUSE                  ? REFUSED
							: SERVES);
	if (write(said[1], &outcome, 1) != 1 || read(stay[0], &none, 1) != 0)
		_exit(1);
	_exit(0);
}

/* Two open a stale socket at the same moment; how many serve, or GAVE_UP + 1 when that says nothing. */
static int
race(const struct scratch *scratch)
{
	int gate[2] = { -1, -1 }, stay[2] = { -1, -1 }, said[2] = { -1, -1 }, serve = 0, status;
	char outcomes[2];
	pid_t pids[2];

	assert_true(pipe(gate) == 0 && pipe(stay) == 0 && pipe(said) == 0);
	for (int i = 0; i < 2; i++)
		assert_true((pids[i] = opener(scratch, gate, stay, said)) > 0);
	close(gate[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(said[0], outcomes + i, 1), 1);
	close(stay[1]);
	for (int i = 0; i < 2; i++)
		assert_true(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	close(gate[0]);
	close(stay[0]);
	close(said[0]);
	close(said[1]);
	for (int i = 0; i < 2; i++) {
		if (outcomes[i] == GAVE_UP)
			return GAVE_UP + 1;
		serve += outcomes[i] == SERVES;
	}
	return serve;
}

/* FIELD 2.G.1: whoever sees the stale one must not remove the one that another has just put there. */
static void
of_two_at_once_one_gets_it(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(listener_open(&scratch->listener, &scratch->settings), 0);
	listener_close(&scratch->listener, &scratch->settings, false);
	for (int round = 0; round < 400; round++) {
		int serve = race(scratch);
		assert_true(serve == 1 || serve == GAVE_UP + 1);
	}
}

int
main(void)
{
#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(directory_and_socket_are_made_with_their_modes),
		SCRATCH_TEST(a_dead_socket_is_replaced_and_a_living_one_is_not),
		SCRATCH_TEST(what_is_no_socket_is_left_alone),
		SCRATCH_TEST(only_our_own_file_is_removed),
		SCRATCH_TEST(a_directory_that_others_may_write_to_is_refused),
		SCRATCH_TEST(the_settings_own_directory_is_not_made),
		SCRATCH_TEST(a_socket_taken_over_is_the_one_that_is_there),
		SCRATCH_TEST(another_that_looks_for_its_place_is_waited_for),
		SCRATCH_TEST(of_two_at_once_one_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
