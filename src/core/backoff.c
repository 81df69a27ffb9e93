#include "core/backoff.h"

#include "lib/must.h"

#define MILLI 1000
#define PPM   1000000

static span_ms
times_capped(span_ms value, int64_t numerator, int64_t denominator, span_ms cap)
{
	int64_t product;

	if (!__builtin_mul_overflow(value, numerator, &product))
		product /= denominator;
	else if (__builtin_mul_overflow(value / denominator, numerator, &product))
		return cap;
	return product < cap ? product : cap;
}

/*
 * In millionths of a millisecond, so that a factor like 1.5 does not drift, and rounded once. Stops
 * as soon as the cap is reached, so that n may be any number; a factor of 1 never grows.
 */
static span_ms
exponential(const struct core_spec *spec, uint32_t n)
{
	int64_t cap =
	    spec->backoff_max < SPAN_INFINITE / PPM ? spec->backoff_max * PPM : SPAN_INFINITE;
	int64_t delay;

	if (spec->backoff_delay >= SPAN_INFINITE / PPM || spec->backoff_factor_milli == MILLI)
		return spec->backoff_delay;
	delay = spec->backoff_delay * PPM;
	for (uint32_t i = 1; i < n && delay > 0 && delay < cap; i++)
		delay = times_capped(delay, spec->backoff_factor_milli, MILLI, cap);
	return delay == SPAN_INFINITE ? SPAN_INFINITE : (delay + PPM / 2) / PPM;
}

static span_ms
fibonacci(const struct core_spec *spec, uint32_t n)
{
	span_ms before = 0, delay = spec->backoff_delay;

	for (uint32_t i = 1; i < n && delay > 0 && delay < spec->backoff_max; i++) {
		span_ms next =
		    before < spec->backoff_max - delay ? before + delay : spec->backoff_max;

		before = delay;
		delay = next;
	}
	return delay;
}

span_ms
backoff_base(const struct core_spec *spec, uint32_t n)
{
	span_ms delay = 0;

	must(n >= 1);
	switch (spec->backoff) {
	case BACKOFF_NONE: return 0;
	case BACKOFF_FIXED: delay = spec->backoff_delay; break;
	case BACKOFF_LINEAR:
		delay = times_capped(spec->backoff_delay, n, 1, spec->backoff_max);
		break;
	case BACKOFF_EXPONENTIAL: delay = exponential(spec, n); break;
	case BACKOFF_FIBONACCI: delay = fibonacci(spec, n); break;
	}
	return delay < spec->backoff_max ? delay : spec->backoff_max;
}

static span_ms
spread(span_ms base, int64_t by_ppm)
{
	return base == SPAN_INFINITE ? base : times_capped(base, PPM + by_ppm, PPM, SPAN_INFINITE);
}

void
backoff_range(const struct core_spec *spec, uint32_t n, span_ms *least, span_ms *most)
{
	span_ms base = backoff_base(spec, n);

	*least = spread(base, -(int64_t)spec->backoff_jitter_ppm);
	*most = spread(base, spec->backoff_jitter_ppm);
}

span_ms
backoff_delay(const struct core_spec *spec, uint32_t n, struct rng *rng)
{
	span_ms base = backoff_base(spec, n);
	int64_t jitter = spec->backoff_jitter_ppm;

	if (base == 0 || base == SPAN_INFINITE || jitter == 0)
		return base;
	return spread(base, (int64_t)rng_below(rng, (uint64_t)(2 * jitter) + 1) - jitter);
}
