#include "core/node.h"

#include "core/child.h"
#include "core/gate.h"
#include "core/heap.h"
#include "core/super.h"
#include "lib/must.h"

struct node *
node_touch(struct core *core, uint32_t id)
{
	must(id < core->area_count[CORE_AREA_NODES]);
	tree_touch(core, CORE_AREA_NODES, id);
	return &core->nodes[id];
}

void
node_mark(struct core *core, uint32_t id, uint32_t marks)
{
	struct node *node = node_touch(core, id);

	node->marks = (uint16_t)(node->marks | marks);
}

void
node_unmark(struct core *core, uint32_t id, uint32_t marks)
{
	struct node *node = node_touch(core, id);

	node->marks = (uint16_t)(node->marks & ~marks);
}

void
node_set_deadline(struct core *core, uint32_t id, mono_ms deadline)
{
	if (core->nodes[id].deadline == deadline)
		return;
	node_touch(core, id)->deadline = deadline;
	heap_update(core, id);
}

/*
 * A supervisor stops waiting for the first readiness of a child that is ready, or that nobody waits
 * for any more.
 */
static bool
settles_wait(enum core_state state)
{
	return state == STATE_RUNNING || state == STATE_FINISHED || state == STATE_FAILED ||
	    state == STATE_STOPPED;
}

static void
keep_counts(struct core *core, uint32_t id, enum core_state from, enum core_state to)
{
	uint32_t parent = core->nodes[id].parent;

	if (parent == CORE_NONE)
		return;
	if (core->nodes[id].kind == KIND_CHILD && from != to) {
		if (from == STATE_STARTING) {
			super_touch(core, parent)->starting--;
			if (super_get(core, parent)->slots.head != CORE_NONE)
				tree_wake(core, parent);
		} else if (to == STATE_STARTING) {
			super_touch(core, parent)->starting++;
		}
	}
	if (settles_wait(to))
		node_not_awaited(core, id);
}

void
node_not_awaited(struct core *core, uint32_t id)
{
	uint32_t parent = core->nodes[id].parent;

	if (!node_has(core, id, NODE_AWAITED))
		return;
	node_unmark(core, id, NODE_AWAITED);
	super_touch(core, parent)->awaited--;
	tree_wake(core, parent);
}

/* The next start of a child with on_demand is one more connection's. */
static bool
forgets_demand(enum core_state state, enum core_reason reason)
{
	return state == STATE_STOPPED || state == STATE_FINISHED || state == STATE_FAILED ||
	    (state == STATE_WAITING && reason == REASON_DEMAND);
}

void
node_set_state(struct core *core, uint32_t id, enum core_state state, enum core_reason reason)
{
	struct node *node = node_touch(core, id);
	enum core_state from = node->state;
	mono_ms since = node->since;

	/* A supervisor that comes up may have a set waiting: that deadline is not the state's. */
	if (node->kind == KIND_CHILD || state != STATE_RUNNING)
		node_set_deadline(core, id, MONO_NEVER);
	node->reason = (uint8_t)reason;
	keep_counts(core, id, from, state);
	if (node_has(core, id, NODE_DEMANDED) && forgets_demand(state, reason))
		node_unmark(core, id, NODE_DEMANDED);
	if (from == state)
		return;
	node->state = (uint8_t)state;
	node->since = core->head.now;
	if (state == STATE_RUNNING)
		node->ready_at = core->head.now;
	if (node->kind == KIND_CHILD && state == STATE_RUNNING)
		tree_record(core, RECORD_READY, id, 0, core->head.now - since);
	else
		tree_record(core, RECORD_STATE, id, (int32_t)from, 0);
	gate_note_state(core, id, from);
}

void
node_note_stable(struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node->state == STATE_RUNNING &&
	    core->head.now - node->ready_at >= node_spec(core, id)->stable_after)
		node_mark(core, id, NODE_STABLE);
}

void
node_start(struct core *core, uint32_t id, enum core_reason reason)
{
	struct child_event child = { .type = CHILD_START, .reason = reason };
	struct super_event super = { .type = SUPER_START, .reason = reason };

	if (node_get(core, id)->kind == KIND_CHILD)
		child_handle(core, id, &child);
	else
		super_handle(core, id, &super);
}

static void
stop_one(struct core *core, uint32_t id, enum node_goal goal, enum core_reason reason, bool now)
{
	struct child_event child = {
		.type = CHILD_STOP, .goal = goal, .reason = reason, .now = now
	};
	struct super_event super = { .type = SUPER_STOP, .goal = goal, .reason = reason };

	if (node_get(core, id)->kind == KIND_CHILD)
		child_handle(core, id, &child);
	else
		super_handle(core, id, &super);
}

void
node_stop(struct core *core, uint32_t id, enum node_goal goal, enum core_reason reason, bool now)
{
	stop_one(core, id, goal, reason, now);
	for (uint32_t below = tree_walk(core, id, id); now && below != CORE_NONE;
	     below = tree_walk(core, id, below))
		stop_one(core, below, GOAL_STOPPED, REASON_SUPERVISOR, true);
}
