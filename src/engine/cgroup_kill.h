/*
 * cgroup_kill: the end of all that is in a cgroup.
 */
#ifndef COPPICE_ENGINE_CGROUP_KILL_H
#define COPPICE_ENGINE_CGROUP_KILL_H

#include <stdbool.h>

/*
 * Tells all that are in the cgroup and below it to die, and the log, with that path, who they are.
 * Whether everyone was told: kernels before 5.14 have to be told of each.
 */
bool cgroup_kill(int dir, const char *path);

#endif
