#include "engine/control.h"

#include "engine/conns.h"
#include "engine/engine.h"
#include "engine/listener.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CONTROL_MAX_CONNECTIONS 2048U
#define CONTROL_ACCEPTS         64 /* in one turn of the loop */
#define CONTROL_PAUSE_S         0.5 /* without accepting, when the system has nothing to accept with */

struct control {
	struct engine *engine;
	struct conns *conns;
	struct listener listener;
	int reserve; /* given up for a moment when descriptors are gone, to turn a client away (FIELD 2.C.15) */
	ev_io acceptor;
	ev_timer pause;
	bool told_short;
};

static int
control_open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * No descriptor is left: the one kept in reserve lets us take the client and send it away, else the
 * loop would spin on it. 0, or why that could not be done; EAGAIN: nobody is there (accept says
 * EMFILE before it looks).
 */
static int
control_turn_one_away(struct control *control)
{
	if (control->reserve < 0)
		return EMFILE;
	fd_close(&control->reserve);
	int fd = accept4(control->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = fd >= 0 ? 0 : errno;
	if (fd >= 0)
		conns_turn_away(fd);
	control->reserve = control_open_reserve();
	return error;
}

static void
control_take_breath(struct control *control, int error)
{
	if (!control->told_short)
		log_line(NULL, "control socket: cannot accept: %s", strerror(error));
	control->told_short = true;
	ev_io_stop(control->engine->loop, &control->acceptor);
	ev_timer_set(&control->pause, CONTROL_PAUSE_S, 0);
	ev_timer_start(control->engine->loop, &control->pause);
}

/* Takes one client; false when there is none, or when no more can be taken for now. */
static bool
control_accept(struct control *control)
{
	int fd = accept4(control->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = fd >= 0 ? 0 : errno;

	if (fd >= 0) {
		control->told_short = false;
		conns_add(control->conns, fd);
		return true;
	}
	if (error == EMFILE || error == ENFILE)
		error = control_turn_one_away(control);
	if (error == EAGAIN)
		return false;
	if (error == 0 || error == EINTR || error == ECONNABORTED)
		return true;
	control_take_breath(control, error);
	return false;
}

static void
control_on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	(void)loop, (void)revents; /* libev's signature */
	for (int i = 0; i < CONTROL_ACCEPTS && control_accept(watcher->data); i++) {
	}
}

static void
control_on_pause_over(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct control *control = watcher->data;

	(void)revents;
	if (control->reserve < 0)
		control->reserve = control_open_reserve();
	if (control->listener.fd >= 0)
		ev_io_start(loop, &control->acceptor);
}

static void
control_listen(struct control *control)
{
	if (control->listener.fd < 0)
		return;
	ev_io_set(&control->acceptor, control->listener.fd, EV_READ);
	ev_io_start(control->engine->loop, &control->acceptor);
}

/*
 * Half of the descriptors are for other things: a client must not keep a child from being started.
 */
static uint32_t
control_max_connections(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 >= CONTROL_MAX_CONNECTIONS)
		return CONTROL_MAX_CONNECTIONS;
	return (uint32_t)(files.rlim_cur / 2);
}

struct control *
control_new(struct engine *engine, int listener)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	control->engine = engine;
	control->listener.fd = -1;
	control->conns = conns_new(engine, control_max_connections());
	if (control->conns == NULL) {
		free(control);
		return NULL;
	}
	control->reserve = control_open_reserve();
	ev_init(&control->acceptor, control_on_acceptable);
	ev_init(&control->pause, control_on_pause_over);
	control->acceptor.data = control->pause.data = control;
	if (listener >= 0)
		listener_adopt(&control->listener, listener, &engine->settings);
	else
		(void)listener_open(
		    &control->listener, &engine->settings); /* it has said what is wrong */
	control_listen(control);
	return control;
}

void
control_free(struct control **control)
{
	struct control *old = *control;

	if (old == NULL)
		return;
	conns_free(&old->conns);
	ev_io_stop(old->engine->loop, &old->acceptor);
	ev_timer_stop(old->engine->loop, &old->pause);
	listener_close(&old->listener, &old->engine->settings, core_is_leaving(old->engine->core));
	fd_close(&old->reserve);
	free(old);
	*control = NULL;
}

int
control_listener(const struct control *control)
{
	return control->listener.fd;
}

void
control_reopen(struct control *control)
{
	const struct settings *settings = &control->engine->settings;

	if (listener_is_reachable(&control->listener, settings))
		return;
	/*
	 * The old one goes first, since its file may be where the new one is to be; but not before
	 * those who knocked in time have been let in. Whoever is connected stays so.
	 */
	for (int i = 0; i < SOMAXCONN && control->listener.fd >= 0 && control_accept(control);
	     i++) {
	}
	ev_io_stop(control->engine->loop, &control->acceptor);
	listener_close(&control->listener, settings, false);
	if (listener_open(&control->listener, settings) == 0)
		log_line(NULL, "control socket %s: made anew", settings->control_socket);
	control_listen(control);
}

void
control_on_record(struct control *control, const struct core_record *record)
{
	conns_on_record(control->conns, record);
}

void
control_look(struct control *control)
{
	conns_look(control->conns);
}
