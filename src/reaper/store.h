/*
 * store: descriptors that outlive the engine, kept by key (LINK_STORE, LINK_DROP). A fixed table;
 * each descriptor is CLOEXEC and at least STORE_LOWEST, so that the numbers below are free for what
 * a new engine expects there.
 */
#ifndef COPPICE_REAPER_STORE_H
#define COPPICE_REAPER_STORE_H

#include "reaper/keep.h"
#include "wire/link.h"

#include <stddef.h>

#define STORE_SLOTS  LINK_STORE_SLOTS
#define STORE_LOWEST 10

struct store {
	size_t count;
	struct store_entry {
		char key[LINK_KEY_SIZE];
		int fd;
	} entry[STORE_SLOTS];
	struct keep keep; /* what belongs to a node */
};

/*
 * Takes fd, also on error, in place of what has that key: 0, -EINVAL (no proper key), -ENOSPC, or
 * why it cannot be moved.
 */
int store_put(struct store *store, const char key[LINK_KEY_SIZE], int fd);
/* Closes what has that key; 0 or -ENOENT. */
int store_drop(struct store *store, const char key[LINK_KEY_SIZE]);

#endif
