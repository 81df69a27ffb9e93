/*
 * options: coppiced's command line.
 */
#ifndef COPPICE_REAPER_OPTIONS_H
#define COPPICE_REAPER_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum options_action {
	OPTIONS_RUN,
	OPTIONS_COMPILE,
	OPTIONS_QUIT
};

struct options {
	enum options_action action;
	int status;             /* OPTIONS_QUIT: leave with this, everything has been said */
	const char *compile_to; /* OPTIONS_COMPILE: "--check", "--dump" or "--keys" */
	bool hold;
	bool terse; /* of what goes well nothing is said */
	/*
	 * What the other program is told of the configuration, NULL at the end: "-c" and the file;
	 * or "--set KEY=VALUE" as often as there are, "--", the command and its arguments.
	 */
	char **given;
	size_t given_count;
	bool is_command;
	char config[PATH_MAX]; /* the configuration's file */
	char *file[3];         /* `given`, where it is that */
};

/*
 * Fills *options; the words of `given` are those of argv, which is changed for it. Where `lenient` (PID 1 of a machine, to which the kernel passes what it does not
 * know itself) wrong options are reported and passed over, as PID 1 must not end.
 */
void options_read(struct options *options, int argc, char **argv, bool lenient);

#endif
