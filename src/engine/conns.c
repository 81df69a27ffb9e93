#include "engine/conns.h"

#include "engine/conn.h"
#include "engine/engine.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/must.h"

#include <stdlib.h>
#include <sys/socket.h>

#define CONNS_TURN_WORK 256 /* per turn of the loop, in units of rpc.h */
#define CONNS_RESERVED  16U /* places that only operators get */

/* --- the queue of those with work to do --- */

void
conns_queue(struct conn *conn)
{
	struct conns *conns = conn->conns;

	if (conn->queued)
		return;
	conn->queued = true;
	conn->queue_next = NULL;
	conn->queue_prev = conns->queue_tail;
	if (conns->queue_tail != NULL)
		conns->queue_tail->queue_next = conn;
	else
		conns->queue_head = conn;
	conns->queue_tail = conn;
	ev_idle_start(conns->engine->loop, &conns->idle);
	ev_check_start(conns->engine->loop, &conns->check);
}

void
conns_unqueue(struct conn *conn)
{
	struct conns *conns = conn->conns;

	if (!conn->queued)
		return;
	conn->queued = false;
	if (conn->queue_prev != NULL)
		conn->queue_prev->queue_next = conn->queue_next;
	else
		conns->queue_head = conn->queue_next;
	if (conn->queue_next != NULL)
		conn->queue_next->queue_prev = conn->queue_prev;
	else
		conns->queue_tail = conn->queue_prev;
}

/* --- all of them --- */

/* A turn: each in the queue once at most, until the turn's work is used up. */
static void
conns_on_turn(struct ev_loop *loop, ev_check *watcher, int revents)
{
	struct conns *conns = watcher->data;
	struct conn *last = conns->queue_tail;
	int work = CONNS_TURN_WORK;
	bool over = last == NULL;

	(void)revents;
	while (!over && work > 0 && conns->queue_head != NULL) {
		struct conn *conn = conns->queue_head;
		must(conn->queued && conn->queue_prev == NULL);
		over = conn == last;
		conns_unqueue(conn);
		conn_work(conn, &work);
		conn_settle(conn);
	}
	if (conns->queue_head == NULL) {
		ev_check_stop(loop, &conns->check);
		ev_idle_stop(loop, &conns->idle);
	}
}

static void
conns_on_idle(struct ev_loop *loop, ev_idle *watcher, int revents)
{
	(void)loop, (void)watcher, (void)revents; /* it is there to keep the loop from sleeping */
}

struct conns *
conns_new(struct engine *engine, uint32_t max)
{
	struct conns *conns = calloc(1, sizeof *conns);

	if (conns == NULL)
		return NULL;
	conns->engine = engine;
	conns->max = max;
	streams_init(&conns->streams, engine);
	ev_idle_init(&conns->idle, conns_on_idle);
	ev_check_init(&conns->check, conns_on_turn);
	conns->check.data = conns;
	return conns;
}

void
conns_free(struct conns **conns)
{
	if (*conns == NULL)
		return;
	while ((*conns)->all != NULL) {
		must((*conns)->all->prev == NULL);
		/*
		 * Best effort: the answer to `shutdown` is among these; whom it does not reach sees
		 * the connection close.
		 */
		conn_last_events((*conns)->all);
		(void)conn_flush((*conns)->all);
		conn_free((*conns)->all);
	}
	ev_idle_stop((*conns)->engine->loop, &(*conns)->idle);
	ev_check_stop((*conns)->engine->loop, &(*conns)->check);
	streams_free(&(*conns)->streams);
	free(*conns);
	*conns = NULL;
}

void
conns_turn_away(int fd)
{
	struct buf text = { 0 };

	rpc_complain(&text, RPC_BUSY, "too many connections", "try again when others have gone");
	/*
	 * A new socket's buffer is empty, and a client that is gone needs no word: nothing to
	 * handle.
	 */
	if (text.data != NULL)
		(void)!send(fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&text);
	fd_close(&fd);
}

static bool
conns_have_room(struct conns *conns, const struct auth_peer *peer)
{
	uint32_t reserved =
	    conns->max > 2 * CONNS_RESERVED && !peer->may_change ? CONNS_RESERVED : 0;

	if (conns->count + reserved < conns->max)
		return true;
	if (!conns->told_full)
		log_line(NULL, "control socket: %u connections, more are turned away",
		    (unsigned)conns->count);
	conns->told_full = true;
	return false;
}

void
conns_add(struct conns *conns, int fd)
{
	struct auth_peer peer;

	if (auth_look(fd, &conns->engine->settings, &peer) != 0 || !conns_have_room(conns, &peer) ||
	    conn_new(conns, fd, &peer) == NULL)
		conns_turn_away(fd);
}

void
conns_on_record(struct conns *conns, const struct core_record *record)
{
	wait_on_record(&conns->waits, record);
}

void
conns_look(struct conns *conns)
{
	streams_look(&conns->streams);
}
