#include "engine/process.h"

#include "reaped.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A child of this process that runs the child program with a leader's group, its output to `log`;
 * argv ends with NULL.
 */
static struct image_process
begin(const char *const *argv, const char *log)
{
	struct image_process process = { .start_min = process_ticks_now() };
	int ready[2];
	char byte;

	check(pipe2(ready, O_CLOEXEC) == 0);
	process.pid = fork();
	check(process.pid != -1);
	if (process.pid == 0) {
		setsid();
		if (log != NULL)
			check(dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), 1) == 1);
		execv(reaped_child(), (char **)(uintptr_t)argv); /* which changes nothing in it */
		_exit(127);
	}
	close(ready[1]);
	check(read(ready[0], &byte, 1) == 0); /* exec closed it */
	close(ready[0]);
	process.start_max = process_ticks_now();
	return process;
}

static int
wait_for(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	return status;
}

static void
wait_until(const struct image_process *process, enum process_life life)
{
	int budget = 10000;

	while (process_look(process) != life)
		reaped_pause(&budget);
}

static void
life(const void *argument)
{
	const char *argv[] = { "child", "sleep", "100000", NULL };
	struct image_process process = begin(argv, NULL);
	struct image_process stranger = process;

	(void)argument;
	check(process_look(&process) == PROCESS_LIVES);
	check(!process_is_before_exec(&process));
	check(process.start_max - process.start_min < 1000);
	check(process_signal(&process, SIGSTOP, false) == 0);
	wait_until(&process, PROCESS_STOPPED);
	check(process_signal(&process, SIGCONT, false) == 0);
	wait_until(&process, PROCESS_LIVES);

	/* the same number, begun at another time: nobody we know */
	stranger.start_min += 10;
	stranger.start_max += 1000;
	check(process_look(&stranger) == PROCESS_GONE);
	check(process_signal(&stranger, SIGKILL, false) == -ESRCH);
	check(process_signal(&stranger, SIGKILL, true) == -ESRCH);
	stranger.start_max = UINT64_MAX;
	check(process_signal(&stranger, SIGKILL, false) == -ESRCH);
	stranger.start_min = 0;
	stranger.start_max = process.start_min - 10;
	check(process_signal(&stranger, SIGKILL, true) == -ESRCH);
	check(process_look(&process) == PROCESS_LIVES);

	/* a clone that is not over has no end of its interval */
	stranger.start_min = process.start_min;
	stranger.start_max = UINT64_MAX;
	check(process_look(&stranger) == PROCESS_LIVES);

	check(process_signal(&process, SIGKILL, false) == 0);
	wait_until(&process, PROCESS_ZOMBIE);
	check(process_signal(&process, SIGTERM, false) == -ESRCH);
	check(!process_is_before_exec(&process));
	check(wait_for(process.pid) == SIGKILL);
	check(process_look(&process) == PROCESS_GONE);
	check(process_signal(&process, SIGTERM, false) == -ESRCH);
	check(process_signal(&process, SIGTERM, true) == -ESRCH);
}

/* TERM reaches a stopped process (FIELD 2.C.7). */
static void
signal_and_continue(const void *argument)
{
	const char *argv[] = { "child", "sleep", "100000", NULL };
	struct image_process process = begin(argv, NULL);

	(void)argument;
	check(process_signal(&process, SIGSTOP, false) == 0);
	wait_until(&process, PROCESS_STOPPED);
	check(process_signal(&process, SIGTERM, false) == 0);
	check(wait_for(process.pid) == SIGTERM);
}

/* No PID is a group of everybody. */
static void
no_process(const void *argument)
{
	static const int32_t pids[] = { 0, 1, -1, INT32_MAX };

	(void)argument;
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		struct image_process process = {
			.pid = pids[i], .start_max = UINT64_MAX, .start_min = process_ticks_now()
		};

		check(process_signal(&process, SIGCONT, true) == -ESRCH);
		check(process_signal(&process, SIGCONT, false) == -ESRCH);
		check(process_look(&process) == PROCESS_GONE);
		process_kill_leftovers(pids[i] == INT32_MAX ? 0 : pids[i]);
	}
}

static pid_t
told_pid(const char *log)
{
	return (pid_t)strtol(strstr(reaped_read(log, "fork "), "fork ") + 5, NULL, 10);
}

static void
wait_until_gone(pid_t pid)
{
	int budget = 10000;

	while (kill(pid, 0) == 0)
		reaped_pause(&budget);
}

/* The group, with its leader and, FIELD 2.C.6, without. */
static void
groups(const void *argument)
{
	const char *with[] = { "child", "fork", "100000", "sleep", "100000", NULL };
	const char *without[] = { "child", "fork", "100000", "exit", "3", NULL };
	const char *alone[] = { "child", "sleep", "100000", NULL };
	struct image_process process = begin(with, reaped_path("with"));
	pid_t member = told_pid(reaped_path("with"));

	(void)argument;
	check(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0); /* members go to the test's own reaper */
	check(process_signal(&process, SIGTERM, true) == 0);
	check(wait_for(process.pid) == SIGTERM);
	wait_until_gone(member);

	process = begin(without, reaped_path("without"));
	member = told_pid(reaped_path("without"));
	wait_until(&process, PROCESS_ZOMBIE);
	process_kill_leftovers(process.pid); /* the number is still the leader's: nothing is done */
	check(kill(member, 0) == 0);
	check(wait_for(process.pid) == 3 << 8);
	process_kill_leftovers(process.pid);
	wait_until_gone(member);

	/* somebody living has the number */
	process = begin(alone, NULL);
	process_kill_leftovers(process.pid);
	check(process_signal(&process, SIGTERM, false) == 0);
	check(wait_for(process.pid) == SIGTERM);
}

/* A name that looks like the end of a name, and more fields. */
static void
odd_name(const void *argument)
{
	static const char name[] = "x) Z 1 (\n)";
	struct image_process process = { .start_min = process_ticks_now(),
		.start_max = UINT64_MAX };
	int pipes[2];
	char byte;

	(void)argument;
	check(pipe(pipes) == 0);
	process.pid = fork();
	check(process.pid != -1);
	if (process.pid == 0) {
		check(prctl(PR_SET_NAME, name) == 0);
		check(write(pipes[1], "", 1) == 1);
		pause();
	}
	check(read(pipes[0], &byte, 1) == 1);
	check(process_look(&process) == PROCESS_LIVES);
	check(process_is_before_exec(&process)); /* forked, and nothing else */
	process.start_max = process_ticks_now();
	check(process_look(&process) == PROCESS_LIVES);
	process.start_min = process.start_max + 5;
	process.start_max = UINT64_MAX;
	check(process_look(&process) == PROCESS_GONE);
	check(kill(process.pid, SIGKILL) == 0);
	check(wait_for(process.pid) == SIGKILL);
}

static void
run(void **state)
{
	reaped_run(*(void (**)(const void *)) * state, NULL);
}

int
main(void)
{
	static void (*bodies[])(
	    const void *) = { life, signal_and_continue, no_process, groups, odd_name };
	const struct CMUnitTest tests[] = {
		{ "life", run, NULL, NULL, &bodies[0] },
		{ "signal_and_continue", run, NULL, NULL, &bodies[1] },
		{ "no_process", run, NULL, NULL, &bodies[2] },
		{ "groups", run, NULL, NULL, &bodies[3] },
		{ "odd_name", run, NULL, NULL, &bodies[4] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
