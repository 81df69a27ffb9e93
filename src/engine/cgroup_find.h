/*
 * cgroup_find: where in the file system the cgroup (version 2) is that we are in.
 */
#ifndef COPPICE_ENGINE_CGROUP_FIND_H
#define COPPICE_ENGINE_CGROUP_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Its directory. 0, or a negative errno with a static text in *why. */
int cgroup_find(char out[PATH_MAX], const char **why);
/* The same from the lines of /proc/self/mountinfo and /proc/self/cgroup. */
int cgroup_find_in(char *mounts, char *cgroups, char out[PATH_MAX], const char **why);
/* Whether the directory is one of a cgroup of version 2. */
bool cgroup_find_is_one(int dir);

#endif
