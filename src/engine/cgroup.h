/*
 * cgroup: the part of the hierarchy (version 2) that is ours: a directory "coppice.PID" (home) in
 * the cgroup that we are in, or in cgroup_root, with two in it: "self", into which our own
 * processes move first, since the kernel has no controllers where processes are in a cgroup that
 * has others below it; and "tree", the cgroup of the root supervisor (cgroup_tree.h). Nothing else
 * is touched: several daemons may share a cgroup.
 */
#ifndef COPPICE_ENGINE_CGROUP_H
#define COPPICE_ENGINE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_WHY_SIZE 256

struct cgroup {
	int home, tree;       /* directories; -1: there are no cgroups */
	unsigned controllers; /* enum cgroup_controller: those that cgroups in `tree` can have */
	char where[PATH_MAX]; /* of home; "": none */
	/* why there are no cgroups at all, and why a controller is missing; "": nothing is */
	char why[CGROUP_WHY_SIZE];
	bool declined; /* nobody wants any */
	bool lost;     /* there were some: what is limited had better not start without */
};

/*
 * Makes home and moves our processes (the reaper and this one) into it. root: as configured; NULL
 * or "" is the cgroup that we are in, "none" uses none. Failure leaves everything as it was, with
 * the reason in why.
 */
void cgroup_begin(struct cgroup *cgroup, const char *root, pid_t reaper);
/* In a new engine: home of the dead one, which passes; -1: it had none. */
void cgroup_resume(struct cgroup *cgroup, int home);
/* Everything is down: leaves nothing behind, as far as it can be helped. */
void cgroup_leave(struct cgroup *cgroup, pid_t reaper);
void cgroup_close(struct cgroup *cgroup);

/* Whether no process is in that cgroup or below; also where that cannot be known. */
bool cgroup_is_empty(int dir);
/* The same of a cgroup in that directory, which is gone where there is none. */
bool cgroup_is_empty_at(int dir, const char *name);
/*
 * Removes the cgroup with all below it, as far as no process is in them. 0, or a negative errno of
 * what is left (-EBUSY: a process, or there is more than one call's share).
 */
int cgroup_remove(int dir, const char *name);

#endif
