/* core_load: what no core has ever looked like is not taken. */
#include "core/super.h"
#include "core/tree.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROOT,
	A,
	S,
	B,
	C,
	COUNT
};

static struct world *
make(void)
{
	return world_of("/ one 2/60s { a post=1s; s all 9/60s { b pre=0ms; c command=1s } }");
}

/* Each writes one wrong thing; the second of a pair is the last that would be right. */
#define NODE(what)                                                              \
	static bool takes_##what(struct core *core, uint32_t id, int64_t value) \
	{                                                                       \
		struct node node = core->nodes[id];                             \
		node.what = (__typeof__(node.what))value;                       \
		return core_load(core, CORE_AREA_NODES, id, &node);             \
	}
#define SUPER(name, what)                                                             \
	static bool takes_super_##name(struct core *core, uint32_t id, int64_t value) \
	{                                                                             \
		struct super super = core->supers[id];                                \
		super.what = (__typeof__(super.what))value;                           \
		return core_load(core, CORE_AREA_SUPERS, id, &super);                 \
	}
NODE(parent)
NODE(prev)
NODE(next)
NODE(first)
NODE(last)
NODE(spec)
NODE(super)
NODE(place)
NODE(kind)
NODE(state)
NODE(reason)
NODE(goal)
NODE(stop_step)
NODE(hook)
NODE(end_kind)
NODE(queue_prev)
NODE(queue_next)
NODE(since)
NODE(started_at)
NODE(ready_at)
NODE(deadline)
SUPER(node, node)
SUPER(stamps, stamps)
SUPER(capacity, window.capacity)
SUPER(count, window.count)
SUPER(first, window.first)
SUPER(cursor, cursor)
SUPER(queue_head, queue.head)
SUPER(queue_tail, queue.tail)
SUPER(slots_head, slots.head)
SUPER(slots_tail, slots.tail)
SUPER(operation, operation)
SUPER(wait, wait)
SUPER(set_goal, set_goal)
SUPER(end_reason, end_reason)

static const struct {
	const char *what;
	bool (*takes)(struct core *core, uint32_t index, int64_t value);
	uint32_t index;
	int64_t wrong, right;
} rows[] = {
	{ "parent", takes_parent, B, ROOT, S },
	{ "prev", takes_prev, C, CORE_NONE, B },
	{ "next", takes_next, B, CORE_NONE, C },
	{ "first", takes_first, S, C, B },
	{ "last", takes_last, S, B, C },
	{ "spec", takes_spec, S, 0, 2 },
	{ "super", takes_super, S, 0, 1 },
	{ "place", takes_place, C, 0, 1 },
	{ "kind", takes_kind, A, KIND_SUPERVISOR, KIND_CHILD },
	{ "state", takes_state, A, STATE_COUNT, STATE_COUNT - 1 },
	{ "reason", takes_reason, A, REASON_COUNT, REASON_COUNT - 1 },
	{ "goal of a child", takes_goal, A, GOAL_ESCALATE, GOAL_ESCALATE - 1 },
	{ "goal of a supervisor", takes_goal, S, GOAL_COUNT, GOAL_COUNT - 1 },
	{ "stop_step", takes_stop_step, A, 3, 2 },
	{ "hook", takes_hook, A, HOOK_COUNT, HOOK_POST_STOP },
	{ "hook that it has not", takes_hook, A, HOOK_PRE_START, HOOK_NONE },
	{ "pre_start", takes_hook, B, HOOK_POST_STOP, HOOK_PRE_START },
	{ "stop_command", takes_hook, C, HOOK_POST_STOP, HOOK_STOP },
	{ "end_kind", takes_end_kind, A, END_SHUTDOWN + 1, END_SHUTDOWN },
	{ "queue_prev", takes_queue_prev, A, COUNT, COUNT - 1 },
	{ "queue_next", takes_queue_next, A, COUNT, CORE_NONE },
	{ "since", takes_since, A, -1, 0 },
	{ "started_at", takes_started_at, A, -1, 0 },
	{ "ready_at", takes_ready_at, A, -1, 0 },
	{ "deadline", takes_deadline, A, -1, 0 },
	{ "node", takes_super_node, 1, A, S },
	{ "stamps", takes_super_stamps, 1, 1, 2 },
	{ "capacity", takes_super_capacity, 1, 8, 9 },
	{ "count", takes_super_count, 0, 3, 2 },
	{ "first", takes_super_first, 0, 2, 1 },
	{ "cursor", takes_super_cursor, 0, COUNT, COUNT - 1 },
	{ "queue.head", takes_super_queue_head, 0, COUNT, CORE_NONE },
	{ "queue.tail", takes_super_queue_tail, 0, COUNT, CORE_NONE },
	{ "slots.head", takes_super_slots_head, 0, COUNT, CORE_NONE },
	{ "slots.tail", takes_super_slots_tail, 0, COUNT, CORE_NONE },
	{ "operation", takes_super_operation, 0, OPERATION_STOP_ALL + 1, OPERATION_STOP_ALL },
	{ "wait", takes_super_wait, 0, WAIT_LIMIT + 1, WAIT_LIMIT },
	{ "set_goal", takes_super_set_goal, 0, GOAL_COUNT, GOAL_COUNT - 1 },
	{ "end_reason", takes_super_end_reason, 0, REASON_COUNT, REASON_COUNT - 1 },
};

static void
test_what_leads_out_of_the_tree_is_not_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = make();

		if (rows[i].takes(world_core(world), rows[i].index, rows[i].wrong))
			fail_msg("%s is taken", rows[i].what);
		if (!rows[i].takes(world_core(world), rows[i].index, rows[i].right))
			fail_msg("%s is not taken, though it is right", rows[i].what);
		world_end(world);
	}
}

static void
test_time_and_chance(void **state)
{
	struct world *world = make();
	struct core *core = world_core(world);
	struct head head = core->head;
	mono_ms stamp = -1;

	(void)state;
	assert_true(core_load(core, CORE_AREA_HEAD, 0, &head));
	head.now = -1;
	assert_false(core_load(core, CORE_AREA_HEAD, 0, &head));
	head.now = 1;
	memset(&head.rng, 0, sizeof head.rng);
	assert_false(core_load(core, CORE_AREA_HEAD, 0, &head));
	assert_false(core_load(core, CORE_AREA_STAMPS, 0, &stamp));
	stamp = 0;
	assert_true(core_load(core, CORE_AREA_STAMPS, 0, &stamp));
	world_end(world);
}

static void
test_in_the_end_all_must_fit_together(void **state)
{
	struct world *world = make();
	struct core *core = world_core(world);

	(void)state;
	assert_null(core_load_end(core));
	assert_true(takes_state(core, A, STATE_STOPPED));
	assert_non_null(core_load_end(core));
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_leads_out_of_the_tree_is_not_taken),
		cmocka_unit_test(test_time_and_chance),
		cmocka_unit_test(test_in_the_end_all_must_fit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
