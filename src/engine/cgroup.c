#include "engine/cgroup.h"

#include "engine/cgroup_file.h"
#include "engine/cgroup_find.h"
#include "engine/cgroup_limit.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX     "coppice."
#define SELF       "self"
#define TREE       "tree"
#define MODE       0755
#define TRIES      16
#define REMOVALS   512 /* a call */
#define STALE_MOST 64
#define TEXT_SIZE  4096

static void explain(struct cgroup *cgroup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
explain(struct cgroup *cgroup, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(cgroup->why, sizeof(cgroup->why), format, arguments);
	va_end(arguments);
}

static int
open_dir(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- empty ones ---- */

bool
cgroup_is_empty_at(int dir, const char *name)
{
	char text[128], file[PATH_MAX];
	uint64_t populated = 1;

	if (snprintf(file, sizeof(file), "%s/cgroup.events", name) >= (int)sizeof(file))
		return true;
	if (cgroup_file_read(dir, file, text, sizeof(text)) < 0)
		return true;
	return cgroup_file_number(text, "populated", &populated) && populated == 0;
}

bool
cgroup_is_empty(int dir)
{
	return cgroup_is_empty_at(dir, ".");
}

/* The first cgroup in that directory. */
static bool
first_below(int dir, char name[NAME_MAX + 1])
{
	int fd = open_dir(dir, ".");
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	if (list == NULL) {
		fd_close(&fd);
		return false;
	}
	while (!found && (entry = readdir(list)) != NULL) {
		found = entry->d_type == DT_DIR && entry->d_name[0] != '.';
		if (found)
			snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	}
	(void)closedir(list);
	return found;
}

/* Goes down from there to one that has none in it, and removes that. */
static int
remove_deepest(int dir, const char *name)
{
	char next[NAME_MAX + 1], last[NAME_MAX + 1];
	int at = open_dir(dir, "."), error;

	snprintf(last, sizeof(last), "%s", name);
	for (;;) {
		int below = at < 0 ? -1 : open_dir(at, last);

		if (below < 0)
			break;
		if (!first_below(below, next)) {
			fd_close(&below);
			break;
		}
		fd_close(&at);
		at = below;
		memcpy(last, next, sizeof(last));
	}
	error = at < 0 || unlinkat(at, last, AT_REMOVEDIR) == 0 ? 0 : -errno;
	fd_close(&at);
	return error;
}

int
cgroup_remove(int dir, const char *name)
{
	for (int i = 0; i < REMOVALS; i++) {
		int error;

		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -errno;
		if (!cgroup_is_empty_at(dir, name))
			return -EBUSY;
		error = remove_deepest(dir, name);
		if (error != 0 && error != -ENOENT)
			return error;
	}
	return -EBUSY;
}

/*
 * What a daemon has left that ended without a word: nobody has its number any more, and no process
 * is in it. (Of another PID namespace's nobody here has the number; but there is somebody in it.)
 */
static void
remove_stale(int root)
{
	int fd = open_dir(root, ".");
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (list == NULL) {
		fd_close(&fd);
		return;
	}
	for (int left = STALE_MOST; left > 0 && (entry = readdir(list)) != NULL;) {
		char *end;
		long pid;

		if (!str_starts(entry->d_name, PREFIX))
			continue;
		pid = strtol(entry->d_name + strlen(PREFIX), &end, 10);
		if (*end != '\0' || pid <= 0 || pid > INT32_MAX)
			continue;
		left--;
		if (kill((pid_t)pid, 0) == -1 && errno == ESRCH &&
		    cgroup_is_empty_at(root, entry->d_name))
			(void)cgroup_remove(root, entry->d_name);
	}
	(void)closedir(list);
}

/* ---- beginning ---- */

/* The cgroup to work in: its descriptor, or -1 with why. */
static int
open_root(struct cgroup *cgroup, const char *root)
{
	char path[PATH_MAX];
	const char *why;
	int fd;

	if (root == NULL || *root == '\0') {
		if (cgroup_find(path, &why) != 0) {
			explain(cgroup, "%s", why);
			return -1;
		}
		root = path;
	} else if (mkdir(root, MODE) != 0 && errno != EEXIST && errno != EROFS) {
		explain(cgroup, "cgroup_root %.128s cannot be made: %s", root, strerror(errno));
		return -1;
	}
	fd = open_dir(AT_FDCWD, root);
	if (fd < 0)
		explain(cgroup, "%.128s cannot be opened: %s", root, strerror(errno));
	else if (!cgroup_find_is_one(fd)) {
		explain(cgroup, "%.128s is no cgroup of version 2", root);
		fd_close(&fd);
	}
	return fd;
}

/* A directory that nobody else has: its name, or false with why. */
static bool
make_home(struct cgroup *cgroup, int root, pid_t reaper, char name[NAME_MAX + 1])
{
	for (int i = 0; i < TRIES; i++) {
		if (i == 0)
			snprintf(name, NAME_MAX + 1, PREFIX "%d", (int)reaper);
		else
			snprintf(name, NAME_MAX + 1, PREFIX "%d-%d", (int)reaper, i);
		if (mkdirat(root, name, MODE) == 0)
			return true;
		if (errno != EEXIST) {
			explain(cgroup, "a cgroup cannot be made: %s", strerror(errno));
			return false;
		}
	}
	explain(cgroup, "all names for a cgroup are taken");
	return false;
}

/* Only what is in use as a cgroup's own processes can be moved: both or none. */
static int
move_in(int dir, const char *file, pid_t reaper)
{
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%d", (int)reaper);
	error = cgroup_file_write(dir, file, text);
	return error != 0 ? error : cgroup_file_write(dir, file, "0");
}

static void
name_place(struct cgroup *cgroup)
{
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", cgroup->home);
	len = readlink(link, cgroup->where, sizeof(cgroup->where) - 1);
	cgroup->where[len > 0 ? len : 0] = '\0';
}

/* Makes "self" and "tree" in it, and moves in. */
static int
settle(struct cgroup *cgroup, int root, const char *name, pid_t reaper)
{
	int error;

	cgroup->home = open_dir(root, name);
	if (cgroup->home < 0 || mkdirat(cgroup->home, SELF, MODE) != 0 ||
	    mkdirat(cgroup->home, TREE, MODE) != 0)
		return -errno;
	error = move_in(cgroup->home, SELF "/cgroup.procs", reaper);
	if (error != 0) {
		/* the reaper alone may have come along */
		(void)move_in(root, "cgroup.procs", reaper);
		return error;
	}
	cgroup->tree = open_dir(cgroup->home, TREE);
	return cgroup->tree < 0 ? -errno : 0;
}

static int
read_controllers(struct cgroup *cgroup)
{
	char text[TEXT_SIZE];
	ssize_t len = cgroup_file_read(cgroup->tree, "cgroup.controllers", text, sizeof(text));

	cgroup->controllers = 0;
	if (len < 0)
		return (int)len;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (cgroup_file_has(text, cgroup_controller_texts[i]))
			cgroup->controllers |= 1U << i;
	/* there is a controller, but nothing in the kernel that would share disks by weights */
	if ((cgroup->controllers & CGROUP_IO) != 0 &&
	    faccessat(cgroup->tree, "io.weight", F_OK, 0) != 0 &&
	    faccessat(cgroup->tree, "io.bfq.weight", F_OK, 0) != 0)
		cgroup->controllers &= ~(unsigned)CGROUP_IO;
	return 0;
}

/* Enables a controller for the cgroups in a directory. */
static int
enable(int dir, int controller)
{
	char text[16];

	snprintf(text, sizeof(text), "+%s", cgroup_controller_texts[controller]);
	return cgroup_file_write(dir, "cgroup.subtree_control", text);
}

/* All that are there, for what is in `tree`; why the first of them cannot be had. */
static void
enable_all(struct cgroup *cgroup, int root)
{
	char text[TEXT_SIZE];

	if (cgroup_file_read(root, "cgroup.controllers", text, sizeof(text)) < 0)
		text[0] = '\0';
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		int error;

		if (!cgroup_file_has(text, cgroup_controller_texts[i]))
			continue;
		error = enable(root, i);
		if (error == 0)
			error = enable(cgroup->home, i);
		if (error == 0 || cgroup->why[0] != '\0')
			continue;
		if (error == -EBUSY)
			explain(
			    cgroup, "other processes are in our cgroup: give us one of our own");
		else
			explain(cgroup, "controllers cannot be enabled: %s", strerror(-error));
	}
	if (strlen(text) <= 1)
		explain(cgroup, "the cgroup that we are in has no controllers");
	(void)read_controllers(cgroup);
}

void
cgroup_begin(struct cgroup *cgroup, const char *root, pid_t reaper)
{
	char name[NAME_MAX + 1];
	int fd, error;

	*cgroup = (struct cgroup){ .home = -1, .tree = -1 };
	if (root != NULL && str_equal(root, "none")) {
		explain(cgroup, "cgroup_root = none");
		cgroup->declined = true;
		return;
	}
	fd = open_root(cgroup, root);
	if (fd < 0)
		return;
	remove_stale(fd);
	if (make_home(cgroup, fd, reaper, name)) {
		error = settle(cgroup, fd, name, reaper);
		if (error == 0) {
			name_place(cgroup);
			enable_all(cgroup, fd);
		} else {
			explain(cgroup, "our processes cannot move to a cgroup of their own: %s",
			    strerror(-error));
			cgroup_close(cgroup);
			(void)cgroup_remove(fd, name);
		}
	}
	fd_close(&fd);
}

void
cgroup_resume(struct cgroup *cgroup, int home)
{
	int error;

	*cgroup = (struct cgroup){ .home = home, .tree = -1 };
	if (home < 0) {
		explain(cgroup, "there were none when the daemon began");
		return;
	}
	(void)mkdirat(home, TREE, MODE); /* while it was empty anybody could remove it */
	cgroup->tree = open_dir(home, TREE);
	error = cgroup->tree < 0 ? -errno : read_controllers(cgroup);
	if (error != 0) {
		explain(
		    cgroup, "those of the daemon cannot be opened any more: %s", strerror(-error));
		log_line(NULL, "no cgroups: %s; what has limits does not start", cgroup->why);
		cgroup_close(cgroup);
		cgroup->lost = true;
		return;
	}
	name_place(cgroup);
	if (cgroup->controllers == 0)
		explain(cgroup, "the cgroup that we are in has no controllers for us");
}

/* ---- end ---- */

/*
 * Back to where we came from, if the kernel lets processes in there any more; else "self" stays,
 * for who removes the cgroup that we were given, or the next daemon in it.
 */
void
cgroup_leave(struct cgroup *cgroup, pid_t reaper)
{
	char *name;
	int root;

	if (cgroup->home < 0)
		return;
	(void)cgroup_remove(cgroup->home, TREE);
	root = open_dir(cgroup->home, "..");
	name = strrchr(cgroup->where, '/');
	if (root >= 0 && name != NULL && move_in(root, "cgroup.procs", reaper) == 0)
		(void)cgroup_remove(root, name + 1);
	fd_close(&root);
	cgroup_close(cgroup);
}

void
cgroup_close(struct cgroup *cgroup)
{
	fd_close(&cgroup->tree);
	fd_close(&cgroup->home);
	cgroup->controllers = 0;
	cgroup->where[0] = '\0';
}
