/* core_check: each invariant is seen when it is broken, in whatever node. */
#include "core/heap.h"
#include "core/super.h"
#include "core/tree.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* a runs, b waits for its restart, m is down; c waits for a slot, which d has; t is down. */
static const char plan[] = "/ one 9/60s { a; b; m manual; "
			   "s all 9/60s start_parallel max_starting=1 { d ready=told "
			   "says_ready=infinity start_timeout=infinity; c }; "
			   "t one 9/60s { x; y } }";
enum {
	ROOT,
	A,
	B,
	M,
	S,
	D,
	C,
	T,
	X,
	Y
};

static struct super *
super_of(struct core *core, uint32_t id)
{
	return &core->supers[core->nodes[id].super];
}

/* Links */

static void
last(struct core *core)
{
	core->nodes[S].last = D;
}

static void
prev(struct core *core)
{
	core->nodes[B].prev = M;
}

static void
places(struct core *core)
{
	core->nodes[B].place = 9;
}

/* Deadlines */

static void
forgotten_deadline(struct core *core)
{
	core->nodes[B].deadline = MONO_NEVER;
}

static void
unknown_deadline(struct core *core)
{
	core->nodes[D].deadline = 5;
}

static void
heap_at(struct core *core)
{
	core->heap[0] = A;
}

static void
heap_order(struct core *core)
{
	core->nodes[D].deadline = 1000;
	heap_update(core, D);
	core->nodes[B].deadline = core->nodes[D].deadline - 1;
}

static void
deadline_of_nothing(struct core *core)
{
	core->nodes[A].deadline = 5;
	heap_update(core, A);
}

static void
deadline_of_no_supervisor(struct core *core)
{
	core->nodes[T].deadline = 5;
	heap_update(core, T);
}

/* Children */

static void
no_process(struct core *core)
{
	core->nodes[A].marks &= (uint16_t)~NODE_PROCESS;
}

static void
process_of_nobody(struct core *core)
{
	core->nodes[M].marks |= NODE_PROCESS;
}

static void
spawning_of_nobody(struct core *core)
{
	core->nodes[M].marks |= NODE_SPAWNING;
}

static void
goal_without_stop(struct core *core)
{
	core->nodes[A].goal = GOAL_STOPPED;
}

static void
up_below_down(struct core *core)
{
	core->nodes[Y].state = STATE_RUNNING;
	core->nodes[Y].marks |= NODE_PROCESS;
}

/* Supervisors */

static void
starting(struct core *core)
{
	super_of(core, S)->starting++;
}

static void
awaited(struct core *core)
{
	super_of(core, T)->awaited++;
}

static void
in_turn(struct core *core)
{
	super_of(core, S)->in_turn++;
}

static void
turn_of_nothing(struct core *core)
{
	core->nodes[X].marks |= NODE_IN_TURN;
}

static void
queue_length(struct core *core)
{
	core->nodes[B].pending = PENDING_START;
}

static void
queue_links(struct core *core)
{
	core->nodes[C].queue_prev = D;
}

static void
queue_ring(struct core *core)
{
	core->nodes[C].queue_next = C;
	core->nodes[C].queue_prev = CORE_NONE;
}

static void
queue_tail(struct core *core)
{
	super_of(core, S)->slots.tail = D;
}

static void
stop_without_stopping(struct core *core)
{
	super_of(core, S)->operation = OPERATION_STOP_ALL;
}

static void
down_with_a_wait(struct core *core)
{
	super_of(core, T)->wait = WAIT_DELAY;
}

static void
down_with_a_start(struct core *core)
{
	super_of(core, T)->immediate = 1;
}

static void
pend(struct core *core, uint32_t id, enum node_pending pending)
{
	struct super *super = super_of(core, core->nodes[id].parent);

	super->queue.head = super->queue.tail = id;
	core->nodes[id].pending = (uint8_t)pending;
}

static void
down_with_a_queue(struct core *core)
{
	pend(core, X, PENDING_START);
}

static void
void_failure(struct core *core)
{
	pend(core, A, PENDING_FAILURE);
}

static void
void_end(struct core *core)
{
	pend(core, A, PENDING_SIGNIFICANT);
}

static void
hook_of_one_that_runs(struct core *core)
{
	core->nodes[A].hook = HOOK_STOP;
}

static void
hook_of_one_that_is_down(struct core *core)
{
	core->nodes[X].hook = HOOK_POST_STOP;
}

static void
given_up(struct core *core)
{
	struct super *super = super_of(core, S);

	super->operation = OPERATION_STOP_SET;
	super->set_goal = GOAL_GIVEN_UP;
	super->wait = WAIT_DELAY;
}

static void
window(struct core *core)
{
	super_of(core, T)->window.count = 10;
}

static const struct {
	void (*spoil)(struct core *core);
	const char *says;
} rows[] = {
	{ last, "a last child is not its parent's last" },
	{ prev, "sibling links disagree" },
	{ places, "places do not rise" },
	{ forgotten_deadline, "a deadline is not in the heap, or the heap holds none" },
	{ unknown_deadline, "a deadline is not in the heap, or the heap holds none" },
	{ heap_at, "the heap is out of order" },
	{ heap_order, "the heap has a later deadline above an earlier one" },
	{ deadline_of_nothing, "a deadline of a child that waits for nothing" },
	{ deadline_of_no_supervisor, "a deadline of a supervisor that waits for nothing" },
	{ no_process, "a child is down with a process or a hook, or up without either" },
	{ process_of_nobody, "a child is down with a process or a hook, or up without either" },
	{ hook_of_one_that_is_down,
	    "a child is down with a process or a hook, or up without either" },
	{ hook_of_one_that_runs, "a hook runs where none belongs" },
	{ spawning_of_nobody, "a child is being spawned without a process" },
	{ goal_without_stop, "a goal without a stop, or a stop without a goal" },
	{ up_below_down, "a node is up below a supervisor that is down" },
	{ starting, "the count of starting children is wrong" },
	{ awaited, "the count of awaited children is wrong" },
	{ in_turn, "the count of children whose turn it is is wrong" },
	{ turn_of_nothing, "a turn without an operation" },
	{ queue_length, "the queue of a supervisor is broken" },
	{ queue_links, "the queue for start slots is broken" },
	{ queue_ring, "the queue for start slots is broken" },
	{ queue_tail, "the queue for start slots is broken" },
	{ stop_without_stopping,
	    "a supervisor stops without stopping its children, or the other way round" },
	{ down_with_a_wait, "a supervisor that is down has something in hand" },
	{ down_with_a_start, "a supervisor that is down has something in hand" },
	{ down_with_a_queue, "a supervisor that is down has something in hand" },
	{ void_failure, "a failure waits that is none any more" },
	{ void_end, "the end of one that is up waits" },
	{ given_up, "a set is given up and to be started" },
	{ window, "the window holds more restarts than the intensity" },
};

static void
test_what_is_broken_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(plan);
		const char *says;

		world_stop(world, "t");
		world_exit(world, "b");
		expect_why(world, "c", STATE_WAITING, REASON_SLOT);
		assert_null(core_check(world_core(world)));
		rows[i].spoil(world_core(world));
		says = core_check(world_core(world));
		if (!says || strcmp(says, rows[i].says) != 0)
			fail_msg("row %zu: %s, not: %s", i, says, rows[i].says);
		world_end(world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_broken_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
