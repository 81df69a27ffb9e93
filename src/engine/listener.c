#include "engine/listener.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTENER_LOCK_TRIES 50 /* of 2 ms */

/* -error, having said what went wrong; supervision goes on without a socket. */
static int
listener_warn(const char *path, const char *what, int error)
{
	log_line(NULL, "control socket %s: %s%s%s; USR1 tries again", path, what,
	    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	return error != 0 ? -error : -EINVAL;
}

/* The tree begins all the same, and the other daemon may have begun the same one. */
static int
listener_warn_of_other(const char *path)
{
	int error = listener_warn(path, "another daemon serves there", EADDRINUSE);

	log_line(NULL,
	    "WARNING: where that daemon has the same configuration, every program of it now runs "
	    "TWICE; end one of the two daemons (this one by TERM to the PID before this text), or "
	    "give this one a control_socket of its own; no coppicectl reaches it until then");
	return error;
}

/*
 * The directory of the socket, made where it is missing; one that others could put sockets into is
 * refused.
 */
static int
listener_make_directory(const char *path)
{
	char directory[sizeof((struct settings *)NULL)->control_socket];
	struct stat st;
	bool root = geteuid() == 0;

	snprintf(directory, sizeof directory, "%s", path);
	char *slash = strrchr(directory, '/');
	if (slash == NULL || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0700) == 0) {
		/* mkdir's mode is cut by the umask, whatever that is here. */
		if (chmod(directory, root ? 0755 : 0700) != 0)
			return listener_warn(path, "its directory's mode cannot be set", errno);
	} else if (errno != EEXIST) {
		return listener_warn(path, "its directory cannot be made", errno);
	}
	if (lstat(directory, &st) != 0)
		return listener_warn(path, "its directory cannot be looked at", errno);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (root ? 0022 : 0077)) != 0)
		return listener_warn(path, "its directory is not one that only we may write to", 0);
	return 0;
}

static int
listener_address(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof address->sun_path)
		return listener_warn(
		    path, "no path for a socket", len == 0 ? ENOENT : ENAMETOOLONG);
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

/*
 * Others that start at the same moment wait their turn from looking at what is there to listening
 * (FIELD 2.G.1): a lock on the directory, which needs no file that would outlive us. Whoever may
 * read the directory can hold it too, so after a while it is gone without.
 */
static int
listener_lock(const struct sockaddr_un *address)
{
	static const struct timespec pause = { 0, 2000000 };
	char directory[sizeof address->sun_path];

	memcpy(directory, address->sun_path, sizeof directory);
	int fd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LISTENER_LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return fd;
}

/*
 * Clears the way (FIELD 2.G.1): knocks at a socket that is there and removes it if nobody is in.
 */
static int
listener_clear(const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : listener_warn(path, "cannot be looked at", errno);
	if (!S_ISSOCK(st.st_mode))
		return listener_warn(path, "something that is no socket is in its place", EEXIST);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listener_warn(path, "no socket to be had", errno);
	int error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
	fd_close(&fd);
	/* EAGAIN is a full backlog: alive, and busy. */
	if (error == 0 || error == EAGAIN)
		return listener_warn_of_other(path);
	if (error == ENOENT)
		return 0;
	if (error != ECONNREFUSED)
		return listener_warn(path, "a socket is in its place and does not answer", error);
	if (unlink(path) != 0 && errno != ENOENT)
		return listener_warn(path, "the dead socket in its place cannot be removed", errno);
	return 0;
}

static void
listener_note_inode(struct listener *listener, const char *path)
{
	struct stat st;
	bool found = lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);

	listener->device = found ? st.st_dev : 0;
	listener->inode = found ? st.st_ino : 0;
}

/* Binds, so that the file is nobody else's to use before its group and mode are right. */
static int
listener_bind(
    struct listener *listener, const struct sockaddr_un *address, const struct settings *settings)
{
	const char *path = address->sun_path;
	mode_t mode = settings->control_mode;

	/*
	 * The file gets the mode of the socket's own inode (unix(7) does not say so, but af_unix.c
	 * does), so no umask is touched.
	 */
	if (fchmod(listener->fd, 0600) != 0)
		return listener_warn(path, "its mode cannot be set", errno);
	if (bind(listener->fd, (const struct sockaddr *)address, sizeof *address) != 0)
		return listener_warn(path, "cannot be made", errno);
	listener_note_inode(listener, path);
	if (settings->control_gid != (gid_t)-1 &&
	    chown(path, (uid_t)-1, settings->control_gid) != 0) {
		/* Served all the same, but not to a group that was not meant. */
		listener_warn(path, "its group cannot be set, it is its owner's alone", errno);
		mode &= 0700;
	}
	if (chmod(path, mode) != 0)
		return listener_warn(path, "its mode cannot be set", errno);
	if (listen(listener->fd, SOMAXCONN) != 0)
		return listener_warn(path, "cannot listen", errno);
	return 0;
}

static int
listener_make(
    struct listener *listener, const struct sockaddr_un *address, const struct settings *settings)
{
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return listener_warn(address->sun_path, "no socket to be had", errno);
	int error = listener_bind(listener, address, settings);
	if (error != 0)
		listener_close(listener, settings, true);
	return error;
}

int
listener_open(struct listener *listener, const struct settings *settings)
{
	struct sockaddr_un address;
	int error;

	*listener = (struct listener){ .fd = -1 };
	if (settings->control_socket[0] == '\0')
		return -ENOENT;
	error = listener_address(&address, settings->control_socket);
	if (error == 0 && settings->make_runtime_dir)
		error = listener_make_directory(settings->control_socket);
	if (error != 0)
		return error;
	int lock = listener_lock(&address);
	error = listener_clear(&address);
	if (error == 0)
		error = listener_make(listener, &address, settings);
	if (lock >= 0)
		fd_close(&lock);
	return error;
}

void
listener_adopt(struct listener *listener, int fd, const struct settings *settings)
{
	*listener = (struct listener){ .fd = fd };
	/*
	 * Nothing tells cheaply which file a socket was bound to: the one that is there is taken
	 * for it.
	 */
	listener_note_inode(listener, settings->control_socket);
}

bool
listener_is_reachable(const struct listener *listener, const struct settings *settings)
{
	struct listener there = { .fd = -1 };

	if (listener->fd < 0 || listener->inode == 0)
		return false;
	listener_note_inode(&there, settings->control_socket);
	return there.device == listener->device && there.inode == listener->inode;
}

void
listener_close(struct listener *listener, const struct settings *settings, bool unlink_it)
{
	if (unlink_it && listener_is_reachable(listener, settings) &&
	    unlink(settings->control_socket) != 0)
		log_line(NULL, "control socket %s cannot be removed: %s", settings->control_socket,
		    strerror(errno));
	fd_close(&listener->fd);
	listener->inode = 0;
}
