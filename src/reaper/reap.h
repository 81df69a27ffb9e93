/*
 * reap: waits for ended children and sends their exits over the link, numbered without gaps. At
 * most one batch is held here; until it is sent nothing more is waited for, so the kernel's zombies
 * are the queue and nothing is ever dropped.
 *
 * wait4(-1) looks at each child and locks the kernel's list of processes meanwhile: 1 µs with 100
 * children, 800 µs with 10,000, in which the engine cannot clone either. Waiting for the one that
 * SIGCHLD names costs 0.5 µs. So that one is taken at once; the sweep for others, whose SIGCHLD may
 * have been merged into its, follows after a pause in proportion to its cost.
 */
#ifndef COPPICE_REAPER_REAP_H
#define COPPICE_REAPER_REAP_H

#include "wire/link.h"

#include <stdbool.h>
#include <sys/types.h>

#define REAP_NEVER INT64_MAX

struct reap {
	struct link_exits batch; /* head.count exits not sent yet */
	pid_t named;             /* by SIGCHLD, 0: none */
	int64_t sweep_at_us;     /* when to look for others, monotonic; REAP_NEVER: no need */
	int64_t sweep_cost_us;   /* of the last look that found nothing */
	bool childless;          /* it found that there are no children at all */
};

void reap_init(struct reap *reap);
/* SIGCHLD came, for that child and perhaps for others. */
void reap_noticed(struct reap *reap, pid_t pid);
/*
 * Puts the child that SIGCHLD named into the batch. `engine` is our own child and goes into no
 * batch: returns true when it was the dead one, its wait status in *status.
 */
bool reap_named(struct reap *reap, pid_t engine, int *status);
/* Fills up the batch with whoever else is dead, when it is time for that; as above. */
bool reap_sweep(struct reap *reap, pid_t engine, int *status);
/* Waits for the engine alone, for when the link is full; true as above. */
bool reap_engine(pid_t engine, int *status);
/* Sends the batch, if there is one: 0, or a negative errno and the batch is kept. */
int reap_send(struct reap *reap, int link);
/* Forgets the batch: when nobody will ever read it. */
void reap_discard(struct reap *reap);

#endif
