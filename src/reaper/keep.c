#include "reaper/keep.h"

#include "lib/fd.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEPT_A_WRITE 256

int
keep_put(struct keep *keep, uint32_t node, int fd)
{
	int error = node < LINK_KEEP_NODES ? fd_move_above(&fd, KEEP_LOWEST) : -ERANGE;

	if (error == -EMFILE || error == -EINVAL)
		error = fd_move_above(&fd, KEEP_AT_LEAST);
	if (error < 0) {
		fd_close(&fd);
		return error;
	}
	keep_drop(keep, node);
	keep->fd_plus_1[node] = fd + 1;
	keep->count++;
	if (keep->end <= node)
		keep->end = node + 1;
	return 0;
}

void
keep_drop(struct keep *keep, uint32_t node)
{
	int fd = node < LINK_KEEP_NODES ? keep->fd_plus_1[node] - 1 : -1;

	if (fd < 0)
		return;
	fd_close(&fd);
	keep->fd_plus_1[node] = 0;
	keep->count--;
}

int
keep_hand_over(const struct keep *keep, int *list)
{
	struct link_kept kept[KEPT_A_WRITE];
	size_t count = 0;
	int error = 0;

	*list = keep->count > 0 ? memfd_create("kept", 0) : -1;
	if (keep->count > 0 && *list < 0)
		return -errno;
	for (uint32_t node = 0; node < keep->end && error == 0; node++) {
		int fd = keep->fd_plus_1[node] - 1;
		if (fd < 0)
			continue;
		fd_set_cloexec(fd, 0);
		kept[count++] = (struct link_kept){ node, fd };
		if (count == KEPT_A_WRITE) {
			error = fd_write_all(*list, kept, sizeof(kept));
			count = 0;
		}
	}
	if (error == 0 && count > 0)
		error = fd_write_all(*list, kept, count * sizeof(kept[0]));
	return error;
}
