#include "config/source.h"

#include "lib/fd.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES    (64U << 20)
#define OVERFLOW_UID 65534 /* an owner that this user namespace has no number for */

/* What a file is refused with. */
struct refusal {
	const char *path, *because;
	struct diag *diag;
};

static void refuse(const struct refusal *refusal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
refuse(const struct refusal *refusal, const char *format, ...)
{
	const struct diag_where where = { .file = refusal->path };
	va_list args;

	va_start(args, format);
	char *text = mem_vprintf(format, args);
	va_end(args);
	diag_error(refusal->diag, &where, "%s%s", text, refusal->because);
	free(text);
}

static const char *
what_it_is(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a directory";
	case S_IFIFO: return "a FIFO";
	case S_IFSOCK: return "a socket";
	case S_IFCHR: return "a character device";
	case S_IFBLK: return "a block device";
	default: return "no file";
	}
}

/*
 * Whether all of the machine's users have numbers here; else an unknown owner is nobody who could
 * do harm from within.
 */
static bool
knows_all_users(void)
{
	unsigned long inside, outside, count;
	FILE *map = fopen("/proc/self/uid_map", "re");

	if (map == NULL)
		return true;
	int fields =
	    fscanf(map, "%lu %lu %lu", &inside, &outside, &count); /* NOLINT(cert-err34-c) */
	fclose(map);
	return fields != 3 || count >= UINT32_MAX;
}

/* Who besides root could change it; NULL for nobody. The text is static. */
static const char *
who_else_writes(const struct stat *st)
{
	if (st->st_mode & S_IWOTH)
		return "is writable by everybody";
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0)
		return "is writable by its group";
	if (st->st_uid != 0 && (st->st_uid != OVERFLOW_UID || knows_all_users()))
		return "belongs to another user";
	return NULL;
}

/*
 * What root runs must not be for others to change: neither the file nor, by replacing it, its
 * directory.
 */
static bool
is_trusted(const struct refusal *refusal, const struct stat *st)
{
	const char *path = refusal->path;
	bool trusted = false;
	struct stat dir_st;
	char *real = NULL;
	const char *who, *dir;

	if (geteuid() != 0)
		return true;
	who = who_else_writes(st);
	if (who != NULL) {
		refuse(refusal, "%s, and root would run what it says: chown root %s; chmod go-w %s",
		    who, path, path);
		goto out;
	}
	real = realpath(path, NULL);
	if (real == NULL) {
		refuse(refusal, "its directory cannot be found: %s", strerror(errno));
		goto out;
	}
	dir = dirname(real);
	if (stat(dir, &dir_st) != 0) {
		refuse(refusal, "its directory %s cannot be looked at: %s", dir, strerror(errno));
		goto out;
	}
	/* In a sticky directory others cannot replace what is root's. */
	who = (dir_st.st_mode & S_ISVTX) ? NULL : who_else_writes(&dir_st);
	if (who != NULL) {
		refuse(refusal,
		    "its directory %s %s, who could replace it with what root would run: chown root, chmod go-w %s",
		    dir, who, dir);
		goto out;
	}
	trusted = true;
out:
	free(real);
	return trusted;
}

/* What to do about a file that cannot be opened; the main file is one that nothing includes. */
static const char *
advice(int error, const char *because)
{
	bool is_main = *because == '\0';

	if (error == ENOENT || error == ENOTDIR)
		return is_main
		    ? ": make it, or name another with -c FILE (coppice.conf(5) has examples)"
		    : ": make it, or take it out";
	if (error == EACCES || error == EPERM)
		return ": give the user who runs coppiced the right to read it (chmod, chown)";
	return "";
}

char *
source_read(const char *path, const char *because, struct diag *diag, size_t *len)
{
	const struct refusal refusal = { .path = path, .because = because, .diag = diag };
	char *text = NULL, *result = NULL;
	struct stat st;
	ssize_t got;
	size_t room;

	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		refuse(&refusal, "cannot be read: %s%s", strerror(errno), advice(errno, because));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(&refusal, "is %s, not a file: %s", what_it_is(st.st_mode),
		    !S_ISDIR(st.st_mode)   ? "name a file"
			: *because == '\0' ? "name a file in it"
					   : "name those in it, such as DIRECTORY/*.conf");
		goto out;
	}
	if (!is_trusted(&refusal, &st))
		goto out;
	if (st.st_size > (off_t)MAX_BYTES) {
		refuse(&refusal, "is larger than 64 MiB: is this the right file?");
		goto out;
	}
	/* Files of /proc have no size. */
	room = st.st_size > 0 ? (size_t)st.st_size : MAX_BYTES;
	text = mem_zalloc(room + 1, 1);
	got = fd_read_all(fd, text, room);
	if (got < 0) {
		refuse(&refusal, "cannot be read: %s", strerror((int)-got));
		goto out;
	}
	*len = (size_t)got;
	result = text;
	text = NULL;
out:
	free(text);
	fd_close(&fd);
	return result;
}
