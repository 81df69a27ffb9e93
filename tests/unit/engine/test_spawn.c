#include "engine/spawn.h"

#include "engine/process.h"
#include "reaped.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER  54321 /* a user that nobody else tests with */
#define MAX_NODES 2048U

/* The engine of a test: a loop, a spawner, and what it was told. */
static struct world {
	struct ev_loop *loop;
	struct spawner *spawner;
	struct image_process *process; /* [node], shared */
	bool done[MAX_NODES];
	unsigned done_count;
} world;

static void
on_done(void *context, uint32_t node, uint32_t incarnation, int32_t step, int32_t error)
{
	check(context == &world);
	check(!world.done[node]);
	check(world.process[node].incarnation == incarnation);
	check(world.process[node].step == step && world.process[node].error == error);
	check(!spawn_is_pending(world.spawner, node));
	world.done[node] = true;
	world.done_count++;
}

static void
open_world(void)
{
	world.loop = ev_loop_new(0);
	world.process = mmap(NULL, MAX_NODES * sizeof(*world.process), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	world.spawner = spawner_new(world.loop, on_done, &world);
	check(world.loop != NULL && world.process != MAP_FAILED && world.spawner != NULL);
}

static void
close_world(void)
{
	spawner_free(&world.spawner);
	ev_loop_destroy(world.loop);
	munmap(world.process, MAX_NODES * sizeof(*world.process));
}

static const char *const no_environment[] = { NULL };

static struct spawn_request
request_for(uint32_t node, const char *const *argv)
{
	return (struct spawn_request){ .node = node,
		.incarnation = 7,
		.argv = argv,
		.envp = no_environment,
		.search_path = "/usr/bin:/bin",
		.output = OUTPUT_INHERIT,
		.error_output = OUTPUT_INHERIT,
		.umask = 022,
		.start_timeout = 10000 };
}

static void
run_until_done(uint32_t node)
{
	int budget = 20000;

	while (!world.done[node]) {
		ev_run(world.loop, EVRUN_NOWAIT);
		if (!world.done[node])
			reaped_pause(&budget);
	}
}

/* Starts, waits until the start is over, and returns its slot. */
static struct image_process *
start(const struct spawn_request *request)
{
	struct image_process *process = &world.process[request->node];

	world.done[request->node] = false;
	if (!spawn_start(world.spawner, request, process)) {
		check(spawn_is_pending(world.spawner, request->node));
		run_until_done(request->node);
	}
	return process;
}

/* --- each step can fail, and then nothing is executed ---------------------------------------------------------- */

struct failure {
	const char *name;
	const char *command; /* NULL: the child program */
	const char *directory;
	const char *input, *output, *error;
	bool identity, unprivileged, no_slash;
	int32_t step, errno_;
};

/* Names are in the test's directory, which prepare_files fills. */
static const struct failure failures[] = {
	{ "no such command", .command = "missing", .step = STEP_EXEC, .errno_ = ENOENT },
	{ "no such command in PATH", .command = "missing", .no_slash = true, .step = STEP_EXEC,
	    .errno_ = ENOENT },
	{ "command is a directory", .command = "dir", .step = STEP_EXEC, .errno_ = EACCES },
	{ "command in PATH is a directory", .command = "dir", .no_slash = true, .step = STEP_EXEC,
	    .errno_ = EACCES },
	{ "command below a file", .command = "plain/x", .step = STEP_EXEC, .errno_ = ENOTDIR },
	{ "command not executable", .command = "plain", .step = STEP_EXEC, .errno_ = EACCES },
	{ "command for another machine", .command = "foreign", .step = STEP_EXEC,
	    .errno_ = ENOEXEC },
	{ "script without interpreter", .command = "script", .step = STEP_EXEC, .errno_ = ENOEXEC },
	{ "script without interpreter in PATH", .command = "script", .no_slash = true,
	    .step = STEP_EXEC, .errno_ = ENOEXEC },
	{ "script whose interpreter is missing", .command = "orphan", .step = STEP_EXEC,
	    .errno_ = ENOENT },
	{ "empty file", .command = "empty", .step = STEP_EXEC, .errno_ = ENOEXEC },
	{ "no such directory", .directory = "missing", .step = STEP_DIRECTORY, .errno_ = ENOENT },
	{ "directory is a file", .directory = "plain", .step = STEP_DIRECTORY, .errno_ = ENOTDIR },
	{ "directory not to be entered", .directory = "closed", .unprivileged = true,
	    .step = STEP_DIRECTORY, .errno_ = EACCES },
	{ "no such stdin", .input = "missing", .step = STEP_STDIN, .errno_ = ENOENT },
	{ "stdin is a FIFO", .input = "fifo", .step = STEP_STDIN, .errno_ = EINVAL },
	{ "stdin is a directory", .input = "dir", .step = STEP_STDIN, .errno_ = EISDIR },
	{ "log is a FIFO without reader", .output = "fifo", .step = STEP_LOG, .errno_ = ENXIO },
	{ "log is a FIFO with a reader", .output = "read-fifo", .step = STEP_LOG,
	    .errno_ = EINVAL },
	{ "log is a directory", .output = "dir", .step = STEP_LOG, .errno_ = EISDIR },
	{ "log below a file", .output = "plain/log", .step = STEP_LOG, .errno_ = ENOTDIR },
	{ "log in a closed directory", .output = "closed/log", .unprivileged = true,
	    .step = STEP_LOG, .errno_ = EACCES },
	{ "log under a file's directory", .output = "plain/a/b", .step = STEP_LOG,
	    .errno_ = ENOTDIR },
	{ "stderr is a FIFO without reader", .error = "fifo", .step = STEP_STDERR,
	    .errno_ = ENXIO },
	{ "groups without the right", .identity = true, .unprivileged = true, .step = STEP_GROUPS,
	    .errno_ = EPERM },
};

static void
prepare_files(void)
{
	/* an ELF header of s390x: 64 bit, big-endian, executable; elf.h and ev.h cannot be had together */
	static const unsigned char foreign[64] = { 0x7f, 'E', 'L', 'F', 2, 2,
		1, [17] = 2, [19] = 22, [23] = 1 };
	static const char script[] = "touch $0.ran\n", orphan[] = "#!/no/such/interpreter\n";

	check(mkdir(reaped_path("dir"), 0755) == 0);
	check(mkdir(reaped_path("closed"), 0700) == 0);
	check(mkfifo(reaped_path("fifo"), 0666) == 0);
	check(mkfifo(reaped_path("read-fifo"), 0666) == 0);
	check(open(reaped_path("read-fifo"), O_RDWR | O_CLOEXEC) != -1);
	reaped_write(reaped_path("plain"), "x", 1, 0644);
	reaped_write(reaped_path("empty"), "", 0, 0755);
	reaped_write(reaped_path("foreign"), foreign, sizeof(foreign), 0755);
	reaped_write(reaped_path("script"), script, sizeof(script) - 1, 0755);
	reaped_write(reaped_path("orphan"), orphan, sizeof(orphan) - 1, 0755);
	reaped_copy_child(reaped_path("child"));
}

static const char *
path_or_null(const char *name)
{
	return name == NULL ? NULL : reaped_path(name);
}

static void
fail_at_step(const void *argument)
{
	const struct failure *row = argument;
	const char *argv[] = { NULL, "say", "executed", NULL };
	struct spawn_request request = request_for(0, argv);
	const struct image_process *process;

	prepare_files();
	argv[0] = reaped_path(row->command == NULL ? "child" : row->command);
	if (row->unprivileged)
		check(setgid(STRANGER) == 0 && setuid(STRANGER) == 0);
	open_world();
	if (row->no_slash) {
		argv[0] = row->command;
		request.search_path = reaped_path("dir/.."); /* one place is missing, then ours */
	}
	request.directory = path_or_null(row->directory);
	request.input_path = path_or_null(row->input);
	request.input = row->input == NULL ? INPUT_NULL : INPUT_FILE;
	request.output_path = path_or_null(row->output);
	request.output = row->output == NULL ? OUTPUT_NULL : OUTPUT_FILE;
	request.error_path = path_or_null(row->error);
	request.error_output = row->error == NULL ? OUTPUT_SAME : OUTPUT_FILE;
	request.set_identity = row->identity;
	request.uid = request.gid = STRANGER;
	process = start(&request);
	if (process->step != row->step || process->error != row->errno_)
		fprintf(stderr, "%s: %s, errno %d\n", row->name, spawn_step_text(process->step),
		    process->error);
	check(process->state == PROCESS_FAILED);
	check(process->step == row->step && process->error == row->errno_);
	check(process->incarnation == 7);
	check(process->pid > 0); /* its exit comes as any other, and is nobody's success */
	check(reaped_wait(process->pid) == 127 << 8);
	check(access(reaped_path("script.ran"), F_OK) == -1);
	close_world();
}

static void
test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		reaped_run(fail_at_step, &failures[i]);
}

static void
uid_fails(const void *argument)
{
	static const gid_t groups[] = { STRANGER };
	const char *argv[] = { reaped_child(), NULL };
	struct spawn_request request = request_for(0, argv);

	(void)argument;
	/* keeps CAP_SETGID, loses CAP_SETUID: the step after the groups is the one that must stop it */
	check(prctl(PR_CAPBSET_DROP, 7 /* CAP_SETUID */, 0, 0, 0) == 0);
	{
		struct {
			uint32_t version;
			int pid;
		} header = { 0x20080522, 0 };
		struct {
			uint32_t effective, permitted, inheritable;
		} sets[2];

		check(syscall(SYS_capget, &header, sets) == 0);
		sets[0].effective &= ~(1U << 7);
		sets[0].permitted &= ~(1U << 7);
		check(syscall(SYS_capset, &header, sets) == 0);
	}
	open_world();
	request.set_identity = true;
	request.uid = request.gid = STRANGER;
	request.groups = groups;
	request.group_count = 1;
	check(start(&request)->step == STEP_USER && world.process[0].error == EPERM);
	close_world();
}

static void
test_uid_fails(void **state)
{
	(void)state;
	reaped_run(uid_fails, NULL);
}

/* --- surroundings ---------------------------------------------------------------------------------------------- */

static void
surroundings(const void *argument)
{
	static const gid_t groups[] = { STRANGER, STRANGER + 1 };
	static const char *const environment[] = { "A=1", "B=two words", NULL };
	const char *argv[] = { "child", "self", "env", "say", "ready", "sleep", "100000", NULL };
	struct spawn_request request = request_for(3, argv);
	const struct image_process *process;
	const char *text;
	struct stat about;

	(void)argument;
	check(mkdir(reaped_path("bin"), 0755) == 0);
	reaped_copy_child(reaped_path("bin/child"));
	umask(077);
	open_world();
	request.envp = environment;
	request.search_path = "/nonexistent:bin"; /* relative to the directory */
	request.directory = reaped_path(".");
	request.output = OUTPUT_FILE;
	request.output_path = reaped_path("a/b//c/log");
	request.error_output = OUTPUT_SAME;
	request.umask = 027;
	request.set_identity = true;
	request.uid = STRANGER;
	request.gid = STRANGER;
	request.groups = groups;
	request.group_count = 2;
	request.files = (struct rlimit){ 321, 654 };
	process = start(&request);
	check(process->state == PROCESS_STARTED && process->step == STEP_NONE);
	text = reaped_read(reaped_path("a/b/c/log"), "ready\n");
	check(strstr(text, "uid 54321 54321\ngid 54321 54321\ngroups 54321 54322\n") != NULL);
	check(strstr(text, "umask 27\n") != NULL);
	check(strstr(text, "directory /tmp/coppice-test-") != NULL);
	check(strstr(text, "leads 1 1\n") != NULL);
	check(strstr(text, "files 321\n") != NULL);
	check(strstr(text, "\nA=1\nB=two words\nready\n") != NULL);
	check(stat(reaped_path("a/b/c/log"), &about) == 0 && (about.st_mode & 07777) == 0640);
	check(stat(reaped_path("a/b"), &about) == 0 && (about.st_mode & 07777) == 0755);
	check(process->start_min <= process->start_max && process->start_max != UINT64_MAX);
	check(process_look(process) == PROCESS_LIVES);
	check(!process_is_before_exec(process));
	/* the engine is as it was */
	check(umask(077) == 077 && getuid() == 0 && getgid() == 0);
	close_world();
}

static void
test_surroundings(void **state)
{
	(void)state;
	reaped_run(surroundings, NULL);
}

static void
on_signal(int signal)
{
	(void)signal;
}

/* An engine with odd signals and open descriptors; its child has neither, whoever clones it. */
static void
clean_child(const void *argument)
{
	const bool *threaded = argument;
	const char *argv[] = { reaped_child(), "signals", "fds", "say", "ready", NULL };
	struct spawn_request request = request_for(0, argv);
	const uintptr_t ignored[16] = { (uintptr_t)SIG_IGN };
	sigset_t all;
	const char *text;
	int fd = open(reaped_path("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	check(fd != -1);
	for (int i = 0; i < 100; i++)
		check(dup(fd) != -1);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, on_signal);
	for (int hidden = 32; hidden <= 33; hidden++) /* glibc's own */
		check(syscall(SYS_rt_sigaction, hidden, ignored, NULL, 8) == 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	open_world();
	check(dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
	if (*threaded)
		request.directory = "/";
	check(start(&request)->state == PROCESS_STARTED);
	text = reaped_read(reaped_path("log"), "ready\n");
	check(strstr(text, "SigBlk:\t0000000000000000\n") != NULL);
	check(strstr(text, "SigIgn:\t0000000000000000\n") != NULL);
	check(strstr(text, "SigPnd:\t0000000000000000\n") != NULL);
	check(strstr(text, "\nfd 0\nfd 1\nfd 2\nready\n") != NULL);
	check(sigprocmask(SIG_BLOCK, NULL, &all) == 0 && sigismember(&all, SIGTERM) == 1);
	close_world();
}

static void
test_clean_child(void **state)
{
	static const bool threaded[] = { false, true };

	(void)state;
	reaped_run(clean_child, &threaded[0]);
	reaped_run(clean_child, &threaded[1]);
}

static void
no_leak(const void *argument)
{
	const char *argv[] = { "true", NULL };
	struct spawn_request request = request_for(0, argv);
	int before = -1;

	(void)argument;
	open_world();
	for (unsigned i = 0; i < 1000; i++) {
		request.node = i % 2;
		request.directory = i % 2 == 0 ? NULL : "/";
		if (i % 10 == 3)
			argv[0] = "no-such-program";
		else
			argv[0] = "true";
		check(start(&request)->state == (i % 10 == 3 ? PROCESS_FAILED : PROCESS_STARTED));
		if (i == 10)
			before = reaped_count_fds();
	}
	check(reaped_count_fds() == before);
	close_world();
}

static void
test_no_leak(void **state)
{
	(void)state;
	reaped_run(no_leak, NULL);
}

/* --- kernels and containers that refuse ------------------------------------------------------------------------ */

static void
refuse(uint32_t number, uint32_t error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

struct refusal {
	uint32_t number, error;
};

static void
refused_call(const void *argument)
{
	const struct refusal *row = argument;
	const char *argv[] = { reaped_child(), "fds", "say", "ready", "sleep", "100000", NULL };
	struct spawn_request request = request_for(0, argv);

	check(close_range(3, ~0U, 0) == 0); /* what the test itself was started with */
	refuse(row->number, row->error);
	open_world();
	for (uint32_t node = 0; node < 2; node++) {
		char name[16];

		snprintf(name, sizeof(name), "log%u", node);
		request.node = node;
		request.directory = node == 0 ? NULL : "/";
		request.output = OUTPUT_FILE;
		request.output_path = reaped_path(name);
		check(start(&request)->state == PROCESS_STARTED);
		check(strcmp(reaped_read(request.output_path, "ready\n"),
			  "fd 0\nfd 1\nfd 2\nready\n") == 0);
		check(process_look(&world.process[node]) == PROCESS_LIVES);
	}
	/* and without a file, by the main thread */
	request.node = 2;
	request.directory = NULL;
	request.output = OUTPUT_NULL;
	check(start(&request)->state == PROCESS_STARTED);
	check(process_signal(&world.process[2], SIGKILL, false) == 0);
	check(reaped_wait(world.process[2].pid) == SIGKILL);
	close_world();
}

static void
test_refused_calls(void **state)
{
	static const struct refusal rows[] = { { SYS_clone3, ENOSYS }, { SYS_clone3, EPERM },
		{ SYS_close_range, ENOSYS }, { SYS_close_range, EPERM }, { SYS_pidfd_open, EPERM },
		{ SYS_pidfd_send_signal, ENOSYS } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		reaped_run(refused_call, &rows[i]);
}

/* --- starts that hang, and strangers who stop them ------------------------------------------------------------- */

/*
 * A program whose exec hangs as on a dead mount: the test holds a write lease on it (fcntl(2), F_SETLEASE), which the kernel breaks
 * only after 45 s. Returns the descriptor; closing it lets the exec go on.
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
	struct spawn_request request = request_for(0, hanging);
	mono_ms begun;

	make_hanging("hanging");
	open_world();
	request.directory = *threaded ? "/" : NULL;
	request.start_timeout = 400;
	begun = span_mono_now();
	check(!spawn_start(world.spawner, &request, &world.process[0]));
	check(span_mono_now() - begun <
	    300); /* the main thread was not held up for longer than the guard's patience */
	for (uint32_t node = 1; node < 10; node++) {
		request = request_for(node, good);
		request.directory = "/";
		check(start(&request)->state == PROCESS_STARTED);
	}
	check(!world.done[0] && spawn_is_pending(world.spawner, 0));
	run_until_done(0);
	check(world.process[0].state == PROCESS_FAILED);
	check(world.process[0].step == STEP_HUNG && world.process[0].error == ETIMEDOUT);
	check(reaped_wait(world.process[0].pid) == SIGKILL);
	check(span_mono_now() - begun >= 400 && span_mono_now() - begun < 5000);
	/* and the node can start again */
	request = request_for(0, good);
	check(start(&request)->state == PROCESS_STARTED);
	close_world();
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
	struct spawn_request request = request_for(0, argv);
	int log = open(reaped_path("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	int fd = make_hanging("hanging");

	(void)argument;
	check(log != -1 && dup2(log, 1) == 1);
	open_world();
	check(!spawn_start(world.spawner, &request, &world.process[0]));
	wait_for_half_made(&world.process[0]);
	close(fd);
	run_until_done(0);
	check(world.process[0].state == PROCESS_STARTED);
	check(process_look(&world.process[0]) == PROCESS_LIVES);
	check(strcmp(reaped_read(reaped_path("log"), "executed"), "executed\n") == 0);
	close_world();
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
	struct spawn_request request = request_for(0, hanging);

	(void)argument;
	make_hanging("hanging");
	open_world();
	request.directory = "/";
	request.start_timeout = 1000;
	for (request.node = 0; request.node < 8; request.node++)
		check(!spawn_start(world.spawner, &request, &world.process[request.node]));
	request = request_for(8, good);
	request.directory = "/";
	check(!spawn_start(world.spawner, &request, &world.process[8]));
	for (uint32_t node = 0; node <= 8; node++)
		run_until_done(node);
	for (uint32_t node = 0; node < 8; node++)
		check(world.process[node].step == STEP_HUNG);
	check(world.process[8].state == PROCESS_STARTED);
	close_world();
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
	struct spawn_request request = request_for(0, argv);
	mono_ms begun = span_mono_now();

	(void)argument;
	make_hanging("hanging");
	open_world();
	request.set_identity = true;
	request.uid = request.gid = STRANGER;
	check(!spawn_start(world.spawner, &request, &world.process[0]));
	wait_for_half_made(&world.process[0]);
	check(kill(world.process[0].pid, SIGSTOP) == 0);
	run_until_done(0);
	check(world.process[0].step == STEP_STOPPED);
	check(reaped_wait(world.process[0].pid) == SIGKILL);
	check(span_mono_now() - begun < 3000);
	close_world();
}

static void
test_stopped_is_killed(void **state)
{
	(void)state;
	reaped_run(stopped_is_killed, NULL);
}

/* A program under `user =` that stops what it can, all the time: every other start of that user ends one way or the other. */
static void
stopper_freezes_nobody(const void *argument)
{
	const char *stopper[] = { reaped_path("child"), "stop-all", NULL };
	const char *victim[] = { reaped_path("child"), "exit", "0", NULL };
	struct spawn_request request = request_for(0, stopper);

	(void)argument;
	reaped_copy_child(reaped_path("child"));
	open_world();
	request.set_identity = true;
	request.uid = request.gid = STRANGER;
	check(start(&request)->state == PROCESS_STARTED);
	for (uint32_t node = 1; node <= 40; node++) {
		const struct image_process *process;

		request = request_for(node, victim);
		request.set_identity = true;
		request.uid = request.gid = STRANGER;
		process = start(&request);
		check(process->state == PROCESS_STARTED || process->step == STEP_STOPPED);
		if (process->state == PROCESS_STARTED)
			check(process_signal(process, SIGKILL, false) <=
			    0); /* it may be stopped, or gone */
	}
	check(process_signal(&world.process[0], SIGKILL, false) == 0);
	close_world();
}

static void
test_stopper_freezes_nobody(void **state)
{
	(void)state;
	reaped_run(stopper_freezes_nobody, NULL);
}

/* --- starts taken over from a dead engine ---------------------------------------------------------------------- */

enum adopted_end {
	GOES_ON,
	FAILS,
	HANGS,
	IS_STOPPED,
	IS_KILLED
};

/* An engine that dies while its child is half-made; the child's parent is the one that takes over here. */
static void
begin_and_die(const char *command)
{
	const char *argv[] = { command, "sleep", "100000", NULL };
	struct spawn_request request = request_for(5, argv);
	pid_t pid = fork();
	int status;

	check(pid != -1);
	if (pid == 0) {
		request.directory = "/";
		world.spawner = spawner_new(world.loop, on_done, &world);
		check(!spawn_start(world.spawner, &request, &world.process[5]));
		wait_for_half_made(&world.process[5]);
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
	open_world();
	process = &world.process[5];
	begin_and_die(reaped_path("hanging"));
	check(process->state == PROCESS_STARTING && process->pid > 0 && process->step == STEP_NONE);
	check(process->start_max == UINT64_MAX && process_is_before_exec(process));
	spawn_adopt(world.spawner, 5, process, *end == HANGS ? 300 : 10000);
	ev_run(world.loop, EVRUN_NOWAIT);
	check(spawn_is_pending(world.spawner, 5) && !world.done[5]);
	if (*end == GOES_ON || *end == FAILS)
		close(fd);
	if (*end == IS_STOPPED)
		check(kill(process->pid, SIGSTOP) == 0);
	if (*end == IS_KILLED) {
		check(kill(process->pid, SIGKILL) == 0);
		check(waitpid(process->pid, &status, 0) == process->pid);
		spawn_note_exit(world.spawner, 5);
	}
	run_until_done(5);
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
	close_world();
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
test_step_texts(void **state)
{
	(void)state;
	assert_string_equal(spawn_step_text(STEP_DIRECTORY), "entering the directory");
	assert_string_equal(spawn_step_text(-1), "?");
	assert_string_equal(spawn_step_text(SPAWN_STEP_COUNT), "?");
	for (int32_t step = STEP_PREPARE; step < SPAWN_STEP_COUNT; step++)
		assert_true(strlen(spawn_step_text(step)) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_texts),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_uid_fails),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_clean_child),
		cmocka_unit_test(test_no_leak),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_hung_is_given_up),
		cmocka_unit_test(test_guard_hands_over),
		cmocka_unit_test(test_all_threads_hang),
		cmocka_unit_test(test_stopped_is_killed),
		cmocka_unit_test(test_stopper_freezes_nobody),
		cmocka_unit_test(test_adopt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
