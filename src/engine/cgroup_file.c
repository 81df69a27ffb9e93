#include "engine/cgroup_file.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \n"

int
cgroup_file_write(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	/* one write is one command to the kernel; it takes all of it or refuses it */
	error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	fd_close(&fd);
	return error;
}

ssize_t
cgroup_file_read(int dir, const char *name, char *out, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	out[0] = '\0';
	if (fd < 0)
		return -errno;
	len = read(fd, out, size - 1);
	if (len < 0)
		len = -errno;
	else
		out[len] = '\0';
	fd_close(&fd);
	return len;
}

bool
cgroup_file_has(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (text += strspn(text, BLANKS); *text != '\0'; text += strspn(text, BLANKS)) {
		size_t size = strcspn(text, BLANKS);
		if (size == len && memcmp(text, word, len) == 0)
			return true;
		text += size;
	}
	return false;
}

bool
cgroup_file_number(const char *text, const char *name, uint64_t *out)
{
	size_t len = strlen(name);

	while (*text != '\0') {
		if (strncmp(text, name, len) == 0 && text[len] == ' ') {
			*out = strtoull(text + len + 1, NULL, 10); /* the kernel wrote it */
			return true;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}
