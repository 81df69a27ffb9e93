#include "engine/ready_fd.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
ready_fd_prepare(struct ready_fd_glass *glass)
{
	return glass->pipe[0] >= 0 || pipe2(glass->pipe, O_CLOEXEC) == 0 ? 0 : -errno;
}

void
ready_fd_finish(struct ready_fd_glass *glass)
{
	fd_close(&glass->pipe[0]);
	fd_close(&glass->pipe[1]);
}

/* Only a newline means ready; what comes before it means nothing (FIELD 2.A.11). */
enum ready_fd_seen
ready_fd_look(struct ready_fd_glass *glass, int fd)
{
	ssize_t n = tee(fd, glass->pipe[1], sizeof(glass->data), SPLICE_F_NONBLOCK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? READY_FD_NOTHING : READY_FD_BROKEN;
	if (n == 0)
		return READY_FD_END;
	n = fd_read_all(glass->pipe[0], glass->data, (size_t)n);
	if (n <= 0)
		return READY_FD_BROKEN;
	if (memchr(glass->data, '\n', (size_t)n) != NULL)
		return READY_FD_NEWLINE;
	return fd_read_all(fd, glass->data, (size_t)n) == n ? READY_FD_OTHER : READY_FD_BROKEN;
}
