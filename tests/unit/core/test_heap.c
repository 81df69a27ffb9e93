/* heap: against a plain search for the least. */
#include "core/heap.h"

#include "lib/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NODES 200

static struct core *
core_of_nodes(void)
{
	struct core *core = core_new(1);
	struct core_spec spec;

	spec_defaults(&spec, KIND_SUPERVISOR);
	assert_int_equal(core_add(core, CORE_NONE, &spec, 1, NULL), 0);
	spec_defaults(&spec, KIND_CHILD);
	assert_int_equal(core_add(core, CORE_ROOT, &spec, NODES - 1, NULL), 0);
	return core;
}

static uint32_t
earliest(const struct core *core)
{
	uint32_t best = CORE_NONE;

	for (uint32_t i = 0; i < NODES; i++) {
		mono_ms at = core->nodes[i].deadline;

		if (at != MONO_NEVER && (best == CORE_NONE || at < core->nodes[best].deadline))
			best = i;
	}
	return best;
}

static void
test_the_top_is_always_the_earliest_and_ties_go_by_number(void **state)
{
	struct core *core = core_of_nodes();
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	assert_int_equal(heap_top(core), CORE_NONE);
	for (int i = 0; i < 20000; i++) {
		uint32_t id = (uint32_t)rng_below(&rng, NODES);
		bool off = rng_below(&rng, 3) == 0;

		core->nodes[id].deadline = off ? MONO_NEVER : (mono_ms)rng_below(&rng, 300);
		heap_update(core, id);
		assert_int_equal(heap_top(core), earliest(core));
	}
	core_free(&core);
}

static void
test_it_empties_in_order(void **state)
{
	struct core *core = core_of_nodes();
	mono_ms last = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 6);
	for (uint32_t id = 0; id < NODES; id++)
		core->nodes[id].deadline = (mono_ms)rng_below(&rng, 1000);
	heap_rebuild(core);
	for (uint32_t id; (id = heap_top(core)) != CORE_NONE;) {
		assert_true(core->nodes[id].deadline >= last);
		last = core->nodes[id].deadline;
		core->nodes[id].deadline = MONO_NEVER;
		heap_update(core, id);
	}
	core_free(&core);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_top_is_always_the_earliest_and_ties_go_by_number),
		cmocka_unit_test(test_it_empties_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
