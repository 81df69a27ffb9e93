#include "engine/cgroup_kill.h"

#include "engine/cgroup.h"
#include "engine/cgroup_file.h"
#include "engine/process.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIST_SIZE 2048
#define NAMED     8  /* that are told by name */
#define ROUNDS    16 /* of telling each */

/* The next number of the list; 0 at its end. */
static int32_t
next_pid(const char **at)
{
	char *end;
	long pid = strtol(*at, &end, 10); /* the kernel wrote it */

	if (end == *at || pid <= 1 || pid > INT32_MAX)
		return 0;
	*at = end;
	return (int32_t)pid;
}

/* What a start that came to nothing has made is nobody's leftover. */
static bool
is_told(int32_t pid)
{
	struct process_kin kin;

	return process_kin(pid, &kin) != 0 || !kin.is_before_exec;
}

static void
tell(int dir, const char *path)
{
	char list[LIST_SIZE], name[PROCESS_NAME_SIZE];
	struct buf text = { 0 };
	const char *at = list;
	unsigned count = 0;
	int32_t pid;

	if (cgroup_file_read(dir, "cgroup.procs", list, sizeof(list)) < 0)
		return;
	while ((pid = next_pid(&at)) != 0)
		if (is_told(pid) && count++ < NAMED) {
			process_name(pid, name);
			buf_printf(&text, "%s%d (%s)", text.len > 0 ? ", " : "", pid, name);
		}
	if (count > NAMED)
		buf_printf(&text, " and %u more", count - NAMED);
	if (count > 0)
		log_line(path, "left over, and killed: %s",
		    text.failed ? "more than memory for their names" : text.data);
	buf_free(&text);
}

/*
 * Of those that are frozen none goes by itself, nor makes others; so a number that is in the list
 * now, with a descriptor that was opened before, is that of one of them.
 */
static bool
is_in(int dir, int32_t wanted)
{
	char list[LIST_SIZE];
	const char *at = list;
	int32_t pid;

	if (cgroup_file_read(dir, "cgroup.procs", list, sizeof(list)) < 0)
		return false;
	while ((pid = next_pid(&at)) != 0)
		if (pid == wanted)
			return true;
	return false;
}

static void
kill_one(int dir, int32_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return;
	if (is_in(dir, pid))
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	fd_close(&pidfd);
}

static bool
kill_each(int dir)
{
	char list[LIST_SIZE];

	(void)cgroup_file_write(dir, "cgroup.freeze", "1");
	for (int i = 0; i < ROUNDS && !cgroup_is_empty(dir); i++) {
		const char *at = list;
		int32_t pid;

		if (cgroup_file_read(dir, "cgroup.procs", list, sizeof(list)) < 0)
			break;
		while ((pid = next_pid(&at)) != 0)
			kill_one(dir, pid);
	}
	(void)cgroup_file_write(dir, "cgroup.freeze", "0");
	return cgroup_is_empty(dir);
}

bool
cgroup_kill(int dir, const char *path)
{
	tell(dir, path);
	return cgroup_file_write(dir, "cgroup.kill", "1") == 0 || kill_each(dir);
}
