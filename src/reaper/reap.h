/*
 * reap: waits for ended children and sends their exits over the link, numbered without gaps. At most one batch is held here;
 * until it is sent nothing more is waited for, so the kernel's zombies are the queue and nothing is ever dropped.
 */
#ifndef COPPICE_REAPER_REAP_H
#define COPPICE_REAPER_REAP_H

#include "wire/link.h"

#include <stdbool.h>
#include <sys/types.h>

struct reap {
	struct link_exits batch; /* head.count exits not sent yet */
	bool
	    due; /* there may be zombies: SIGCHLD came and wait4 has not said since that there are none */
	bool childless; /* it said that there are no children at all */
};

void reap_init(struct reap *reap);
/*
 * Gathers up to a batch without blocking, unless one waits to be sent. `engine` is our own child and goes into no batch:
 * returns true when it was among the dead, its wait status in *status.
 */
bool reap_gather(struct reap *reap, pid_t engine, int *status);
/* Waits for the engine alone, for when the link is full; true as above. */
bool reap_engine(pid_t engine, int *status);
/* Sends the batch, if there is one: 0, or a negative errno and the batch is kept. */
int reap_send(struct reap *reap, int link);
/* Forgets the batch: when nobody will ever read it. */
void reap_discard(struct reap *reap);

#endif
