#include "engine/spawn.h"

#include "engine/process.h"
#include "reaped.h"
#include "spawning.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- starts that hang, and strangers who stop them -------------------------------------------- */

/*
 * A program whose exec hangs as on a dead mount: the test holds a write lease on it (fcntl(2),
 * F_SETLEASE), which the kernel breaks only after 45 s. Returns the descriptor; closing it lets the
 * exec go on.
 */
static int
make_hanging(const char *name)
{
	int fd;

	signal(SIGIO, SIG_IGN); /* tells of the exec that waits */
	if (access(reaped_path(name), F_OK) == -1)
		reaped_copy_child(reaped_path(name));
	fd = open(reaped_path(name), O_RDONLY | O_CLOEXEC);
	check(fd != -1);
	check(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	return fd;
}

static void
wait_for_half_made(const struct image_process *process)
{
	int budget = 10000;

	while (!process_is_before_exec(process))
		reaped_pause(&budget);
}

/* While one hangs, others start; it is given up after its start_timeout. */
static void
hung_is_given_up(const void *argument)
{
	const bool *threaded = argument;
	const char *hanging[] = { reaped_path("hanging"), NULL };
	const char *good[] = { reaped_child(), NULL };
	struct spawn_request request = spawning_request(0, hanging);
	mono_ms begun;

	make_hanging("hanging");
	spawning_open();
	request.directory = *threaded ? "/" : NULL;
	request.start_timeout = 400;
	begun = span_mono_now();
	check(!spawn_start(spawning.spawner, &request, &spawning.process[0]));
	check(span_mono_now() - begun <
	    300); /* the main thread was not held up for longer than the guard's patience */
	for (uint32_t node = 1; node < 10; node++) {
		request = spawning_request(node, good);
		request.directory = "/";
		check(spawning_start(&request)->state == PROCESS_STARTED);
	}
	check(!spawning.done[0] && spawn_is_pending(spawning.spawner, 0));
	spawning_run_until_done(0);
	check(spawning.process[0].state == PROCESS_FAILED);
	check(spawning.process[0].step == STEP_HUNG && spawning.process[0].error == ETIMEDOUT);
	check(reaped_wait(spawning.process[0].pid) == SIGKILL);
	check(span_mono_now() - begun >= 400 && span_mono_now() - begun < 5000);
	/* and the node can start again */
	request = spawning_request(0, good);
	check(spawning_start(&request)->state == PROCESS_STARTED);
	spawning_close();
}

static void
test_hung_is_given_up(void **state)
{
	static const bool threaded[] = { true, false };

	(void)state;
	reaped_run(hung_is_given_up, &threaded[0]);
	reaped_run(hung_is_given_up, &threaded[1]);
}

/* The start of the main thread that the guard undid is made once, and only once, by a thread. */
static void
guard_hands_over(const void *argument)
{
	const char *argv[] = { reaped_path("hanging"), "say", "executed", "sleep", "100000", NULL };
	struct spawn_request request = spawning_request(0, argv);
	int log = open(reaped_path("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	int fd = make_hanging("hanging");

	(void)argument;
	check(log != -1 && dup2(log, 1) == 1);
	spawning_open();
	check(!spawn_start(spawning.spawner, &request, &spawning.process[0]));
	wait_for_half_made(&spawning.process[0]);
	close(fd);
	spawning_run_until_done(0);
	check(spawning.process[0].state == PROCESS_STARTED);
	check(process_look(&spawning.process[0]) == PROCESS_LIVES);
	check(strcmp(reaped_read(reaped_path("log"), "executed"), "executed\n") == 0);
	spawning_close();
}

static void
test_guard_hands_over(void **state)
{
	(void)state;
	reaped_run(guard_hands_over, NULL);
}

/* More hanging starts than there are threads: later ones wait, and all end. */
static void
all_threads_hang(const void *argument)
{
	const char *hanging[] = { reaped_path("hanging"), NULL };
	const char *good[] = { reaped_child(), NULL };
	struct spawn_request request = spawning_request(0, hanging);

	(void)argument;
	make_hanging("hanging");
	spawning_open();
	request.directory = "/";
	request.start_timeout = 1000;
	for (request.node = 0; request.node < 8; request.node++)
		check(!spawn_start(spawning.spawner, &request, &spawning.process[request.node]));
	request = spawning_request(8, good);
	request.directory = "/";
	check(!spawn_start(spawning.spawner, &request, &spawning.process[8]));
	for (uint32_t node = 0; node <= 8; node++)
		spawning_run_until_done(node);
	for (uint32_t node = 0; node < 8; node++)
		check(spawning.process[node].step == STEP_HUNG);
	check(spawning.process[8].state == PROCESS_STARTED);
	spawning_close();
}

static void
test_all_threads_hang(void **state)
{
	(void)state;
	reaped_run(all_threads_hang, NULL);
}

/* Hangs in exec after it has become another user, so that user's signals reach it. */
static void
stopped_is_killed(const void *argument)
{
	const char *argv[] = { reaped_path("hanging"), NULL };
	struct spawn_request request = spawning_request(0, argv);
	mono_ms begun = span_mono_now();

	(void)argument;
	make_hanging("hanging");
	spawning_open();
	request.set_identity = true;
	request.uid = request.gid = SPAWNING_STRANGER;
	check(!spawn_start(spawning.spawner, &request, &spawning.process[0]));
	wait_for_half_made(&spawning.process[0]);
	check(kill(spawning.process[0].pid, SIGSTOP) == 0);
	spawning_run_until_done(0);
	check(spawning.process[0].step == STEP_STOPPED);
	check(reaped_wait(spawning.process[0].pid) == SIGKILL);
	check(span_mono_now() - begun < 3000);
	spawning_close();
}

static void
test_stopped_is_killed(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(stopped_is_killed, NULL);
}

/*
 * A program under `user =` that stops what it can, all the time: every other start of that user
 * ends one way or the other.
 */
static void
stopper_freezes_nobody(const void *argument)
{
	const char *stopper[] = { reaped_path("child"), "stop-all", NULL };
	const char *victim[] = { reaped_path("child"), "exit", "0", NULL };
	struct spawn_request request = spawning_request(0, stopper);

	(void)argument;
	reaped_copy_child(reaped_path("child"));
	spawning_open();
	request.set_identity = true;
	request.uid = request.gid = SPAWNING_STRANGER;
	check(spawning_start(&request)->state == PROCESS_STARTED);
	for (uint32_t node = 1; node <= 40; node++) {
		const struct image_process *process;

		request = spawning_request(node, victim);
		request.set_identity = true;
		request.uid = request.gid = SPAWNING_STRANGER;
		process = spawning_start(&request);
		check(process->state == PROCESS_STARTED || process->step == STEP_STOPPED);
		if (process->state == PROCESS_STARTED)
			check(process_signal(process, SIGKILL, false) <=
			    0); /* it may be stopped, or gone */
	}
	check(process_signal(&spawning.process[0], SIGKILL, false) == 0);
	spawning_close();
}

static void
test_stopper_freezes_nobody(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(stopper_freezes_nobody, NULL);
}

/* --- starts taken over from a dead engine ----------------------------------------------------- */

enum adopted_end {
	GOES_ON,
	FAILS,
	HANGS,
	IS_STOPPED,
	IS_KILLED
};

/*
 * An engine that dies while its child is half-made; the child's parent is the one that takes over
 * here.
 */
static void
begin_and_die(const char *command)
{
	const char *argv[] = { command, "sleep", "100000", NULL };
	struct spawn_request request = spawning_request(5, argv);
	pid_t pid = fork();
	int status;

	check(pid != -1);
	if (pid == 0) {
		request.directory = "/";
		spawning_renew();
		check(!spawn_start(spawning.spawner, &request, &spawning.process[5]));
		wait_for_half_made(&spawning.process[5]);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
adopt(const void *argument)
{
	const enum adopted_end *end = argument;
	struct image_process *process;
	int fd, status;

	if (*end == FAILS)
		reaped_write(reaped_path("hanging"), "true\n", 5, 0755);
	fd = make_hanging("hanging");
	spawning_open();
	process = &spawning.process[5];
	begin_and_die(reaped_path("hanging"));
	check(process->state == PROCESS_STARTING && process->pid > 0 && process->step == STEP_NONE);
	check(process->start_max == UINT64_MAX && process_is_before_exec(process));
	spawn_adopt(spawning.spawner, 5, process, *end == HANGS ? 300 : 10000);
	ev_run(spawning.loop, EVRUN_NOWAIT);
	check(spawn_is_pending(spawning.spawner, 5) && !spawning.done[5]);
	if (*end == GOES_ON || *end == FAILS)
		close(fd);
	if (*end == IS_STOPPED)
		check(kill(process->pid, SIGSTOP) == 0);
	if (*end == IS_KILLED) {
		check(kill(process->pid, SIGKILL) == 0);
		check(waitpid(process->pid, &status, 0) == process->pid);
		spawn_note_exit(spawning.spawner, 5);
	}
	spawning_run_until_done(5);
	check(process->state ==
	    (*end == GOES_ON || *end == IS_KILLED ? PROCESS_STARTED : PROCESS_FAILED));
	check(*end != FAILS || (process->step == STEP_EXEC && process->error == ENOEXEC));
	check(*end != HANGS || process->step == STEP_HUNG);
	check(*end != IS_STOPPED || process->step == STEP_STOPPED);
	if (*end == GOES_ON) {
		check(process_look(process) == PROCESS_LIVES);
		check(process_signal(process, SIGKILL, false) == 0);
	}
	check(*end == IS_KILLED || waitpid(process->pid, &status, 0) == process->pid);
	spawning_close();
}

static void
test_adopt(void **state)
{
	static const enum adopted_end ends[] = { GOES_ON, FAILS, HANGS, IS_STOPPED, IS_KILLED };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		reaped_run(adopt, &ends[i]);
}

static void
no_leak(const void *argument)
{
	const char *argv[] = { "true", NULL };
	struct spawn_request request = spawning_request(0, argv);
	int before = -1;

	(void)argument;
	spawning_open();
	for (unsigned i = 0; i < 1000; i++) {
		request.node = i % 2;
		request.directory = i % 2 == 0 ? NULL : "/";
		if (i % 10 == 3)
			argv[0] = "no-such-program";
		else
			argv[0] = "true";
		check(spawning_start(&request)->state ==
		    (i % 10 == 3 ? PROCESS_FAILED : PROCESS_STARTED));
		if (i == 10)
			before = reaped_count_fds();
	}
	check(reaped_count_fds() == before);
	spawning_close();
}

static void
test_no_leak(void **state)
{
	(void)state;
	reaped_run(no_leak, NULL);
}

static void
test_step_texts(void **state)
{
	char text[SPAWN_FAILURE_SIZE];

	(void)state;
	assert_string_equal(spawn_step_text(STEP_DIRECTORY), "entering the directory");
	assert_string_equal(spawn_step_text(-1), "?");
	assert_string_equal(spawn_step_text(SPAWN_STEP_COUNT), "?");
	for (int32_t step = STEP_PREPARE; step < SPAWN_STEP_COUNT; step++)
		assert_true(strlen(spawn_step_text(step)) > 5);
	assert_string_equal(spawn_failure_text(STEP_EXEC, "/no/x", ENOENT, text),
	    "executing the command /no/x: No such file or directory (ENOENT); the program is missing, "
	    "or the interpreter that it names");
	assert_string_equal(spawn_failure_text(STEP_EXEC, "", 0, text), "executing the command");
	assert_non_null(
	    strstr(spawn_failure_text(STEP_STDIN, "", ENOENT, text), "; stdin = inherit"));
	assert_non_null(strstr(spawn_failure_text(STEP_SOCKETS, "", EPERM, text), "; to give"));
	assert_string_equal(spawn_failure_text(STEP_EXEC, "", 999, text),
	    "executing the command: Unknown error 999 (E?)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_texts),
		cmocka_unit_test(test_no_leak),
		cmocka_unit_test(test_hung_is_given_up),
		cmocka_unit_test(test_guard_hands_over),
		cmocka_unit_test(test_all_threads_hang),
		cmocka_unit_test(test_stopped_is_killed),
		cmocka_unit_test(test_stopper_freezes_nobody),
		cmocka_unit_test(test_adopt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
