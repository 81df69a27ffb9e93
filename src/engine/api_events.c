#include "engine/api.h"

#include "engine/engine.h"
#include "engine/events.h"
#include "engine/stream.h"

#include <inttypes.h>

#define EVENTS_DEFAULT 1000U
#define EVENTS_MOST    10000U
#define EVENTS_LOOKS   16 /* so many events are looked at for one unit of work */

/* ---- what both take ---- */

/* The list of types, as a hint. */
static void
events_list_types(struct buf *out)
{
	buf_puts(out, "one of ");
	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		buf_puts(out, type > 0 ? ", " : "");
		buf_puts(out, event_type_text((enum event_type)type));
	}
	buf_puts(out, "; or the beginning of some and *");
}

static bool
events_refuse_type(struct rpc_call *call, const char *name)
{
	struct buf hint = { 0 };

	events_list_types(&hint);
	rpc_refuse(call, RPC_INVALID_PARAMS, NULL, hint.data,
	    name != NULL ? "there is no type of event \"%.100s\"" : "the list of types is empty",
	    name);
	buf_free(&hint);
	return false;
}

static bool
events_read_types(struct rpc_call *call)
{
	struct event_filter *filter = &call->state.filter;
	size_t count = json_array_size(call->args.types);

	if (call->args.types == NULL)
		return true;
	if (count == 0)
		return events_refuse_type(call, NULL);
	filter->types = 0;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(call->args.types, i));
		if (!event_filter_add_type(filter, name))
			return events_refuse_type(call, name);
	}
	return true;
}

static bool
events_read_since(struct rpc_call *call)
{
	uint64_t newest = call->session->engine->event_number;

	if (call->args.since <= newest)
		return true;
	rpc_refuse(call, RPC_INVALID_PARAMS, NULL,
	    "it is from an earlier life of the daemon; ask without `since`",
	    "there is no event %" PRIu64 " yet, the newest is %" PRIu64, call->args.since, newest);
	return false;
}

/* Makes state.filter; false after refusing. */
static bool
events_read_filter(struct rpc_call *call)
{
	struct event_filter *filter = &call->state.filter;
	const char *severity = call->args.severity;

	event_filter_init(filter);
	if (!events_read_since(call) || !events_read_types(call))
		return false;
	if (severity != NULL && !event_filter_set_severity(filter, severity)) {
		rpc_refuse(call, RPC_INVALID_PARAMS, NULL,
		    "one of info, notice, warning, error: that or graver",
		    "there is no severity \"%.100s\"", severity);
		return false;
	}
	if (call->args.path == NULL)
		return true;
	if (!api_find(call))
		return false;
	event_filter_set_nodes(filter, call->session->engine, call->state.first, call->state.count);
	return true;
}

/* ---- events: {"events": […], "next": N, "lost": N} ---- */

enum {
	EVENTS_BEGIN,
	EVENTS_BACK,  /* looking for the first of the newest */
	EVENTS_FIRST, /* nothing is written yet */
	EVENTS_WRITE,
};

/* state.event is the last that was looked at, state.last the last that will be. */
static bool
events_begin(struct rpc_call *call)
{
	struct rpc_state *state = &call->state;
	bool since = (call->args.given & PARAM_BIT(PARAM_SINCE)) != 0;

	if ((call->args.given & PARAM_BIT(PARAM_LIMIT)) == 0)
		call->args.limit = EVENTS_DEFAULT;
	if (call->args.limit > EVENTS_MOST) {
		rpc_refuse(call, RPC_INVALID_PARAMS, NULL,
		    "ask again with `since`: what `next` says", "limit is at most %u", EVENTS_MOST);
		return false;
	}
	if (!events_read_filter(call))
		return false;
	state->last = call->session->engine->event_number;
	state->event = since ? call->args.since : state->last;
	state->phase = since ? EVENTS_FIRST : EVENTS_BACK;
	return true;
}

static bool
events_wants(const struct rpc_call *call, const struct image_event *event)
{
	return event_filter_wants(&call->state.filter, call->session->engine, event);
}

/* Goes back until `limit` events are found; false when the work is used up before. */
static bool
events_go_back(struct rpc_call *call, int *work)
{
	const struct engine *engine = call->session->engine;
	struct rpc_state *state = &call->state;
	const struct image_event *event;

	while (
	    state->hits < call->args.limit && (event = events_get(engine, state->event)) != NULL) {
		if (event->number % EVENTS_LOOKS == 0 && --*work < 0)
			return false;
		if (events_wants(call, event))
			state->hits++;
		state->event--;
	}
	state->hits = 0;
	state->phase = EVENTS_FIRST;
	return true;
}

/* Skips what has left the ring, and counts it; the event that stands there then, or NULL. */
static const struct image_event *
events_next(struct rpc_call *call)
{
	const struct engine *engine = call->session->engine;
	struct rpc_state *state = &call->state;
	const struct image_event *event = events_get(engine, state->event + 1);

	if (event != NULL)
		return event;
	uint64_t oldest = events_oldest(engine);
	if (oldest > state->last + 1)
		oldest = state->last + 1;
	state->lost += oldest - (state->event + 1);
	state->event = oldest - 1;
	return state->event < state->last ? events_get(engine, oldest) : NULL;
}

/* False when the work is used up. */
static bool
events_write(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct buf *out = call->session->out;
	const struct image_event *event;

	while (state->hits < call->args.limit && state->event < state->last &&
	    (event = events_next(call)) != NULL) {
		if (event->number % EVENTS_LOOKS == 0 && --*work < 0)
			return false;
		if (events_wants(call, event)) {
			if (--*work < 0)
				return false;
			if (state->hits++ > 0)
				buf_puts(out, ",");
			event_json(call->session->engine, event, out);
		}
		state->event = event->number;
	}
	return true;
}

enum rpc_progress
api_events(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct buf *out = call->session->out;

	if (state->phase == EVENTS_BEGIN && !events_begin(call))
		return RPC_DONE;
	if (state->phase == EVENTS_BACK && !events_go_back(call, work))
		return RPC_MORE;
	if (state->phase == EVENTS_FIRST) {
		if (rpc_result(call) == NULL)
			return rpc_finish(call);
		buf_puts(out, "{\"events\":[");
		state->phase = EVENTS_WRITE;
	}
	if (!events_write(call, work))
		return RPC_MORE;
	buf_printf(out, "],\"next\":%" PRIu64 ",\"lost\":%" PRIu64 "}", state->event, state->lost);
	return rpc_finish(call);
}

/* ---- subscribe: {"at_event": N, "lost": N}, then events as notifications ---- */

enum rpc_progress
api_subscribe(struct rpc_call *call, int *work)
{
	const struct engine *engine = call->session->engine;
	struct stream *stream = call->session->stream;
	uint64_t seen = engine->event_number, lost = 0, oldest = events_oldest(engine);

	*work -= RPC_WORK_REQUEST;
	if (!events_read_filter(call))
		return RPC_DONE;
	if (stream == NULL)
		return rpc_refuse(
		    call, RPC_UNSUPPORTED, NULL, "ask on a connection", "nothing can follow here");
	if ((call->args.given & PARAM_BIT(PARAM_SINCE)) != 0)
		seen = call->args.since;
	if (oldest > seen + 1) {
		lost = oldest - (seen + 1);
		seen = oldest - 1;
	}
	stream_begin(stream, &call->state.filter, seen);
	struct buf *out = rpc_result(call);
	if (out != NULL)
		buf_printf(out, "{\"at_event\":%" PRIu64 ",\"lost\":%" PRIu64 "}",
		    engine->event_number, lost);
	return rpc_finish(call);
}
