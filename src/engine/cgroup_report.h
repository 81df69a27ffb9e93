/*
 * cgroup_report: what is not in force here, and why.
 */
#ifndef COPPICE_ENGINE_CGROUP_REPORT_H
#define COPPICE_ENGINE_CGROUP_REPORT_H

#include "engine/cgroup_limit.h"

struct cgroup;
struct engine;

/* NULL when the limit is in force where it is set; else why not (static until the next call). */
const char *cgroup_report_missing(const struct cgroup *cgroup, enum cgroup_limit limit);
/* Tells the log, once for a daemon. */
void cgroup_report(const struct engine *engine);

#endif
