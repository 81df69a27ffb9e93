#include "reaper/store.h"

#include "lib/fd.h"

#include <errno.h>
#include <string.h>

static struct store_entry *
find(struct store *store, const char key[LINK_KEY_SIZE])
{
	for (size_t i = 0; i < store->count; i++) {
		if (memcmp(store->entry[i].key, key, LINK_KEY_SIZE) == 0)
			return &store->entry[i];
	}
	return NULL;
}

int
store_put(struct store *store, const char key[LINK_KEY_SIZE], int fd)
{
	struct store_entry *entry = find(store, key);
	int error = fd_move_above(&fd, STORE_LOWEST);

	if (key[0] == '\0' || key[LINK_KEY_SIZE - 1] != '\0')
		error = -EINVAL;
	else if (error == 0 && !entry && store->count == STORE_SLOTS)
		error = -ENOSPC;
	if (error < 0) {
		fd_close(&fd);
		return error;
	}
	if (entry) {
		fd_close(&entry->fd);
	} else {
		entry = &store->entry[store->count++];
		memcpy(entry->key, key, LINK_KEY_SIZE);
	}
	entry->fd = fd;
	return 0;
}

int
store_drop(struct store *store, const char key[LINK_KEY_SIZE])
{
	struct store_entry *entry = find(store, key);

	if (!entry)
		return -ENOENT;
	fd_close(&entry->fd);
	*entry = store->entry[--store->count];
	return 0;
}
