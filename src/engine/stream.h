/*
 * stream: events to those who have subscribed. A stream is a place in the checkpoint's ring and has
 * no queue of its own: whoever does not read falls behind, and what leaves the ring meanwhile is
 * lost to it and counted. Events are told in sweeps, at most one in STREAM_PAUSE_MS; the text of an
 * event is made once for all streams that are not far behind.
 */
#ifndef COPPICE_ENGINE_STREAM_H
#define COPPICE_ENGINE_STREAM_H

#include "engine/event_filter.h"
#include "lib/buf.h"
#include "lib/span.h"

#include <ev.h>

struct engine;

#define STREAM_PAUSE_MS 10    /* from sweep to sweep */
#define STREAM_WINDOW   1024U /* so many events' texts are kept, at most */

struct stream {
	struct streams *streams;
	struct stream *prev, *next; /* of those that are on */
	bool on;
	bool due;      /* there may be events that it has not seen */
	uint64_t seen; /* the last event that was looked at */
	uint64_t lost; /* events since the last one told that left the ring before it got there */
	struct event_filter filter;
	void (*wake)(void *context); /* it has become due; must only take note */
	void *context;
};

struct streams {
	struct engine *engine;
	struct stream *head;
	uint64_t swept; /* the newest event of the last sweep */
	mono_ms swept_at;
	ev_timer timer;
	/* The texts of events first … first+count−1, one behind the other: ends[i] is behind i's. */
	uint64_t first;
	uint32_t count;
	uint32_t ends[STREAM_WINDOW];
	struct buf text;
	struct buf single; /* the text of one that is older than those */
};

void streams_init(struct streams *streams, struct engine *engine);
/* All of them have ended. */
void streams_free(struct streams *streams);
/* Before the loop sleeps: wakes the streams if there is anything new, now or a little later. */
void streams_look(struct streams *streams);

/* A stream that is not on; `wake` and `context` are the caller's to set. */
void stream_init(struct stream *stream, struct streams *streams);
/* On from now, for the events after `seen`; one that is on begins anew. */
void stream_begin(struct stream *stream, const struct event_filter *filter, uint64_t seen);
void stream_end(struct stream *stream);
/*
 * Appends the lines of events that it has not seen, until that are `room` bytes or a little more,
 * or *work is used up; it is not due any more when there is nothing left to tell.
 */
void stream_write(struct stream *stream, struct buf *out, size_t room, int *work);

#endif
