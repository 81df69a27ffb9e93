#include "engine/listen.h"

#include "engine/engine.h"
#include "engine/listen_open.h"
#include "engine/uplink.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/must.h"
#include "lib/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A child that ends without having taken what it was started for finds it there again. That is
 * borne so often in such a time; then nothing is watched until that is over.
 */
#define MOST_STARTS 20
#define STARTS_SPAN 2000
#define REFUSED_MS  100 /* while it cannot be started: its set is being stopped, for one */
#define OTHER_KEYS  4   /* of the reaper's store */

struct listen_socket {
	struct ev_io readable;
	struct address address;
	char *text;   /* for people */
	int fd;       /* -1: it could not be opened */
	dev_t device; /* of a UNIX socket: its file, so that nobody else's is removed … */
	ino_t inode;  /* … 0: not known */
	int error;    /* that has been told of; 0: none */
};

struct listen_child {
	struct listen *listen;
	struct listen_socket *sockets;
	uint32_t count;
	uint32_t node;
	bool on_demand, watched;
	bool told; /* that it does not take what comes */
	uint32_t starts;
	mono_ms starts_since;
	mono_ms refused_until;
};

struct listen {
	struct engine *engine;
	struct listen_child *children; /* by node */
	uint32_t child_count;
	struct listen_socket *sockets;
	uint32_t socket_count;
	uint32_t stored;
	bool touched;
	struct ev_timer pause;
	int given[SPAWN_MAX_SOCKETS]; /* with the last start */
};

/* ---- the reaper's store ---- */

static void
make_key(const struct address *address, char key[LINK_KEY_SIZE])
{
	(void)snprintf(key, LINK_KEY_SIZE, LINK_KEY_SOCKET "%014" PRIx64,
	    address_hash(address) & UINT64_C(0xffffffffffffff));
}

/* A copy for those who come after us. */
static int
store(struct listen *listen, const struct listen_socket *socket)
{
	char key[LINK_KEY_SIZE];
	int error;

	if (listen->engine->reaper_lost)
		return 0;
	if (listen->stored + OTHER_KEYS >= LINK_STORE_SLOTS)
		return -ENOSPC;
	make_key(&socket->address, key);
	error = uplink_store(key, socket->fd);
	if (error == 0)
		listen->stored++;
	return error == -EPIPE ? 0 : error; /* it has gone, and with it what it would keep it for */
}

/* The descriptor of that address among those that were kept, or -1; it is taken out. */
static int
take_kept(const struct arguments *arguments, const struct address *address)
{
	char key[LINK_KEY_SIZE];
	int fd = -1;

	make_key(address, key);
	for (size_t i = 0; i < arguments->socket_count && fd < 0; i++) {
		struct arguments_socket *kept = &arguments->sockets[i];

		if (kept->fd >= 0 && strcmp(kept->key, key) == 0) {
			fd = kept->fd;
			kept->fd = -1;
		}
	}
	return fd;
}

/* What nobody needs any more. */
static void
drop_kept(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->socket_count; i++) {
		struct arguments_socket *kept = &arguments->sockets[i];

		if (kept->fd < 0)
			continue;
		fd_close(&kept->fd);
		(void)uplink_drop(kept->key);
	}
}

/* ---- opening ---- */

static void
tell(const struct listen_child *child, struct listen_socket *socket, int error)
{
	char path[NODES_PATH_SIZE];

	nodes_path(child->listen->engine->nodes, child->node, path);
	if (error != 0 && error != socket->error)
		log_line(path, "cannot listen on %s: %s (%s); it cannot be started before that",
		    socket->text, strerror(-error), names_errno(-error));
	else if (error == 0 && socket->error != 0)
		log_line(path, "listens on %s now", socket->text);
	socket->error = error;
}

/* What is there now. */
static void
note_file(struct listen_socket *socket)
{
	struct stat st;
	bool found = socket->address.kind == ADDRESS_UNIX &&
	    lstat(socket->address.path, &st) == 0 && S_ISSOCK(st.st_mode);

	socket->device = found ? st.st_dev : 0;
	socket->inode = found ? st.st_ino : 0;
}

static int
open_socket(struct listen_child *child, struct listen_socket *socket)
{
	int fd = listen_open(&socket->address), error = fd < 0 ? fd : 0;

	socket->fd = fd < 0 ? -1 : fd;
	if (error == 0)
		error = store(child->listen, socket);
	if (error != 0)
		fd_close(&socket->fd);
	else
		note_file(socket);
	tell(child, socket, error);
	return error;
}

static int
compare_node(const void *node, const void *child)
{
	uint32_t a = *(const uint32_t *)node, b = ((const struct listen_child *)child)->node;

	return a < b ? -1 : a > b;
}

static struct listen_child *
find(const struct listen *listen, uint32_t node)
{
	return listen == NULL || listen->child_count == 0
	    ? NULL
	    : bsearch(&node, listen->children, listen->child_count, sizeof(*listen->children),
		  compare_node);
}

int
listen_begin(struct listen *listen, struct spawn_request *request)
{
	struct listen_child *child = find(listen, request->node);

	if (child == NULL)
		return 0;
	for (uint32_t i = 0; i < child->count; i++) {
		int error = child->sockets[i].fd < 0 ? open_socket(child, &child->sockets[i]) : 0;

		if (error != 0)
			return error;
		listen->given[i] = child->sockets[i].fd;
	}
	request->sockets = listen->given;
	request->socket_count = child->count;
	return 0;
}

/* ---- watching ---- */

static void
watch(struct listen_child *child, bool on)
{
	struct ev_loop *loop = child->listen->engine->loop;

	if (child->watched == on)
		return;
	child->watched = on;
	for (uint32_t i = 0; i < child->count; i++) {
		struct listen_socket *socket = &child->sockets[i];

		if (!on) {
			ev_io_stop(loop, &socket->readable);
		} else if (socket->fd >= 0) {
			ev_io_set(&socket->readable, socket->fd, EV_READ);
			ev_io_start(loop, &socket->readable);
		}
	}
}

static void
count_start(struct listen_child *child, mono_ms now)
{
	char path[NODES_PATH_SIZE];

	if (now - child->starts_since >= STARTS_SPAN) {
		child->told = child->told && child->starts >= MOST_STARTS;
		child->starts_since = now;
		child->starts = 0;
	}
	if (++child->starts < MOST_STARTS || child->told)
		return;
	child->told = true;
	log_line(nodes_path(child->listen->engine->nodes, child->node, path),
	    "was started %d times within %d s because of what came to %s and ended again: does it take it? The next such start waits a little",
	    MOST_STARTS, STARTS_SPAN / 1000, child->sockets[0].text);
}

static bool
is_awaited(const struct listen_child *child)
{
	const struct core *core = child->listen->engine->core;
	struct core_view view;

	core_view(core, child->node, &view);
	return view.state == STATE_WAITING && view.reason == REASON_DEMAND && !view.drained &&
	    !core_is_holding(core) && !core_is_leaving(core);
}

/* Whatever may come of it, it is not watched until that is decided: nothing makes us turn in circles. */
static void
demand(struct listen_child *child)
{
	struct core_event event = { .type = ON_DEMAND, .node = child->node };

	watch(child, false);
	engine_submit(child->listen->engine, &event);
	if (is_awaited(child))
		child->refused_until = span_after(span_mono_now(), REFUSED_MS);
	else
		count_start(child, span_mono_now());
}

static void
on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	demand(watcher->data);
}

/* To what is not open nobody can come: its start is to fail, and to be tried again by its policy. */
static bool
is_open(const struct listen_child *child)
{
	for (uint32_t i = 0; i < child->count; i++)
		if (child->sockets[i].fd < 0)
			return false;
	return true;
}

/* How long it is not to be started by what comes. */
static span_ms
pause_of(const struct listen_child *child, mono_ms now)
{
	span_ms since = now - child->starts_since;

	if (child->refused_until > now)
		return child->refused_until - now;
	return child->starts >= MOST_STARTS && since < STARTS_SPAN ? STARTS_SPAN - since : 0;
}

void
listen_touch(struct listen *listen)
{
	if (listen != NULL)
		listen->touched = true;
}

void
listen_look(struct listen *listen)
{
	mono_ms now = span_mono_now();
	span_ms shortest = SPAN_INFINITE;

	if (!listen->touched)
		return;
	listen->touched = false;
	for (uint32_t i = 0; i < listen->child_count; i++) {
		struct listen_child *child = &listen->children[i];
		bool awaited = child->on_demand && is_awaited(child);
		span_ms pause = awaited ? pause_of(child, now) : 0;

		if (awaited && pause == 0 && !is_open(child))
			demand(child);
		else
			watch(child, awaited && pause == 0);
		if (pause > 0 && pause < shortest)
			shortest = pause;
	}
	ev_timer_stop(listen->engine->loop, &listen->pause);
	if (shortest == SPAN_INFINITE)
		return;
	ev_timer_set(&listen->pause, (double)shortest / 1e3, 0.);
	ev_timer_start(listen->engine->loop, &listen->pause);
}

static void
on_pause_over(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	listen_touch(timer->data);
}

const char *
listen_address(const struct listen *listen, uint32_t node)
{
	const struct listen_child *child = find(listen, node);

	return child != NULL ? child->sockets[0].text : NULL;
}

/* ---- life ---- */

/* For people: without the mode and owner of a UNIX socket. */
static int
read_address(struct listen_socket *socket, const char *text)
{
	socket->fd = -1;
	if (address_read(text, &socket->address) != NULL)
		return -EINVAL;
	socket->text = socket->address.kind == ADDRESS_UNIX
	    ? strndup(text, strlen("unix:") + strlen(socket->address.path))
	    : strdup(text);
	return socket->text != NULL ? 0 : -ENOMEM;
}

static int
add_child(struct listen *listen, uint32_t node, const struct place *place)
{
	struct listen_child *child = &listen->children[listen->child_count];
	struct spawn_request request;

	if (program_request(place->program, nodes_instance(listen->engine->nodes, node), &request))
		return -ENOMEM;
	*child = (struct listen_child){ .listen = listen,
		.node = node,
		.sockets = &listen->sockets[listen->socket_count],
		.on_demand = place->spec.on_demand,
		.starts_since = span_mono_now() };
	listen->child_count++;
	for (; request.listen[child->count] != NULL; child->count++) {
		struct listen_socket *socket = &child->sockets[child->count];
		int error = read_address(socket, request.listen[child->count]);

		listen->socket_count++;
		if (error != 0)
			return error;
		ev_init(&socket->readable, on_readable);
		socket->readable.data = child;
	}
	return 0;
}

/* The nodes that have sockets, one place after the other; how many there are. */
static uint32_t
sockets_of(const struct engine *engine, uint32_t node)
{
	const struct place *place = nodes_place(engine->nodes, node);

	return place->program != NULL ? program_sockets(place->program) : 0;
}

static int
add_children(struct listen *listen)
{
	const struct engine *engine = listen->engine;
	uint32_t children = 0, sockets = 0;
	int error = 0;

	for (uint32_t node = 0; node < core_count(engine->core); node++) {
		children += sockets_of(engine, node) > 0;
		sockets += sockets_of(engine, node);
	}
	if (children == 0 || sockets == 0)
		return 0;
	listen->children = calloc(children, sizeof(*listen->children));
	listen->sockets = calloc(sockets, sizeof(*listen->sockets));
	if (listen->children == NULL || listen->sockets == NULL)
		return -ENOMEM;
	for (uint32_t node = 0; node < core_count(engine->core) && error == 0; node++)
		if (sockets_of(engine, node) > 0)
			error = add_child(listen, node, nodes_place(engine->nodes, node));
	return error;
}

static void
open_all(struct listen *listen, const struct arguments *arguments)
{
	for (uint32_t i = 0; i < listen->child_count; i++) {
		struct listen_child *child = &listen->children[i];

		for (uint32_t n = 0; n < child->count; n++) {
			struct listen_socket *socket = &child->sockets[n];

			socket->fd = take_kept(arguments, &socket->address);
			if (socket->fd >= 0)
				listen->stored++;
			if (socket->fd >= 0 && fd_move_above(&socket->fd, LISTEN_OPEN_LOWEST) == 0)
				continue;
			fd_close(&socket->fd);
			(void)open_socket(child, socket); /* tried again by its start */
		}
	}
	drop_kept(arguments);
}

struct listen *
listen_new(struct engine *engine, const struct arguments *arguments)
{
	struct listen *listen = calloc(1, sizeof(*listen));

	if (listen == NULL)
		return NULL;
	listen->engine = engine;
	listen->touched = true;
	ev_timer_init(&listen->pause, on_pause_over, 0., 0.);
	listen->pause.data = listen;
	if (add_children(listen) != 0)
		listen_free(&listen);
	else
		open_all(listen, arguments);
	return listen;
}

void
listen_leave(struct listen *listen)
{
	/*
	 * Nothing tells cheaply which file a socket that was taken over was bound to: the one that is
	 * there is taken for it. It is not looked at before, since a dead mount must not hinder who
	 * takes over.
	 */
	for (uint32_t i = 0; i < listen->socket_count; i++) {
		struct listen_socket *socket = &listen->sockets[i], there = *socket;
		bool known = socket->inode != 0;

		if (socket->fd < 0)
			continue;
		note_file(&there);
		if (there.inode != 0 &&
		    (!known || (there.inode == socket->inode && there.device == socket->device)))
			(void)unlink(socket->address.path); /* gone is as good */
	}
}

void
listen_free(struct listen **listen)
{
	struct listen *old = *listen;

	*listen = NULL;
	if (old == NULL)
		return;
	ev_timer_stop(old->engine->loop, &old->pause);
	for (uint32_t i = 0; i < old->child_count; i++)
		watch(&old->children[i], false);
	for (uint32_t i = 0; i < old->socket_count; i++) {
		fd_close(&old->sockets[i].fd);
		free(old->sockets[i].text);
	}
	free(old->children);
	free(old->sockets);
	free(old);
}
