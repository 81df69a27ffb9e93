/*
 * reaper: coppiced itself. The parent of every supervised process and of the engine: it waits for
 * the dead, tells the engine, keeps descriptors, and starts the engine again when that dies. One
 * loop around poll; nothing in it blocks, each turn is bounded, and after start nothing is
 * allocated. What it does not know it reports and passes over: it must not end.
 */
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/sockmsg.h"
#include "reaper/leave.h"
#include "reaper/machine.h"
#include "reaper/options.h"
#include "reaper/reap.h"
#include "reaper/respawn.h"
#include "reaper/store.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_A_TURN 64
#define SIGNALS_A_READ  8
#define LEAST_FILES     32 /* from STORE_LOWEST on there are ours, and the engine opens some too */

struct reaper {
	struct reap reap;
	struct store store;
	struct respawn respawn;
	struct leave leave;
	int signals;      /* signalfd */
	int link;         /* our end */
	int engine_link;  /* the engine's end, kept so that what is queued outlives an engine */
	bool link_full;   /* until POLLOUT */
	uint64_t pending; /* signals to be passed on, bit n - 1 for number n */
};

union link_message {
	struct link_head head;
	struct link_value value;
	struct link_key key;
	struct link_node node;
	struct link_leave leave;
};

static void
read_signals(struct reaper *reaper)
{
	struct signalfd_siginfo info[SIGNALS_A_READ];
	ssize_t n = read(reaper->signals, info, sizeof(info));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]); i++) {
		int number = (int)info[i].ssi_signo;
		if (number == SIGCHLD) {
			reap_noticed(&reaper->reap, (pid_t)info[i].ssi_pid);
			continue;
		}
		reaper->pending |= UINT64_C(1) << (number - 1);
		leave_on_signal(&reaper->leave, number);
		/* One that somebody has stopped would never hear of it. */
		if (reaper->respawn.pid > 0 && link_leave_by(reaper->leave.mode, number) >= 0)
			kill(reaper->respawn.pid, SIGCONT);
	}
}

/* Exits first, then signals; what the link does not take waits for POLLOUT. */
static void
send_all(struct reaper *reaper)
{
	int error = reap_send(&reaper->reap, reaper->link);

	while (error == 0 && reaper->pending) {
		struct link_value message = { .head.type = LINK_SIGNAL };
		message.value = __builtin_ctzll(reaper->pending) + 1;
		error = sockmsg_send(reaper->link, &message, sizeof(message), NULL, 0);
		if (error == 0)
			reaper->pending &= reaper->pending - 1;
	}
	reaper->link_full = error < 0;
}

/* One message of the engine; takes *fd when it keeps it. */
static void
handle_message(struct reaper *reaper, const union link_message *message, size_t len, int *fd)
{
	int error = 0;

	if (message->head.type == LINK_STORE && len == sizeof(message->key) && *fd >= 0) {
		error = store_put(&reaper->store, message->key.key, *fd);
		*fd = -1;
	} else if (message->head.type == LINK_KEEP && len == sizeof(message->node) && *fd >= 0) {
		error = keep_put(&reaper->store.keep, message->node.node, *fd);
		*fd = -1;
	} else if (message->head.type == LINK_LET_GO && len == sizeof(message->node)) {
		keep_drop(&reaper->store.keep, message->node.node);
	} else if (message->head.type == LINK_DROP && len == sizeof(message->key)) {
		store_drop(&reaper->store, message->key.key); /* not there: as wished */
	} else if (message->head.type == LINK_COMMITTED || message->head.type == LINK_RECOVERED) {
		respawn_reported(&reaper->respawn, message->head.type == LINK_RECOVERED);
	} else if (message->head.type == LINK_SHUTDOWN_TIMEOUT && len == sizeof(message->value) &&
	    message->value.value >= 0) {
		reaper->leave.timeout = message->value.value;
	} else if (message->head.type == LINK_LEAVE && len == sizeof(message->leave)) {
		leave_on_word(&reaper->leave, &message->leave);
	} else {
		error = -EPROTO;
	}
	if (error < 0)
		log_line(NULL, "message %d of the engine (%zu bytes) not carried out: %s",
		    message->head.type, len, strerror(-error));
}

/* Up to a turn's share of messages; false when there are no more. */
static bool
read_link(struct reaper *reaper)
{
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		union link_message message = { .head = { 0 } };
		int fd = -1;
		size_t fds = 1;
		ssize_t len =
		    sockmsg_recv(reaper->link, &message, sizeof(message), MSG_DONTWAIT, &fd, &fds);
		if (len == -EMSGSIZE)
			continue;
		if (len <= 0)
			return false;
		handle_message(reaper, &message, (size_t)len, &fd);
		fd_close(&fd);
	}
	return true;
}

/* The engine has been reaped: what it still said counts before its end is judged. */
static void
engine_ended(struct reaper *reaper, int status)
{
	int own;

	while (read_link(reaper))
		;
	if (reaper->leave.phase != LEAVE_NOT) {
		respawn_gone(&reaper->respawn);
		return;
	}
	own = respawn_ended(&reaper->respawn, status);
	if (own >= 0) {
		reaper->leave.status = own;
		leave_now(&reaper->leave);
	}
}

/* Whether the reaper itself ends everything, since no engine does. */
static bool
is_ending(const struct reaper *reaper)
{
	return reaper->leave.phase == LEAVE_TERM || reaper->leave.phase == LEAVE_KILL;
}

/* What time brings. */
static void
timers(struct reaper *reaper)
{
	struct respawn *respawn = &reaper->respawn;
	bool was_ending = is_ending(reaper);

	if (leave_step(&reaper->leave, respawn->absent_since, respawn->pid, reaper->reap.childless))
		leave_now(&reaper->leave);
	if (!was_ending && is_ending(reaper)) {
		/* Orphans come without a signal, and with no children at all none would follow. */
		reaper->reap.childless = false;
		reap_noticed(&reaper->reap, 0);
	}
	if (reaper->leave.phase == LEAVE_NOT && respawn->due <= span_mono_now()) {
		int own = respawn_start(respawn, reaper->engine_link, &reaper->store);
		reaper->reap.childless = false;
		if (own >= 0) {
			reaper->leave.status = own;
			leave_now(&reaper->leave);
		}
	}
}

/* How long to wait for events before there is something to do without any; NULL: for ever. */
static const struct timespec *
patience(const struct reaper *reaper, struct timespec *wait)
{
	mono_ms due = reaper->leave.phase == LEAVE_NOT ? reaper->respawn.due : MONO_NEVER;
	mono_ms leave = leave_deadline(&reaper->leave, reaper->respawn.absent_since);
	int64_t due_us = reaper->link_full ? REAP_NEVER : reaper->reap.sweep_at_us;

	due = leave < due ? leave : due;
	if (due < due_us / 1000)
		due_us = due * 1000;
	if (due_us == REAP_NEVER)
		return NULL;
	due_us -= span_mono_now_us();
	due_us = due_us > 0 ? due_us : 0;
	*wait = (struct timespec){ due_us / 1000000, due_us % 1000000 * 1000 };
	return wait;
}

/* Nobody reads the link any more. */
static void
bury(struct reaper *reaper)
{
	for (size_t i = 0; i < reaper->reap.batch.head.count; i++)
		leave_on_exit(&reaper->leave, reaper->reap.batch.exit[i].pid);
	reap_discard(&reaper->reap);
	reaper->link_full = false;
}

/* What has been gathered goes to the engine; or to nobody. */
static void
hand_on(struct reaper *reaper)
{
	if (is_ending(reaper))
		bury(reaper);
	else
		send_all(reaper);
}

/*
 * The command had the terminal: when it has ended, Ctrl-C is for us, and for whoever comes after us. TTOU
 * is blocked.
 */
static void
take_terminal_back(void)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	if (foreground > 0 && foreground != getpgrp() && kill(-foreground, 0) < 0 && errno == ESRCH)
		tcsetpgrp(STDIN_FILENO, getpgrp());
}

static void
turn(struct reaper *reaper)
{
	struct pollfd wait[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->link, .events = reaper->link_full ? POLLIN | POLLOUT : POLLIN },
		{ .fd = reaper->respawn.pidfd, .events = POLLIN },
	};
	struct timespec time;
	bool ended, full;
	int status = 0;

	if (ppoll(wait, sizeof(wait) / sizeof(wait[0]), patience(reaper, &time), NULL) < 0)
		return; /* EINTR: nothing here is handled by handlers; ENOMEM: try again */
	if (wait[0].revents)
		read_signals(reaper);
	full = reaper->link_full && !(wait[1].revents & POLLOUT);
	if (full) {
		ended = reap_engine(reaper->respawn.pid, &status);
		if (is_ending(reaper))
			bury(reaper);
	} else {
		/* A single death is on its way before anybody looks for more. */
		ended = reap_named(&reaper->reap, reaper->respawn.pid, &status);
		hand_on(reaper);
		if (!reaper->link_full)
			ended |= reap_sweep(&reaper->reap, reaper->respawn.pid, &status);
		hand_on(reaper);
	}
	if (reaper->respawn.terminal)
		take_terminal_back();
	if (wait[1].revents & POLLIN)
		read_link(reaper);
	if (ended)
		engine_ended(reaper, status);
	timers(reaper);
	log_flush();
}

/*
 * Whatever started us may have left signals ignored or blocked: a SIGCHLD ignored would lose every
 * exit status. `all`: also what is not for us is told the engine, which passes it
 * on. Returns the signalfd or a negative errno.
 */
static int
take_signals(bool all)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP };
	/* the kernel's own struct sigaction: SIG_DFL, no flags */
	static const unsigned char plain[64];
	sigset_t set;
	int fd;

	/* Not through sigaction(3), which hides the two numbers that it keeps for threads. */
	for (int number = 1; number <= SIGRTMAX; number++)
		syscall(SYS_rt_sigaction, number, plain, NULL, 8); /* EINVAL for KILL and STOP */
	/* A child that is only stopped is none of our business. */
	sigaction(SIGCHLD, &(struct sigaction){ .sa_flags = SA_NOCLDSTOP }, NULL);
	/*
	 * Everything else is blocked too: neither a terminal's TSTP and TTOU nor a stray ALRM may
	 * stop or end us.
	 */
	sigfillset(&set);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&set, faults[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (!all)
		link_signals(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Closes what was left open for us. */
static void
close_strays(const struct rlimit *files)
{
	if (close_range(3, ~0U, 0) == 0)
		return;
	for (int fd = 3; fd < (1 << 20) && (rlim_t)fd < files->rlim_max; fd++)
		close(fd);
}

/* The link, both ends of which are ours. */
static int
make_link(struct reaper *reaper)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	error = fd_move_above(&pair[0], STORE_LOWEST);
	if (error == 0)
		error = fd_move_above(&pair[1], STORE_LOWEST);
	reaper->link = pair[0];
	reaper->engine_link = pair[1];
	return error;
}

/* As many descriptors as may be: true, or it has been said that they do not suffice. */
static bool
take_files(const struct reaper *reaper)
{
	struct rlimit files = reaper->respawn.files;

	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		log_line(NULL, "cannot raise the limit of descriptors: %s", strerror(errno));
		files = reaper->respawn.files;
	}
	if (files.rlim_cur >= LEAST_FILES)
		return true;
	log_line(NULL,
	    "cannot start: at most %ju descriptors are allowed here (ulimit -n), and coppiced needs %d",
	    (uintmax_t)files.rlim_cur, LEAST_FILES);
	return false;
}

/*
 * What the reaper needs before its loop: 0, or a negative errno and in *what what could not be had.
 */
static int
prepare(struct reaper *reaper, const char **what)
{
	int error;

	*what = "signalfd";
	error =
	    reaper->signals < 0 ? reaper->signals : fd_move_above(&reaper->signals, STORE_LOWEST);
	if (error < 0)
		return error;
	*what = "the link to the engine";
	error = make_link(reaper);
	if (error < 0)
		return error;
	*what = "becoming the parent of orphans";
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	/* Neither a core file nor a debugger of the same user. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_line(NULL, "cannot become undumpable: %s", strerror(errno));
	reap_init(&reaper->reap);
	return 0;
}

int
main(int argc, char **argv)
{
	/* Static because they are large; passed on as arguments like any other. */
	static struct reaper reaper;
	static struct options options;
	enum link_mode mode;
	const char *what = NULL;
	int error;

	getrlimit(RLIMIT_NOFILE, &reaper.respawn.files);
	close_strays(&reaper.respawn.files);
	log_set_pid(getpid());
	if (getpid() == 1)
		machine_mount_proc();
	mode = link_mode(getpid());
	if (mode == MODE_MACHINE)
		machine_prepare();
	fd_fill_standard();
	options_read(&options, argc, argv, mode == MODE_MACHINE);
	reaper.signals = take_signals(options.is_command);
	if (options.action == OPTIONS_QUIT)
		return options.status;
	leave_init(&reaper.leave, mode);
	respawn_init(&reaper.respawn, &options, mode == MODE_MACHINE);
	if (options.action == OPTIONS_COMPILE)
		return respawn_compile(&reaper.respawn, options.compile_to,
		    mode == MODE_CONTAINER     ? "--container"
			: mode == MODE_MACHINE ? "--machine"
					       : NULL);
	if (!take_files(&reaper))
		leave_now(&reaper.leave);
	error = prepare(&reaper, &what);
	if (error < 0) {
		log_line(NULL, "cannot start: %s: %s", what, strerror(-error));
		leave_now(&reaper.leave);
	}
	for (;;)
		turn(&reaper);
}
