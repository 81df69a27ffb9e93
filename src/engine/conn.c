#include "engine/conn.h"

#include "engine/engine.h"
#include "lib/fd.h"
#include "lib/must.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONN_MAGIC 0x636f6e6eU

/* Limits of one connection. */
#define CONN_AHEAD    (64U * 1024U)  /* bytes read ahead while an answer is not complete */
#define CONN_OUT_HIGH (256U * 1024U) /* with more than that unsent nothing more is answered */
/*
 * What is written at once of what a client has subscribed to: only when all before it is sent, so
 * that one that does not read costs no more than this and the socket's buffer.
 */
#define CONN_STREAM_ROOM   (16U * 1024U)
#define CONN_STREAM_SOCKET (32U * 1024U) /* the socket's buffer then; the kernel doubles it */
#define CONN_PARTIAL_MS    30000         /* for a line to become complete */
#define CONN_STALLED_MS    30000 /* without a byte read by the peer while there is something to read */
#define CONN_GONE_MS       5000 /* how often one that is not read is looked at: has the peer gone? */
#define CONN_LINGER_MS     5000 /* after the last word: so long may the peer go on writing */
#define CONN_LINGER_BYTES  (8U * 1024U * 1024U)

#define CONNS_MAX_INPUT \
	(64U * 1024U * 1024U) /* bytes of requests not answered yet, of all together */

static struct conn *
conn_from(void *data)
{
	struct conn *conn = data;

	must(conn != NULL && conn->magic == CONN_MAGIC);
	return conn;
}

/* The call that waits has something to say. */
static void
conn_wake(void *context)
{
	struct conn *conn = conn_from(context);

	conn->waiting = false;
	conns_queue(conn);
}

/* There is something new for those who have subscribed: of no use to one that does not read. */
static void
conn_on_due(void *context)
{
	struct conn *conn = conn_from(context);

	if (conn->out.len == conn->sent)
		conns_queue(conn);
}

/* --- its end --- */

void
conn_free(struct conn *conn)
{
	struct conns *conns = conn->conns;
	struct ev_loop *loop = conns->engine->loop;

	conns_unqueue(conn);
	rpc_end(&conn->session);
	stream_end(&conn->stream);
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
conn_last_word(struct conn *conn, enum rpc_error code, const char *text, const char *hint)
{
	rpc_end(&conn->session);
	stream_end(&conn->stream);
	rpc_complain(&conn->out, code, text, hint);
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

int
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

/* Whether it is time for events that the client has subscribed to. */
static bool
conn_is_due(const struct conn *conn)
{
	return conn->stream.due && conn_unsent(conn) == 0 && rpc_is_between_lines(&conn->session);
}

static bool
conn_has_work(struct conn *conn)
{
	if (conn->phase != CONN_OPEN || conn_unsent(conn) > CONN_OUT_HIGH)
		return false;
	if (conn_is_due(conn))
		return true;
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
		conn_last_word(conn, RPC_TOO_LONG, "the request is longer than 1 MiB",
		    "send it as several requests");
	else if (len > 0)
		rpc_begin(&conn->session, line, len, work);
}

/*
 * Whether the peer has closed altogether and not only its writing end; one that is not read from
 * cannot show it otherwise.
 */
static bool
conn_peer_is_gone(const struct conn *conn)
{
	struct pollfd look = { .fd = conn->fd };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

static void
conn_stream(struct conn *conn, int *work)
{
	int size = CONN_STREAM_SOCKET;

	/* With the usual size many that do not read would hold much of the system's memory. */
	if (!conn->narrow)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	conn->narrow = true;
	if (conn->eof && conn_peer_is_gone(conn))
		stream_end(&conn->stream);
	else
		stream_write(&conn->stream, &conn->out, CONN_STREAM_ROOM, work);
}

void
conn_last_events(struct conn *conn)
{
	int work = INT_MAX;

	conn->stream.due = conn->stream.on; /* whether the sweep has been or not */
	if (conn->phase == CONN_OPEN && conn_is_due(conn))
		stream_write(&conn->stream, &conn->out, CONN_STREAM_SOCKET, &work);
}

void
conn_work(struct conn *conn, int *work)
{
	while (*work > 0 && conn_has_work(conn)) {
		if (conn_is_due(conn))
			conn_stream(conn, work);
		else if (rpc_is_busy(&conn->session))
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
		conn_last_word(conn, RPC_TOO_LONG, "the request is longer than 1 MiB",
		    "send it as several requests");
	else if (conns->input > CONNS_MAX_INPUT && conn->in.len > CONN_AHEAD)
		conn_last_word(conn, RPC_BUSY, "too many long requests at once", "try again later");
	return true;
}

/* The peer writes no more: a last line without its newline counts. */
static bool
conn_received_eof(struct conn *conn)
{
	conn->eof = true;
	/*
	 * What it has sent before it went is done all the same; nobody waits for what is under way.
	 */
	if ((conn->waiting || conn->stream.on) && conn_peer_is_gone(conn))
		return false;
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

static mono_ms
conn_earlier(mono_ms a, mono_ms b)
{
	return a < b ? a : b;
}

/* Whoever only falls behind with events may do so for as long as it likes. */
static bool
conn_must_read(const struct conn *conn)
{
	return conn_unsent(conn) > (conn->stream.on ? 2 * CONN_STREAM_ROOM : 0);
}

static void
conn_set_timer(struct conn *conn, bool reads)
{
	struct ev_loop *loop = conn->conns->engine->loop;
	mono_ms now = span_mono_now(), due = MONO_NEVER;

	if (conn->partial_since != MONO_NEVER)
		due = conn->partial_since + CONN_PARTIAL_MS;
	if (conn_must_read(conn))
		due = conn_earlier(due, conn->progress_at + CONN_STALLED_MS);
	if (conn->phase != CONN_OPEN)
		due = conn_earlier(due, conn->closing_since + CONN_LINGER_MS);
	if (conn->waiting)
		due = conn_earlier(due, rpc_deadline(&conn->session));
	if ((rpc_is_busy(&conn->session) || conn->stream.on) && !reads)
		due = conn_earlier(due, now + CONN_GONE_MS);
	ev_timer_stop(loop, &conn->timer);
	if (due == MONO_NEVER)
		return;
	/*
	 * One millisecond more than left, since a timer that comes too early only has to be set
	 * again.
	 */
	ev_timer_set(&conn->timer, (double)(due > now ? due - now + 1 : 1) / 1000, 0);
	ev_timer_start(loop, &conn->timer);
}

static void
conn_on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct conn *conn = conn_from(watcher->data);
	mono_ms now = span_mono_now();
	bool stalled = conn_must_read(conn) && now - conn->progress_at >= CONN_STALLED_MS;
	bool lingered = conn->phase != CONN_OPEN && now - conn->closing_since >= CONN_LINGER_MS;

	(void)loop, (void)revents;
	if (stalled || lingered || conn_peer_is_gone(conn)) {
		conn_free(conn);
		return;
	}
	if (conn->partial_since != MONO_NEVER && now - conn->partial_since >= CONN_PARTIAL_MS)
		conn_last_word(conn, RPC_BUSY, "the request was not complete within 30 s",
		    "send a request in one go");
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

void
conn_settle(struct conn *conn)
{
	struct ev_loop *loop = conn->conns->engine->loop;

	if (conn->out.failed || conn_flush(conn) != 0) {
		conn_free(conn);
		return;
	}
	if (conn->phase == CONN_LAST_WORD && conn_unsent(conn) == 0) {
		/*
		 * Closing with unread input would reset the connection and could take our last word
		 * away.
		 */
		conn->phase = shutdown(conn->fd, SHUT_WR) == 0 ? CONN_LINGERS : conn->phase;
		conn->eof = conn->eof || conn->phase != CONN_LINGERS;
	}
	bool idle = !conn->stream.on && conn_unsent(conn) == 0 && !rpc_is_busy(&conn->session) &&
	    !conn_has_line(conn);
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
		conns_queue(conn);
}

/* --- its beginning --- */

struct conn *
conn_new(struct conns *conns, int fd, const struct auth_peer *peer)
{
	struct conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->magic = CONN_MAGIC;
	conn->conns = conns;
	conn->fd = fd;
	conn->partial_since = MONO_NEVER;
	conn->progress_at = span_mono_now();
	conn->session = (struct rpc_session){
		.engine = conns->engine, .waits = &conns->waits, .out = &conn->out
	};
	conn->session.peer = *peer;
	conn->session.wake = conn_wake;
	conn->session.context = conn;
	stream_init(&conn->stream, &conns->streams);
	conn->stream.wake = conn_on_due;
	conn->stream.context = conn;
	conn->session.stream = &conn->stream;
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
	return conn;
}
