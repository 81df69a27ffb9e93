#include "lib/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * xoshiro256** seeded by splitmix64 from 42; computed with a program of its own after the authors'
 * reference code.
 */
static const uint64_t from_42[] = { UINT64_C(0x15780b2e0c2ec716), UINT64_C(0x6104d9866d113a7e),
	UINT64_C(0xae17533239e499a1), UINT64_C(0xecb8ad4703b360a1) };

static void
sequence_is_the_published_one(void **unused)
{
	struct rng rng;

	(void)unused;
	rng_seed(&rng, 42);
	for (size_t i = 0; i < sizeof from_42 / sizeof from_42[0]; i++)
		assert_true(rng_next(&rng) == from_42[i]);
}

static void
below_is_within_and_even(void **unused)
{
	struct rng rng;
	unsigned counts[7] = { 0 };

	(void)unused;
	rng_seed(&rng, 1);
	for (int i = 0; i < 70000; i++) {
		uint64_t value = rng_below(&rng, 7);
		assert_true(value < 7);
		counts[value]++;
	}
	/* 10,000 expected, standard deviation 93. */
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 9500, 10500);
	assert_int_equal(rng_below(&rng, 1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void
seeds_differ(void **unused)
{
	struct rng a, b;

	(void)unused;
	rng_seed(&a, 0);
	rng_seed(&b, 1);
	assert_true(rng_next(&a) != rng_next(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_is_the_published_one),
		cmocka_unit_test(below_is_within_and_even),
		cmocka_unit_test(seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
