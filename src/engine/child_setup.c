#include "engine/child_setup.h"

#include "engine/child_env.h"
#include "engine/child_raw.h"
#include "engine/child_rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_UNUSED    3 /* after standard input, output and error */
#define LAST_DESCRIPTOR 0xffffffffL
#define BLIND_CLOSES    256
#define LOG_MODE        0640
#define LOG_DIR_MODE    0755
#define LAST_SIGNAL     64
#define EXIT_NOT_MADE   127

/*
 * For a child that keeps some of the engine's descriptors, of any number: its table is a copy
 * (clone.h), so that none of them need be staged. CLOEXEC must do where a filter blocks the call.
 */
STEP_IN_CHILD
close_others(const struct child_plan *plan, long first)
{
	for (uint32_t i = 0; i < plan->kept_count; i++) {
		long kept = plan->kept[i];

		if (kept > first)
			(void)raw(SYS_close_range, first, kept - 1, 0, 0);
		if (kept >= first)
			first = kept + 1;
	}
	(void)raw(SYS_close_range, first, LAST_DESCRIPTOR, 0, 0);
	return 0;
}

/*
 * Where the kernel could not make it in its cgroup it goes there by itself (FIELD 2.C.12), before
 * it has done anything that counts.
 */
STEP_IN_CHILD
join_cgroup(struct child_plan *plan)
{
	return plan->join_fd == 0 ? 0 : raw(SYS_write, plan->join_fd, address("0"), 1, 0);
}

/*
 * The table of descriptors is the engine's until this call has given the child its own; nothing may
 * be opened or closed before. Of the engine's descriptors only those below 32 are copied, so the
 * cost does not grow with them. A child that may hang, in the very next
 * step perhaps, keeps none: it would hold what the engine closes meanwhile, a client's connection
 * for one.
 */
STEP_IN_CHILD
own_descriptors(struct child_plan *plan)
{
	long first = plan->may_hang ? FIRST_UNUSED : CHILD_SETUP_STAGED;
	long result;

	if (plan->kept_count > 0)
		return close_others(plan, first);
	result = raw(SYS_close_range, first, LAST_DESCRIPTOR, CLOSE_RANGE_UNSHARE, 0);
	if (result != -ENOSYS && result != -EPERM && result != -EINVAL)
		return result;
	result = raw(SYS_unshare, CLONE_FILES, 0, 0, 0); /* blocked by a filter: slower */
	for (long fd = first; result == 0 && plan->may_hang && fd < BLIND_CLOSES; fd++)
		(void)raw(SYS_close, fd, 0, 0, 0); /* exec closes the rest */
	return result;
}

/*
 * A session of its own, so that neither `kill 0` nor the terminal's signals pass between children
 * and us (FIELD 2.C.10). A command that has the terminal needs our session for it, so it gets a group.
 */
STEP_IN_CHILD
new_session(struct child_plan *plan)
{
	int32_t own = (int32_t)raw(SYS_getpid, 0, 0, 0, 0);
	long result;

	if (!plan->request.terminal)
		return raw(SYS_setsid, 0, 0, 0, 0);
	/* TTOU is blocked here; a terminal that has hung up meanwhile is no reason not to run. */
	result = raw(SYS_setpgid, 0, 0, 0, 0);
	(void)raw(SYS_ioctl, STDIN_FILENO, TIOCSPGRP, address(&own), 0);
	return result;
}

/* Makes `fd` the descriptor `target` and leaves it open over exec. */
STEP_IN_CHILD
place(long fd, long target)
{
	if (fd < 0)
		return fd;
	if (fd == target)
		return raw(SYS_fcntl, fd, F_SETFD, 0, 0);
	return raw(SYS_dup3, fd, target, 0, 0);
}

STEP_IN_CHILD
place_null(const struct child_plan *plan, long target)
{
	long fd = plan->null_fd;

	if (fd < 0)
		fd = raw(SYS_openat, AT_FDCWD, address("/dev/null"), O_RDWR | O_CLOEXEC, 0);
	return place(fd, target);
}

/*
 * A file that a user named. Opened without waiting (a FIFO without a reader gives ENXIO, a leased
 * file EAGAIN), and only what cannot make a writer wait for somebody is accepted: regular files and
 * character devices.
 */
STEP_IN_CHILD
open_plain(const char *path, int flags)
{
	struct stat about = { .st_mode = 0 };
	long fd = raw(SYS_openat, AT_FDCWD, address(path),
	    flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_MODE);
	long result;

	if (fd < 0)
		return fd;
	result = raw(SYS_fstat, fd, address(&about), 0, 0);
	if (result < 0)
		return result;
	if (S_ISDIR(about.st_mode))
		return -EISDIR;
	if (!S_ISREG(about.st_mode) && !S_ISCHR(about.st_mode))
		return -EINVAL;
	result = raw(SYS_fcntl, fd, F_SETFL, flags & O_APPEND, 0);
	return result < 0 ? result : fd;
}

/*
 * Makes the directories above the file, as far as they are missing. 0, or why the first could not
 * be made.
 */
STEP_IN_CHILD
make_directories(const char *path)
{
	char prefix[PATH_MAX];
	long result = 0;

	for (size_t i = 0; i < sizeof(prefix) && path[i] != '\0'; i++) {
		long made = 0;

		prefix[i] = '\0';
		if (path[i] == '/' && i > 0)
			made = raw(SYS_mkdirat, AT_FDCWD, address(prefix), LOG_DIR_MODE, 0);
		if (result == 0 && made != -EEXIST)
			result = made;
		prefix[i] = path[i];
	}
	return result;
}

STEP_IN_CHILD
place_log(const char *path, long target)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT;
	long fd, made;

	raw(SYS_umask, 0, 0, 0,
	    0); /* the modes above as they stand; the child's own umask is a later step */
	fd = open_plain(path, flags);
	if (fd == -ENOENT) {
		made = make_directories(path);
		fd = open_plain(path, flags);
		if (fd == -ENOENT && made < 0)
			fd = made;
	}
	return place(fd, target);
}

STEP_IN_CHILD
set_stdin(struct child_plan *plan)
{
	switch (plan->request.input) {
	case INPUT_INHERIT: return 0;
	case INPUT_FILE: return place(open_plain(plan->request.input_path, O_RDONLY), STDIN_FILENO);
	case INPUT_NULL: break;
	}
	return place_null(plan, STDIN_FILENO);
}

STEP_IN_CHILD
set_output(const struct child_plan *plan, enum spawn_output output, const char *path, long target)
{
	switch (output) {
	case OUTPUT_INHERIT: return 0;
	case OUTPUT_FILE: return place_log(path, target);
	case OUTPUT_SAME: return raw(SYS_dup3, STDOUT_FILENO, target, 0, 0);
	case OUTPUT_NULL: break;
	}
	return place_null(plan, target);
}

STEP_IN_CHILD
set_stdout(struct child_plan *plan)
{
	return set_output(plan, plan->request.output, plan->request.output_path, STDOUT_FILENO);
}

STEP_IN_CHILD
set_stderr(struct child_plan *plan)
{
	const struct spawn_request *request = &plan->request;

	if (request->error_output == OUTPUT_SAME && request->output == OUTPUT_INHERIT)
		return 0; /* each its own, or errors would be among what a pipe is to carry */
	return set_output(plan, request->error_output, request->error_path, STDERR_FILENO);
}

/*
 * All of ours are CLOEXEC; to mark them again is for one that some library opened otherwise, and
 * costs nothing, while to close them here costs 6 µs. But a child that may hang must not hold what
 * the engine closes meanwhile, a client's connection for one. Where a filter blocks the call,
 * CLOEXEC must do.
 */
STEP_IN_CHILD
hide_others(struct child_plan *plan)
{
	long result = -EINVAL; /* also what kernels before 5.11 say, which cannot mark */

	if (!plan->may_hang)
		result =
		    raw(SYS_close_range, FIRST_UNUSED, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC, 0);
	if (result != -EINVAL)
		return 0;
	if (plan->kept_count > 0)
		return close_others(plan, FIRST_UNUSED);
	(void)raw(SYS_close_range, FIRST_UNUSED, LAST_DESCRIPTOR, 0, 0);
	return 0;
}

/*
 * After all else that uses descriptors, so that it takes the place of none that is still needed
 * (FIELD 2.C.11).
 */
STEP_IN_CHILD
place_ready(struct child_plan *plan)
{
	return plan->request.ready_number == 0
	    ? 0
	    : place(plan->request.ready_fd, plan->request.ready_number);
}

/*
 * Behind the descriptor of ready, which is none of these numbers: it may be in the place of one now.
 * Those of the sockets themselves are higher.
 */
STEP_IN_CHILD
place_sockets(struct child_plan *plan)
{
	long result = 0;

	for (uint32_t i = 0; i < plan->request.socket_count && result >= 0; i++)
		result = place(plan->request.sockets[i], CHILD_SETUP_SOCKET + (long)i);
	return result;
}

/*
 * LISTEN_PID: its own number, which nobody knows earlier, in place of the zeros of the product. The
 * memory is the engine's, which puts them back.
 */
STEP_IN_CHILD
tell_pid(struct child_plan *plan)
{
	static const char name[] = CHILD_SETUP_PID;
	long pid = raw(SYS_getpid, 0, 0, 0, 0), power = 1;
	const char *const *at = plan->envp;
	size_t i = 0;

	if (plan->request.socket_count == 0)
		return 0;
	for (; *at != NULL && name[i] != '\0'; at++)
		for (i = 0; name[i] != '\0' && (*at)[i] == name[i];)
			i++;
	if (name[i] != '\0')
		return -EINVAL;
	// NOLINTNEXTLINE(performance-no-int-to-ptr): only what is const to others
	plan->pid_text = (char *)address(at[-1] + i);
	while (pid / power >= 10)
		power *= 10;
	for (i = 0; power > 0; power /= 10)
		plan->pid_text[i++] = (char)('0' + pid / power % 10);
	plan->pid_text[i] = '\0';
	return 0;
}

STEP_IN_CHILD
set_umask(struct child_plan *plan)
{
	return raw(SYS_umask, (long)plan->request.umask, 0, 0, 0) < 0 ? -EINVAL : 0;
}

STEP_IN_CHILD
enter_directory(struct child_plan *plan)
{
	return plan->request.directory == NULL
	    ? 0
	    : raw(SYS_chdir, address(plan->request.directory), 0, 0, 0);
}

/*
 * Dispositions first: a handler of the engine that ran here would run in the engine's memory. Only
 * those that are not at their default anyway; SIGKILL, SIGSTOP are never among them.
 */
STEP_IN_CHILD
reset_signals(struct child_plan *plan)
{
	const uint64_t by_default[8] = {
		0
	}; /* the kernel's struct sigaction: SIG_DFL, no flags, no mask, on every machine */
	const uint64_t none = 0;
	long result;

	for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
		if ((plan->signals >> (signal - 1) & 1) == 0)
			continue;
		result = raw(SYS_rt_sigaction, signal, address(by_default), 0, sizeof(none));
		if (result < 0)
			return result;
	}
	return raw(SYS_rt_sigprocmask, SIG_SETMASK, address(&none), 0, sizeof(none));
}

/*
 * As execvp(3): a place where the command may not be executed is remembered and the search goes on;
 * but what is found and cannot be run (no interpreter line, wrong architecture: ENOEXEC) is a
 * failure, no shell is tried.
 */
STEP_IN_CHILD
execute(struct child_plan *plan)
{
	long result = -ENOENT, remembered = 0;

	for (const char *const *command = plan->commands; *command != NULL; command++) {
		result = raw(SYS_execve, address(*command), address(plan->request.argv),
		    address(plan->envp), 0);
		if (result == -EACCES)
			remembered = result;
		else if (result != -ENOENT && result != -ENOTDIR && result != -ESTALE &&
		    result != -ENODEV && result != -ETIMEDOUT)
			return result;
	}
	return remembered != 0 ? remembered : result;
}

struct setup_step {
	int32_t step; /* enum spawn_step */
	long (*run)(struct child_plan *plan);
};

/*
 * Files are opened as the daemon; the directory is entered as it too; then its rights are given up,
 * and last comes the program.
 */
static const struct setup_step steps[] = {
	{ STEP_CGROUP, join_cgroup },
	{ STEP_DESCRIPTORS, own_descriptors },
	{ STEP_SESSION, new_session },
	{ STEP_ENV_FILE, child_env_read },
	{ STEP_STDIN, set_stdin },
	{ STEP_LOG, set_stdout },
	{ STEP_STDERR, set_stderr },
	{ STEP_DESCRIPTORS, hide_others },
	{ STEP_READY, place_ready },
	{ STEP_SOCKETS, place_sockets },
	{ STEP_SOCKETS, tell_pid },
	{ STEP_UMASK, set_umask },
	{ STEP_OOM, child_rights_oom },
	{ STEP_LIMITS, child_rights_limits },
	{ STEP_NICE, child_rights_nice },
	{ STEP_AFFINITY, child_rights_affinity },
	{ STEP_DIRECTORY, enter_directory },
	{ STEP_BOUNDING, child_rights_drop },
	{ STEP_CAPABILITIES, child_rights_keep },
	{ STEP_GROUPS, child_rights_groups },
	{ STEP_GROUP, child_rights_group },
	{ STEP_USER, child_rights_user },
	{ STEP_CAPABILITIES, child_rights_capabilities },
	{ STEP_NO_NEW_PRIVILEGES, child_rights_forbid },
	{ STEP_SIGNALS, reset_signals },
	{ STEP_EXEC, execute },
};

CHILD_CODE int
child_setup(void *argument)
{
	struct child_plan *plan = argument;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		long result;

		__atomic_store_n(&plan->reached, steps[i].step, __ATOMIC_RELAXED);
		result = steps[i].run(plan);
		if (result < 0) {
			/* step last: whoever sees it sees the errno too */
			__atomic_store_n(&plan->process->error, (int32_t)-result, __ATOMIC_RELAXED);
			__atomic_store_n(&plan->process->step, steps[i].step, __ATOMIC_RELEASE);
			break;
		}
	}
	return EXIT_NOT_MADE;
}
