#include "engine/listen_open.h"

#include "lib/fd.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIRECTORY_MODE 0755

static int
socket_type(const struct address *address)
{
	return address->kind == ADDRESS_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

/* --- TCP and UDP ------------------------------------------------------------------------------ */

union any_sockaddr {
	struct sockaddr plain;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t
fill(union any_sockaddr *to, const struct address *address, int family)
{
	memset(to, 0, sizeof(*to));
	if (family == AF_INET) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = htons(address->port);
		memcpy(&to->in.sin_addr, address->ip, sizeof(to->in.sin_addr));
		return sizeof(to->in);
	}
	to->in6.sin6_family = AF_INET6;
	to->in6.sin6_port = htons(address->port);
	memcpy(&to->in6.sin6_addr, address->ip, sizeof(to->in6.sin6_addr));
	return sizeof(to->in6);
}

/*
 * Connections of a former daemon that the kernel has not forgotten yet are in nobody's way. For UDP
 * the same option would let a second one share the address.
 */
static int
set_options(int fd, const struct address *address, int family)
{
	const int on = 1, both = address->family == AF_UNSPEC ? 0 : 1;

	if (address->kind == ADDRESS_TCP &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return -errno;
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both)) != 0)
		return -errno;
	return 0;
}

static int
open_inet(const struct address *address, int family)
{
	int fd = socket(family, socket_type(address) | SOCK_CLOEXEC, 0), error;
	union any_sockaddr to;
	socklen_t size = fill(&to, address, family);

	if (fd < 0)
		return -errno;
	error = set_options(fd, address, family);
	if (error == 0 && bind(fd, &to.plain, size) != 0)
		error = -errno;
	if (error == 0 && address->kind == ADDRESS_TCP && listen(fd, SOMAXCONN) != 0)
		error = -errno;
	if (error == 0)
		return fd;
	fd_close(&fd);
	return error;
}

/* --- UNIX sockets ----------------------------------------------------------------------------- */

/* Not by chmod: others may be able to put something else in the place of the path. */
static void
make_directories(const char path[ADDRESS_PATH_SIZE])
{
	char prefix[ADDRESS_PATH_SIZE];
	mode_t umask_before = umask(0);

	memcpy(prefix, path, sizeof(prefix));
	for (char *slash = strchr(prefix + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(prefix, DIRECTORY_MODE); /* that it cannot be made is told by bind */
		*slash = '/';
	}
	(void)umask(umask_before);
}

/* Removes a socket that nobody is behind any more; 0 also when there is nothing. */
static int
clear_way(const struct sockaddr_un *to)
{
	struct stat st;
	int fd, error;

	if (lstat(to->sun_path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : errno;
	fd_close(&fd);
	if (error == ENOENT)
		return 0;
	if (error != ECONNREFUSED)
		return -EADDRINUSE; /* also of another type, or with a full backlog */
	return unlink(to->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* "": our own */
static int
owner_number(const char *text, uint32_t *number)
{
	int64_t value;

	*number = UINT32_MAX;
	if (*text == '\0')
		return 0;
	if (str_to_int64(text, 0, (int64_t)UINT32_MAX - 1, &value) != 0)
		return -EINVAL; /* names are looked up when the files are read */
	*number = (uint32_t)value;
	return 0;
}

/* By a descriptor, since others may be able to put something else in the place of the path. */
static int
give_away(const struct address *address)
{
	uint32_t uid, gid = UINT32_MAX;
	int error = owner_number(address->user, &uid), fd;
	struct stat st;

	if (error == 0)
		error = owner_number(address->group, &gid);
	if (error != 0 || (uid == UINT32_MAX && gid == UINT32_MAX))
		return error;
	fd = open(address->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = fstat(fd, &st) != 0 ? -errno : 0;
	if (error == 0 && (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1))
		error = -EEXIST;
	else if (error == 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
		error = -errno;
	fd_close(&fd);
	return error;
}

/*
 * The file gets its mode from the socket's own inode, less the umask (as engine/listener). Nobody
 * gets through before listen.
 */
static int
bind_unix(int fd, const struct sockaddr_un *to, const struct address *address)
{
	mode_t umask_before;
	int error = 0;

	if (fchmod(fd, address->mode) != 0)
		return -errno;
	umask_before = umask(0);
	if (bind(fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
		error = -errno;
	(void)umask(umask_before);
	if (error != 0)
		return error;
	error = give_away(address);
	if (error == 0 && listen(fd, SOMAXCONN) != 0)
		error = -errno;
	if (error != 0)
		(void)unlink(to->sun_path);
	return error;
}

static int
open_unix(const struct address *address)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int error, fd;

	memcpy(to.sun_path, address->path, sizeof(to.sun_path));
	make_directories(address->path);
	error = clear_way(&to);
	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = bind_unix(fd, &to, address);
	if (error == 0)
		return fd;
	fd_close(&fd);
	return error;
}
_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == ADDRESS_PATH_SIZE, "open_unix");

/* --- all -------------------------------------------------------------------------------------- */

static bool
is_family_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL || error == -ENOPROTOOPT;
}

int
listen_open(const struct address *address)
{
	int fd, error;

	if (address->kind == ADDRESS_UNIX) {
		fd = open_unix(address);
	} else {
		fd = open_inet(address, address->family == AF_INET ? AF_INET : AF_INET6);
		if (address->family == AF_UNSPEC && is_family_missing(fd))
			fd = open_inet(address, AF_INET);
	}
	if (fd < 0)
		return fd;
	error = fd_move_above(&fd, LISTEN_OPEN_LOWEST);
	if (error == 0)
		return fd;
	if (address->kind == ADDRESS_UNIX)
		(void)unlink(address->path);
	fd_close(&fd);
	return error;
}
