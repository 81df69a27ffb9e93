#include "core/tree.h"

#include "core/heap.h"
#include "lib/must.h"

static void
touch(struct core *core, enum core_area area, uint32_t index)
{
	if (core->is_dirty[area][index])
		return;
	core->is_dirty[area][index] = 1;
	core->dirty[area][core->dirty_count[area]++] = index;
}

struct node *
node_touch(struct core *core, uint32_t id)
{
	must(id < core->area_count[CORE_AREA_NODES]);
	touch(core, CORE_AREA_NODES, id);
	return &core->nodes[id];
}

const struct super *
super_get(const struct core *core, uint32_t id)
{
	must(core->nodes[id].super != CORE_NONE);
	return &core->supers[core->nodes[id].super];
}

struct super *
super_touch(struct core *core, uint32_t id)
{
	must(core->nodes[id].super != CORE_NONE);
	touch(core, CORE_AREA_SUPERS, core->nodes[id].super);
	return &core->supers[core->nodes[id].super];
}

struct head *
head_touch(struct core *core)
{
	touch(core, CORE_AREA_HEAD, 0);
	return &core->head;
}

void
stamp_touch(struct core *core, uint32_t index)
{
	touch(core, CORE_AREA_STAMPS, index);
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

/* A supervisor stops waiting for the first readiness of a child that is ready, or that nobody waits for any more. */
static bool
settles_wait(enum core_state state)
{
	return state == STATE_RUNNING || state == STATE_FINISHED || state == STATE_FAILED || state == STATE_STOPPED;
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
	if (from == state)
		return;
	node->state = (uint8_t)state;
	node->since = core->head.now;
	if (state == STATE_RUNNING) {
		node->ready_at = core->head.now;
		node_mark(core, id, NODE_READY);
	}
	if (node->kind == KIND_CHILD && state == STATE_RUNNING)
		tree_record(core, RECORD_READY, id, 0, core->head.now - since);
	else
		tree_record(core, RECORD_STATE, id, (int32_t)from, 0);
}

static void
list_append(struct core *core, struct list *list, uint32_t id)
{
	struct node *node = node_touch(core, id);

	node->queue_prev = list->tail;
	node->queue_next = CORE_NONE;
	if (list->tail == CORE_NONE)
		list->head = id;
	else
		node_touch(core, list->tail)->queue_next = id;
	list->tail = id;
}

static void
list_remove(struct core *core, struct list *list, uint32_t id)
{
	struct node *node = node_touch(core, id);

	if (node->queue_prev == CORE_NONE)
		list->head = node->queue_next;
	else
		node_touch(core, node->queue_prev)->queue_next = node->queue_next;
	if (node->queue_next == CORE_NONE)
		list->tail = node->queue_prev;
	else
		node_touch(core, node->queue_next)->queue_prev = node->queue_prev;
	node->queue_prev = CORE_NONE;
	node->queue_next = CORE_NONE;
}

void
queue_add(struct core *core, uint32_t id, enum node_pending pending)
{
	struct node *node = node_touch(core, id);

	if (!node->pending)
		list_append(core, &super_touch(core, node->parent)->queue, id);
	node->pending = (uint8_t)(node->pending | pending);
	tree_wake(core, node->parent);
}

void
queue_remove(struct core *core, uint32_t id, uint32_t pending)
{
	struct node *node;

	if (!(core->nodes[id].pending & pending))
		return;
	node = node_touch(core, id);
	node->pending = (uint8_t)(node->pending & ~pending);
	if (!node->pending)
		list_remove(core, &super_touch(core, node->parent)->queue, id);
}

void
slot_queue_add(struct core *core, uint32_t id)
{
	must(!core->nodes[id].pending);
	list_append(core, &super_touch(core, core->nodes[id].parent)->slots, id);
}

void
slot_queue_remove(struct core *core, uint32_t id)
{
	list_remove(core, &super_touch(core, core->nodes[id].parent)->slots, id);
}

uint32_t
tree_walk(const struct core *core, uint32_t top, uint32_t id)
{
	if (core->nodes[id].first != CORE_NONE)
		return core->nodes[id].first;
	while (id != top && core->nodes[id].next == CORE_NONE)
		id = core->nodes[id].parent;
	return id == top ? CORE_NONE : core->nodes[id].next;
}

void
tree_wake(struct core *core, uint32_t supervisor)
{
	uint32_t index = core->nodes[supervisor].super;

	if (core->wake_next[index] != index)
		return;
	core->wake_next[index] = CORE_NONE;
	if (core->wake.tail == CORE_NONE)
		core->wake.head = index;
	else
		core->wake_next[core->wake.tail] = index;
	core->wake.tail = index;
}

struct core_action *
tree_action(struct core *core, enum core_action_type type, uint32_t id)
{
	struct core_action *action;

	must(core->action_tail < core->action_capacity);
	action = &core->actions[core->action_tail++];
	*action = (struct core_action){ .type = type, .node = id };
	if (id != CORE_NONE)
		action->incarnation = core->nodes[id].incarnation;
	return action;
}

void
tree_record(struct core *core, enum core_record_type type, uint32_t id, int32_t a, int64_t b)
{
	const struct node *node = node_get(core, id);
	struct core_action *action = tree_action(core, DO_RECORD, id);

	action->record = (struct core_record){ .type = type,
		.state = node->state,
		.reason = node->reason,
		.node = id,
		.incarnation = node->incarnation,
		.a = a,
		.b = b };
}
