/*
 * child_setup: what a child does between clone and exec. It runs in the engine's own memory
 * (CLONE_VM), beside its other threads, so it makes raw system calls only: no lock, no allocation,
 * nothing that looks at the thread it borrowed (errno is one of those). The steps stand in one
 * table; the failure of any of them is written into the process's slot and ends the child: a
 * program is never executed in surroundings other than those asked for.
 */
#ifndef COPPICE_ENGINE_CHILD_SETUP_H
#define COPPICE_ENGINE_CHILD_SETUP_H

#include "engine/spawn.h"

#define CHILD_SETUP_STAGED \
	32 /* descriptors from this number on are out of the child's reach from its first call on */

#define CHILD_SETUP_KEPT     (SPAWN_MAX_SOCKETS + 1)
#define CHILD_SETUP_SOCKET   3 /* the first of its sockets, as sd_listen_fds(3) has it */
#define CHILD_SETUP_PID      "LISTEN_PID=" /* in its environment, behind it CHILD_SETUP_PID_SIZE zeros */
#define CHILD_SETUP_PID_SIZE 10

/* All that the child reads. It stays as it is until the clone is over. */
struct child_plan {
	struct spawn_request request;
	int join_fd;             /* cgroup.procs, to write itself into; 0: it is there already */
	const char *const *envp; /* what is executed has; env_file may make it another */
	char *scratch;           /* CLONE_SCRATCH_SIZE bytes (clone.h) */
	const char *const *commands;   /* what to try to execute, in order; NULL-terminated */
	struct image_process *process; /* step and error of a failure go here */
	uint64_t signals; /* those not at their default in the engine; bit n−1 is signal n */
	/* those of the engine's descriptors that it gets, of any number, in order */
	int kept[CHILD_SETUP_KEPT];
	uint32_t kept_count;
	char *pid_text;  /* where the child has written its number, or NULL */
	int null_fd;     /* /dev/null, below CHILD_SETUP_STAGED; -1: the child opens it */
	int32_t reached; /* the step the child was last in: tells where one that vanished was */
	bool may_hang;   /* a file, directory or user of somebody's is in it, or it hung before */
};

/* A clone_fn; `argument` is a struct child_plan *. Does not return where exec succeeds. */
int child_setup(void *argument);

#endif
