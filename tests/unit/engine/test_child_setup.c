#include "engine/child_setup.h"

#include "engine/process.h"
#include "reaped.h"
#include "spawning.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* --- each step can fail, and then nothing is executed ----------------------------------------- */

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
	/*
	 * an ELF header of s390x: 64 bit, big-endian, executable; elf.h and ev.h cannot be had
	 * together
	 */
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

static const gid_t strange_groups[] = { SPAWNING_STRANGER, SPAWNING_STRANGER + 1 };

static void
fail_at_step(const void *argument)
{
	const struct failure *row = argument;
	const char *argv[] = { NULL, "say", "executed", NULL };
	struct spawn_request request = spawning_request(0, argv);
	const struct image_process *process;

	prepare_files();
	argv[0] = reaped_path(row->command == NULL ? "child" : row->command);
	if (row->unprivileged)
		check(setgid(SPAWNING_STRANGER) == 0 && setuid(SPAWNING_STRANGER) == 0);
	spawning_open();
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
	request.uid = request.gid = SPAWNING_STRANGER;
	request.groups = strange_groups;
	request.group_count = 2;
	process = spawning_start(&request);
	if (process->step != row->step || process->error != row->errno_)
		fprintf(stderr, "%s: %s, errno %d\n", row->name, spawn_step_text(process->step),
		    process->error);
	check(process->state == PROCESS_FAILED);
	check(process->step == row->step && process->error == row->errno_);
	check(process->incarnation == 7);
	check(process->pid > 0); /* its exit comes as any other, and is nobody's success */
	check(reaped_wait(process->pid) == 127 << 8);
	check(access(reaped_path("script.ran"), F_OK) == -1);
	spawning_close();
}

static void
test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].unprivileged && geteuid() != 0)
			print_message("needs root: %s\n", failures[i].name);
		else
			reaped_run(fail_at_step, &failures[i]);
	}
}

static void
uid_fails(const void *argument)
{
	static const gid_t groups[] = { SPAWNING_STRANGER };
	const char *argv[] = { reaped_child(), NULL };
	struct spawn_request request = spawning_request(0, argv);

	(void)argument;
	/*
	 * keeps CAP_SETGID, loses CAP_SETUID: the step after the groups is the one that must stop
	 * it
	 */
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
	spawning_open();
	request.set_identity = true;
	request.uid = request.gid = SPAWNING_STRANGER;
	request.groups = groups;
	request.group_count = 1;
	check(spawning_start(&request)->step == STEP_USER && spawning.process[0].error == EPERM);
	spawning_close();
}

static void
test_uid_fails(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(uid_fails, NULL);
}

/* --- surroundings ----------------------------------------------------------------------------- */

static void
surroundings(const void *argument)
{
	static const gid_t groups[] = { SPAWNING_STRANGER, SPAWNING_STRANGER + 1 };
	static const char *const environment[] = { "A=1", "B=two words", NULL };
	const char *argv[] = { "child", "self", "env", "say", "ready", "sleep", "100000", NULL };
	struct spawn_request request = spawning_request(3, argv);
	const struct image_process *process;
	const char *text;
	struct stat about;

	(void)argument;
	check(mkdir(reaped_path("bin"), 0755) == 0);
	reaped_copy_child(reaped_path("bin/child"));
	umask(077);
	spawning_open();
	request.envp = environment;
	request.search_path = "/nonexistent:bin"; /* relative to the directory */
	request.directory = reaped_path(".");
	request.output = OUTPUT_FILE;
	request.output_path = reaped_path("a/b//c/log");
	request.error_output = OUTPUT_SAME;
	request.umask = 027;
	request.set_identity = true;
	request.uid = SPAWNING_STRANGER;
	request.gid = SPAWNING_STRANGER;
	request.groups = groups;
	request.group_count = 2;
	request.files = (struct rlimit){ 321, 654 };
	process = spawning_start(&request);
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
	spawning_close();
}

static void
test_surroundings(void **state)
{
	(void)state;
	reaped_needs_root();
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
	struct spawn_request request = spawning_request(0, argv);
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
	spawning_open();
	check(dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
	if (*threaded)
		request.directory = "/";
	check(spawning_start(&request)->state == PROCESS_STARTED);
	text = reaped_read(reaped_path("log"), "ready\n");
	check(strstr(text, "SigBlk:\t0000000000000000\n") != NULL);
	check(strstr(text, "SigIgn:\t0000000000000000\n") != NULL);
	check(strstr(text, "SigPnd:\t0000000000000000\n") != NULL);
	check(strstr(text, "\nfd 0\nfd 1\nfd 2\nready\n") != NULL);
	check(sigprocmask(SIG_BLOCK, NULL, &all) == 0 && sigismember(&all, SIGTERM) == 1);
	spawning_close();
}

static void
test_clean_child(void **state)
{
	static const bool threaded[] = { false, true };

	(void)state;
	reaped_run(clean_child, &threaded[0]);
	reaped_run(clean_child, &threaded[1]);
}

/* --- kernels and containers that refuse ------------------------------------------------------- */

struct refusal {
	uint32_t number, error;
};

static void
refused_call(const void *argument)
{
	const struct refusal *row = argument;
	const char *argv[] = { reaped_child(), "fds", "say", "ready", "sleep", "100000", NULL };
	struct spawn_request request = spawning_request(0, argv);

	check(close_range(3, ~0U, 0) == 0); /* what the test itself was started with */
	reaped_refuse(row->number, REAPED_ANY, 0, row->error);
	spawning_open();
	for (uint32_t node = 0; node < 2; node++) {
		char name[16];

		snprintf(name, sizeof(name), "log%u", node);
		request.node = node;
		request.directory = node == 0 ? NULL : "/";
		request.output = OUTPUT_FILE;
		request.output_path = reaped_path(name);
		check(spawning_start(&request)->state == PROCESS_STARTED);
		check(strcmp(reaped_read(request.output_path, "ready\n"),
			  "fd 0\nfd 1\nfd 2\nready\n") == 0);
		check(process_look(&spawning.process[node]) == PROCESS_LIVES);
	}
	/* and without a file, by the main thread */
	request.node = 2;
	request.directory = NULL;
	request.output = OUTPUT_NULL;
	check(spawning_start(&request)->state == PROCESS_STARTED);
	check(process_signal(&spawning.process[2], SIGKILL, false) == 0);
	check(reaped_wait(spawning.process[2].pid) == SIGKILL);
	spawning_close();
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_uid_fails),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_clean_child),
		cmocka_unit_test(test_refused_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
