/*
 * Every row of the table in child_setup.c fails once here, and then nothing is executed (FIELD
 * 2.C.13). That each has its turn is read from the table's text.
 */
#include "engine/child_rights.h"

#include "reaped.h"
#include "spawning.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define READY_FD 9
#define ALL_CAPS (~UINT64_C(0) >> 1)

struct row {
	const char *name; /* as the table has it; NULL: another failure of the row before */
	uint32_t call;    /* that is refused; 0: it fails by itself */
	int argument;     /* of that value alone */
	uint32_t value, error;
	void (*ask)(struct spawn_request *request);
	int32_t step;
};

static const struct contract_limit no_core[] = { { RLIMIT_CORE, { 0, 0 } } };
static const gid_t others[] = { SPAWNING_STRANGER, SPAWNING_STRANGER + 1 };
static const uint64_t first_cpu[CONTRACT_CPUS / 64] = { 1 },
						last_cpu[CONTRACT_CPUS / 64] = {
							[CONTRACT_CPUS / 64 - 1] = UINT64_C(1) << 63
						};
static gid_t own[64];

static void
nothing(struct spawn_request *request)
{
	(void)request;
}

/* What we are already needs no right. */
static void
ourselves(struct spawn_request *request)
{
	request->set_identity = true;
	request->uid = getuid();
	request->gid = getgid();
	request->groups = own;
	request->group_count = (uint32_t)getgroups(64, own);
}

static void
other_groups(struct spawn_request *request)
{
	ourselves(request);
	request->groups = others;
	request->group_count = 2;
}

static void
other_group(struct spawn_request *request)
{
	ourselves(request);
	request->gid = SPAWNING_STRANGER;
}

static void
other_user(struct spawn_request *request)
{
	ourselves(request);
	request->uid = SPAWNING_STRANGER;
}

static void
ready_fd(struct spawn_request *request)
{
	request->ready_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	request->ready_number = READY_FD;
}

static void
sockets(struct spawn_request *request)
{
	static const char *const envp[] = { "A=1", NULL };
	static int fd;

	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 64);
	check(fd >= 64);
	request->sockets = &fd;
	request->socket_count = 1;
	request->envp = envp;
}

/* A directory that is none of a cgroup, but looks so to who goes there by itself. */
static void
full_cgroup(struct spawn_request *request)
{
	check(symlink("/dev/full", reaped_path("cgroup.procs")) == 0);
	request->cgroup = open(reaped_path("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request->joins_cgroup = true;
}

static void
missing_file(struct spawn_request *request)
{
	request->contract.env_file = reaped_path("missing");
}

static void
odd_file(struct spawn_request *request)
{
	request->contract.env_file = reaped_path("odd");
	reaped_write(request->contract.env_file, "A=1\nB\n", 6, 0644);
}

static void
wrong_oom_score(struct spawn_request *request)
{
	strcpy(request->contract.oom_score_adj, "1001");
	request->contract.oom_score_adj_len = 4;
}

static void
limit(struct spawn_request *request)
{
	request->contract.limits = no_core;
	request->contract.limit_count = 1;
}

static void
nice_value(struct spawn_request *request)
{
	request->contract.sets_nice = true;
	request->contract.nice = 19;
}

static void
cpu(struct spawn_request *request)
{
	request->contract.cpus = first_cpu;
}

static void
no_such_cpu(struct spawn_request *request)
{
	request->contract.cpus = last_cpu;
}

static void
directory(struct spawn_request *request)
{
	request->directory = "/";
}

static void
no_capabilities(struct spawn_request *request)
{
	request->contract.sets_capabilities = true;
}

static void
all_capabilities(struct spawn_request *request)
{
	ourselves(request);
	request->contract.sets_capabilities = true;
	request->contract.capabilities = ALL_CAPS;
}

/* Those that there are, all of which only root has. */
static void
held_capabilities(struct spawn_request *request)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];

	check(syscall(SYS_capget, &header, sets) == 0);
	request->contract.sets_capabilities = true;
	request->contract.capabilities = sets[0].permitted | (uint64_t)sets[1].permitted << 32;
}

static void
no_new_privileges(struct spawn_request *request)
{
	request->contract.no_new_privileges = true;
}

static const struct row rows[] = {
	{ "join_cgroup", 0, 0, 0, ENOSPC, full_cgroup, STEP_CGROUP },
	{ "own_descriptors", SYS_close_range, 2, CLOSE_RANGE_UNSHARE, ENOMEM, nothing,
	    STEP_DESCRIPTORS },
	{ "new_session", SYS_setsid, REAPED_ANY, 0, EPERM, nothing, STEP_SESSION },
	{ "child_env_read", 0, 0, 0, ENOENT, missing_file, STEP_ENV_FILE },
	{ NULL, 0, 0, 0, EBADMSG, odd_file, STEP_ENV_FILE },
	{ "set_stdin", SYS_dup3, 1, 0, EBUSY, nothing, STEP_STDIN },
	{ "set_stdout", SYS_dup3, 1, 1, EBUSY, nothing, STEP_LOG },
	{ "set_stderr", SYS_dup3, 1, 2, EBUSY, nothing, STEP_STDERR },
	{ "place_ready", SYS_dup3, 1, READY_FD, EBUSY, ready_fd, STEP_READY },
	{ "place_sockets", SYS_dup3, 1, 3, EBUSY, sockets, STEP_SOCKETS },
	{ "tell_pid", 0, 0, 0, EINVAL, sockets, STEP_SOCKETS },
	{ "set_umask", SYS_umask, REAPED_ANY, 0, EINVAL, nothing, STEP_UMASK },
	{ "child_rights_oom", 0, 0, 0, EINVAL, wrong_oom_score, STEP_OOM },
	{ "child_rights_limits", SYS_prlimit64, 1, RLIMIT_CORE, EPERM, limit, STEP_LIMITS },
	{ "child_rights_nice", SYS_setpriority, REAPED_ANY, 0, EACCES, nice_value, STEP_NICE },
	{ "child_rights_affinity", SYS_sched_setaffinity, REAPED_ANY, 0, EPERM, cpu,
	    STEP_AFFINITY },
	{ NULL, 0, 0, 0, EINVAL, no_such_cpu, STEP_AFFINITY },
	{ "enter_directory", SYS_chdir, REAPED_ANY, 0, EIO, directory, STEP_DIRECTORY },
	{ "child_rights_drop", SYS_prctl, 0, PR_CAPBSET_DROP, EPERM, no_capabilities,
	    STEP_BOUNDING },
	{ "child_rights_keep", SYS_prctl, 0, PR_SET_KEEPCAPS, EPERM, all_capabilities,
	    STEP_CAPABILITIES },
	{ "child_rights_groups", SYS_setgroups, REAPED_ANY, 0, EPERM, other_groups, STEP_GROUPS },
	{ "child_rights_group", SYS_setresgid, REAPED_ANY, 0, EPERM, other_group, STEP_GROUP },
	{ "child_rights_user", SYS_setresuid, REAPED_ANY, 0, EPERM, other_user, STEP_USER },
	{ "child_rights_capabilities", SYS_capset, REAPED_ANY, 0, EPERM, all_capabilities,
	    STEP_CAPABILITIES },
	{ NULL, 0, 0, 0, EPERM, all_capabilities, STEP_CAPABILITIES },
	{ "child_rights_forbid", SYS_prctl, 0, PR_SET_NO_NEW_PRIVS, EPERM, no_new_privileges,
	    STEP_NO_NEW_PRIVILEGES },
	{ "reset_signals", SYS_rt_sigaction, 0, SIGPIPE, EINVAL, nothing, STEP_SIGNALS },
	{ "execute", SYS_execve, REAPED_ANY, 0, EACCES, nothing, STEP_EXEC },
};

/* Raised for others than root last of all. */
static const struct row ambient = { NULL, SYS_prctl, 0, PR_CAP_AMBIENT, EPERM, held_capabilities,
	STEP_CAPABILITIES };

static void
fails(const void *argument)
{
	const struct row *row = argument;
	const char *argv[] = { reaped_child(), "exit", "0", NULL };
	struct spawn_request request = spawning_request(0, argv);
	const struct image_process *process;

	signal(SIGPIPE, SIG_IGN);
	spawning_open();
	row->ask(&request);
	request.output = OUTPUT_NULL;
	request.error_output = OUTPUT_SAME;
	if (row->call != 0)
		reaped_refuse(row->call, row->argument, row->value, row->error);
	process = spawning_start(&request);
	if (process->step != row->step || process->error != (int32_t)row->error)
		fprintf(stderr, "%s: %s, errno %d\n", row->name != NULL ? row->name : "and then",
		    spawn_step_text(process->step), process->error);
	check(process->state == PROCESS_FAILED);
	check(process->step == row->step && process->error == (int32_t)row->error);
	check(reaped_wait(process->pid) == 127 << 8);
	spawning_close();
}

static void
test_every_row_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		reaped_run(fails, &rows[i]);
}

static void
test_ambient_fails(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(fails, &ambient);
}

/* Nothing is asked for in vain: with all refused that needs rights, a start as ourselves works. */
static void
needs_nothing(const void *argument)
{
	static const uint32_t calls[] = { SYS_setgroups, SYS_setresgid, SYS_setresuid, SYS_capset,
		SYS_setpriority, SYS_sched_setaffinity };
	const bool *asks = argument;
	const char *argv[] = { reaped_child(), "exit", "0", NULL };
	struct spawn_request request = spawning_request(0, argv);

	spawning_open();
	if (*asks)
		ourselves(&request);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		reaped_refuse(calls[i], REAPED_ANY, 0, EPERM);
	check(spawning_start(&request)->state == PROCESS_STARTED);
	check(reaped_wait(spawning.process[0].pid) == 0);
	spawning_close();
}

static void
test_ourselves_need_nothing(void **state)
{
	static const bool asks[] = { false, true };

	(void)state;
	reaped_run(needs_nothing, &asks[0]);
	reaped_run(needs_nothing, &asks[1]);
}

/*
 * Who is not root shows the engine's memory to its own user for a moment, and others that are made
 * at the same time do so too.
 */
static void
shows_itself(const void *argument)
{
	const char *argv[] = { reaped_child(), "exit", "0", NULL };
	struct spawn_request request = spawning_request(1, argv), other;

	(void)argument;
	check(geteuid() != 0 ||
	    setresuid(SPAWNING_STRANGER, SPAWNING_STRANGER, SPAWNING_STRANGER) == 0);
	check(prctl(PR_SET_DUMPABLE, 0) == 0);
	strcpy(request.contract.oom_score_adj, "1000");
	request.contract.oom_score_adj_len = 4;
	other = request;
	other.node = 0;
	other.directory = "/"; /* by a thread */
	spawning_open();
	for (int round = 0; round < 100; round++) {
		spawning.done[0] = false;
		check(!spawn_start(spawning.spawner, &other, &spawning.process[0]));
		while (!spawning.done[0]) {
			check(spawn_start(spawning.spawner, &request, &spawning.process[1]));
			check(spawning.process[1].step == STEP_NONE);
			ev_run(spawning.loop, EVRUN_NOWAIT);
		}
		check(spawning.process[0].step == STEP_NONE);
	}
	check(prctl(PR_GET_DUMPABLE) == 0);
	spawning_close();
}

static void
test_made_at_the_same_time(void **state)
{
	(void)state;
	reaped_run(shows_itself, NULL);
}

static bool
has_row(const char *name, size_t len)
{
	/* its calls only save time, and where they fail exec does their work */
	if (strncmp(name, "hide_others", len) == 0)
		return true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].name != NULL && strlen(rows[i].name) == len &&
		    strncmp(rows[i].name, name, len) == 0)
			return true;
	return false;
}

/* Tests run in the top of the tree. */
static void
test_every_row_is_here(void **state)
{
	static char text[1 << 16];
	int fd = open("src/engine/child_setup.c", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t count = 0;

	(void)state;
	if (size < 0) {
		print_message("src/engine/child_setup.c is not here\n");
		skip();
		return;
	}
	close(fd);
	assert_true(size < (ssize_t)sizeof(text) - 1);
	const char *at = strstr(text, "steps[] = {"), *end = at != NULL ? strstr(at, "\n};") : NULL;
	assert_non_null(end);
	while (at != NULL && (at = strstr(at, "\t{ STEP_")) != NULL && at < end) {
		const char *name = strchr(at, ',') + 2;
		size_t len = strcspn(name, " ");
		if (!has_row(name, len))
			fail_msg("no test in which %.*s fails", (int)len, name);
		at = name;
		count++;
	}
	assert_true(count >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_fails),
		cmocka_unit_test(test_ambient_fails),
		cmocka_unit_test(test_ourselves_need_nothing),
		cmocka_unit_test(test_made_at_the_same_time),
		cmocka_unit_test(test_every_row_is_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
