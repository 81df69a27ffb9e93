#include "engine/auth.h"
#include "lib/fd.h"
#include "lib/sockmsg.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER 54321

static void
our_own_user_may_change_things(void **unused)
{
	struct settings settings = { 0 };
	struct auth_peer peer;
	int ends[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(auth_look(ends[0], &settings, &peer), 0);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, getpid());
	assert_true(peer.may_change);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	assert_true(auth_look(ends[0], &settings, &peer) < 0);
}

static void
root_may_change_things_of_any_daemon(void **unused)
{
	struct settings settings = { 0 };
	struct auth_peer peer;
	int ends[2];

	(void)unused;
	if (geteuid() != 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(seteuid(STRANGER), 0);
	int error = auth_look(ends[0], &settings, &peer);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(error, 0);
	assert_int_equal(peer.uid, 0);
	assert_true(peer.may_change);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/*
 * What a peer with uid STRANGER and these groups may do; a socketpair carries the credentials of
 * who made it.
 */
static bool
stranger_may(const struct settings *settings, gid_t gid, const gid_t *groups, size_t count)
{
	int ends[2], link[2], fd = -1, status;
	size_t fds = 1;
	char byte = 0;
	struct auth_peer peer;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link), 0);
	pid_t child = fork();
	if (child == 0) {
		bool done = setgroups(count, groups) == 0 && setresgid(gid, gid, gid) == 0 &&
		    setresuid(STRANGER, STRANGER, STRANGER) == 0 &&
		    socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 &&
		    sockmsg_send(link[1], &byte, 1, &ends[0], 1) == 0;
		_exit(done ? 0 : 1);
	}
	assert_int_equal(sockmsg_recv(link[0], &byte, 1, 0, &fd, &fds), 1);
	assert_int_equal(fds, 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(auth_look(fd, settings, &peer), 0);
	assert_int_equal(peer.uid, STRANGER);
	fd_close(&fd);
	fd_close(&link[0]);
	fd_close(&link[1]);
	return peer.may_change;
}

static void
strangers_only_read_unless_they_are_operators(void **unused)
{
	struct settings none = { 0 }, by_uid = { 0 }, by_gid = { 0 };
	gid_t many[300];

	(void)unused;
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < 300; i++)
		many[i] = 60000 + i;
	by_uid.operator_uids[0] = 1;
	by_uid.operator_uids[1] = STRANGER;
	by_uid.operator_uid_count = 2;
	by_gid.operator_gids[0] = 60299;
	by_gid.operator_gid_count = 1;
	assert_false(stranger_may(&none, STRANGER, NULL, 0));
	assert_true(stranger_may(&by_uid, STRANGER, NULL, 0));
	assert_false(stranger_may(&by_gid, STRANGER, NULL, 0));
	assert_true(stranger_may(&by_gid, 60299, NULL, 0));
	/* Supplementary groups, few and many. */
	assert_true(stranger_may(&by_gid, STRANGER, many + 298, 2));
	assert_false(stranger_may(&by_gid, STRANGER, many, 2));
	assert_true(stranger_may(&by_gid, STRANGER, many, 300));
	assert_false(stranger_may(&by_gid, STRANGER, many, 299));
	assert_false(
	    stranger_may(&by_uid, 60299, many, 300) && stranger_may(&none, 60299, many, 300));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_user_may_change_things),
		cmocka_unit_test(root_may_change_things_of_any_daemon),
		cmocka_unit_test(strangers_only_read_unless_they_are_operators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
