/*
 * events: facts of the core become numbered events in the checkpoint's ring, and the ring's events
 * lines of the log. A line is written once its event is committed; how far the log has come is in
 * the checkpoint, so a new engine writes what a dead one had decided and not yet said. (Dead
 * between write(2) and noting it, the same line with the same time comes twice.)
 */
#ifndef COPPICE_ENGINE_EVENTS_H
#define COPPICE_ENGINE_EVENTS_H

#include "core/types.h"
#include "wire/image.h"

struct engine;

/* Gives the fact a number and a place in the ring, for the commit to come. */
void events_add(struct engine *engine, const struct core_record *record);
/* Writes the lines of all committed events that are not in the log yet, and flushes the log. */
void events_log(struct engine *engine);
/* The same for `most` of them; whether some are left. */
bool events_log_some(struct engine *engine, uint32_t most);
/* The committed event of that number; NULL when it has left the ring or has not happened. */
const struct image_event *events_get(const struct engine *engine, uint64_t number);
/* The number of the oldest event that events_get has; engine->event_number + 1 when there is none. */
uint64_t events_oldest(const struct engine *engine);

#endif
