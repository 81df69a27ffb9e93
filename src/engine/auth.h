/*
 * auth: who is at the other end of a control connection, and whether they may change things. Asked
 * once, at accept: the kernel's answer is about the process that connected, whoever holds the
 * descriptor later.
 */
#ifndef COPPICE_ENGINE_AUTH_H
#define COPPICE_ENGINE_AUTH_H

#include "engine/settings.h"

struct auth_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool may_change; /* root, the daemon's own user, and operators; the others only read */
};

/* 0 or a negative errno (the kernel does not tell: nobody is to be let in). */
int auth_look(int fd, const struct settings *settings, struct auth_peer *peer);

#endif
