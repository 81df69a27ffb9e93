#include "engine/child_env.h"

#include "engine/child_raw.h"
#include "engine/clone.h"
#include "lib/env_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MOST_VARIABLES 4096 /* of a program that has an env_file */

/* Up to ENV_FILE_MAX bytes of a regular file. How many, or why not. */
STEP_IN_CHILD
read_plain(const char *path, char *to)
{
	struct stat about = { .st_mode = 0 };
	long fd = raw(
	    SYS_openat, AT_FDCWD, address(path), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	long used = 0, result;

	if (fd < 0)
		return fd;
	result = raw(SYS_fstat, fd, address(&about), 0, 0);
	if (result == 0 && !S_ISREG(about.st_mode))
		result = S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;
	if (result == 0)
		do {
			result =
			    raw(SYS_read, fd, address(to + used), (long)ENV_FILE_MAX + 1 - used, 0);
			used += result > 0 ? result : 0;
		} while (result > 0 && used <= (long)ENV_FILE_MAX);
	(void)raw(SYS_close, fd, 0, 0, 0);
	return result < 0 ? result : used > (long)ENV_FILE_MAX ? -EFBIG : used;
}

CHILD_CODE static bool
same_name(const char *a, const char *b)
{
	for (; *a == *b && *a != '=' && *a != '\0'; a++)
		b++;
	return *a == '=' && *b == '=';
}

/* Where a variable of that name is among those of vector[from] to vector[count - 1], or count. */
STEP_IN_CHILD
find_variable(const char *const *vector, long from, long count, const char *variable)
{
	while (from < count && !same_name(vector[from], variable))
		from++;
	return from < count ? from : count;
}

/*
 * The program's environment with the file's variables in place of the daemon's; the child's own
 * stay. All is made beside the stack.
 */
STEP_IN_CHILD
merge_file(struct child_plan *plan, struct env_file *file, const char **vector)
{
	const char *const *envp = plan->request.envp;
	long own = (long)plan->request.envp_own, all = own, count = own, at;
	char *variable;
	int result;

	while (envp[all] != NULL)
		all++;
	if (all >= MOST_VARIABLES)
		return -E2BIG;
	for (long i = 0; i < own; i++)
		vector[i] = envp[i];
	while ((result = env_file_next(file, &variable)) == 1) {
		if (find_variable(envp, own, all, variable) < all)
			continue;
		at = find_variable(vector, 0, count, variable);
		if (at == count && ++count + all - own >= MOST_VARIABLES)
			return -E2BIG;
		vector[at] = variable;
	}
	for (long i = own; i <= all; i++) /* with the NULL */
		vector[count + i - own] = envp[i];
	plan->envp = vector;
	return result;
}

/*
 * Here, since only a process can be given up where the file system never answers, and as the
 * daemon, since it may hold what the program's user is not to read.
 */
CHILD_CODE long
child_env_read(struct child_plan *plan)
{
	const struct contract *contract = &plan->request.contract;
	char *text = plan->scratch + MOST_VARIABLES * sizeof(char *);
	struct env_file file = { text, text, 0 };
	long size;

	if (contract->env_file == NULL)
		return 0;
	size = read_plain(contract->env_file, text);
	if (contract->env_file_optional && (size == -ENOENT || size == -ENOTDIR))
		return 0;
	if (size < 0)
		return size;
	file.end = text + size;
	return merge_file(plan, &file, (const char **)(void *)plan->scratch);
}
_Static_assert(
    MOST_VARIABLES * sizeof(char *) + ENV_FILE_MAX + 2 <= CLONE_SCRATCH_SIZE, "its room");
