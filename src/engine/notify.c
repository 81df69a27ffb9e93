#include "engine/notify.h"

#include "engine/engine.h"
#include "engine/mainpid.h"
#include "engine/notify_message.h"
#include "engine/notify_socket.h"
#include "engine/process.h"
#include "engine/ready_fd.h"
#include "engine/uplink.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES_A_TURN 16    /* of one child, so that one that floods starves nobody … */
#define PAUSE           0.010 /* … and seconds until such a one is listened to again */
#define MESSAGES_AT_END 64
#define KEPT_FREE       256 /* descriptors that are for everything else, or half of all */
#define KEPT_A_READ     256

/* By what the process of a node speaks. */
struct ear {
	struct notify *notify;
	struct ev_io readable;
	struct mainpid_watch main;
	uint32_t node;
	uid_t user; /* of the child */
	int fd;
	int write_fd; /* of a pipe, until the child has it; else -1 */
	bool is_pipe, reloading;
	bool complained; /* of what is not accepted; once is enough */
	bool paused;
	struct ear *next_paused;
	char *status; /* NULL: none */
};

struct notify {
	struct engine *engine;
	struct ear **ears; /* [node]; NULL: none */
	struct ear *paused;
	struct ev_timer pause;
	/* for the next start */
	char variable[NOTIFY_SOCKET_VARIABLE_SIZE];
	const char **environment;
	size_t environment_size;
	struct ready_fd_glass glass;
	char message[NOTIFY_MESSAGE_MAX];
};

static const char *
path_of(const struct ear *ear, char path[NODES_PATH_SIZE])
{
	return nodes_path(ear->notify->engine->nodes, ear->node, path);
}

static void
complain(struct ear *ear, const char *what)
{
	char path[NODES_PATH_SIZE];

	if (!ear->complained)
		log_line(path_of(ear, path), "%s", what);
	ear->complained = true;
}

/* ---- what was said ---- */

static enum core_state
state_of(const struct ear *ear)
{
	struct core_view view;

	core_view(ear->notify->engine->core, ear->node, &view);
	return view.state;
}

static void
submit(struct ear *ear, enum core_event_type type, span_ms timeout)
{
	struct engine *engine = ear->notify->engine;
	struct core_event event = { .type = type,
		.node = ear->node,
		.incarnation = engine->processes[ear->node].incarnation,
		.timeout = timeout };

	engine_submit(engine, &event);
}

static void
note_status(struct ear *ear, const char *text)
{
	/* a status that there is no memory for is not worth more than none */
	free(ear->status);
	ear->status = *text != '\0' ? strdup(text) : NULL;
}

static void
handle(struct ear *ear, const struct notify_message *message)
{
	struct engine *engine = ear->notify->engine;
	enum core_state state = state_of(ear);

	if (message->has_status)
		note_status(ear, message->status);
	if (message->main_pid > 0)
		mainpid_take(engine, ear->node, message->main_pid, ear->user, &ear->main);
	if (message->extend > 0 && (state == STATE_STARTING || state == STATE_STOPPING))
		submit(ear, ON_EXTEND, message->extend);
	if (message->reloading || message->ready || message->stopping)
		ear->reloading = message->reloading && !message->ready && !message->stopping;
	/* once: what is said again and again costs no commit */
	if (message->ready && state == STATE_STARTING)
		submit(ear, ON_READY, 0);
}

/*
 * Whether the sender may speak for the child: its main process as whoever; any other that is not
 * known to be foreign, as the child's user, root or our own. Most who tell are dead when they are
 * read (FIELD 2.E.1): then the user must do, and that the address was told to the child alone.
 */
static bool
is_accepted(const struct ear *ear, const struct ucred *sender)
{
	const struct engine *engine = ear->notify->engine;

	if (sender->pid <= 0)
		return false; /* outside of all that we can see */
	if (sender->pid == engine->processes[ear->node].pid)
		return true;
	if (sender->uid != ear->user && sender->uid != 0 && sender->uid != geteuid())
		return false;
	return mainpid_kin(engine, ear->node, sender->pid) != MAINPID_FOREIGN;
}

/* ---- sockets ---- */

/* One message; false when there is none. */
static bool
hear_socket(struct ear *ear)
{
	struct notify_message message;
	struct ucred sender;
	ssize_t n = notify_socket_peek(ear->fd, ear->notify->message, NOTIFY_MESSAGE_MAX, &sender);

	if (n < 0 && n != -EMSGSIZE)
		return false;
	if (n == -EMSGSIZE) {
		complain(ear, "sends a message longer than 4096 bytes: it is not read");
	} else if (!is_accepted(ear, &sender)) {
		complain(ear, "a process that is none of its own sends messages for it: refused");
	} else if (!notify_message_read(&message, ear->notify->message, (size_t)n)) {
		complain(ear, "sends a message with a NUL in it: nothing of it counts");
	} else {
		handle(ear, &message);
	}
	notify_socket_take(ear->fd);
	return true;
}

/* ---- pipes ---- */

static void
close_pipe(struct ear *ear)
{
	ev_io_stop(ear->notify->engine->loop, &ear->readable);
	fd_close(&ear->fd);
	(void)uplink_let_go(ear->node); /* else it is replaced by that of the next start */
}

/* What ends closes everything too: that is told by its exit. */
static void
complain_of_end(struct ear *ear)
{
	struct process_kin kin;

	if (state_of(ear) == STATE_STARTING &&
	    process_kin(ear->notify->engine->processes[ear->node].pid, &kin) == 0 && !kin.is_dead)
		complain(ear,
		    "has closed its descriptor of ready = fd without a newline: it is not ready, and cannot become so any more");
}

/* What there is now; false when that is all there will be. */
static bool
hear_pipe(struct ear *ear)
{
	switch (ready_fd_look(&ear->notify->glass, ear->fd)) {
	case READY_FD_NOTHING: return false;
	case READY_FD_OTHER: return true;
	case READY_FD_NEWLINE:
		if (state_of(ear) == STATE_STARTING)
			submit(ear, ON_READY, 0);
		break;
	case READY_FD_END: complain_of_end(ear); break;
	case READY_FD_BROKEN: complain(ear, "its descriptor of ready = fd cannot be read"); break;
	}
	close_pipe(ear);
	return false;
}

/* ---- listening ---- */

/* At most so many messages; how many of them were not there. */
static int
hear(struct ear *ear, int left)
{
	while (left > 0 && ear->fd >= 0 && (ear->is_pipe ? hear_pipe(ear) : hear_socket(ear)))
		left--;
	return left;
}

static void
pause_listening(struct ear *ear)
{
	struct notify *notify = ear->notify;

	ev_io_stop(notify->engine->loop, &ear->readable);
	ear->paused = true;
	ear->next_paused = notify->paused;
	notify->paused = ear;
	if (!ev_is_active(&notify->pause)) {
		ev_timer_set(&notify->pause, PAUSE, 0.);
		ev_timer_start(notify->engine->loop, &notify->pause);
	}
}

static void
on_pause_over(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct notify *notify = timer->data;

	(void)events;
	while (notify->paused != NULL) {
		struct ear *ear = notify->paused;

		notify->paused = ear->next_paused;
		ear->paused = false;
		ev_io_start(loop, &ear->readable);
	}
}

static void
on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct ear *ear = watcher->data;

	(void)loop;
	(void)events;
	if (hear(ear, MESSAGES_A_TURN) == 0)
		pause_listening(ear);
}

void
notify_hear(struct notify *notify, uint32_t node)
{
	if (notify->ears[node] != NULL)
		(void)hear(notify->ears[node], MESSAGES_AT_END);
}

void
notify_spawned(struct notify *notify, uint32_t node)
{
	struct ear *ear = notify->ears[node];

	if (ear == NULL || ear->fd < 0 || ear->paused)
		return;
	fd_close(&ear->write_fd);
	ev_io_start(notify->engine->loop, &ear->readable);
}

static void
leave_paused(struct ear *ear)
{
	struct ear **at = &ear->notify->paused;

	while (ear->paused && *at != ear)
		at = &(*at)->next_paused;
	if (ear->paused)
		*at = ear->next_paused;
	ear->paused = false;
}

static void
ear_free(struct ear *ear)
{
	ev_io_stop(ear->notify->engine->loop, &ear->readable);
	mainpid_unwatch(&ear->main);
	leave_paused(ear);
	fd_close(&ear->write_fd);
	if (ear->is_pipe)
		fd_close(&ear->fd);
	else
		notify_socket_close(&ear->fd);
	free(ear->status);
	free(ear);
}

void
notify_end(struct notify *notify, uint32_t node)
{
	struct ear *ear = notify->ears[node];

	if (ear == NULL)
		return;
	notify->ears[node] = NULL;
	if (ear->fd >= 0)
		(void)uplink_let_go(node); /* else it is replaced by that of the next start */
	ear_free(ear);
}

/* ---- making ---- */

/* While enough descriptors are left for everything else. */
static bool
has_room(int fd)
{
	struct rlimit files;
	rlim_t kept;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &files))
		return true;
	kept = files.rlim_cur / 2 < KEPT_FREE ? files.rlim_cur / 2 : KEPT_FREE;
	return (rlim_t)fd < files.rlim_cur - kept; /* the lowest number that is free */
}

static int
open_pipe(struct ear *ear, const struct place *place, struct spawn_request *request)
{
	int pair[2], error = ready_fd_prepare(&ear->notify->glass);

	if (error || pipe2(pair, O_CLOEXEC))
		return error ? error : -errno;
	ear->fd = pair[0];
	ear->write_fd = pair[1];
	request->ready_fd = pair[1];
	request->ready_number = place->ready_fd;
	return 0;
}

/* Puts NOTIFY_SOCKET into the environment, in place of any that it may hold. */
static int
add_variable(struct notify *notify, struct spawn_request *request)
{
	static const char name[] = "NOTIFY_SOCKET=";
	size_t count = 0, used = 0;

	while (request->envp[count] != NULL)
		count++;
	if (notify->environment_size < count + 2) {
		const char **grown =
		    realloc(notify->environment, (count + 2) * sizeof(*notify->environment));

		if (grown == NULL)
			return -ENOMEM;
		notify->environment = grown;
		notify->environment_size = count + 2;
	}
	for (size_t i = 0; i < count; i++)
		if (strncmp(request->envp[i], name, sizeof(name) - 1) != 0)
			notify->environment[used++] = request->envp[i];
	notify->environment[used++] = notify->variable;
	notify->environment[used] = NULL;
	request->envp = notify->environment;
	return 0;
}

static int
open_socket(struct ear *ear, struct spawn_request *request)
{
	struct notify *notify = ear->notify;
	int fd = notify_socket_open(
	    notify->engine->settings.control_socket, ear->user, notify->variable);

	if (fd < 0)
		return fd;
	ear->fd = fd;
	return add_variable(notify, request);
}

static struct ear *
ear_new(struct notify *notify, const struct place *place, uint32_t node, uid_t user)
{
	struct ear *ear = calloc(1, sizeof(*ear));

	if (ear == NULL)
		return NULL;
	ear->notify = notify;
	ear->node = node;
	ear->user = user;
	ear->fd = ear->write_fd = -1;
	ear->is_pipe = place->ready_fd != 0;
	mainpid_watch_init(&ear->main, notify->engine, node);
	ev_init(&ear->readable, on_readable);
	ear->readable.data = ear;
	return ear;
}

static uid_t
user_of(const struct spawn_request *request)
{
	return request->set_identity ? request->uid : geteuid();
}

/* Of the child's descriptors the reaper gets a copy first: then no message can be lost. */
static int
keep(struct ear *ear)
{
	int error;

	if (!has_room(ear->fd) || !has_room(ear->write_fd))
		return -EMFILE;
	if (ear->notify->engine->reaper_lost)
		return 0;
	if (ear->node >= LINK_KEEP_NODES)
		return -ENOSPC;
	error = uplink_keep(ear->node, ear->fd);
	return error == -EPIPE ? 0 : error; /* it has gone, and with it what it would keep it for */
}

int
notify_begin(struct notify *notify, const struct place *place, struct spawn_request *request)
{
	struct ear *ear;
	int error;

	if (place->ready_fd == 0 && !place->ready_notify)
		return 0;
	notify_end(notify, request->node);
	ear = ear_new(notify, place, request->node, user_of(request));
	if (ear == NULL)
		return -ENOMEM;
	error = ear->is_pipe ? open_pipe(ear, place, request) : open_socket(ear, request);
	if (!error)
		error = keep(ear);
	if (error) {
		ear_free(ear);
		return error;
	}
	ev_io_set(&ear->readable, ear->fd, EV_READ);
	notify->ears[request->node] = ear;
	return 0;
}

/* ---- after a dead engine ---- */

/* Whether the node's process may speak by what was kept for it. */
static bool
is_wanted(const struct engine *engine, uint32_t node, const struct place *place)
{
	const struct image_process *process = &engine->processes[node];

	return (place->ready_fd != 0 || place->ready_notify) && process->pid > 0 &&
	    (process->state == PROCESS_STARTED || process->state == PROCESS_STARTING);
}

static struct ear *
take_over(struct notify *notify, uint32_t node, int fd)
{
	struct engine *engine = notify->engine;
	const struct place *place;
	struct spawn_request request;
	struct ear *ear;

	if (node >= core_count(engine->core))
		return NULL;
	place = nodes_place(engine->nodes, node);
	if (!is_wanted(engine, node, place) ||
	    program_request(place->program, nodes_instance(engine->nodes, node), &request))
		return NULL;
	ear = ear_new(notify, place, node, user_of(&request));
	if (ear == NULL || (ear->is_pipe && ready_fd_prepare(&notify->glass))) {
		free(ear);
		return NULL;
	}
	ear->fd = fd;
	ev_io_set(&ear->readable, fd, EV_READ);
	return ear;
}

static void
resume_one(struct notify *notify, const struct link_kept *kept)
{
	int fd = kept->fd;
	struct ear *ear;

	if (kept->node >= LINK_KEEP_NODES || fd_set_cloexec(fd, 1))
		return;
	ear = take_over(notify, kept->node, fd);
	if (ear == NULL) {
		(void)uplink_let_go(kept->node);
		notify_socket_close(&fd); /* of a pipe it has no address */
		return;
	}
	notify->ears[kept->node] = ear;
	if (notify->engine->processes[kept->node].state == PROCESS_STARTED) {
		notify_spawned(notify, kept->node);
		mainpid_resume(&ear->main);
	}
}

void
notify_resume(struct notify *notify, int kept)
{
	struct link_kept some[KEPT_A_READ];
	ssize_t n;

	if (kept < 0)
		return;
	if (lseek(kept, 0, SEEK_SET) == 0)
		while ((n = fd_read_all(kept, some, sizeof(some))) > 0)
			for (size_t i = 0; i < (size_t)n / sizeof(some[0]); i++)
				resume_one(notify, &some[i]);
	fd_close(&kept);
}

/* ---- what is known ---- */

const char *
notify_status(const struct notify *notify, uint32_t node)
{
	const struct ear *ear = notify ? notify->ears[node] : NULL;

	return ear != NULL ? ear->status : NULL;
}

bool
notify_is_reloading(const struct notify *notify, uint32_t node)
{
	const struct ear *ear = notify ? notify->ears[node] : NULL;

	return ear != NULL && ear->reloading;
}

/* ---- life ---- */

struct notify *
notify_new(struct engine *engine)
{
	struct notify *notify = calloc(1, sizeof(*notify));

	if (notify == NULL)
		return NULL;
	notify->engine = engine;
	notify->glass.pipe[0] = notify->glass.pipe[1] = -1;
	ev_timer_init(&notify->pause, on_pause_over, PAUSE, 0.);
	notify->pause.data = notify;
	notify->ears = calloc(core_count(engine->core), sizeof(struct ear *));
	if (notify->ears == NULL)
		notify_free(&notify);
	else if (engine->generation == 1)
		notify_socket_sweep(engine->settings.control_socket);
	return notify;
}

void
notify_free(struct notify **notify)
{
	struct notify *old = *notify;

	*notify = NULL;
	if (old == NULL)
		return;
	for (uint32_t node = 0; old->ears && node < core_count(old->engine->core); node++)
		if (old->ears[node] != NULL)
			ear_free(old->ears[node]);
	ev_timer_stop(old->engine->loop, &old->pause);
	notify_socket_leave(old->engine->settings.control_socket);
	ready_fd_finish(&old->glass);
	free(old->environment);
	free(old->ears);
	free(old);
}
