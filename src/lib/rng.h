/*
 * rng: a small seeded generator (xoshiro256**, Blackman and Vigna 2018; seeded through splitmix64).
 * Deterministic on every machine; not for secrets.
 */
#ifndef COPPICE_LIB_RNG_H
#define COPPICE_LIB_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* Uniform in [0, bound); bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
