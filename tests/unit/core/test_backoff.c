/* backoff: the formula, its cap, its jitter. */
#include "core/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct core_spec
spec_of(enum core_backoff kind, span_ms delay, span_ms most)
{
	struct core_spec spec;

	spec_defaults(&spec, KIND_CHILD);
	spec.backoff = kind;
	spec.backoff_delay = delay;
	spec.backoff_max = most;
	spec.backoff_jitter_ppm = 0;
	return spec;
}

/* FIELD 1.B.12 */
static void
test_each_kind_follows_its_formula(void **state)
{
	static const struct {
		enum core_backoff kind;
		span_ms delays[8];
	} rows[] = {
		{ BACKOFF_NONE, { 0, 0, 0, 0, 0, 0, 0, 0 } },
		{ BACKOFF_FIXED, { 100, 100, 100, 100, 100, 100, 100, 100 } },
		{ BACKOFF_LINEAR, { 100, 200, 300, 400, 500, 600, 700, 800 } },
		{ BACKOFF_EXPONENTIAL, { 100, 200, 400, 800, 1600, 3200, 6400, 12800 } },
		{ BACKOFF_FIBONACCI, { 100, 100, 200, 300, 500, 800, 1300, 2100 } },
	};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct core_spec spec = spec_of(rows[i].kind, 100, 30000);

		for (uint32_t n = 1; n <= 8; n++)
			assert_int_equal(backoff_delay(&spec, n, &rng), rows[i].delays[n - 1]);
	}
}

/* FIELD 1.B.7 */
static void
test_every_kind_stops_at_its_cap(void **state)
{
	static const enum core_backoff kinds[] = { BACKOFF_FIXED, BACKOFF_LINEAR,
		BACKOFF_EXPONENTIAL, BACKOFF_FIBONACCI };
	static const uint32_t many[] = { 100, 1000000, UINT32_MAX };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct core_spec spec = spec_of(kinds[i], 5000, 4321);

		assert_int_equal(backoff_delay(&spec, 1, &rng), 4321);
		spec.backoff_delay = 100;
		for (size_t k = 0; k < 3 && kinds[i] != BACKOFF_FIXED; k++)
			assert_int_equal(backoff_delay(&spec, many[k], &rng), 4321);
	}
}

static void
test_overflow_is_capped_and_not_wrapped(void **state)
{
	static const enum core_backoff kinds[] = { BACKOFF_LINEAR, BACKOFF_EXPONENTIAL,
		BACKOFF_FIBONACCI };
	span_ms most = 10000LL * 24 * 3600 * 1000;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct core_spec spec = spec_of(kinds[i], most - 1, most);

		spec.backoff_factor_milli = UINT32_MAX;
		for (uint32_t n = 3; n < 200; n++)
			assert_int_equal(backoff_delay(&spec, n, &rng), most);
		spec.backoff_max = SPAN_INFINITE - 1;
		assert_true(backoff_delay(&spec, UINT32_MAX, &rng) > most);
	}
}

static void
test_fractional_factors_do_not_lose_what_is_less_than_a_millisecond(void **state)
{
	static const struct {
		span_ms delay;
		uint32_t factor, n;
		span_ms least, most;
	} rows[] = {
		{ 100, 1500, 5, 506, 507 },       /* 506.25 */
		{ 1, 1900, 7, 47, 48 },           /* 47.05 */
		{ 1, 1100, 50, 106, 107 },        /* 106.7 */
		{ 1000, 1001, 1000, 2712, 2716 }, /* 2714.1 */
		{ 7, 1000, 1000, 7, 7 },
	};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct core_spec spec = spec_of(BACKOFF_EXPONENTIAL, rows[i].delay, 100000);

		spec.backoff_factor_milli = rows[i].factor;
		assert_in_range(backoff_delay(&spec, rows[i].n, &rng), rows[i].least, rows[i].most);
	}
}

static void
test_jitter_spreads_evenly_around_the_delay_also_above_the_cap(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_FIXED, 60000, 10000);
	int64_t sum = 0;
	span_ms least = SPAN_INFINITE, most = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 42);
	spec.backoff_jitter_ppm = 100000;
	for (int i = 0; i < 10000; i++) {
		span_ms delay = backoff_delay(&spec, 1, &rng);

		sum += delay;
		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_in_range(least, 9000, 9010);
	assert_in_range(most, 10990, 11000);
	assert_in_range(sum / 10000, 9950, 10050);
}

static void
test_full_jitter_never_gives_a_negative_delay(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_FIXED, 3, 10);
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	spec.backoff_jitter_ppm = 1000000;
	for (int i = 0; i < 1000; i++)
		assert_in_range(backoff_delay(&spec, 1, &rng), 0, 6);
}

static void
test_the_same_seed_gives_the_same_delays(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_EXPONENTIAL, 100, 30000);
	struct rng one, other;

	(void)state;
	rng_seed(&one, 9);
	rng_seed(&other, 9);
	spec.backoff_jitter_ppm = 500000;
	for (uint32_t n = 1; n < 50; n++)
		assert_int_equal(backoff_delay(&spec, n, &one), backoff_delay(&spec, n, &other));
}

static void
test_half_a_millisecond_is_rounded_up(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_EXPONENTIAL, 1, 100000);

	(void)state;
	spec.backoff_factor_milli = 1500;
	assert_int_equal(backoff_base(&spec, 2), 2); /* 1.5 */
	assert_int_equal(backoff_base(&spec, 3), 2); /* 2.25 */
	spec.backoff_factor_milli = 1499;
	assert_int_equal(backoff_base(&spec, 2), 1);
}

static void
test_both_edges_of_the_jitter_are_drawn(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_FIXED, 1000000, 2000000);
	span_ms least, most;
	uint32_t seen[3] = { 0 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 11);
	spec.backoff_jitter_ppm = 1;
	backoff_range(&spec, 1, &least, &most);
	assert_int_equal(least, 999999);
	assert_int_equal(most, 1000001);
	for (int i = 0; i < 300; i++) {
		span_ms delay = backoff_delay(&spec, 1, &rng);

		assert_in_range(delay, least, most);
		seen[delay - least]++;
	}
	assert_true(seen[0] > 50 && seen[1] > 50 && seen[2] > 50);
}

static void
test_jitter_makes_no_infinite_delay_finite(void **state)
{
	struct core_spec spec = spec_of(BACKOFF_FIXED, SPAN_INFINITE, SPAN_INFINITE);
	span_ms least, most;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	spec.backoff_jitter_ppm = 500000;
	backoff_range(&spec, 1, &least, &most);
	assert_true(least == SPAN_INFINITE && most == SPAN_INFINITE);
	assert_true(backoff_delay(&spec, 1, &rng) == SPAN_INFINITE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_follows_its_formula),
		cmocka_unit_test(test_every_kind_stops_at_its_cap),
		cmocka_unit_test(test_overflow_is_capped_and_not_wrapped),
		cmocka_unit_test(
		    test_fractional_factors_do_not_lose_what_is_less_than_a_millisecond),
		cmocka_unit_test(test_jitter_spreads_evenly_around_the_delay_also_above_the_cap),
		cmocka_unit_test(test_full_jitter_never_gives_a_negative_delay),
		cmocka_unit_test(test_the_same_seed_gives_the_same_delays),
		cmocka_unit_test(test_half_a_millisecond_is_rounded_up),
		cmocka_unit_test(test_both_edges_of_the_jitter_are_drawn),
		cmocka_unit_test(test_jitter_makes_no_infinite_delay_finite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
