/*
 * backoff: how long the n-th restart in a row waits (coppice-semantics(7), Delays). Pure
 * arithmetic; overflow is capped, never wrapped.
 */
#ifndef COPPICE_CORE_BACKOFF_H
#define COPPICE_CORE_BACKOFF_H

#include "core/spec.h"
#include "lib/rng.h"

/*
 * The delay of the n-th failure in a row, n ≥ 1: the formula, capped at backoff_max, without
 * jitter.
 */
span_ms backoff_base(const struct core_spec *spec, uint32_t n);
/* The least and the most that backoff_delay gives. */
void backoff_range(const struct core_spec *spec, uint32_t n, span_ms *least, span_ms *most);
/*
 * The same times a random number in 1 ± jitter. Draws from rng only when there is something to
 * spread.
 */
span_ms backoff_delay(const struct core_spec *spec, uint32_t n, struct rng *rng);

#endif
