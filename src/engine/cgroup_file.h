/*
 * cgroup_file: the files of a cgroup directory. All are small texts of the kernel's.
 */
#ifndef COPPICE_ENGINE_CGROUP_FILE_H
#define COPPICE_ENGINE_CGROUP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Both: 0 or more, or a negative errno. What is read ends in NUL; more than fits is left out. */
int cgroup_file_write(int dir, const char *name, const char *text);
ssize_t cgroup_file_read(int dir, const char *name, char *out, size_t size);
/* Whether the word stands among those of the text. */
bool cgroup_file_has(const char *text, const char *word);
/* The number in the line "NAME NUMBER" of the text. */
bool cgroup_file_number(const char *text, const char *name, uint64_t *out);

#endif
