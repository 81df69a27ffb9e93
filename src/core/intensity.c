#include "core/intensity.h"

#include "lib/must.h"

static uint32_t
index_of(const struct intensity *window, uint32_t nth)
{
	return (window->first + nth) % window->capacity;
}

void
intensity_prune(struct intensity *window, const mono_ms *stamps, mono_ms now, span_ms period)
{
	while (window->count > 0 && now - stamps[window->first] > period) {
		window->first = index_of(window, 1);
		window->count--;
	}
}

bool
intensity_has_room(const struct intensity *window)
{
	return window->count < window->capacity;
}

mono_ms
intensity_next_free(const struct intensity *window, const mono_ms *stamps, span_ms period)
{
	mono_ms at;

	if (window->count == 0)
		return MONO_NEVER;
	at = span_after(stamps[window->first], period);
	return at < MONO_NEVER ? at + 1 : at; /* a stamp exactly one period old still counts */
}

mono_ms
intensity_room_at(
    const struct intensity *window, const mono_ms *stamps, mono_ms now, span_ms period)
{
	if (intensity_has_room(window))
		return now;
	if (window->capacity == 0)
		return span_after(now, period);
	return intensity_next_free(window, stamps, period);
}

uint32_t
intensity_stamp(struct intensity *window, mono_ms *stamps, mono_ms now)
{
	uint32_t at;

	must(intensity_has_room(window));
	at = index_of(window, window->count);
	stamps[at] = now;
	window->count++;
	return at;
}

void
intensity_clear(struct intensity *window)
{
	window->first = 0;
	window->count = 0;
}
