/*
 * listener: the control socket in the file system. Whose it is, is told by the inode: a path that
 * leads elsewhere is somebody else's and is never removed.
 */
#ifndef COPPICE_ENGINE_LISTENER_H
#define COPPICE_ENGINE_LISTENER_H

#include "engine/settings.h"

struct listener {
	int fd; /* -1: none */
	dev_t device;
	ino_t inode; /* of the socket file; 0: not known */
};

/*
 * Makes the socket that the settings name: 0; or a negative errno, having said why in the log, and
 * fd is -1. A dead socket in its place is replaced, a living one and anything else that is there is
 * left alone.
 */
int listener_open(struct listener *listener, const struct settings *settings);
/* Takes a listening socket over from a former engine. */
void listener_adopt(struct listener *listener, int fd, const struct settings *settings);
/* Whether the path still leads to it. */
bool listener_is_reachable(const struct listener *listener, const struct settings *settings);
/* Closes it; with `unlink_it` also removes its file, if it is still ours. */
void listener_close(struct listener *listener, const struct settings *settings, bool unlink_it);

#endif
