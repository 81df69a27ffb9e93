#include "engine/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

#define AUTH_FEW_GROUPS 64U

static bool
auth_is_operator_gid(const struct settings *settings, gid_t gid)
{
	for (uint32_t i = 0; i < settings->operator_gid_count; i++) {
		if (settings->operator_gids[i] == gid)
			return true;
	}
	return false;
}

static bool
auth_any_gid(const struct settings *settings, const gid_t *gids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (auth_is_operator_gid(settings, gids[i]))
			return true;
	}
	return false;
}

/*
 * The supplementary groups; where the kernel or memory does not give them, nobody is an operator by
 * one.
 */
static bool
auth_by_groups(int fd, const struct settings *settings)
{
	gid_t few[AUTH_FEW_GROUPS];
	socklen_t size = sizeof few;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size) == 0)
		return auth_any_gid(settings, few, size / sizeof *few);
	if (errno != ERANGE)
		return false;
	/* The kernel has said in `size` how much room it needs. */
	gid_t *many = malloc(size);
	bool found = many != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &size) == 0 &&
	    auth_any_gid(settings, many, size / sizeof *many);
	free(many);
	return found;
}

static bool
auth_is_operator(int fd, const struct settings *settings, const struct auth_peer *peer)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	for (uint32_t i = 0; i < settings->operator_uid_count; i++) {
		if (settings->operator_uids[i] == peer->uid)
			return true;
	}
	if (settings->operator_gid_count == 0)
		return false;
	return auth_is_operator_gid(settings, peer->gid) || auth_by_groups(fd, settings);
}

int
auth_look(int fd, const struct settings *settings, struct auth_peer *peer)
{
	struct ucred cred;
	socklen_t size = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return -errno;
	*peer = (struct auth_peer){ .uid = cred.uid, .gid = cred.gid, .pid = cred.pid };
	/* A user that this user namespace does not know has the overflow uid: never one of ours. */
	peer->may_change = auth_is_operator(fd, settings, peer);
	return 0;
}
