#include "engine/stream.h"

#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "lib/must.h"

#include <inttypes.h>
#include <string.h>

#define STREAM_WORK  8 /* of a write, in units of rpc.h: what it costs to send it */
#define STREAM_LOOKS 8 /* so many events are looked at, or copied, for one unit */
#define STREAM_HEAD  "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{"

/* ---- the texts ---- */

/* {"jsonrpc":"2.0","method":"event","params":{"number":…}} and a newline. */
static void
put_line(const struct engine *engine, const struct image_event *event, struct buf *out)
{
	/* the object's own brace stands at the end of the head */
	buf_append(out, STREAM_HEAD, strlen(STREAM_HEAD) - 1);
	event_json(engine, event, out);
	buf_append(out, "}\n", 2);
}

static size_t
start_of(const struct streams *streams, uint32_t index)
{
	return index == 0 ? 0 : streams->ends[index - 1];
}

/* The older half of the texts goes. */
static void
halve_window(struct streams *streams)
{
	uint32_t gone = streams->count / 2, kept = streams->count - gone;
	uint32_t from = streams->ends[gone - 1];

	buf_consume(&streams->text, from);
	for (uint32_t i = 0; i < kept; i++)
		streams->ends[i] = streams->ends[gone + i] - from;
	streams->first += gone;
	streams->count = kept;
}

/* The text of one that nobody else is likely to want. */
static const char *
single_line(struct streams *streams, const struct image_event *event, size_t *len)
{
	streams->single.len = 0;
	put_line(streams->engine, event, &streams->single);
	*len = streams->single.len;
	return streams->single.failed ? NULL : streams->single.data;
}

/* The text of an event, with the newline; NULL when memory is gone. */
static const char *
line_of(struct streams *streams, const struct image_event *event, size_t *len, int *work)
{
	uint64_t number = event->number;

	if (number - streams->first < streams->count) {
		uint32_t index = (uint32_t)(number - streams->first);
		*len = streams->ends[index] - start_of(streams, index);
		return streams->text.data + start_of(streams, index);
	}
	--*work;
	if (number < streams->first)
		return single_line(streams, event, len);
	if (number != streams->first + streams->count) {
		streams->text.len = 0;
		streams->first = number;
		streams->count = 0;
	} else if (streams->count == STREAM_WINDOW) {
		halve_window(streams);
	}
	size_t start = streams->text.len;
	put_line(streams->engine, event, &streams->text);
	if (streams->text.failed) {
		buf_free(&streams->text);
		streams->count = 0;
		return NULL;
	}
	streams->ends[streams->count++] = (uint32_t)streams->text.len;
	*len = streams->text.len - start;
	return streams->text.data + start;
}

/* ---- all ---- */

static void
sweep(struct streams *streams)
{
	ev_timer_stop(streams->engine->loop, &streams->timer);
	streams->swept = streams->engine->event_number;
	streams->swept_at = span_mono_now();
	for (struct stream *stream = streams->head; stream != NULL; stream = stream->next) {
		stream->due = true;
		stream->wake(stream->context);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop, (void)revents;
	sweep(timer->data);
}

void
streams_init(struct streams *streams, struct engine *engine)
{
	streams->engine = engine;
	ev_timer_init(&streams->timer, on_timer, 0, 0);
	streams->timer.data = streams;
}

void
streams_free(struct streams *streams)
{
	must(streams->head == NULL);
	ev_timer_stop(streams->engine->loop, &streams->timer);
	buf_free(&streams->text);
	buf_free(&streams->single);
}

void
streams_look(struct streams *streams)
{
	struct ev_loop *loop = streams->engine->loop;
	uint64_t waiting = streams->engine->event_number - streams->swept;

	if (streams->head == NULL || waiting == 0)
		return;
	if (waiting >= checkpoint_events(streams->engine->checkpoint) / 4) {
		sweep(streams); /* a burst, which must not leave the ring before it is told */
		return;
	}
	if (ev_is_active(&streams->timer))
		return;
	mono_ms left = streams->swept_at + STREAM_PAUSE_MS - span_mono_now();
	if (left <= 0) {
		sweep(streams);
		return;
	}
	ev_now_update(loop);
	ev_timer_set(&streams->timer, (double)left / 1000, 0);
	ev_timer_start(loop, &streams->timer);
}

/* ---- one ---- */

void
stream_init(struct stream *stream, struct streams *streams)
{
	*stream = (struct stream){ .streams = streams };
}

void
stream_begin(struct stream *stream, const struct event_filter *filter, uint64_t seen)
{
	struct streams *streams = stream->streams;

	if (!stream->on) {
		stream->prev = NULL;
		stream->next = streams->head;
		if (streams->head != NULL)
			streams->head->prev = stream;
		streams->head = stream;
	}
	stream->on = true;
	stream->filter = *filter;
	stream->seen = seen;
	stream->lost = 0;
	stream->due = seen != streams->engine->event_number;
}

void
stream_end(struct stream *stream)
{
	struct streams *streams = stream->streams;

	if (!stream->on)
		return;
	if (stream->prev != NULL)
		stream->prev->next = stream->next;
	else
		streams->head = stream->next;
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	stream->on = stream->due = false;
	if (streams->head != NULL)
		return;
	ev_timer_stop(streams->engine->loop, &streams->timer);
	buf_free(&streams->text);
	buf_free(&streams->single);
	streams->count = 0;
}

/* Tells it one event; false when memory is gone. */
static bool
tell(struct stream *stream, const struct image_event *event, struct buf *out, int *work)
{
	size_t len, head = strlen(STREAM_HEAD);
	const char *line = line_of(stream->streams, event, &len, work);

	if (line == NULL)
		return false;
	if (stream->lost > 0) {
		buf_append(out, line, head);
		buf_printf(out, "\"lost\":%" PRIu64 ",", stream->lost);
		line += head;
		len -= head;
		stream->lost = 0;
	}
	buf_append(out, line, len);
	return !out->failed;
}

void
stream_write(struct stream *stream, struct buf *out, size_t room, int *work)
{
	const struct engine *engine = stream->streams->engine;
	size_t full = out->len + room;
	uint32_t looked = 0;

	*work -= STREAM_WORK;
	while (*work > 0 && out->len < full && stream->seen < engine->event_number) {
		const struct image_event *event = events_get(engine, stream->seen + 1);
		if (++looked % STREAM_LOOKS == 0)
			--*work;
		if (event == NULL) {
			uint64_t oldest = events_oldest(engine);
			stream->lost += oldest - (stream->seen + 1);
			stream->seen = oldest - 1;
			continue;
		}
		if (event_filter_wants(&stream->filter, engine, event) &&
		    !tell(stream, event, out, work))
			return;
		stream->seen++;
	}
	stream->due = stream->seen < engine->event_number;
}
