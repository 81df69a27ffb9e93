/*
 * ready_fd: the pipe of ready = fd:N: a newline in it means ready, as s6 has it. It is looked at
 * without being emptied, so that what is in it is not lost with an engine.
 */
#ifndef COPPICE_ENGINE_READY_FD_H
#define COPPICE_ENGINE_READY_FD_H

#include <stddef.h>
#include <sys/types.h>

/* What is in one pipe goes through another to be looked at. All zero but for the descriptors: -1. */
struct ready_fd_glass {
	int pipe[2];
	char data[65536];
};

/* Makes the glass if need be: 0 or a negative errno. */
int ready_fd_prepare(struct ready_fd_glass *glass);
void ready_fd_finish(struct ready_fd_glass *glass);

enum ready_fd_seen {
	READY_FD_NOTHING, /* nothing now */
	READY_FD_OTHER,   /* there was something that means nothing; it has been taken off */
	READY_FD_NEWLINE,
	READY_FD_END,   /* nothing, and nothing will come */
	READY_FD_BROKEN /* it cannot be looked at */
};
enum ready_fd_seen ready_fd_look(struct ready_fd_glass *glass, int fd);

#endif
