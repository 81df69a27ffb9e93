/*
 * crowd: one command to many nodes, waited for. The daemon answers a connection's requests one after
 * the other, so each request has a connection of its own: all are under way at the same time.
 */
#ifndef COPPICE_CTL_CROWD_H
#define COPPICE_CTL_CROWD_H

#include "ctl/act.h"

/*
 * Sends the command to all paths and takes what is answered, with progress on a terminal. With a
 * window of 1 one node after the other, until the first that comes to nothing. The highest exit
 * status; everything has been said.
 */
int crowd_run(struct ctl *ctl, const struct action *action, const struct paths *paths);

#endif
