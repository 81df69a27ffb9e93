#include "engine/orphaned.h"

#include "engine/act.h"
#include "engine/clone.h"
#include "engine/engine.h"
#include "engine/exits.h"
#include "engine/hooks.h"
#include "engine/process.h"
#include "engine/signals.h"
#include "engine/spawn.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS_A_TURN   64 /* processes looked at: about 2 ms */
#define REAPS_A_TURN   64
#define SIGNALS_A_READ 8
#define KEPT_FREE      256 /* descriptors that are not for pidfds, or half of them: clients, starts */
#define SLOW_PAUSE     0.02  /* seconds between two turns of a later walk … */
#define WALK_PAUSE     1.0   /* … and between two walks */
#define REAPED_PAUSE   0.005 /* seconds to the second look at a zombie; doubled each time … */
#define REAPED_LONG    0.1   /* … until it is more than that */
#define PATIENCE_MS    5000  /* with the new parent of the dead, on a busy machine … */
#define NEGLECT_MS     100   /* … and when it has not waited for the one before */

/* As of linux/pidfd.h of 6.15, whose headers few machines have yet. */
#define GET_INFO_EXIT (UINT64_C(1) << 3)
struct pidfd_exit {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_exit) == 64, "PIDFD_INFO_SIZE_VER0");
#define GET_INFO _IOWR(0xFF, 11, struct pidfd_exit)

/* How the end of a node's process will be noticed. */
struct watch {
	struct orphaned *orphaned;
	struct ev_io ended;     /* active until the process has ended */
	struct ev_timer reaped; /* from then on: its status is known when it has been waited for */
	uint32_t node;
	uint32_t incarnation; /* 0: not at all yet */
	mono_ms ended_at;     /* 0: it lives */
	int pidfd;            /* -1: it is our own child */
};

struct orphaned {
	struct engine *engine;
	struct watch
	    *watches; /* [node or slot of hooks]; NULL: no memory, then everything is looked at */
	struct ev_timer walk;
	uint32_t next;      /* node of the walk */
	uint32_t unwatched; /* met in this walk: alive, and without a pidfd */
	bool again;         /* not the first walk */
	bool told;
	span_ms patience; /* from an end until its status counts as unknown */
	int signals;
	struct ev_io signalled;
	struct ev_timer reap; /* there is more to wait for than a turn's share */
};

/* ---- ends of other people's children ---- */

static void
end(struct orphaned *orphaned, uint32_t node, int32_t status)
{
	exits_end(orphaned->engine->exits, node, status);
	engine_commit(orphaned->engine);
}

/*
 * A process through exec whose end has not been told. One that is not, comes by orphaned_track, or
 * has been seen to.
 */
static bool
is_tracked(const struct orphaned *orphaned, uint32_t node)
{
	const struct image_process *process = &orphaned->engine->processes[node];

	return process->state == PROCESS_STARTED && process->pid > 0;
}

static void
close_watch(struct watch *watch)
{
	struct ev_loop *loop = watch->orphaned->engine->loop;

	ev_io_stop(loop, &watch->ended);
	ev_timer_stop(loop, &watch->reaped);
	fd_close(&watch->pidfd);
}

/*
 * Asks how the process of a readable pidfd has ended. False while nobody has waited for it: the
 * kernel tells only then. Kernels that do not tell know no such request, or say that there is no
 * such process.
 */
bool
orphaned_status(int pidfd, int32_t *status)
{
	struct pidfd_exit info = { .mask = GET_INFO_EXIT };

	*status = CORE_STATUS_UNKNOWN;
	int asked = ioctl(pidfd, GET_INFO, &info);
	/* also where it is waited for between the kernel's look at the status and at the process */
	if (asked && errno == ESRCH) {
		info = (struct pidfd_exit){ .mask = GET_INFO_EXIT };
		asked = ioctl(pidfd, GET_INFO, &info);
	}
	if (asked)
		return true;
	if (!(info.mask & GET_INFO_EXIT))
		return false;
	*status = info.exit_code;
	return true;
}

static void
ask(struct watch *watch)
{
	struct orphaned *orphaned = watch->orphaned;
	mono_ms now = span_mono_now();
	int32_t status;
	bool told = orphaned_status(watch->pidfd, &status);

	if (watch->ended_at == 0)
		watch->ended_at = now;
	if (!told && now - watch->ended_at < orphaned->patience) {
		if (watch->reaped.repeat < REAPED_LONG)
			watch->reaped.repeat *= 2;
		ev_timer_again(orphaned->engine->loop, &watch->reaped);
		return;
	}
	orphaned->patience = told ? PATIENCE_MS : NEGLECT_MS;
	close_watch(watch);
	/*
	 * it is, unless its number was given to an orphan that died here before its own end was
	 * seen
	 */
	if (is_tracked(orphaned, watch->node) &&
	    orphaned->engine->processes[watch->node].incarnation == watch->incarnation)
		end(orphaned, watch->node, status);
}

static void
on_ended(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct watch *watch = io->data;

	(void)events;
	ev_io_stop(loop, io); /* it stays readable */
	ask(watch);
}

static void
on_reaped(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	ask(timer->data);
}

/* Our own child without a pidfd, else somebody else's. */
static void
open_watch(struct orphaned *orphaned, uint32_t node, int pidfd)
{
	struct watch *watch = &orphaned->watches[node];

	close_watch(watch);
	watch->incarnation = orphaned->engine->processes[node].incarnation;
	watch->ended_at = 0;
	watch->reaped.repeat = REAPED_PAUSE;
	watch->pidfd = pidfd;
	if (pidfd < 0)
		return;
	ev_io_set(&watch->ended, pidfd, EV_READ);
	ev_io_start(orphaned->engine->loop, &watch->ended);
}

/* A pidfd, while there are enough descriptors for everything else; else -1. */
static int
open_pidfd(const struct orphaned *orphaned, int32_t pid)
{
	struct rlimit files;
	rlim_t kept;
	int fd;

	if (!orphaned->watches || getrlimit(RLIMIT_NOFILE, &files))
		return -1;
	kept = files.rlim_cur / 2 < KEPT_FREE ? files.rlim_cur / 2 : KEPT_FREE;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* the lowest number that is free: so many are in use */
	if (fd >= 0 && (rlim_t)fd >= files.rlim_cur - kept)
		fd_close(&fd);
	return fd;
}

/* ---- looking after all of them ---- */

static bool
is_own_child(int32_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

static bool
is_watched(const struct orphaned *orphaned, uint32_t node)
{
	return orphaned->watches &&
	    orphaned->watches[node].incarnation == orphaned->engine->processes[node].incarnation;
}

/*
 * Sees to it that the end of this process will be noticed. PROCESS_GONE: it has ended, and nobody
 * will say how.
 */
static enum process_life
watch_process(struct orphaned *orphaned, uint32_t node)
{
	const struct image_process *process = &orphaned->engine->processes[node];
	/* the descriptor first: then what is seen to be ours is what it holds */
	int pidfd = open_pidfd(orphaned, process->pid);
	enum process_life life = process_look(process);
	bool own = life != PROCESS_GONE && is_own_child(process->pid);

	if (life == PROCESS_GONE || own || !orphaned->watches)
		fd_close(&pidfd);
	if (life != PROCESS_GONE && orphaned->watches && (own || pidfd >= 0))
		open_watch(orphaned, node, pidfd);
	else if (life == PROCESS_ZOMBIE && !own)
		return PROCESS_GONE;
	else if (life != PROCESS_GONE && !own)
		orphaned->unwatched++;
	return life;
}

static void
walk_after(struct orphaned *orphaned, double pause)
{
	struct ev_loop *loop = orphaned->engine->loop;

	ev_timer_stop(loop, &orphaned->walk);
	ev_timer_set(&orphaned->walk, pause, 0.);
	ev_timer_start(loop, &orphaned->walk);
}

static void take_signals(struct orphaned *orphaned);

static void
end_walk(struct orphaned *orphaned)
{
	if (orphaned->unwatched && !orphaned->told)
		log_line(NULL,
		    "%u processes cannot be watched without more descriptors or memory: they are looked at every few seconds, and how they end stays unknown",
		    orphaned->unwatched);
	orphaned->told |= orphaned->unwatched > 0;
	if (orphaned->signals < 0)
		take_signals(orphaned);
	if (orphaned->unwatched || orphaned->signals < 0)
		walk_after(orphaned, WALK_PAUSE);
	orphaned->again = true;
	orphaned->unwatched = 0;
	orphaned->next = 0;
}

static void
on_walk(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct orphaned *orphaned = timer->data;
	uint32_t count = hooks_slots(orphaned->engine->hooks);

	(void)loop;
	(void)events;
	for (unsigned left = LOOKS_A_TURN; left > 0 && orphaned->next < count; orphaned->next++) {
		if (!is_tracked(orphaned, orphaned->next) || is_watched(orphaned, orphaned->next))
			continue;
		left--;
		if (watch_process(orphaned, orphaned->next) == PROCESS_GONE)
			end(orphaned, orphaned->next, CORE_STATUS_UNKNOWN);
	}
	if (orphaned->next < count)
		walk_after(orphaned, orphaned->again ? SLOW_PAUSE : 0.);
	else
		end_walk(orphaned);
}

/* ---- our own children, and orphans that come to us ---- */

static void
reap_soon(struct orphaned *orphaned)
{
	ev_timer_start(orphaned->engine->loop, &orphaned->reap);
}

/* The next dead child, not yet waited for; 0: none. */
static pid_t
find_dead(void)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ? 0 : info.si_pid;
}

/*
 * What the reaper did. A child whose start is not over stays a zombie until it is: its thread is
 * free as it is dead, so that is soon, and orphaned_resume comes.
 */
static void
reap(struct orphaned *orphaned)
{
	struct engine *engine = orphaned->engine;
	unsigned reaped = 0;
	pid_t pid;

	while ((pid = find_dead()) > 0) {
		struct link_exit exit = { .pid = pid };
		uint32_t from = 0, node = act_pending_by_pid(engine->act, pid, &from);

		if (node != CORE_NONE) {
			spawn_note_exit(engine->spawner, node);
			break;
		}
		if (reaped == REAPS_A_TURN) {
			reap_soon(orphaned);
			break;
		}
		reaped++;
		if (waitpid(pid, &exit.status, WNOHANG | __WALL) != pid)
			continue;
		exits_hear(engine->exits, &exit);
		(void)exits_handle(engine->exits, &exit);
	}
	if (reaped)
		engine_commit(engine);
}

static void
on_reap(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	reap(timer->data);
}

void
orphaned_resume(struct orphaned *orphaned)
{
	reap_soon(orphaned);
}

void
orphaned_track(struct orphaned *orphaned, uint32_t node)
{
	/* an end must not be told before the start is: so the walk tells it */
	if (watch_process(orphaned, node) == PROCESS_GONE)
		orphaned->unwatched++;
	if (orphaned->unwatched && !ev_is_active(&orphaned->walk))
		walk_after(orphaned, 0.);
}

/* ---- signals ---- */

static void
on_signalled(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct orphaned *orphaned = io->data;
	struct signalfd_siginfo info[SIGNALS_A_READ];
	ssize_t n = read(orphaned->signals, info, sizeof(info));

	(void)loop;
	(void)events;
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]); i++) {
		if (info[i].ssi_signo == SIGCHLD)
			reap_soon(orphaned);
		else
			signals_handle(orphaned->engine, (int)info[i].ssi_signo);
	}
}

/* Those that the reaper takes. The other threads have all signals blocked. */
static void
take_signals(struct orphaned *orphaned)
{
	sigset_t set;

	link_signals(&set);
	reap_soon(orphaned);
	orphaned->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (orphaned->signals < 0) /* tried again after the next walk */
		return;
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	ev_io_init(&orphaned->signalled, on_signalled, orphaned->signals, EV_READ);
	orphaned->signalled.data = orphaned;
	ev_io_start(orphaned->engine->loop, &orphaned->signalled);
}

/* ---- life ---- */

struct orphaned *
orphaned_new(struct engine *engine)
{
	struct orphaned *orphaned = calloc(1, sizeof(*orphaned));

	if (!orphaned)
		return NULL;
	orphaned->engine = engine;
	orphaned->signals = -1;
	orphaned->patience = PATIENCE_MS;
	ev_timer_init(&orphaned->walk, on_walk, 0., 0.);
	orphaned->walk.data = orphaned;
	ev_timer_init(&orphaned->reap, on_reap, 0., 0.);
	orphaned->reap.data = orphaned;
	ev_init(&orphaned->signalled, on_signalled);
	return orphaned;
}

static void
init_watch(struct orphaned *orphaned, uint32_t node)
{
	struct watch *watch = &orphaned->watches[node];

	watch->orphaned = orphaned;
	watch->node = node;
	watch->pidfd = -1;
	ev_init(&watch->ended, on_ended);
	watch->ended.data = watch;
	ev_init(&watch->reaped, on_reaped);
	watch->reaped.data = watch;
}

void
orphaned_begin(struct orphaned *orphaned)
{
	struct engine *engine = orphaned->engine;
	uint32_t count = hooks_slots(engine->hooks);

	engine->reaper_lost = true;
	/* who takes signals now, and whom the log and `ping` name */
	engine->reaper_pid = (int32_t)getpid();
	log_set_pid(getpid());
	log_line(NULL, "%s: process %d goes on without it", ORPHANED_NOTICE, (int)getpid());
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* cannot fail since Linux 3.4 */
	clone_keep_children();
	orphaned->watches = calloc(count, sizeof(*orphaned->watches));
	for (uint32_t node = 0; orphaned->watches && node < count; node++)
		init_watch(orphaned, node);
	take_signals(orphaned);
	walk_after(orphaned, 0.);
}

void
orphaned_free(struct orphaned **orphaned)
{
	struct orphaned *old = *orphaned;
	uint32_t count;

	*orphaned = NULL;
	if (!old)
		return;
	count = hooks_slots(old->engine->hooks);
	for (uint32_t node = 0; old->watches && node < count; node++) {
		if (old->watches[node].pidfd >= 0)
			close_watch(&old->watches[node]);
	}
	ev_timer_stop(old->engine->loop, &old->walk);
	ev_timer_stop(old->engine->loop, &old->reap);
	ev_io_stop(old->engine->loop, &old->signalled);
	fd_close(&old->signals);
	free(old->watches);
	free(old);
}
