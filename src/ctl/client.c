#include "ctl/client.h"

#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/must.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT_FIRST_READ ((size_t)64 * 1024)
#define CLIENT_RETRY_MS   20 /* between attempts while the daemon's backlog is full */

char *
client_default_socket(void)
{
	const char *named = getenv("COPPICE_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (named != NULL && *named != '\0')
		return mem_strdup(named);
	if (geteuid() == 0)
		return mem_strdup("/run/coppice/control.sock");
	if (runtime != NULL && *runtime != '\0')
		return mem_printf("%s/coppice/control.sock", runtime);
	return mem_printf("/tmp/coppice-%u/control.sock", (unsigned)geteuid());
}

static int
client_fail(struct client *client, int error, const char *what, const char *hint)
{
	snprintf(client->problem, sizeof client->problem, "%s", what);
	client->hint = hint;
	return error;
}

static int
client_fail_connect(struct client *client, int error, const char *path)
{
	const char *what = strerror(-error);
	const char *hint = "is it the socket of a coppiced?";

	switch (-error) {
	case ENOENT:
	case ENOTDIR:
		what = "there is no such socket, so no daemon runs here";
		hint =
		    "start one with coppiced -c FILE, or say where it listens: -s PATH or COPPICE_SOCKET=PATH";
		break;
	case ECONNREFUSED:
		what = "nobody listens there any more";
		hint =
		    "start coppiced again, or say where it listens: -s PATH or COPPICE_SOCKET=PATH";
		break;
	case EACCES:
	case EPERM:
		what = "you may not use this socket";
		hint =
		    "ask as root, as the user who runs coppiced, or as a member of its control_group";
		break;
	case ENAMETOOLONG:
		hint = "a socket's path has at most 107 bytes: use a relative path or a link";
		break;
	case ETIMEDOUT:
		what = "the daemon does not take the connection";
		hint = "it is overloaded or stopped: look at its process and its log";
		break;
	default: break;
	}
	snprintf(client->problem, sizeof client->problem, "%s: %s", path, what);
	client->hint = hint;
	return error;
}

/*
 * A UNIX socket connects at once or says EAGAIN while the backlog is full, which poll cannot wait
 * for.
 */
static int
client_connect(int fd, const struct sockaddr_un *address)
{
	mono_ms deadline = span_after(span_mono_now(), CLIENT_PATIENCE_MS);

	while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (span_mono_now() >= deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, CLIENT_RETRY_MS);
	}
	return 0;
}

int
client_open(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	*client = (struct client){ .fd = -1, .tee = -1 };
	if (len >= sizeof address.sun_path)
		return client_fail_connect(client, -ENAMETOOLONG, path);
	memcpy(address.sun_path, path, len + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = client->fd < 0 ? -errno : client_connect(client->fd, &address);
	return error == 0 ? 0 : client_fail_connect(client, error, path);
}

void
client_close(struct client *client)
{
	fd_close(&client->fd);
	buf_free(&client->in);
}

/* Until the socket is ready for `events`: 0, -ETIMEDOUT or another negative errno. */
static int
client_wait(const struct client *client, short events, mono_ms deadline)
{
	for (;;) {
		span_ms left = deadline == MONO_NEVER ? -1 : deadline - span_mono_now();
		if (deadline != MONO_NEVER && left <= 0)
			return -ETIMEDOUT;
		struct pollfd ready = { .fd = client->fd, .events = events };
		int count = poll(&ready, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
	}
}

int
client_send(struct client *client, unsigned id, const char *method, const char *params)
{
	struct buf request = { 0 };
	mono_ms deadline = span_after(span_mono_now(), CLIENT_PATIENCE_MS);
	int error = 0;

	buf_printf(&request, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":", id);
	buf_json_string(&request, method);
	if (params != NULL)
		buf_printf(&request, ",\"params\":%s", params);
	buf_puts(&request, "}\n");
	must(!request.failed);
	for (size_t sent = 0; error == 0 && sent < request.len;) {
		ssize_t count =
		    send(client->fd, request.data + sent, request.len - sent, MSG_NOSIGNAL);
		if (count >= 0)
			sent += (size_t)count;
		else if (errno == EAGAIN)
			error = client_wait(client, POLLOUT, deadline);
		else if (errno != EINTR)
			error = -errno;
	}
	buf_free(&request);
	/* A daemon that closes on us may have said why: that is in the answer. */
	if (error == 0 || error == -EPIPE)
		return 0;
	return client_fail(client, error,
	    error == -ETIMEDOUT ? "the daemon does not read its requests" : strerror(-error),
	    "look at the daemon's process and its log");
}

/* One read into the buffer; the count (0: the daemon closed) or a negative errno. */
static ssize_t
client_fill(struct client *client, mono_ms deadline)
{
	struct buf *in = &client->in;
	size_t room = in->cap - in->len > CLIENT_FIRST_READ ? in->cap - in->len - 1
							    : in->len + CLIENT_FIRST_READ;
	char *to = buf_reserve(in, room);

	if (to == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t count = recv(client->fd, to, room, 0);
		if (count > 0) {
			in->len += (size_t)count;
			if (client->tee >= 0 && client->tee_error == 0)
				client->tee_error = fd_write_all(client->tee, to, (size_t)count);
		}
		if (count >= 0 || errno == ECONNRESET)
			return count > 0 ? count : 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int error = client_wait(client, POLLIN, deadline);
		if (error != 0)
			return error;
	}
}

static int
client_fail_receive(struct client *client, ssize_t error, span_ms patience)
{
	if (error == -ETIMEDOUT) {
		snprintf(client->problem, sizeof client->problem,
		    "the daemon has not answered for %.3g s", (double)patience / 1000);
		client->hint = "it may be stopped or overloaded: look at its process and its log";
		return -ETIMEDOUT;
	}
	if (error != 0)
		return client_fail(client, (int)error, strerror((int)-error), NULL);
	if (client->in.len == client->used)
		return client_fail(client, -ECONNRESET,
		    "the daemon closed the connection without an answer",
		    "its engine may just have been restarted, which costs no child: ask again");
	snprintf(client->problem, sizeof client->problem,
	    "the daemon closed the connection in the middle of its answer (after %zu bytes)",
	    client->in.len - client->used);
	client->hint = "its engine may just have been restarted, which costs no child: ask again";
	return -EPROTO;
}

int
client_receive(struct client *client, span_ms patience, struct scan_text *line)
{
	struct buf *in = &client->in;

	if (client->used == in->len)
		client->used = client->searched = in->len = 0;
	for (;;) {
		const char *from = in->data == NULL ? "" : in->data + client->searched;
		const char *newline = memchr(from, '\n', in->len - client->searched);
		if (newline != NULL) {
			*line = (struct scan_text){ in->data + client->used,
				(size_t)(newline - in->data) - client->used };
			client->used += line->len + 1;
			client->searched = client->used;
			return 0;
		}
		/* What was handed out goes, or a stream would be kept for ever. */
		buf_consume(in, client->used);
		client->used = 0;
		client->searched = in->len;
		ssize_t count = client_fill(client, span_after(span_mono_now(), patience));
		if (count <= 0)
			return client_fail_receive(client, count, patience);
	}
}
