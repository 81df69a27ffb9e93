#include "reaper/leave.h"

#include "lib/log.h"
#include "reaper/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ABSENCE_MS      10000 /* without an engine in charge so long, a shutdown is ours to carry out */
#define ENGINE_MS       5000 /* for the engine's own end after LINK_LEAVE */
#define KILL_MS         5000 /* for the end of what was killed: in the D state it may never come */
#define SWEEP_MS        100 /* between two looks for what to kill: the dead leave their children to us */
#define TIMEOUT_MS      90000
#define TIMEOUT_PID1_MS 60000

void
leave_init(struct leave *leave, enum link_mode mode)
{
	*leave = (struct leave){
		.mode = mode,
		.status = EX_OSERR,
		.how = LEAVE_REBOOT, /* looked at on a machine only */
		.deadline = MONO_NEVER,
		.timeout = mode == MODE_SERVICE ? TIMEOUT_MS : TIMEOUT_PID1_MS,
	};
}

void
leave_on_signal(struct leave *leave, int signal)
{
	int how = link_leave_by(leave->mode, signal);

	/* who asks first settles it, as in the engine */
	if (how >= 0 && !leave->asked && leave->phase == LEAVE_NOT)
		leave->how = (enum link_leave_how)how;
	leave->asked |= how >= 0;
	if (leave->phase == LEAVE_TERM && signal == SIGINT)
		leave->deadline = 0; /* a second one hurries */
}

void
leave_on_exit(const struct leave *leave, pid_t pid)
{
	if (leave->phase == LEAVE_TERM || leave->phase == LEAVE_KILL)
		kill(-pid, SIGKILL);
}

void
leave_on_word(struct leave *leave, const struct link_leave *word)
{
	leave->phase = LEAVE_ENGINE;
	leave->deadline = span_after(span_mono_now(), ENGINE_MS);
	leave->how = word->how == LEAVE_EXIT ? LEAVE_REBOOT : (enum link_leave_how)word->how;
	leave->status = word->status;
}

/* The parent of a process, or -1. */
static pid_t
parent_of(pid_t pid)
{
	char path[32], text[256], *end;
	int fd, parent = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* pid (name) state ppid …; the name may hold anything, also ") S 1". */
	end = strrchr(text, ')');
	if (end && end[1] && end[2] && end[3])
		parent = (int)strtol(end + 3, NULL, 10);
	return parent;
}

/*
 * Signals every child of ours; as PID 1 every process there is. Without opendir, which allocates.
 */
static void
sweep(const struct leave *leave, int signal)
{
	_Alignas(struct dirent64) char entries[4096];
	int dir = -1;
	ssize_t n;

	if (leave->mode != MODE_SERVICE) {
		kill(-1, signal);
		return;
	}
	dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0 && (n = getdents64(dir, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
			if (pid > 0 && parent_of(pid) == getpid())
				kill(pid, signal);
			at += entry->d_reclen;
		}
	}
	if (dir >= 0)
		close(dir);
}

/* Nobody else will do it. */
static void
end_it(struct leave *leave, pid_t engine, mono_ms now)
{
	log_line(NULL, "no engine has been in charge for %d s: stopping all children myself",
	    ABSENCE_MS / 1000);
	/* It would go on starting what we stop, and it has no part in it any more. */
	if (engine > 0)
		kill(engine, SIGKILL);
	sweep(leave, SIGTERM);
	leave->phase = LEAVE_TERM;
	leave->deadline = span_after(now, leave->timeout);
}

mono_ms
leave_deadline(const struct leave *leave, mono_ms absent_since)
{
	if (leave->phase == LEAVE_KILL)
		return span_after(span_mono_now(), SWEEP_MS);
	if (leave->phase == LEAVE_NOT)
		return leave->asked ? span_after(absent_since, ABSENCE_MS) : MONO_NEVER;
	return leave->deadline;
}

bool
leave_step(struct leave *leave, mono_ms absent_since, pid_t engine, bool childless)
{
	mono_ms now = span_mono_now();

	switch (leave->phase) {
	case LEAVE_NOT:
		if (leave->asked && now >= span_after(absent_since, ABSENCE_MS))
			end_it(leave, engine, now);
		return false;
	case LEAVE_ENGINE:
		if (engine > 0 && now >= leave->deadline)
			kill(engine, SIGKILL);
		return engine == 0 || now >= leave->deadline;
	case LEAVE_TERM:
		if (!childless && now >= leave->deadline) {
			leave->phase = LEAVE_KILL;
			leave->deadline = span_after(now, KILL_MS);
			sweep(leave, SIGKILL);
		}
		return childless;
	case LEAVE_KILL:
		if (!childless)
			sweep(leave, SIGKILL);
		return childless || now >= leave->deadline;
	}
	return false;
}

void
leave_now(const struct leave *leave)
{
	log_flush();
	if (leave->mode == MODE_MACHINE)
		machine_leave(leave->how);
	exit(leave->status);
}
