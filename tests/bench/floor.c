/*
 * floor [-s] COUNT PROGRAM ARGS…: what the budgets are held against: the least that any supervisor must
 * do. Keeps COUNT processes alive: poll, waitid, vfork and exec, and nothing else; with -s each in
 * a session of its own, as every supervisor here does (where the kernel groups sessions for its
 * scheduler, sched_autogroup, the session is what costs).
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t failed;
static int sessions;

static void
spawn(char **argv)
{
	sigset_t none;
	pid_t pid;

	sigemptyset(&none);
	pid = vfork();
	if (pid == 0) {
		if (sessions)
			setsid();
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		failed = 1;
}

int
main(int argc, char **argv)
{
	struct pollfd poll_fd = { .events = POLLIN };
	struct signalfd_siginfo info;
	siginfo_t dead;
	sigset_t set;

	sessions = argc > 1 && strcmp(argv[1], "-s") == 0;
	argv += sessions;
	if (argc - sessions < 3)
		return 64;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	poll_fd.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (long i = strtol(argv[1], NULL, 10); i > 0; i--)
		spawn(argv + 2);
	while (!failed && poll(&poll_fd, 1, -1) >= 0) {
		if (read(poll_fd.fd, &info, sizeof info) < 0)
			continue;
		for (;;) {
			dead.si_pid = 0;
			if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG) != 0 || dead.si_pid == 0)
				break;
			spawn(argv + 2);
		}
	}
	return 1;
}
