#include "engine/conn.h"

#include "engine/engine.h"
#include "engine/rpc.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/must.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONN_MAGIC 0x636f6e6eU

/* Limits of one connection. */
#define CONN_READ_SIZE    (16U * 1024U)  /* bytes read in one turn */
#define CONN_AHEAD        (64U * 1024U)  /* bytes read ahead while an answer is not complete */
#define CONN_OUT_HIGH     (256U * 1024U) /* with more than that unsent nothing more is answered */
#define CONN_PARTIAL_MS   30000          /* for a line to become complete */
#define CONN_STALLED_MS   30000 /* without a byte read by the peer while there is something to read */
#define CONN_GONE_MS      5000 /* how often one that is not read is looked at: has the peer gone? */
#define CONN_LINGER_MS    5000 /* after the last word: so long may the peer go on writing */
#define CONN_LINGER_BYTES (8U * 1024U * 1024U)

/* Limits of all. */
#define CONNS_TURN_WORK 256                   /* per turn of the loop, in units of rpc.h */
#define CONNS_MAX_INPUT (64U * 1024U * 1024U) /* bytes of requests not answered yet */
#define CONNS_RESERVED  16U                   /* places that only operators get */

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
};

struct conns {
	struct engine *engine;
	struct wait_list waits;
	struct conn *all, *queue_head, *queue_tail;
	uint32_t count, max;
	bool told_full;
	size_t input; /* bytes in all `in` */
	/* Run while the queue is not empty: one keeps the loop from sleeping, the other does a turn's work. */
	ev_idle idle;
	ev_check check;
	char scratch[CONN_READ_SIZE];
};

static void conn_settle(struct conn *conn);

static struct conn *
conn_from(void *data)
{
	struct conn *conn = data;

	must(conn != NULL && conn->magic == CONN_MAGIC);
	return conn;
}

/* --- the queue of those with work to do --- */

static void
conn_queue(struct conn *conn)
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

static void
conn_unqueue(struct conn *conn)
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

/* The call that waits has something to say. */
static void
conn_wake(void *context)
{
	struct conn *conn = conn_from(context);

	conn->waiting = false;
	conn_queue(conn);
}

/* --- its end --- */

static void
conn_free(struct conn *conn)
{
	struct conns *conns = conn->conns;
	struct ev_loop *loop = conns->engine->loop;

	conn_unqueue(conn);
	rpc_end(&conn->session);
	ev_io_stop(loop, &conn->reader);
	ev_io_stop(loop, &conn->writer);
	ev_timer_stop(loop, &conn->timer);
	fd_close(&conn->fd);
	conns->input -= conn->in.len;
	buf_free(&conn->in);
	buf_free(&conn->out);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		conns->all = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	conns->count--;
	if (conns->count < conns->max / 2)
		conns->told_full = false;
	conn->magic = 0;
	free(conn);
}

/* Forgets the first `len` bytes of the input. */
static void
conn_drop_input(struct conn *conn, size_t len)
{
	conn->conns->input -= len;
	buf_consume(&conn->in, len);
	if (conn->in.len == 0)
		buf_free(&conn->in);
}

/* Answers with an error and closes; what is in progress is dropped. */
static void
conn_last_word(struct conn *conn, enum rpc_error code, const char *text)
{
	rpc_end(&conn->session);
	rpc_complain(&conn->out, code, text);
	conn_drop_input(conn, conn->in.len);
	conn->taken = conn->searched = conn->line_end = 0;
	conn->waiting = false;
	conn->phase = CONN_LAST_WORD;
	conn->closing_since = span_mono_now();
}

/* --- output --- */

static size_t
conn_unsent(const struct conn *conn)
{
	return conn->out.len - conn->sent;
}

/* Sends what the socket takes; 0, or a negative errno when the connection is lost. */
static int
conn_flush(struct conn *conn)
{
	while (conn_unsent(conn) > 0) {
		ssize_t n = send(conn->fd, conn->out.data + conn->sent, conn_unsent(conn),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		if (n <= 0)
			break;
		conn->sent += (size_t)n;
		conn->progress_at = span_mono_now();
	}
	if (conn_unsent(conn) == 0) {
		/* Idle connections hold no memory. */
		buf_free(&conn->out);
		conn->sent = 0;
	} else if (conn->sent > conn->out.len / 2) {
		buf_consume(&conn->out, conn->sent);
		conn->sent = 0;
	}
	return 0;
}

/* --- input --- */

static bool
conn_has_line(struct conn *conn)
{
	if (conn->line_end != 0 || conn->in.len == conn->searched)
		return conn->line_end != 0;
	const char *newline =
	    memchr(conn->in.data + conn->searched, '\n', conn->in.len - conn->searched);
	conn->searched = conn->in.len;
	if (newline != NULL)
		conn->line_end = conn->searched = (size_t)(newline - conn->in.data) + 1;
	return newline != NULL;
}

static bool
conn_has_work(struct conn *conn)
{
	if (conn->phase != CONN_OPEN || conn_unsent(conn) > CONN_OUT_HIGH)
		return false;
	return rpc_is_busy(&conn->session) ? !conn->waiting : conn_has_line(conn);
}

/* Whether more is to be read now. */
static bool
conn_reads(struct conn *conn)
{
	if (conn->eof || conn->phase != CONN_OPEN)
		return !conn->eof;
	bool behind =
	    rpc_is_busy(&conn->session) || conn_has_line(conn) || conn_unsent(conn) > CONN_OUT_HIGH;
	return conn->in.len - conn->taken <
	    (behind ? CONN_AHEAD : RPC_MAX_REQUEST + CONN_READ_SIZE);
}

static void
conn_take_line(struct conn *conn, int *work)
{
	const char *line = conn->in.data + conn->taken;
	size_t len = conn->line_end - 1 - conn->taken;

	conn->taken = conn->line_end;
	conn->line_end = 0;
	conn->partial_since = MONO_NEVER;
	--*work;
	if (len > RPC_MAX_REQUEST)
		conn_last_word(conn, RPC_TOO_LONG, "the request is longer than 1 MiB");
	else if (len > 0)
		rpc_begin(&conn->session, line, len, work);
}

/* Answers until there is nothing to do, or nowhere to put it, or *work is used up. */
static void
conn_work(struct conn *conn, int *work)
{
	while (*work > 0 && conn_has_work(conn)) {
		if (rpc_is_busy(&conn->session))
			conn->waiting = rpc_step(&conn->session, work) == RPC_WAITS;
		else
			conn_take_line(conn, work);
	}
	if (conn->taken > 0) {
		size_t taken = conn->taken;
		conn->taken = 0;
		conn->searched -= taken;
		if (conn->line_end != 0)
			conn->line_end -= taken;
		conn_drop_input(conn, taken);
	}
}

/* What has come; false when the connection is over. */
static bool
conn_received(struct conn *conn, const char *data, size_t len)
{
	struct conns *conns = conn->conns;

	if (conn->phase != CONN_OPEN) {
		conn->lingered += len;
		return conn->lingered <= CONN_LINGER_BYTES;
	}
	buf_append(&conn->in, data, len);
	if (conn->in.failed)
		return false;
	conns->input += len;
	if (!conn_has_line(conn) && conn->in.len - conn->taken > RPC_MAX_REQUEST)
		conn_last_word(conn, RPC_TOO_LONG, "the request is longer than 1 MiB");
	else if (conns->input > CONNS_MAX_INPUT && conn->in.len > CONN_AHEAD)
		conn_last_word(conn, RPC_BUSY, "too many long requests at once");
	return true;
}

/* The peer writes no more: a last line without its newline counts. */
static bool
conn_received_eof(struct conn *conn)
{
	conn->eof = true;
	if (conn->phase != CONN_OPEN || conn->in.len == conn->taken ||
	    conn->in.data[conn->in.len - 1] == '\n')
		return true;
	return conn_received(conn, "\n", 1);
}

static void
conn_on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct conn *conn = conn_from(watcher->data);
	char *scratch = conn->conns->scratch;
	ssize_t n = recv(conn->fd, scratch, CONN_READ_SIZE, MSG_DONTWAIT);
	bool alive = true;

	(void)loop, (void)revents; /* libev's signature */
	if (n > 0)
		alive = conn_received(conn, scratch, (size_t)n);
	else if (n == 0)
		alive = conn_received_eof(conn);
	else
		alive = errno == EAGAIN || errno == EINTR;
	if (alive)
		conn_settle(conn);
	else
		conn_free(conn);
}

static void
conn_on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	(void)loop, (void)revents;
	conn_settle(conn_from(watcher->data));
}

/* --- time --- */

/* Whether the peer has closed altogether, which one that is not read from cannot show otherwise. */
static bool
conn_peer_is_gone(const struct conn *conn)
{
	struct pollfd look = { .fd = conn->fd };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

static mono_ms
conn_earlier(mono_ms a, mono_ms b)
{
	return a < b ? a : b;
}

static void
conn_set_timer(struct conn *conn, bool reads)
{
	struct ev_loop *loop = conn->conns->engine->loop;
	mono_ms now = span_mono_now(), due = MONO_NEVER;

	if (conn->partial_since != MONO_NEVER)
		due = conn->partial_since + CONN_PARTIAL_MS;
	if (conn_unsent(conn) > 0)
		due = conn_earlier(due, conn->progress_at + CONN_STALLED_MS);
	if (conn->phase != CONN_OPEN)
		due = conn_earlier(due, conn->closing_since + CONN_LINGER_MS);
	if (conn->waiting)
		due = conn_earlier(due, rpc_deadline(&conn->session));
	if (rpc_is_busy(&conn->session) && !reads)
		due = conn_earlier(due, now + CONN_GONE_MS);
	ev_timer_stop(loop, &conn->timer);
	if (due == MONO_NEVER)
		return;
	/* One millisecond more than left, since a timer that comes too early only has to be set again. */
	ev_timer_set(&conn->timer, (double)(due > now ? due - now + 1 : 1) / 1000, 0);
	ev_timer_start(loop, &conn->timer);
}

static void
conn_on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct conn *conn = conn_from(watcher->data);
	mono_ms now = span_mono_now();
	bool stalled = conn_unsent(conn) > 0 && now - conn->progress_at >= CONN_STALLED_MS;
	bool lingered = conn->phase != CONN_OPEN && now - conn->closing_since >= CONN_LINGER_MS;

	(void)loop, (void)revents;
	if (stalled || lingered || conn_peer_is_gone(conn)) {
		conn_free(conn);
		return;
	}
	if (conn->partial_since != MONO_NEVER && now - conn->partial_since >= CONN_PARTIAL_MS)
		conn_last_word(conn, RPC_BUSY, "the request was not complete within 30 s");
	else if (conn->waiting && now >= rpc_deadline(&conn->session))
		conn_wake(conn);
	conn_settle(conn);
}

/* --- after every change --- */

static void
conn_watch(struct ev_loop *loop, ev_io *watcher, bool on)
{
	if (on)
		ev_io_start(loop, watcher);
	else
		ev_io_stop(loop, watcher);
}

/* Sends, then sets watchers, timer and queue as they should be for what the connection is in now; or frees it. */
static void
conn_settle(struct conn *conn)
{
	struct ev_loop *loop = conn->conns->engine->loop;

	if (conn->out.failed || conn_flush(conn) != 0) {
		conn_free(conn);
		return;
	}
	if (conn->phase == CONN_LAST_WORD && conn_unsent(conn) == 0) {
		/* Closing with unread input would reset the connection and could take our last word away. */
		conn->phase = shutdown(conn->fd, SHUT_WR) == 0 ? CONN_LINGERS : conn->phase;
		conn->eof = conn->eof || conn->phase != CONN_LINGERS;
	}
	bool idle = conn_unsent(conn) == 0 && !rpc_is_busy(&conn->session) && !conn_has_line(conn);
	if (conn->eof && idle) {
		conn_free(conn);
		return;
	}
	bool reads = conn_reads(conn);
	bool partial =
	    conn->phase == CONN_OPEN && reads && !conn_has_line(conn) && conn->in.len > conn->taken;
	if (!partial)
		conn->partial_since = MONO_NEVER;
	else if (conn->partial_since == MONO_NEVER)
		conn->partial_since = span_mono_now();
	conn_watch(loop, &conn->reader, reads);
	conn_watch(loop, &conn->writer, conn_unsent(conn) > 0);
	conn_set_timer(conn, reads);
	if (conn_has_work(conn))
		conn_queue(conn);
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
		over = conn == last;
		conn_unqueue(conn);
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
		/* Best effort: the answer to `shutdown` is among these; whom it does not reach sees the connection close. */
		(void)conn_flush((*conns)->all);
		conn_free((*conns)->all);
	}
	ev_idle_stop((*conns)->engine->loop, &(*conns)->idle);
	ev_check_stop((*conns)->engine->loop, &(*conns)->check);
	free(*conns);
	*conns = NULL;
}

void
conns_turn_away(int fd)
{
	struct buf text = { 0 };

	rpc_complain(&text, RPC_BUSY, "too many connections");
	/* A new socket's buffer is empty, and a client that is gone needs no word: nothing to handle. */
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
	struct conn *conn = NULL;

	if (auth_look(fd, &conns->engine->settings, &peer) == 0 && conns_have_room(conns, &peer))
		conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		conns_turn_away(fd);
		return;
	}
	conn->magic = CONN_MAGIC;
	conn->conns = conns;
	conn->fd = fd;
	conn->partial_since = MONO_NEVER;
	conn->progress_at = span_mono_now();
	conn->session = (struct rpc_session){
		.engine = conns->engine,
		.waits = &conns->waits,
		.out = &conn->out,
		.peer = peer,
		.wake = conn_wake,
		.context = conn,
	};
	conn->next = conns->all;
	if (conns->all != NULL)
		conns->all->prev = conn;
	conns->all = conn;
	conns->count++;
	ev_io_init(&conn->reader, conn_on_readable, fd, EV_READ);
	ev_io_init(&conn->writer, conn_on_writable, fd, EV_WRITE);
	ev_timer_init(&conn->timer, conn_on_timer, 0, 0);
	conn->reader.data = conn->writer.data = conn->timer.data = conn;
	ev_io_start(conns->engine->loop, &conn->reader);
}

void
conns_on_record(struct conns *conns, const struct core_record *record)
{
	wait_on_record(&conns->waits, record);
}
