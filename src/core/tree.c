#include "core/tree.h"

#include "lib/must.h"

void
tree_touch(struct core *core, enum core_area area, uint32_t index)
{
	if (core->is_dirty[area][index])
		return;
	core->is_dirty[area][index] = 1;
	core->dirty[area][core->dirty_count[area]++] = index;
}

struct head *
tree_head_touch(struct core *core)
{
	tree_touch(core, CORE_AREA_HEAD, 0);
	return &core->head;
}

void
tree_stamp_touch(struct core *core, uint32_t index)
{
	tree_touch(core, CORE_AREA_STAMPS, index);
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

bool
tree_is_still(const struct core *core, uint32_t id)
{
	if (core->head.hold)
		return true;
	for (id = core->nodes[id].parent; id != CORE_NONE; id = core->nodes[id].parent) {
		if (core->nodes[id].state == STATE_STOPPING)
			return true;
	}
	return false;
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

struct action *
tree_action(struct core *core, enum core_action_type type, uint32_t id)
{
	struct action *action;

	must(core->action_tail < core->action_capacity);
	action = &core->actions[core->action_tail++];
	*action = (struct action){
		.type = (uint8_t)type, .node = id, .incarnation = core->nodes[id].incarnation
	};
	return action;
}

void
tree_record(struct core *core, enum core_record_type type, uint32_t id, int32_t a, int64_t b)
{
	struct action *action = tree_action(core, DO_RECORD, id);

	action->record = (uint8_t)type;
	action->node_state = node_get(core, id)->state;
	action->node_reason = node_get(core, id)->reason;
	action->a = a;
	action->b = b;
}
