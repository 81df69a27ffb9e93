/*
 * intensity: the sliding window of a supervisor's restarts (coppice-semantics(7), Restart
 * intensity; OTP 22). A ring of time stamps, as many as the intensity allows: so the window can
 * never hold one too many. A stamp leaves when it is older than the period.
 */
#ifndef COPPICE_CORE_INTENSITY_H
#define COPPICE_CORE_INTENSITY_H

#include "lib/span.h"

#include <stdbool.h>

struct intensity {
	uint32_t capacity; /* = intensity */
	uint32_t first;    /* index of the oldest */
	uint32_t count;
};

/* Forgets the stamps older than the period. */
void intensity_prune(struct intensity *window, const mono_ms *stamps, mono_ms now, span_ms period);
/* Whether one more restart fits; prune first. */
bool intensity_has_room(const struct intensity *window);
/* When the oldest stamp will be forgotten; MONO_NEVER: there is none. */
mono_ms intensity_next_free(const struct intensity *window, const mono_ms *stamps, span_ms period);
/*
 * When one more will fit, if nothing is added meanwhile: now if it does already, with capacity 0
 * after one period.
 */
mono_ms intensity_room_at(
    const struct intensity *window, const mono_ms *stamps, mono_ms now, span_ms period);
/* Adds a stamp; there must be room. Returns the index in stamps that was written. */
uint32_t intensity_stamp(struct intensity *window, mono_ms *stamps, mono_ms now);
void intensity_clear(struct intensity *window);

#endif
