/*
 * arguments: the engine's command line, as wire/link.h describes it; written by the reaper, not by
 * people.
 */
#ifndef COPPICE_ENGINE_ARGUMENTS_H
#define COPPICE_ENGINE_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

struct arguments {
	int32_t reaper;
	uint32_t generation;
	bool hold;
	/*
	 * the soft RLIMIT_NOFILE that coppiced was started with; RLIM_INFINITY when it was not told
	 */
	rlim_t files;
	const char *config;
	int checkpoint, specs, control; /* stored descriptors; -1: none */
	int kept;                       /* a file of struct link_kept; -1: none */
};

/*
 * 0 or -EINVAL with what is wrong in *problem (static text, or an argument). Stored descriptors are
 * CLOEXEC then.
 */
int arguments_read(struct arguments *arguments, int argc, char **argv, const char **problem);

#endif
