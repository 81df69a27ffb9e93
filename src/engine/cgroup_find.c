#include "engine/cgroup_find.h"

#include "lib/fd.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define MOUNTS_SIZE  (1U << 20) /* a machine full of containers has some thousand mounts */
#define CGROUPS_SIZE 16384U
#define FIELDS       6 /* of a line of mountinfo before the optional ones */

/* The kernel writes blanks, line ends and backslashes in names as \ooo. */
static void
unescape(char *text)
{
	char *to = text;

	while (*text != '\0') {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/*
 * A line of mountinfo: "36 35 98:0 ROOT POINT OPTIONS [FIELD…] - TYPE SOURCE OPTIONS". False where
 * it is no cgroup2.
 */
static bool
read_mount(char *line, char **root, char **point)
{
	char *type = strstr(line, " - "), *field[FIELDS];

	if (type == NULL || !str_starts(type + 3, "cgroup2 "))
		return false;
	*type = '\0';
	for (int i = 0; i < FIELDS; i++) {
		field[i] = strsep(&line, " ");
		if (field[i] == NULL)
			return false;
	}
	*root = field[3];
	*point = field[4];
	unescape(*root);
	unescape(*point);
	return true;
}

/* What comes after the mount's root in the path; NULL: the path is not below it. */
static const char *
below(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (str_equal(root, "/"))
		return path;
	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

static char *
own_path(char *cgroups)
{
	for (char *line = strsep(&cgroups, "\n"); line != NULL; line = strsep(&cgroups, "\n"))
		if (str_starts(line, "0::/"))
			return line + 3;
	return NULL;
}

int
cgroup_find_in(char *mounts, char *cgroups, char out[PATH_MAX], const char **why)
{
	const char *path = own_path(cgroups);

	*why = "cgroups of version 2 are not there";
	if (path == NULL)
		return -ENOENT;
	*why = "no file system of cgroups (cgroup2) is mounted";
	for (char *line = strsep(&mounts, "\n"); line != NULL; line = strsep(&mounts, "\n")) {
		char *root, *point;
		const char *rest;

		if (!read_mount(line, &root, &point))
			continue;
		*why = "our cgroup is outside of what is mounted of them";
		rest = below(path, root);
		if (rest == NULL || strstr(rest, "/..") != NULL)
			continue;
		if (snprintf(out, PATH_MAX, "%s%s", point, str_equal(rest, "/") ? "" : rest) <
		    PATH_MAX)
			return 0;
	}
	return -ENOENT;
}

static char *
read_file(const char *name, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(size);
	ssize_t len = text == NULL ? -1 : fd_read_all(fd, text, size - 1);

	fd_close(&fd);
	if (len < 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int
cgroup_find(char out[PATH_MAX], const char **why)
{
	char *mounts = read_file("/proc/self/mountinfo", MOUNTS_SIZE);
	char *cgroups = read_file("/proc/self/cgroup", CGROUPS_SIZE);
	int error = -ENOENT;

	if (mounts == NULL)
		*why = "/proc/self/mountinfo cannot be read";
	else if (cgroups == NULL)
		*why = "the kernel has no cgroups, or /proc/self/cgroup cannot be read";
	else
		error = cgroup_find_in(mounts, cgroups, out, why);
	free(mounts);
	free(cgroups);
	return error;
}

bool
cgroup_find_is_one(int dir)
{
	struct statfs about;

	return fstatfs(dir, &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
}
