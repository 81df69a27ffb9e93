#include "reaped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_ENDS 65536U
#define PATIENCE 10000 /* ms */

/* Shared by the body and its parent. */
static struct ends {
	_Atomic uint32_t count;
	struct {
		pid_t pid;
		int status;
	} end[MAX_ENDS];
} * ends;
static char directory[64];

_Noreturn void
reaped_broken(const char *text, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s (errno %d)\n", file, line, text, errno);
	_exit(1);
}

static void
remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

/* Kills what the body left; all of them are our children. */
static void
kill_rest(void)
{
	char path[64], text[4096];
	FILE *children;
	char *at, *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	children = fopen(path, "re");
	if (children == NULL)
		return;
	text[fread(text, 1, sizeof(text) - 1, children)] = '\0';
	fclose(children);
	for (at = text; strtol(at, &end, 10) > 0; at = end)
		kill((pid_t)strtol(at, NULL, 10), SIGKILL);
}

static int
reap_until(pid_t body)
{
	int status, result = -1;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid == -1 && errno == EINTR)
			continue;
		if (pid == -1)
			return result;
		if (ends->count < MAX_ENDS) {
			ends->end[ends->count].pid = pid;
			ends->end[ends->count].status = status;
			ends->count++;
		}
		if (pid == body)
			result = status;
		if (result != -1)
			kill_rest();
	}
}

void
reaped_needs_root(void)
{
	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
}

void
reaped_run(void (*body)(const void *argument), const void *argument)
{
	pid_t pid;
	int status;

	snprintf(directory, sizeof(directory), "/tmp/coppice-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0777), 0);
	ends = mmap(NULL, sizeof(*ends), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ends != MAP_FAILED);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* what a broken body leaves */
	fflush(NULL);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		alarm(60);
		body(argument);
		fflush(NULL);
		_exit(0);
	}
	status = reap_until(pid);
	munmap(ends, sizeof(*ends));
	remove_directory();
	assert_int_equal(status, 0);
}

void
reaped_pause(int *budget)
{
	const struct timespec one_ms = { 0, 1000000 };

	check((*budget)-- > 0);
	nanosleep(&one_ms, NULL);
}

int
reaped_wait(pid_t pid)
{
	int budget = PATIENCE;

	for (;;) {
		for (uint32_t i = 0; i < ends->count; i++) {
			if (ends->end[i].pid == pid)
				return ends->end[i].status;
		}
		reaped_pause(&budget);
	}
}

const char *
reaped_path(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s/%s", directory, name);
	return path;
}

const char *
reaped_child(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);

	check(length > 0);
	path[length] = '\0';
	for (int i = 0; i < 3; i++) /* BUILD/tests/unit/engine/test_… */
		*strrchr(path, '/') = '\0';
	strcat(path, "/helpers/child");
	return path;
}

const char *
reaped_read(const char *path, const char *text)
{
	static char content[65536];
	int budget = PATIENCE;

	for (;;) {
		FILE *file = fopen(path, "re");

		content[0] = '\0';
		if (file != NULL) {
			content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
			fclose(file);
		}
		if (strstr(content, text) != NULL)
			return content;
		reaped_pause(&budget);
	}
}

void
reaped_write(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	check(fd != -1);
	check(write(fd, data, len) == (ssize_t)len);
	check(fchmod(fd, mode) == 0);
	close(fd);
}

void
reaped_copy_child(const char *path)
{
	char *data = malloc(16U << 20);
	FILE *file = fopen(reaped_child(), "re");
	size_t length;

	check(data != NULL && file != NULL);
	length = fread(data, 1, 16U << 20, file);
	fclose(file);
	reaped_write(path, data, length, 0755);
	free(data);
}

int
reaped_count_fds(void)
{
	DIR *list = opendir("/proc/self/fd");
	int count = 0;

	check(list != NULL);
	while (readdir(list) != NULL)
		count++;
	closedir(list);
	return count;
}

void
reaped_refuse(uint32_t call, int argument, uint32_t value, uint32_t error)
{
	/* the low half of an argument, as on every machine that is little-endian */
	uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) +
	    sizeof(uint64_t) * (argument == REAPED_ANY ? 0 : (size_t)argument));
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, argument == REAPED_ANY ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}
