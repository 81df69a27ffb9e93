/*
 * keep: descriptors by which children tell that they are ready, one a node at most, so that what a
 * child says while no engine lives is not lost (LINK_KEEP, LINK_LET_GO). Each is CLOEXEC and, if
 * there is room, at least KEEP_LOWEST: children of the engine get copies of its lowest ones.
 */
#ifndef COPPICE_REAPER_KEEP_H
#define COPPICE_REAPER_KEEP_H

#include "wire/link.h"

#include <stdint.h>

#define KEEP_LOWEST   64
#define KEEP_AT_LEAST 10 /* what is below has a meaning in a new engine */

/* All zero is empty. Large, but only touched as far as nodes are used. */
struct keep {
	int32_t fd_plus_1[LINK_KEEP_NODES]; /* [node]; 0: none */
	uint32_t end;                       /* above the highest node that ever had one */
	uint32_t count;
};

/* Takes fd, also on error, in place of what the node has: 0, -ERANGE, or why it cannot be moved. */
int keep_put(struct keep *keep, uint32_t node, int fd);
/* Closes what the node has, if it has something. */
void keep_drop(struct keep *keep, uint32_t node);
/*
 * For a new engine, in its process: all of them are left open over exec, and a memory file of
 * struct link_kept, *list, tells which is whose; -1 when nothing is kept. 0 or a negative errno.
 */
int keep_hand_over(const struct keep *keep, int *list);

#endif
