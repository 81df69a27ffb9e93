/*
 * paths: the nodes that the arguments of a command name. A pattern is resolved by asking the daemon
 * for its nodes.
 */
#ifndef COPPICE_CTL_PATHS_H
#define COPPICE_CTL_PATHS_H

#include "ctl/ctl.h"
#include "ctl/node.h"

struct paths {
	char **all;
	unsigned count, cap;
};

bool paths_is_pattern(const char *arg);
/*
 * Whether an argument names the node: its path, a pattern for it, its template or, with `below`, a
 * supervisor above it.
 */
bool paths_match(const char *arg, const struct node *node, bool below);
/* "/shop/" is what some people write for "shop". Changes arg, returns it or its second byte. */
char *paths_tidy(char *arg);
/*
 * The first `count` arguments as paths, patterns resolved in start order. 0, or an exit status
 * after complaining (no_match for a pattern that fits no node). paths_free in any case.
 */
int paths_expand(struct ctl *ctl, unsigned count, int no_match, struct paths *out);
void paths_free(struct paths *paths);

#endif
