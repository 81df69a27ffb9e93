#include "engine/process.h"

#include "core/types.h"
#include "engine/cgroup_file.h"
#include "lib/must.h"
#include "lib/names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)
/* PF_FORKNOEXEC of the kernel: forked, not yet through exec; the same bit since Linux 2.6. */
#define FLAG_NOEXEC 0x40UL
/* PF_EXITING: its descriptors may be closed already. */
#define FLAG_EXITING   0x4UL
#define TICK_TOLERANCE 1 /* the clocks of two processors may differ by less than one tick */

/* What /proc/PID/stat says. */
struct facts {
	char state;
	unsigned long flags;
	uint64_t start;
	int32_t parent, session;
};

uint64_t
process_ticks_now(void)
{
	struct timespec now;
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

	must(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
	/* as the kernel's nsec_to_clock_t(), which rounds down */
	return (uint64_t)now.tv_sec * per_second +
	    (uint64_t)now.tv_nsec / (NS_PER_SECOND / per_second);
}

/* The n-th field (proc(5), n ≥ 3) of a stat line; NULL when it has fewer. */
static const char *
stat_field(const char *line, int n)
{
	/* The name may hold spaces, parentheses and newlines: the last ')' ends it. */
	const char *at = strrchr(line, ')');

	for (int field = 2; at != NULL && field < n; field++) {
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	return at;
}

/* 0, -ESRCH when there is no such process, or the errno of what kept us from knowing. */
static int
read_facts(int32_t pid, struct facts *facts)
{
	char line[1024];
	char path[32];
	const char *state, *parent, *session, *flags, *start;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? -ESRCH : -errno;
	do {
		length = read(fd, line, sizeof(line) - 1);
	} while (length == -1 && errno == EINTR);
	if (length == -1) {
		int error = -errno;

		close(fd);
		return error;
	}
	close(fd);
	line[length] = '\0';
	state = stat_field(line, 3);
	parent = stat_field(line, 4);
	session = stat_field(line, 6);
	flags = stat_field(line, 9);
	start = stat_field(line, 22);
	if (state == NULL || flags == NULL || start == NULL)
		return -EPROTO;
	*facts = (struct facts){ state[0], strtoul(flags, NULL, 10), strtoull(start, NULL, 10),
		(int32_t)strtol(parent, NULL, 10), (int32_t)strtol(session, NULL, 10) };
	return 0;
}

static bool
is_it(const struct image_process *process, const struct facts *facts)
{
	uint64_t max = __atomic_load_n(&process->start_max, __ATOMIC_RELAXED);

	return facts->start + TICK_TOLERANCE >= process->start_min &&
	    (max == UINT64_MAX || facts->start <= max + TICK_TOLERANCE);
}

/*
 * The facts of exactly this process: 0 or -ESRCH. Where they cannot be read at all (no /proc, no
 * descriptor left) another errno: unknown is neither gone nor there.
 */
static int
identify(const struct image_process *process, struct facts *facts)
{
	int32_t pid = __atomic_load_n(&process->pid, __ATOMIC_RELAXED);
	int result;

	if (pid <= 0)
		return -ESRCH;
	/*
	 * The common case, on the path of every restart: asking costs a tenth of looking a missing
	 * file up.
	 */
	if (kill(pid, 0) == -1 && errno == ESRCH)
		return -ESRCH;
	result = read_facts(pid, facts);
	if (result == 0 && !is_it(process, facts))
		return -ESRCH;
	/* Without /proc every file is missing, but the number is taken. */
	if (result == -ESRCH && access("/proc/self/stat", R_OK) != 0)
		return -ENOENT;
	return result;
}

int
process_user(int32_t pid, uid_t *user)
{
	char line[256], path[32];
	int result = -EPROTO;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return errno == ENOENT ? -ESRCH : -errno;
	while (result != 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "Uid:\t", 5) == 0) {
			*user = (uid_t)strtoul(line + 5, NULL, 10); /* the kernel wrote it */
			result = 0;
		}
	fclose(file);
	return result;
}

const char *
process_end_text(int32_t status, char out[PROCESS_END_SIZE])
{
	if (status == CORE_STATUS_UNKNOWN)
		snprintf(out, PROCESS_END_SIZE, "ended in an unknown way");
	else if (WIFSIGNALED(status))
		snprintf(out, PROCESS_END_SIZE, "was killed by signal %s%s",
		    names_signal_text(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
	else
		snprintf(out, PROCESS_END_SIZE, "exited with status %d", WEXITSTATUS(status));
	return out;
}

static bool
is_dead(const struct facts *facts)
{
	return facts->state == 'Z' || facts->state == 'X' || facts->state == 'x';
}

int
process_kin(int32_t pid, struct process_kin *kin)
{
	struct facts facts;
	int result = read_facts(pid, &facts);

	if (result == 0)
		*kin = (struct process_kin){ facts.parent, facts.session, facts.start,
			is_dead(&facts) || (facts.flags & FLAG_EXITING) != 0,
			(facts.flags & FLAG_NOEXEC) != 0 };
	return result;
}

const char *
process_name(int32_t pid, char out[PROCESS_NAME_SIZE])
{
	char file[32];

	snprintf(file, sizeof(file), "/proc/%d/comm", pid);
	if (cgroup_file_read(-1, file, out, PROCESS_NAME_SIZE) <= 0)
		strcpy(out, "?");
	out[strcspn(out, "\n")] = '\0';
	return out;
}

enum process_life
process_look(const struct image_process *process)
{
	struct facts facts = { 0 };
	int result = identify(process, &facts);

	if (result == -ESRCH)
		return PROCESS_GONE;
	if (result != 0)
		return PROCESS_LIVES; /* unknown: to say gone might start it twice */
	if (is_dead(&facts))
		return PROCESS_ZOMBIE;
	switch (facts.state) {
	case 'T':
	case 't': return PROCESS_STOPPED;
	default: return PROCESS_LIVES;
	}
}

/*
 * The kernel's own flag, not /proc/PID/exe: that link may be read only with the rights of ptrace,
 * which an engine without CAP_SYS_PTRACE has over none of the children that it gave another user.
 */
bool
process_is_before_exec(const struct image_process *process)
{
	struct facts facts = { 0 };

	return identify(process, &facts) == 0 && facts.state != 'Z' &&
	    (facts.flags & FLAG_NOEXEC) != 0;
}

/* A filter may know pidfd_open and not this; where the EPERM is a real one kill gives it again. */
static int
send(int pidfd, int32_t pid, int signal)
{
	if (pidfd >= 0) {
		if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0)
			return 0;
		if (errno != ENOSYS && errno != EPERM)
			return -errno;
	}
	return kill(pid, signal) == 0 ? 0 : -errno;
}

/* A CONT after one of these would undo it, or means nothing. */
static bool
wants_continue(int signal)
{
	switch (signal) {
	case 0:
	case SIGKILL:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU: return false;
	default: return true;
	}
}

static int
signal_and_continue(int pidfd, int32_t pid, int signal)
{
	int result = send(pidfd, pid, signal);

	/*
	 * A stopped process would never see it (FIELD 2.C.7). That the CONT finds nobody is no
	 * failure of the signal.
	 */
	if (result == 0 && wants_continue(signal))
		(void)send(pidfd, pid, SIGCONT);
	return result;
}

/* A main process that came later may be in any group; but never signal our own. */
static int32_t
group_of(const struct image_process *process, int32_t pid)
{
	int32_t group = process->first != 0 ? getpgid(pid) : pid;

	return group > 1 && group != getpgrp() ? group : pid;
}

int
process_signal(const struct image_process *process, int signal, bool group)
{
	struct facts facts = { 0 };
	int32_t pid = __atomic_load_n(&process->pid, __ATOMIC_RELAXED);
	int pidfd, result;

	if (pid <= 1)
		return -ESRCH; /* and never kill(-1) */
	/*
	 * The descriptor first, then the look: if the process that we see now is ours, so is the
	 * one that the descriptor holds, whatever happens to the number later. Without pidfds (a
	 * seccomp filter) the number itself must do.
	 */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd == -1 && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
		return -ESRCH; /* EINVAL, ENOENT: the number is a thread's now */
	result = identify(process, &facts);
	if (result == -ENOENT)
		facts.state = 'R'; /* no /proc: the number is all we have */
	else if (result != 0)
		goto out;
	if (group) {
		/*
		 * A living or unreaped leader keeps the number of its group. Before setsid there is
		 * no such group yet.
		 */
		result = signal_and_continue(-1, -group_of(process, pid), signal);
		if (result == -ESRCH && facts.state != 'Z')
			result = signal_and_continue(pidfd, pid, signal);
	} else {
		result = facts.state == 'Z' ? -ESRCH : signal_and_continue(pidfd, pid, signal);
	}
out:
	if (pidfd >= 0)
		close(pidfd);
	return result;
}

/*
 * Whoever has the number of the first process is that itself if it is not younger than the one that
 * took its place: the number could be given away only after its end, and that was later.
 */
void
process_kill_replaced(const struct image_process *process)
{
	struct image_process first = { .pid = process->first, .start_max = process->start_max };

	process_kill_leftovers(process->pid);
	if (process_look(&first) != PROCESS_GONE)
		(void)process_signal(&first, SIGKILL, true);
}

/*
 * While the group has a member its number is given to nobody; so if no process has the number, the
 * group is the dead leader's or is empty. EPERM (a member that changed its user) and ESRCH (empty)
 * leave nothing to be done.
 */
void
process_kill_leftovers(int32_t pid)
{
	if (pid > 1 && kill(pid, 0) == -1 && errno == ESRCH)
		(void)kill(-pid, SIGKILL);
}
