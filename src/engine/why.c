#include "engine/why.h"

#include "engine/engine.h"
#include "engine/events.h"

#include <string.h>

/* Remembers an event, if it is the newest of its kind so far; called for the newest first. */
static void
why_note(struct why *why, const struct image_event *event)
{
	bool own = event->node == why->node;

	if (own && why->event_count < WHY_EVENTS)
		why->events[why->event_count++] = event;
	if (own && why->end == NULL &&
	    (event->type == RECORD_EXITED || event->type == RECORD_START_FAILED))
		why->end = event;
	if (own && why->delay == NULL && event->type == RECORD_RESTARTING)
		why->delay = event;
	if (event->type == RECORD_GROUP_RESTARTING && why->group == NULL &&
	    event->node == why->facts.parent)
		why->group = event;
	if (own && why->command == NULL && event->type == RECORD_OPERATOR)
		why->command = event;
}

static void
why_read_ring(struct why *why)
{
	uint64_t number = why->engine->event_number, oldest = events_oldest(why->engine);

	for (unsigned looks = 0; looks < WHY_LOOK && number >= oldest; looks++, number--) {
		const struct image_event *event = events_get(why->engine, number);
		/* the ring is memory that others could have damaged */
		if (event != NULL && event->type < RECORD_COUNT &&
		    event->node < core_count(why->engine->core))
			why_note(why, event);
	}
	for (unsigned i = 0; i < why->event_count / 2; i++) {
		const struct image_event *event = why->events[i];
		why->events[i] = why->events[why->event_count - 1 - i];
		why->events[why->event_count - 1 - i] = event;
	}
}

/* A supervisor above it that is neither starting nor running; the topmost. */
static uint32_t
why_find_above(const struct why *why)
{
	struct core_view above;
	uint32_t found = CORE_NONE;

	for (uint32_t id = why->facts.parent; id != CORE_NONE; id = above.parent) {
		core_view(why->engine->core, id, &above);
		if (above.state != STATE_STARTING && above.state != STATE_RUNNING)
			found = id;
	}
	return found;
}

void
why_look(struct why *why, const struct engine *engine, uint32_t node)
{
	*why = (struct why){ .engine = engine, .now = span_mono_now(), .node = node };
	core_view(engine->core, node, &why->facts);
	why->spec = core_spec_of(engine->core, node);
	nodes_path(engine->nodes, node, why->path);
	why_read_ring(why);
	why->above = why_find_above(why);
	why->stable = why->facts.state == STATE_RUNNING && why->facts.since != MONO_NEVER &&
	    why->now - why->facts.since >= why->spec->stable_after;
	why->has_next = why->facts.state == STATE_STARTING || why->facts.state == STATE_RUNNING ||
	    why->facts.state == STATE_WAITING || why->facts.state == STATE_RESTARTING;
	if (!why->has_next)
		return;
	core_forecast(engine->core, why->now, node, &why->next);
	/* the forecast is for a short run; after a long one there is no delay */
	if (why->stable && why->next.outcome == OUTCOME_RESTART) {
		why->next.streak = 0;
		why->next.delay_min = why->next.delay_max = 0;
	}
}
