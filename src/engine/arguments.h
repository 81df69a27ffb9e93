/*
 * arguments: the engine's command line, as wire/link.h describes it; written by the reaper, not by
 * people.
 */
#ifndef COPPICE_ENGINE_ARGUMENTS_H
#define COPPICE_ENGINE_ARGUMENTS_H

#include "wire/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* What a child listens on, kept under that key. */
struct arguments_socket {
	char key[LINK_KEY_SIZE];
	int fd; /* -1: taken over */
};

struct arguments {
	int32_t reaper;
	uint32_t generation;
	bool hold;
	bool terse;    /* nothing is said of what goes well */
	bool terminal; /* no session of our own: the command's terminal is the reaper's */
	/*
	 * the soft RLIMIT_NOFILE that coppiced was started with; RLIM_INFINITY when it was not told
	 */
	rlim_t files;
	/* what the compile role is told: "-c" and a file, or what a command line gives; NULL-ended */
	char **given;
	char **command; /* of `given` the command and its arguments; NULL: it is a file */
	int checkpoint, specs, control, cgroup; /* stored descriptors; -1: none */
	struct arguments_socket *sockets;       /* to be freed */
	size_t socket_count;
	int kept; /* a file of struct link_kept; -1: none */
};

/*
 * 0 or -EINVAL with what is wrong in *problem (static text, or an argument). Stored descriptors are
 * CLOEXEC then.
 */
int arguments_read(struct arguments *arguments, int argc, char **argv, const char **problem);

#endif
