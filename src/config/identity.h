/*
 * identity: users and groups, looked up here so that nobody later has to (FIELD 2.C.13: a look-up
 * can block).
 */
#ifndef COPPICE_CONFIG_IDENTITY_H
#define COPPICE_CONFIG_IDENTITY_H

#include "config/build.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who a child runs as; shared by those with the same user, group and groups. */
struct identity {
	struct identity *next;
	const struct value *asked_user, *asked_group, *asked_groups; /* NULL: not asked for */
	bool wrong;                                                  /* reported */
	bool changes; /* whether a start has to change anything; else it needs no privilege */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	char *name, *home, *shell;
};

/* Fills the identity of all children; what is wrong is told to diag. */
void identity_all(struct build *build);
void identity_free(struct identity **list);

/* A user's or group's number from its name or number; NULL, or what is wrong, to be freed. */
char *identity_user(const char *text, uid_t *uid);
char *identity_group(const char *text, gid_t *gid);

#endif
