#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	/* Linux has closed it whatever close(2) returns: repeating could close another's. */
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

int
fd_set_cloexec(int fd, int on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	int wanted = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	if (wanted != flags && fcntl(fd, F_SETFD, wanted) < 0)
		return -errno;
	return 0;
}

int
fd_move_above(int *fd, int lowest)
{
	if (*fd >= lowest)
		return fd_set_cloexec(*fd, 1);
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
	if (moved < 0)
		return -errno;
	fd_close(fd);
	*fd = moved;
	return 0;
}

int
fd_write_all(int fd, const void *data, size_t len)
{
	const char *rest = data;

	while (len > 0) {
		ssize_t n = write(fd, rest, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rest += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t
fd_read_all(int fd, void *data, size_t cap)
{
	char *into = data;
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, into + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int
fd_fill_standard(void)
{
	/* open(2) takes the lowest free number, so going upwards fills exactly the holes. */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (errno != EBADF || open("/dev/null", O_RDWR) != fd)
			return -errno;
	}
	return 0;
}

int
fd_memfile(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	do {
		rc = fallocate(fd, 0, 0, (off_t)size);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		rc = -errno;
		fd_close(&fd);
		return rc;
	}
	return fd;
}
