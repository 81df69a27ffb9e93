#include "engine/mainpid.h"

#include "engine/engine.h"
#include "engine/exits.h"
#include "engine/orphaned.h"
#include "engine/process.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH 64   /* ancestors that are looked at */
#define LOOK  0.02 /* seconds between two looks for the exit of a main process … */
#define LOOKS 50   /* … and how many */
#define LINES 16   /* of the log, for one run: a child may say MAINPID= without end */

/* ---- kin ---- */

/* The process that was started, whose number is that of the session. */
static int32_t
root_of(const struct image_process *process)
{
	return process->first != 0 ? process->first : process->pid;
}

static bool
is_another_node(const struct engine *engine, uint32_t node, int32_t pid)
{
	uint32_t other = exits_node(engine->exits, pid);

	return other != CORE_NONE && other != node;
}

enum mainpid_kin
mainpid_kin(const struct engine *engine, uint32_t node, int32_t pid)
{
	const struct image_process *process = &engine->processes[node];
	struct process_kin kin;

	for (int depth = 0; depth < DEPTH && pid > 0; depth++) {
		if (pid == process->pid || pid == process->first)
			return MAINPID_OURS;
		if (pid == getpid() || is_another_node(engine, node, pid))
			return MAINPID_FOREIGN;
		if (process_kin(pid, &kin))
			return MAINPID_UNKNOWN;
		if (kin.session == root_of(process))
			return MAINPID_OURS;
		if (kin.parent == engine->reaper_pid)
			return is_another_node(engine, node, kin.session) ? MAINPID_FOREIGN
									  : MAINPID_ORPHAN;
		pid = kin.parent;
	}
	return MAINPID_FOREIGN;
}

/* ---- the end of one that is another's child ---- */

void
mainpid_unwatch(struct mainpid_watch *watch)
{
	ev_io_stop(watch->engine->loop, &watch->ended);
	ev_timer_stop(watch->engine->loop, &watch->look);
	fd_close(&watch->pidfd);
}

/*
 * The process has ended. Its exit comes by the reaper if its parent has gone before it; else what
 * the end was is asked of the kernel, and after a second it stays unknown.
 */
static void
on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct mainpid_watch *watch = timer->data;
	struct engine *engine = watch->engine;
	const struct image_process *process = &engine->processes[watch->node];
	int32_t pid = watch->pid, status = CORE_STATUS_UNKNOWN;
	uint32_t node = watch->node;
	bool last = ++watch->looks >= LOOKS;

	(void)loop;
	(void)events;
	if (watch->pidfd >= 0 && !orphaned_status(watch->pidfd, &status))
		status = CORE_STATUS_UNKNOWN;
	if (status == CORE_STATUS_UNKNOWN && !last)
		return;
	if (process->pid != pid || process->state != PROCESS_STARTED) {
		mainpid_unwatch(watch);
		return;
	}
	/* the watch ends with the node's process: by what was in the link, or by this */
	if (!exits_poll(engine->exits) && !last)
		return;
	if (process->state == PROCESS_STARTED && process->pid == pid) {
		exits_end(engine->exits, node, status);
		engine_commit(engine);
	}
}

static void
on_ended(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct mainpid_watch *watch = io->data;

	(void)events;
	ev_io_stop(loop, io); /* it stays readable */
	ev_timer_again(loop, &watch->look);
}

void
mainpid_watch_init(struct mainpid_watch *watch, struct engine *engine, uint32_t node)
{
	*watch = (struct mainpid_watch){ .engine = engine, .node = node, .pidfd = -1 };
	ev_init(&watch->ended, on_ended);
	watch->ended.data = watch;
	ev_init(&watch->look, on_look);
	watch->look.repeat = LOOK;
	watch->look.data = watch;
}

/* Takes the pidfd. Without one it is looked for from now on: that is for a process that is gone. */
static void
start_watch(struct mainpid_watch *watch, int32_t pid, int pidfd)
{
	struct ev_loop *loop = watch->engine->loop;

	mainpid_unwatch(watch);
	watch->pid = pid;
	watch->pidfd = pidfd;
	watch->looks = 0;
	if (pidfd < 0) {
		ev_timer_again(loop, &watch->look);
		return;
	}
	ev_io_set(&watch->ended, pidfd, EV_READ);
	ev_io_start(loop, &watch->ended);
}

void
mainpid_resume(struct mainpid_watch *watch)
{
	const struct image_process *process = &watch->engine->processes[watch->node];
	struct process_kin kin;
	int pidfd;

	if (process->first == 0)
		return;
	/* the descriptor first: then what is seen to be ours is what it holds */
	pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process_look(process) == PROCESS_GONE)
		fd_close(&pidfd);
	else if (pidfd < 0 ||
	    (process_kin(process->pid, &kin) == 0 && kin.parent == watch->engine->reaper_pid)) {
		fd_close(&pidfd);
		return;
	}
	start_watch(watch, process->pid, pidfd);
}

/* ---- the change ---- */

/*
 * In place, like all of this table; the message is not taken off before it is done, so an engine
 * that finds it half done does it again. First nothing is known of the start, then the PID changes,
 * then its start is known.
 */
static void
change(struct image_process *process, int32_t pid, uint64_t start)
{
	if (process->first == 0)
		__atomic_store_n(&process->first, process->pid, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->born_us, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->start_max, UINT64_MAX, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->start_min, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->pid, pid, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->start_max, start, __ATOMIC_SEQ_CST);
	__atomic_store_n(&process->start_min, start, __ATOMIC_SEQ_CST);
}

static void tell(const struct engine *engine, struct mainpid_watch *watch, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
tell(const struct engine *engine, struct mainpid_watch *watch, const char *format, ...)
{
	char path[NODES_PATH_SIZE], text[128];
	va_list arguments;

	if (watch->told >= LINES)
		return;
	watch->told++;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_line(nodes_path(engine->nodes, watch->node, path), "%s%s", text,
	    watch->told == LINES ? " (no more is said of its MAINPID= until it is started again)"
				 : "");
}

static bool
may_be_taken(const struct engine *engine, uint32_t node, int32_t pid, uid_t user)
{
	enum mainpid_kin kin = mainpid_kin(engine, node, pid);
	uid_t runs_as;

	if (kin != MAINPID_ORPHAN)
		return kin == MAINPID_OURS;
	return user == 0 || (process_user(pid, &runs_as) == 0 && runs_as == user);
}

void
mainpid_take(
    struct engine *engine, uint32_t node, int32_t pid, uid_t user, struct mainpid_watch *watch)
{
	struct image_process *process = &engine->processes[node];
	struct process_kin kin;
	int32_t old = process->pid;
	int pidfd;

	if (process->state != PROCESS_STARTED || (pid == old && process->start_max != UINT64_MAX))
		return;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process_kin(pid, &kin) || kin.is_dead) {
		tell(engine, watch, "MAINPID=%d: there is no such process; it goes on with %d", pid,
		    old);
		fd_close(&pidfd);
		return;
	}
	if (!may_be_taken(engine, node, pid, user)) {
		tell(engine, watch, "MAINPID=%d: refused, that process is none of its own", pid);
		fd_close(&pidfd);
		return;
	}
	change(process, pid, kin.start);
	exits_change(engine->exits, node, old);
	if (kin.parent == engine->reaper_pid)
		fd_close(&pidfd);
	if (pidfd >= 0)
		start_watch(watch, pid, pidfd);
	else
		mainpid_unwatch(watch);
	tell(engine, watch, "its main process is %d now, no longer %d", pid, old);
}
