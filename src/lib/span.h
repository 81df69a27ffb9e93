/*
 * span: durations and the monotonic clock, in milliseconds. A mono_ms is a point on
 * CLOCK_MONOTONIC, a span_ms a length; both are never negative in a valid value.
 */
#ifndef COPPICE_LIB_SPAN_H
#define COPPICE_LIB_SPAN_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t mono_ms;
typedef int64_t span_ms;

#define SPAN_INFINITE INT64_MAX
#define MONO_NEVER    INT64_MAX

/* now + span, MONO_NEVER where that is infinite or overflows. */
mono_ms span_after(mono_ms now, span_ms span);

/*
 * Parses "250ms", "5s", "2m", "1h", "1d", "infinity" or a bare number of seconds ("1.5" and "1.5s"
 * are allowed, to the millisecond). Whole string or nothing. 0, -EINVAL (no duration) or -ERANGE
 * (over 10,000 days).
 */
int span_parse(const char *text, span_ms *out);

/*
 * Writes the shortest exact form that span_parse reads ("1500ms", "5s", "infinity") and returns
 * out.
 */
#define SPAN_TEXT_SIZE 32
const char *span_format(span_ms span, char out[SPAN_TEXT_SIZE]);
/*
 * Writes it for people, not exact: "250ms", "1.2s", "3m20s", "5h10m", "3d4h"; less than nothing is
 * "0s". Returns out. Finite.
 */
const char *span_about(span_ms span, char out[SPAN_TEXT_SIZE]);

/* The clocks; the only callers of clock_gettime. */
mono_ms span_mono_now(void);
int64_t span_wall_now_ms(void);
/* The monotonic clock in microseconds, to measure what a thing costs. */
int64_t span_mono_now_us(void);

#endif
