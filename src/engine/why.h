/*
 * why: what is known of the reasons for a node's state: facts from the core and from the ring of
 * events, collected once (why.c) and put into sentences (why_text.c).
 */
#ifndef COPPICE_ENGINE_WHY_H
#define COPPICE_ENGINE_WHY_H

#include "core/forecast.h"
#include "engine/nodes.h"
#include "lib/buf.h"
#include "wire/image.h"

#include <stdbool.h>

struct engine;

#define WHY_EVENTS 16U     /* of the node's own, at most */
#define WHY_LOOK   100000U /* events looked at, at most: a millisecond */

/* Events stay where they are in the ring: valid until the next commit. NULL: not in the ring. */
struct why {
	const struct engine *engine;
	mono_ms now;
	uint32_t node;
	struct core_view facts;
	const struct core_spec *spec;
	char path[NODES_PATH_SIZE];
	const struct image_event *events[WHY_EVENTS]; /* oldest first */
	unsigned event_count;
	const struct image_event *end;     /* its last end or failed start */
	const struct image_event *delay;   /* the last decision to restart it */
	const struct image_event *command; /* the last of an operator's that named it */
	const struct image_event *group;   /* the last restart of its supervisor's group */
	uint32_t above; /* the topmost supervisor that is not up, CORE_NONE: all are */
	bool stable;    /* it has run for so long that its failures in a row are forgotten */
	bool has_next;  /* it is up or on its way: the next failure can be foretold */
	struct core_forecast next;
};

void why_look(struct why *why, const struct engine *engine, uint32_t node);
/* Appends the sentences, as a JSON array. */
void why_text(const struct why *why, struct buf *out);

#endif
