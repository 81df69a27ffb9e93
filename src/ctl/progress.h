/*
 * progress: who is still missing, and why, while a command is waited for: one line on stderr that
 * is drawn again and again, only on a terminal; and what is said when the time is over.
 *
 * It asks the daemon on a connection of its own and says nothing when that fails: the wait itself
 * will notice.
 */
#ifndef COPPICE_CTL_PROGRESS_H
#define COPPICE_CTL_PROGRESS_H

#include "ctl/paths.h"

struct progress {
	struct ctl *ctl;
	bool down; /* they are to be down, not up */
	char **paths;
	unsigned count; /* of the paths that are looked at */
	unsigned turn,
	    turns; /* one after the other: which one, of how many; turns 0: all at once */
	bool terminal, shown;
	mono_ms next; /* when to show again */
	struct client client;
};

void progress_begin(
    struct progress *progress, struct ctl *ctl, const char *method, const struct paths *paths);
/* One after the other, and this one is at it. */
void progress_move(struct progress *progress, unsigned turn);
/* When progress_tick has something to do; MONO_NEVER. */
mono_ms progress_next(const struct progress *progress);
void progress_tick(struct progress *progress);
/* Wipes the line; before anything else is written. */
void progress_clear(struct progress *progress);
/* Says on stderr which nodes below these paths were not there in time, and why. */
void progress_tell_late(struct progress *progress, const struct paths *late, const char *timeout);
void progress_end(struct progress *progress);

#endif
