/*
 * hook: the command of `events --exec`: run once for each event, one after the other, in order. What
 * comes while it runs waits in a queue with a limit; when that is reached the caller stops reading.
 */
#ifndef COPPICE_CTL_HOOK_H
#define COPPICE_CTL_HOOK_H

#include "ctl/ctl.h"

#include <jansson.h>
#include <sys/types.h>

struct hook {
	struct ctl *ctl;
	const char *command; /* for sh -c; NULL: there is none */
	char **queue;        /* the events' JSON texts, from `first` on */
	size_t first, count, cap;
	pid_t pid;     /* of the command that runs, or 0 */
	int status;    /* CTL_REFUSED once a command has failed */
	double number; /* of the event that it runs for */
};

static inline bool
hook_is_idle(const struct hook *hook)
{
	return hook->pid == 0 && hook->first == hook->count;
}
bool hook_is_full(const struct hook *hook);
void hook_add(struct hook *hook, const char *text, size_t len);
/*
 * Looks whether the command has ended, and starts it for the next event. The caller calls it when a
 * child may have ended; SIGCHLD must not be ignored.
 */
void hook_step(struct hook *hook);
/* Forgets what has not been started. */
void hook_drop(struct hook *hook);
void hook_free(struct hook *hook);

#endif
