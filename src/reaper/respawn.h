/*
 * respawn: the engine's life. It starts the engine, judges its end, and says when the next one is
 * due. The engine before this one has always been reaped before the next is started, so two never
 * read the link.
 */
#ifndef COPPICE_REAPER_RESPAWN_H
#define COPPICE_REAPER_RESPAWN_H

#include "lib/span.h"
#include "reaper/store.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct options;

struct respawn {
	/* its program, found once, so that a replaced file of that name is what runs next */
	char engine[PATH_MAX];
	char **given; /* what it is told of the configuration (options.h) */
	size_t given_count;
	bool terse;       /* it is to say nothing of what goes well */
	bool terminal;    /* it stays in our session, whose terminal the command has */
	bool hold;        /* asked for on the command line: holds for the first start of a tree */
	bool keep_trying; /* machine: also an engine that never committed is started again */
	struct rlimit files; /* RLIMIT_NOFILE as we found it */
	pid_t reaper, pid;   /* pid: of the engine, 0 when there is none */
	int pidfd;           /* -1 when there is none */
	uint32_t generation;
	bool committed;       /* some engine has committed: there is a tree to recover */
	bool recovered;       /* this engine has reported */
	unsigned deaths;      /* in a row, before they had recovered */
	unsigned faults;      /* of these: not by KILL */
	mono_ms due;          /* when the next engine starts; MONO_NEVER while there is one */
	mono_ms absent_since; /* since when no engine is in charge; MONO_NEVER while one is */
};

/*
 * Finds the engine's program; `options` must live as long as *respawn. The first engine is due at
 * once.
 */
void respawn_init(struct respawn *respawn, const struct options *options, bool keep_trying);
/*
 * Replaces this program by the compile role; `mode` is NULL, "--container" or "--machine". Returns
 * the exit status on failure.
 */
int respawn_compile(const struct respawn *respawn, const char *to, const char *mode);
/*
 * Starts an engine on `link`, its end of the link. A start that fails is a death: returns what
 * respawn_ended returns.
 */
int respawn_start(struct respawn *respawn, int link, const struct store *store);
/* LINK_COMMITTED or LINK_RECOVERED came. */
void respawn_reported(struct respawn *respawn, bool recovered);
/* The engine has been reaped and its end is expected. */
void respawn_gone(struct respawn *respawn);
/*
 * It has been reaped and was to live: -1 and the next is due, or the status with which the daemon
 * must end.
 */
int respawn_ended(struct respawn *respawn, int status);

#endif
