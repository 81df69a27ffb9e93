/*
 * conn: one connection of the control socket: reading lines, answering them bit by bit, writing.
 * Everything that happens to it ends in conn_settle, which decides what is watched from now on.
 * Private to conn.c and conns.c.
 */
#ifndef COPPICE_ENGINE_CONN_H
#define COPPICE_ENGINE_CONN_H

#include "engine/conns.h"
#include "engine/rpc.h"
#include "engine/stream.h"

#include <ev.h>
#include <stdbool.h>

#define CONN_READ_SIZE (16U * 1024U) /* bytes read in one turn */

enum conn_phase {
	CONN_OPEN,
	CONN_LAST_WORD, /* an error is still to be sent; what comes is thrown away */
	CONN_LINGERS,   /* it is sent, and our end is shut; closed when the peer has seen it */
};

struct conn {
	uint32_t magic;
	struct conns *conns;
	struct conn *prev, *next;             /* of all */
	struct conn *queue_prev, *queue_next; /* of those with work to do */
	bool queued;
	enum conn_phase phase;
	int fd;
	ev_io reader, writer;
	ev_timer timer;
	bool eof;     /* the peer writes no more; it may still read */
	bool waiting; /* the answer in progress waits for something else */
	struct buf in;
	size_t taken;    /* bytes of `in` that are done with */
	size_t searched; /* up to here there is no newline after `taken` */
	size_t line_end; /* behind the newline of the next line; 0: there is none */
	struct buf out;
	size_t sent;
	mono_ms partial_since, progress_at, closing_since;
	size_t lingered; /* bytes thrown away */
	struct rpc_session session;
	struct stream stream;
	bool narrow; /* its socket has been given a small buffer */
};

struct conns {
	struct engine *engine;
	struct wait_list waits;
	struct streams streams;
	struct conn *all, *queue_head, *queue_tail;
	uint32_t count, max;
	bool told_full;
	size_t input; /* bytes in all `in` */
	/*
	 * Run while the queue is not empty: one keeps the loop from sleeping, the other does a
	 * turn's work.
	 */
	ev_idle idle;
	ev_check check;
	char scratch[CONN_READ_SIZE];
};

/*
 * A connection on that descriptor, whose peer is known; NULL when memory is gone, the descriptor is
 * still the caller's then.
 */
struct conn *conn_new(struct conns *conns, int fd, const struct auth_peer *peer);
/* Closes it and takes it out of every list. */
void conn_free(struct conn *conn);
/*
 * Answers until there is nothing to do, or nowhere to put it, or *work is used up. conn_settle is
 * to follow.
 */
void conn_work(struct conn *conn, int *work);
/*
 * Sends, then sets watchers, timer and queue as they should be for what the connection is in now;
 * or frees it.
 */
void conn_settle(struct conn *conn);
/* The last events that it has subscribed to, before it is closed: as many as go at once. */
void conn_last_events(struct conn *conn);
/* Sends what the socket takes; 0, or a negative errno when the connection is lost. */
int conn_flush(struct conn *conn);

/* Has a turn's share of work done for it, once; and takes it out of the queue again (conns.c). */
void conns_queue(struct conn *conn);
void conns_unqueue(struct conn *conn);

#endif
