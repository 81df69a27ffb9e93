/* hooks: which slot is whose, and which hook an incarnation in it is. */
#include "engine/hooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct core *
make_core(uint32_t count, bool (*has)(uint32_t))
{
	struct core *core = core_new(1);
	struct core_spec super, child;

	assert_non_null(core);
	spec_defaults(&super, KIND_SUPERVISOR);
	assert_int_equal(core_add(core, CORE_NONE, &super, 1, NULL), 0);
	for (uint32_t i = 1; i <= count; i++) {
		spec_defaults(&child, KIND_CHILD);
		child.pre_start = has(i) && i % 3 == 0;
		child.stop_command = has(i) && i % 3 == 1;
		child.post_stop = has(i) && i % 3 == 2;
		assert_int_equal(core_add(core, CORE_ROOT, &child, 1, NULL), 0);
	}
	return core;
}

static bool
nobody(uint32_t node)
{
	(void)node;
	return false;
}

static bool
everybody(uint32_t node)
{
	return node > 0;
}

static bool
some(uint32_t node)
{
	return node > 0 && (node % 7 == 0 || node % 5 == 1);
}

static void
test_each_has_its_slot(void **state)
{
	static bool (*const who[])(uint32_t) = { nobody, everybody, some };

	(void)state;
	for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
		struct core *core = make_core(100, who[i]);
		struct hooks *hooks = hooks_new(core);
		uint32_t slot = 101;

		assert_non_null(hooks);
		for (uint32_t node = 0; node <= 100; node++) {
			assert_false(hooks_has(hooks, node));
			assert_int_equal(hooks_node(hooks, node), node);
			if (!who[i](node))
				continue;
			assert_true(hooks_has(hooks, slot));
			assert_int_equal(hooks_slot(hooks, node), slot);
			assert_int_equal(hooks_node(hooks, slot++), node);
		}
		assert_int_equal(hooks_slots(hooks), slot);
		hooks_free(&hooks);
		assert_null(hooks);
		core_free(&core);
	}
}

/* Different for all of a node's life, and never that of a slot in which nothing has run. */
static void
test_incarnations(void **state)
{
	uint32_t before = 0;

	(void)state;
	for (uint32_t incarnation = 1; incarnation < 100; incarnation++) {
		for (int hook = HOOK_PRE_START; hook < HOOK_COUNT; hook++) {
			uint32_t now = hooks_incarnation(incarnation, (enum core_hook)hook);

			assert_true(now > before);
			assert_int_equal(hooks_ends(now), hook != HOOK_PRE_START);
			before = now;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_slot),
		cmocka_unit_test(test_incarnations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
