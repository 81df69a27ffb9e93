/*
 * sockets: the addresses that children listen on.
 */
#ifndef COPPICE_CONFIG_SOCKETS_H
#define COPPICE_CONFIG_SOCKETS_H

#include "config/build.h"

#define SOCKETS_FIRST   3 /* the descriptor of a child's first socket, as sd_listen_fds(3) has it */
#define SOCKETS_MAX     16   /* of one child */
#define SOCKETS_MAX_ALL 1000 /* of all; the reaper keeps them */

/* What is wrong with one address, in which the instance may be open; NULL, or to be freed. */
char *sockets_problem(const char *text);
/* How many addresses a place listens on. */
size_t sockets_count(const struct build_place *place);
/*
 * After inherit_all: each address is one child's alone, its owner is known, and nothing else of the
 * child needs its descriptors.
 */
void sockets_check(const struct build *build);
/* Appends the addresses of a place as a JSON array, owners as numbers. Only where nothing is wrong. */
void sockets_json(const struct build_place *place, struct buf *out);

#endif
