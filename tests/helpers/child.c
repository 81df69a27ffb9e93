/*
 * child: a program for tests to supervise. Its arguments are verbs, done in order:
 *   child ignore TERM say here sleep 5000 exit 3
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int
signal_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} known[] = { { "TERM", SIGTERM }, { "INT", SIGINT }, { "HUP", SIGHUP },
		{ "KILL", SIGKILL }, { "STOP", SIGSTOP }, { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },
		{ "ABRT", SIGABRT } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].number;
	}
	return atoi(name);
}

static void
do_exit(const char *value)
{
	fflush(stdout);
	_exit(atoi(value));
}

static void
do_sleep(const char *value)
{
	long ms = atol(value);
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	fflush(stdout);
	while (nanosleep(&left, &left) == -1 && errno == EINTR) {
	}
}

static void
do_say(const char *value)
{
	puts(value);
	fflush(stdout);
}

static void
do_ignore(const char *value)
{
	signal(signal_number(value), SIG_IGN);
}

static void
do_kill(const char *value)
{
	fflush(stdout);
	raise(signal_number(value));
}

/* A process of the same group that outlives us; tells its PID. */
static void
do_fork(const char *value)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		do_sleep(value);
		_exit(0);
	}
	printf("fork %d\n", pid);
	fflush(stdout);
}

/* One that has left group and session, as daemons do. */
static void
do_daemon(const char *value)
{
	fflush(stdout);
	if (fork() != 0)
		return;
	setsid();
	printf("daemon %d\n", getpid());
	do_sleep(value);
	_exit(0);
}

static void
do_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory))
			printf("fd %s\n", entry->d_name);
	}
	if (directory != NULL)
		closedir(directory);
}

static void
do_signals(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, "Sig", 3) == 0)
			fputs(line, stdout);
	}
	if (status != NULL)
		fclose(status);
}

static void
do_env(void)
{
	for (char **variable = environ; *variable != NULL; variable++)
		puts(*variable);
}

static void
do_self(void)
{
	char directory[4096];
	struct rlimit files = { 0, 0 };
	gid_t groups[64];
	int count = getgroups(64, groups);
	mode_t mask = umask(0);

	umask(mask);
	getrlimit(RLIMIT_NOFILE, &files);
	printf("uid %d %d\ngid %d %d\ngroups", getuid(), geteuid(), getgid(), getegid());
	for (int i = 0; i < count; i++)
		printf(" %d", groups[i]);
	printf("\numask %o\n", mask);
	printf("directory %s\n", getcwd(directory, sizeof(directory)));
	printf("leads %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
	printf("files %lu\n", (unsigned long)files.rlim_cur);
}

/* Stops whatever it may, as fast as it can. */
static void
do_stop_all(void)
{
	fflush(stdout);
	for (;;)
		kill(-1, SIGSTOP);
}

/* Becomes two as often as it may, and so do those, for ever; only for where something bounds them. */
static void
do_bomb(void)
{
	fflush(stdout);
	for (;;)
		if (fork() < 0)
			usleep(1000);
}

static const struct verb {
	const char *name;
	void (*with)(const char *value); /* takes one argument */
	void (*plain)(void);
} verbs[] = {
	{ "exit", do_exit, NULL },
	{ "sleep", do_sleep, NULL },
	{ "say", do_say, NULL },
	{ "ignore", do_ignore, NULL },
	{ "kill", do_kill, NULL },
	{ "fork", do_fork, NULL },
	{ "daemon", do_daemon, NULL },
	{ "fds", NULL, do_fds },
	{ "signals", NULL, do_signals },
	{ "env", NULL, do_env },
	{ "self", NULL, do_self },
	{ "stop-all", NULL, do_stop_all },
	{ "bomb", NULL, do_bomb },
};

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t v = 0;

		while (v < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[v].name, argv[i]) != 0)
			v++;
		if (v == sizeof(verbs) / sizeof(verbs[0]) ||
		    (verbs[v].with != NULL && i + 1 == argc)) {
			fprintf(stderr, "child: what is %s?\n", argv[i]);
			return 64;
		}
		if (verbs[v].with != NULL)
			verbs[v].with(argv[++i]);
		else
			verbs[v].plain();
	}
	fflush(stdout);
	return 0;
}
