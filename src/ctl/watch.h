/*
 * watch: `status -w` and `tree -w`: the nodes on a terminal, as they change.
 */
#ifndef COPPICE_CTL_WATCH_H
#define COPPICE_CTL_WATCH_H

#include "ctl/ctl.h"

/*
 * Shows the nodes that the arguments name until somebody quits; the exit status. `params` is what
 * to ask `status` with, or NULL; the daemon has just answered that once.
 */
int watch_run(struct ctl *ctl, const char *params, bool as_tree);

#endif
