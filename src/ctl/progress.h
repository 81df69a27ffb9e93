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

/* What the daemon has answered for a path. */
enum progress_fate {
	PROGRESS_PENDING,
	PROGRESS_DONE,
	PROGRESS_FAILED,
	PROGRESS_LATE, /* its time was over */
};

struct progress {
	struct ctl *ctl;
	bool down; /* they are to be down, not up */
	const struct paths *paths;
	enum progress_fate *fates; /* of each path */
	unsigned first, count;     /* of the paths: those that are looked at */
	bool in_turn;              /* one after the other */
	bool terminal, shown;
	mono_ms next; /* when to show again */
	struct client client;
};

void progress_begin(
    struct progress *progress, struct ctl *ctl, const char *method, const struct paths *paths);
/* One after the other, and this one is at it. */
void progress_move(struct progress *progress, unsigned turn);
/* The path with that index is waited for no more. */
void progress_answer(struct progress *progress, unsigned index, enum progress_fate fate);
/* When progress_tick has something to do; MONO_NEVER. */
mono_ms progress_next(const struct progress *progress);
void progress_tick(struct progress *progress);
/* Wipes the line; before anything else is written. */
void progress_clear(struct progress *progress);
/* Says on stderr which nodes were not there in time, and why; nothing if no path was late. */
void progress_tell_late(struct progress *progress, const char *timeout);
void progress_end(struct progress *progress);

#endif
