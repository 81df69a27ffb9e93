#include "engine/notify_socket.h"

#include "lib/fd.h"
#include "lib/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIRECTORY_MODE 0711

/* a and b into out; false when they do not fit, and then out is empty. */
static bool
join(char *out, size_t size, const char *a, const char *b)
{
	size_t len = strlen(a);

	*out = '\0';
	if (len + strlen(b) >= size)
		return false;
	memcpy(out, a, len);
	strcpy(out + len, b);
	return true;
}

/* A path that children can use too, wherever they run. */
static bool
directory_of(char out[NOTIFY_SOCKET_DIRECTORY_SIZE], const char *control_socket)
{
	return *control_socket == '/' &&
	    join(out, NOTIFY_SOCKET_DIRECTORY_SIZE, control_socket, ".notify");
}

/* Needs not be secret, only nobody else's: strangers are kept off by mode and credentials. */
static uint64_t
make_name(void)
{
	uint64_t name;

	if (getrandom(&name, sizeof(name), GRND_NONBLOCK) != (ssize_t)sizeof(name))
		name = (uint64_t)span_mono_now_us() ^ (uint64_t)getpid() << 48;
	return name;
}

/* Ours, and nobody else can put anything into it. */
static bool
is_ours(const struct stat *st)
{
	return S_ISDIR(st->st_mode) && st->st_uid == geteuid() && (st->st_mode & 0022) == 0;
}

static bool
make_directory(const char *directory)
{
	struct stat st;

	if (mkdir(directory, 0700) == 0)
		return chmod(directory, DIRECTORY_MODE) == 0;
	return errno == EEXIST && lstat(directory, &st) == 0 && is_ours(&st);
}

/* Whether everybody may pass through all directories above: a child of another user must. */
static bool
is_passable(const char *path)
{
	char above[NOTIFY_SOCKET_DIRECTORY_SIZE];
	struct stat st;

	if (!join(above, sizeof(above), path, ""))
		return false;
	for (char *slash = strrchr(above, '/'); slash != NULL && slash != above;
	     slash = strrchr(above, '/')) {
		*slash = '\0';
		if (stat(above, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
			return false;
	}
	return true;
}

/*
 * The file gets its mode from the socket's own inode, less the umask (as engine/listener), so that
 * it is never open to more than it should be.
 * A child that runs as root may give its rights up by itself, as whom is not known.
 */
static bool
bind_path(int fd, struct sockaddr_un *address, const char *control_socket, uid_t user)
{
	char directory[NOTIFY_SOCKET_DIRECTORY_SIZE], name[32];

	snprintf(name, sizeof(name), "/%016" PRIx64, make_name());
	if (!directory_of(directory, control_socket) ||
	    !join(address->sun_path, sizeof(address->sun_path), directory, name) ||
	    (geteuid() == 0 && !is_passable(directory)) || !make_directory(directory))
		return false;
	if (fchmod(fd, 0600) != 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return false;
	if (user == 0)
		return chmod(address->sun_path, 0666) == 0;
	return user == geteuid() || chown(address->sun_path, user, (gid_t)-1) == 0;
}

static bool
bind_abstract(int fd, struct sockaddr_un *address)
{
	int len = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
	    "coppice/notify/%016" PRIx64, make_name());

	address->sun_path[0] = '\0';
	return bind(fd, (const struct sockaddr *)address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0;
}

static int
make_socket(void)
{
	const int on = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
		return fd;
	error = -errno;
	fd_close(&fd);
	return error;
}

int
notify_socket_open(
    const char *control_socket, uid_t user, char variable[NOTIFY_SOCKET_VARIABLE_SIZE])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = make_socket(), error;

	if (fd < 0)
		return fd;
	if (bind_path(fd, &address, control_socket, user)) {
		(void)join(
		    variable, NOTIFY_SOCKET_VARIABLE_SIZE, "NOTIFY_SOCKET=", address.sun_path);
		return fd;
	}
	notify_socket_close(&fd); /* it may be bound to a file that could not be given away */
	fd = make_socket();
	if (fd < 0)
		return fd;
	if (!bind_abstract(fd, &address)) {
		error = -errno;
		fd_close(&fd);
		return error;
	}
	(void)join(variable, NOTIFY_SOCKET_VARIABLE_SIZE, "NOTIFY_SOCKET=@", address.sun_path + 1);
	return fd;
}

/*
 * There is room for the sender alone, so descriptors that come with it are not even opened here;
 * they are closed with the message, which is all that BARRIER=1 asks for (FIELD 2.E.1).
 */
ssize_t
notify_socket_peek(int fd, char *data, size_t cap, struct ucred *sender)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = data, .iov_len = cap };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room) };
	const struct cmsghdr *head;
	ssize_t n;

	do {
		n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*sender = (struct ucred){ .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS)
		memcpy(sender, CMSG_DATA(head), sizeof(*sender));
	return (message.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : n;
}

/* The same message: nobody else reads here. */
void
notify_socket_take(int fd)
{
	char first;
	ssize_t n;

	do {
		n = recv(fd, &first, sizeof(first), MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
}

void
notify_socket_close(int *fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address) - 1; /* a NUL stays behind the path */

	if (getsockname(*fd, (struct sockaddr *)&address, &len) == 0 &&
	    address.sun_path[0] == '/' && len > offsetof(struct sockaddr_un, sun_path))
		(void)unlink(address.sun_path); /* gone is as good */
	fd_close(fd);
}

/* Whether that is a socket which nobody has any more; what is none refuses a connection too. */
static bool
is_dead(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	bool dead;
	int fd;

	if (!join(address.sun_path, sizeof(address.sun_path), path, "") || lstat(path, &st) != 0 ||
	    !S_ISSOCK(st.st_mode))
		return false;
	fd = make_socket();
	if (fd < 0)
		return false;
	dead = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
	    errno == ECONNREFUSED;
	fd_close(&fd);
	return dead;
}

/* Beside the control socket others may have put what they like, a link to elsewhere for one. */
static DIR *
open_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	DIR *dir = fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st) ? fdopendir(fd) : NULL;

	if (dir == NULL)
		fd_close(&fd);
	return dir;
}

void
notify_socket_sweep(const char *control_socket)
{
	char directory[NOTIFY_SOCKET_DIRECTORY_SIZE];
	char path[NOTIFY_SOCKET_DIRECTORY_SIZE + NAME_MAX + 2];
	struct dirent *entry;
	DIR *dir;

	dir = directory_of(directory, control_socket) ? open_directory(directory) : NULL;
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && join(path, sizeof(path), directory, "/") &&
		    join(path + strlen(path), sizeof(path) - strlen(path), entry->d_name, "") &&
		    is_dead(path))
			(void)unlink(path);
	}
	closedir(dir);
}

void
notify_socket_leave(const char *control_socket)
{
	char directory[NOTIFY_SOCKET_DIRECTORY_SIZE];

	if (directory_of(directory, control_socket))
		(void)rmdir(directory); /* not empty, or never made */
}
