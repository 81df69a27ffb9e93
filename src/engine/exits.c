#include "engine/exits.h"

#include "engine/act.h"
#include "engine/cgroup_tree.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/hooks.h"
#include "engine/notify.h"
#include "engine/orphaned.h"
#include "engine/process.h"
#include "engine/signals.h"
#include "lib/log.h"
#include "lib/must.h"
#include "lib/sockmsg.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SHELL_SIGNAL 128  /* sh(1): the status of who was killed by signal 0 */
#define SHARE_US     1000 /* of a turn, for messages of up to 64 exits */

/*
  * PID → node (or slot of a node's hooks), open addressing; empty where pid is 0. At most three
 * quarters full: each has one process.
 */
struct entry {
	int32_t pid;
	uint32_t node;
};

struct exits {
	struct engine *engine;
	struct ev_io watcher;
	struct entry *slots;
	uint32_t mask;
	bool deferred;
	bool polling; /* events handled inside must not come back here */
	union {
		struct link_head head;
		struct link_exits exits;
		struct link_value value;
	} message;
};

/* ---- the table ---- */

static uint32_t
home_of(const struct exits *exits, int32_t pid)
{
	return ((uint32_t)pid * 2654435769U) >> 7 & exits->mask;
}

/*
 * Two nodes can have the same PID for a moment: the one's process is dead and its exit still in the
 * link, and the other's has just been given the number. Entries of one PID stay in the order in
 * which they came.
 */
void
exits_track(struct exits *exits, int32_t pid, uint32_t node)
{
	uint32_t at = home_of(exits, pid);

	must(pid > 0);
	while (
	    exits->slots[at].pid && (exits->slots[at].pid != pid || exits->slots[at].node != node))
		at = (at + 1) & exits->mask;
	exits->slots[at] = (struct entry){ pid, node };
	if (exits->engine->reaper_lost)
		orphaned_track(exits->engine->orphaned, node);
}

/*
 * Whether the exit can be this process's, which had that PID. A number is given to nobody else
 * until its process has been reaped, so who was seen dead with it before the process's birth is
 * another, and the first one after is the process itself. A start time is not fine enough: where
 * numbers are scarce a stranger may have this one again within a tick. It has to do where a time is
 * not known.
 */
static bool
is_end_of(const struct link_exit *exit, const struct image_process *process)
{
	int64_t born = __atomic_load_n(&process->born_us, __ATOMIC_ACQUIRE);

	if (born > 0 && exit->seen_us > 0)
		return exit->seen_us >= born;
	return process_look(process) == PROCESS_GONE;
}

/*
 * The slot of the process that ended; the capacity when there is none. Of several it is the oldest
 * that can be meant.
 */
static uint32_t
find_ended(const struct exits *exits, const struct link_exit *exit)
{
	const struct image_process *processes = exits->engine->processes;
	uint32_t oldest = exits->mask + 1;

	for (uint32_t at = home_of(exits, exit->pid); exits->slots[at].pid;
	     at = (at + 1) & exits->mask) {
		const struct image_process *process = &processes[exits->slots[at].node];
		if (exits->slots[at].pid != exit->pid || process->pid != exit->pid ||
		    !is_end_of(exit, process))
			continue;
		if (oldest > exits->mask ||
		    process->born_us < processes[exits->slots[oldest].node].born_us)
			oldest = at;
	}
	return oldest;
}

/*
 * Empties a slot and moves those behind it that would not be found any more (Knuth 6.4, algorithm
 * R).
 */
static void
forget(struct exits *exits, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		exits->slots[hole].pid = 0;
		do {
			at = (at + 1) & exits->mask;
			if (!exits->slots[at].pid)
				return;
		} while (((at - home_of(exits, exits->slots[at].pid)) & exits->mask) <
		    ((at - hole) & exits->mask));
		exits->slots[hole] = exits->slots[at];
		hole = at;
	}
}

/* ---- one exit ---- */

/* Killed, or what a shell makes of it when one of its commands was. */
static bool
is_kill(int32_t status)
{
	return status != CORE_STATUS_UNKNOWN &&
	    (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - SHELL_SIGNAL) ==
	    SIGKILL;
}

/* The end of the process in that slot, for the commit to come. */
static void
feed_end(struct exits *exits, uint32_t at, int32_t status)
{
	struct engine *engine = exits->engine;
	uint32_t node = exits->slots[at].node;
	struct core_event event = { .type = ON_EXITED,
		.node = node,
		.incarnation = engine->processes[node].incarnation,
		.status = status };

	forget(exits, at);
	if (hooks_has(engine->hooks, node))
		event = hooks_ended(engine, node, status);
	else {
		notify_end(engine->notify, node);
		event.oom = engine->cgroups != NULL &&
		    cgroup_tree_take_oom(engine->cgroups, node) && is_kill(status);
	}
	checkpoint_add_ended(engine->checkpoint, node);
	engine_feed(engine, &event);
}

/* What it has said; a hook says nothing. */
static void
hear(struct exits *exits, uint32_t node)
{
	if (!hooks_has(exits->engine->hooks, node))
		notify_hear(exits->engine->notify, node);
}

/* The slot of that process of the node; the capacity when there is none. */
static uint32_t
find_tracked(const struct exits *exits, int32_t pid, uint32_t node)
{
	uint32_t at = home_of(exits, pid);

	while (
	    exits->slots[at].pid && (exits->slots[at].pid != pid || exits->slots[at].node != node))
		at = (at + 1) & exits->mask;
	return exits->slots[at].pid ? at : exits->mask + 1;
}

void
exits_end(struct exits *exits, uint32_t node, int32_t status)
{
	uint32_t at = find_tracked(exits, exits->engine->processes[node].pid, node);

	if (at > exits->mask)
		return;
	hear(exits, node);
	/* the same slot, unless what was heard is that another process is the main one now */
	at = find_tracked(exits, exits->engine->processes[node].pid, node);
	if (at <= exits->mask)
		feed_end(exits, at, status);
}

uint32_t
exits_node(const struct exits *exits, int32_t pid)
{
	for (uint32_t at = home_of(exits, pid); exits->slots[at].pid; at = (at + 1) & exits->mask)
		if (exits->slots[at].pid == pid)
			return exits->slots[at].node;
	return CORE_NONE;
}

void
exits_change(struct exits *exits, uint32_t node, int32_t old)
{
	uint32_t at = find_tracked(exits, old, node);

	if (at <= exits->mask)
		forget(exits, at);
	exits_track(exits, exits->engine->processes[node].pid, node);
}

void
exits_hear(struct exits *exits, const struct link_exit *exit)
{
	uint32_t at = exit->pid > 0 ? find_ended(exits, exit) : exits->mask + 1;

	if (at <= exits->mask)
		hear(exits, exits->slots[at].node);
}

/* In place and before the commit: an engine that sees this exit again writes the same again. */
static void
note_usage(struct image_process *process, const struct link_exit *exit)
{
	process->used_cpu_us = exit->user_us + exit->system_us;
	process->used_memory_kb = exit->max_rss_kb;
}

bool
exits_handle(struct exits *exits, const struct link_exit *exit)
{
	struct engine *engine = exits->engine;
	uint32_t at, pending, from = 0;

	if (exit->pid <= 0)
		return true;
	at = find_ended(exits, exit);
	if (at <= exits->mask) {
		note_usage(&engine->processes[exits->slots[at].node], exit);
		feed_end(exits, at, exit->status);
		return true;
	}
	while ((pending = act_pending_by_pid(engine->act, exit->pid, &from)) != CORE_NONE) {
		if (!is_end_of(exit, &engine->processes[pending]))
			continue;
		spawn_note_exit(engine->spawner, pending);
		return false;
	}
	/*
	 * An orphan's; or that of a child that did not get to exec, which has been told of
	 * otherwise; or of an earlier process that had a number which one of ours has now.
	 */
	return true;
}

/* ---- messages ---- */

/*
 * Feeds those exits of the message that are new. False when one has to wait; the ones before it are
 * in the commit to come.
 */
static bool
handle_exits(struct exits *exits, const struct link_exits *message)
{
	struct image_state *next = checkpoint_state(exits->engine->checkpoint);

	for (uint16_t i = 0; i < message->head.count && i < LINK_MAX_EXITS; i++) {
		uint64_t number = message->first_number + i;
		if (number <= next->exit_number)
			continue;
		exits_hear(exits, &message->exit[i]);
		/* first, so that no commit knows the end but not its number */
		next->exit_number = number;
		if (!exits_handle(exits, &message->exit[i])) {
			next->exit_number = number - 1;
			return false;
		}
	}
	return true;
}

/* Whether the message may be taken off. */
static bool
handle_message(struct exits *exits, size_t len)
{
	struct engine *engine = exits->engine;
	uint64_t before = checkpoint_state(engine->checkpoint)->exit_number;
	bool done = true;

	if (len >= sizeof(struct link_head) && exits->message.head.type == LINK_EXITS &&
	    len >= offsetof(struct link_exits, exit) +
		    exits->message.head.count * sizeof(struct link_exit)) {
		done = handle_exits(exits, &exits->message.exits);
		if (checkpoint_state(engine->checkpoint)->exit_number != before)
			engine_commit(engine);
	} else if (len >= sizeof(struct link_value) && exits->message.head.type == LINK_SIGNAL) {
		signals_handle(engine, (int)exits->message.value.value);
	} else {
		log_line(NULL,
		    "a message of %zu bytes from the reaper makes no sense and is passed over",
		    len);
	}
	return done;
}

static void
lose_reaper(struct exits *exits, ssize_t why)
{
	ev_io_stop(exits->engine->loop, &exits->watcher);
	if (why < 0)
		log_line(NULL, "the link to the reaper is broken: %s", strerror((int)-why));
	orphaned_begin(exits->engine->orphaned);
}

static ssize_t
receive(struct exits *exits, int flags)
{
	return sockmsg_recv(
	    LINK_FD, &exits->message, sizeof(exits->message), flags | MSG_DONTWAIT, NULL, NULL);
}

/* Peeks, handles and takes off one message: 1, 0 when there is none to handle now. */
static int
poll_one(struct exits *exits)
{
	ssize_t n = receive(exits, MSG_PEEK);

	/* told once, before what is queued, when the reaper died without having read all */
	if (n == -ECONNRESET)
		n = receive(exits, MSG_PEEK);
	if (n == -EAGAIN)
		return 0;
	if (n == -EMSGSIZE) {
		log_line(NULL, "a message from the reaper is too long and is passed over");
		(void)receive(exits, 0); /* dropped by that, as sockmsg says */
		return 1;
	}
	if (n <= 0) {
		lose_reaper(exits, n);
		return 0;
	}
	if (!handle_message(exits, (size_t)n)) {
		exits->deferred = true;
		ev_io_stop(exits->engine->loop, &exits->watcher);
		return 0;
	}
	/* the same message: nobody else reads this end */
	(void)receive(exits, 0);
	return 1;
}

/*
 * A turn's share of messages; with `lazy` only as long as they are full: after another there is
 * most likely nothing, and what is left makes the descriptor readable again. True when the link was
 * seen to be empty.
 */
static bool
poll_some(struct exits *exits, bool lazy)
{
	bool empty = false;
	int64_t until = span_mono_now_us() + SHARE_US;

	if (exits->deferred || exits->polling)
		return false;
	exits->polling = true;
	do {
		empty = exits->engine->reaper_lost || !poll_one(exits);
		if (lazy && exits->message.head.count < LINK_MAX_EXITS)
			break;
	} while (!empty && span_mono_now_us() < until);
	exits->polling = false;
	return empty && !exits->deferred;
}

bool
exits_poll(struct exits *exits)
{
	return poll_some(exits, false);
}

bool
exits_is_deferred(const struct exits *exits)
{
	return exits->deferred;
}

void
exits_resume(struct exits *exits)
{
	if (exits->engine->reaper_lost)
		orphaned_resume(exits->engine->orphaned);
	if (!exits->deferred)
		return;
	exits->deferred = false;
	if (!exits->engine->reaper_lost)
		ev_io_start(exits->engine->loop, &exits->watcher);
}

static void
on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct exits *exits = watcher->data;

	(void)loop;
	(void)events;
	(void)poll_some(exits, true);
}

/* ---- life ---- */

struct exits *
exits_new(struct engine *engine)
{
	struct exits *exits = calloc(1, sizeof(*exits));
	uint32_t cap = 64;

	if (!exits)
		return NULL;
	while (cap / 4 * 3 < hooks_slots(engine->hooks))
		cap *= 2;
	exits->engine = engine;
	exits->mask = cap - 1;
	exits->slots = calloc(cap, sizeof(*exits->slots));
	if (!exits->slots)
		exits_free(&exits);
	return exits;
}

void
exits_watch(struct exits *exits)
{
	ev_io_init(&exits->watcher, on_readable, LINK_FD, EV_READ);
	exits->watcher.data = exits;
	ev_io_start(exits->engine->loop, &exits->watcher);
}

void
exits_free(struct exits **exits)
{
	struct exits *old = *exits;

	*exits = NULL;
	if (!old)
		return;
	if (ev_is_active(&old->watcher))
		ev_io_stop(old->engine->loop, &old->watcher);
	free(old->slots);
	free(old);
}
