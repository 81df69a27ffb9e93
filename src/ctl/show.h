/*
 * show: the nodes that a command's arguments name, from the daemon.
 */
#ifndef COPPICE_CTL_SHOW_H
#define COPPICE_CTL_SHOW_H

#include "ctl/ctl.h"
#include "ctl/node.h"
#include "ctl/reply.h"

/*
 * The nodes that the arguments name, with all below them; without arguments all. The rows point
 * into the reply. 0, or an exit status after complaining; with it there may still be rows. Both are
 * to be freed in any case.
 */
int show_fetch(struct ctl *ctl, struct reply *reply, struct node_list *list);

#endif
