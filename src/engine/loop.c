#include "engine/loop.h"

#include "engine/act.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "engine/exits.h"
#include "engine/listen.h"
#include "engine/uplink.h"
#include "lib/log.h"

#include <stdbool.h>
#include <stdlib.h>

#define SHARE_US     1000 /* of a turn for signals, and for starts: sockets are served in between */
#define LINES_A_TURN 512

struct loop {
	struct engine *engine;
	struct ev_prepare prepare;
	struct ev_idle idle; /* active while starts are left: keeps the loop from sleeping */
	struct ev_timer timer;
	mono_ms armed; /* what the timer is set to */
	bool turned, reported;
	struct ev_check check; /* the loop has woken up */
	int64_t woken_us, longest_us;
};

static void
on_timer(struct ev_loop *ev, struct ev_timer *timer, int events)
{
	struct loop *loop = timer->data;

	(void)ev;
	(void)events;
	loop->armed = MONO_NEVER;
	if (core_next_deadline(loop->engine->core) <= span_mono_now())
		engine_submit(loop->engine, &(struct core_event){ .type = ON_TIMER });
}

/* Sets the timer where the deadline has changed. */
static void
arm(struct loop *loop)
{
	struct ev_loop *ev = loop->engine->loop;
	mono_ms deadline = core_next_deadline(loop->engine->core);
	mono_ms left;

	if (deadline == loop->armed)
		return;
	ev_timer_stop(ev, &loop->timer);
	loop->armed = deadline;
	if (deadline == MONO_NEVER)
		return;
	ev_now_update(ev);
	left = deadline - span_mono_now();
	ev_timer_set(&loop->timer, left > 0 ? (double)left / 1000.0 : 0.0, 0.0);
	ev_timer_start(ev, &loop->timer);
}

/*
 * When all descriptors have been looked at once, the engine counts as recovered: before it makes
 * starts, so that on a busy machine its next death is not taken for one in recovery. True while
 * that has not come.
 */
static bool
report(struct loop *loop)
{
	if (loop->reported)
		return false;
	loop->reported = loop->turned;
	loop->turned = true;
	if (loop->reported && uplink_value(LINK_RECOVERED, 0))
		log_line(NULL, "the reaper does not hear that the engine runs");
	return !loop->reported;
}

static void
on_check(struct ev_loop *ev, struct ev_check *check, int events)
{
	struct loop *loop = check->data;

	(void)ev;
	(void)events;
	loop->woken_us = span_mono_now_us();
}

static void
note_turn(struct loop *loop)
{
	int64_t took = loop->woken_us > 0 ? span_mono_now_us() - loop->woken_us : 0;

	if (took > loop->longest_us)
		loop->longest_us = took;
}

int64_t
loop_take_longest_us(struct loop *loop)
{
	int64_t longest = loop->longest_us;

	loop->longest_us = 0;
	return longest;
}

static void
on_prepare(struct ev_loop *ev, struct ev_prepare *prepare, int events)
{
	struct loop *loop = prepare->data;
	struct engine *engine = loop->engine;
	struct core_action how;

	(void)events;
	bool more = report(loop) || act_some(engine->act, SHARE_US);
	if (events_log_some(engine, LINES_A_TURN) || more)
		ev_idle_start(ev, &loop->idle);
	else
		ev_idle_stop(ev, &loop->idle);
	listen_look(engine->listen);
	control_look(engine->control);
	arm(loop);
	note_turn(loop);
	if (act_is_leaving(engine->act, &how))
		ev_break(ev, EVBREAK_ALL);
}

static void
on_idle(struct ev_loop *ev, struct ev_idle *idle, int events)
{
	/* its being active is its purpose */
	(void)ev;
	(void)idle;
	(void)events;
}

struct loop *
loop_new(struct engine *engine)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->engine = engine;
	loop->armed = MONO_NEVER;
	ev_prepare_init(&loop->prepare, on_prepare);
	loop->prepare.data = loop;
	ev_check_init(&loop->check, on_check);
	ev_set_priority(&loop->check, EV_MAXPRI); /* before whatever has happened is looked at */
	loop->check.data = loop;
	ev_idle_init(&loop->idle, on_idle);
	loop->idle.data = loop;
	ev_timer_init(&loop->timer, on_timer, 0., 0.);
	loop->timer.data = loop;
	return loop;
}

void
loop_free(struct loop **loop)
{
	struct loop *old = *loop;

	*loop = NULL;
	if (!old)
		return;
	ev_prepare_stop(old->engine->loop, &old->prepare);
	ev_check_stop(old->engine->loop, &old->check);
	ev_idle_stop(old->engine->loop, &old->idle);
	ev_timer_stop(old->engine->loop, &old->timer);
	free(old);
}

void
loop_run(struct loop *loop)
{
	struct ev_loop *ev = loop->engine->loop;
	struct core_action how;

	ev_prepare_start(ev, &loop->prepare);
	ev_check_start(ev, &loop->check);
	log_set_direct(false);
	while (!act_is_leaving(loop->engine->act, &how))
		ev_run(ev, 0);
	log_set_direct(true);
}
