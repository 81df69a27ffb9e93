/*
 * actor: a worker that a director plays by (tests/otp/daemon.py):
 *
 *   actor SOCKET NAME
 *
 * It says its name and PID and then TERM as often as it gets that ("T"), and does what it is told: "r" tells on
 * descriptor 3 that it is ready, "x" and a byte ends it with that status, and so does the end of the director.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READY_FD 3

static int
open_stage(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		_exit(120);
	return fd;
}

static void
say(int stage, const char *text)
{
	if (write(stage, text, strlen(text)) < 0)
		_exit(121);
}

static void
obey(int stage)
{
	unsigned char order[2];
	ssize_t n = recv(stage, order, 1, 0);

	if (n == 1 && order[0] == 'r') {
		if (write(READY_FD, "\n", 1) < 0 || close(READY_FD) != 0)
			_exit(122);
		return;
	}
	if (n == 1 && recv(stage, order + 1, 1, MSG_WAITALL) == 1)
		_exit(order[1]);
	_exit(123);
}

int
main(int argc, char **argv)
{
	struct signalfd_siginfo info;
	struct pollfd polls[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char hello[256];
	sigset_t term;

	if (argc != 3)
		return 64;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	polls[0].fd = open_stage(argv[1]);
	polls[1].fd = signalfd(-1, &term, SFD_CLOEXEC);
	snprintf(hello, sizeof hello, "%s %d\n", argv[2], (int)getpid());
	say(polls[0].fd, hello);
	for (;;) {
		if (poll(polls, 2, -1) < 0)
			_exit(124);
		if (polls[1].revents != 0 && read(polls[1].fd, &info, sizeof info) == sizeof info)
			say(polls[0].fd, "T\n");
		if (polls[0].revents != 0)
			obey(polls[0].fd);
	}
}
