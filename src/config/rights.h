/*
 * rights: values that take more than whoever asks may do. The daemon may be somebody else, and a
 * start that fails says so by itself, so these are warnings, and of --check alone.
 */
#ifndef COPPICE_CONFIG_RIGHTS_H
#define COPPICE_CONFIG_RIGHTS_H

#include "config/build.h"

/* After inherit_all: limits, nice, oom_score_adj, CPUs and capabilities of all children. */
void rights_check(const struct build *build);

#endif
