/* The reading half of core.h: views of nodes, and the areas of memory that the checkpoint keeps. */
#include "core/core.h"
#include "core/failure.h"
#include "core/super.h"
#include "core/tree.h"
#include "lib/must.h"

#include <string.h>

static mono_ms
next_start(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node->state != STATE_RESTARTING)
		return MONO_NEVER;
	return node_has(core, id, NODE_IN_SET) ? node_get(core, node->parent)->deadline
					       : node->deadline;
}

void
core_view(const struct core *core, uint32_t id, struct core_view *out)
{
	const struct node *node = node_get(core, id);
	bool is_super = node->kind == KIND_SUPERVISOR;

	*out = (struct core_view){ .kind = node->kind,
		.state = node->state,
		.reason = node->reason,
		.parent = node->parent,
		.next = node->next,
		.first_child = node->first,
		.incarnation = node->incarnation,
		.restarts = node->restarts,
		.streak = node->streak,
		.wanted = node_has(core, id, NODE_WANTED),
		.drained = node_has(core, id, NODE_DRAINED),
		.has_process = node_has(core, id, NODE_PROCESS),
		.spawning = node_has(core, id, NODE_SPAWNING),
		.hook = node->hook,
		.ended = node_has(core, id, NODE_ENDED),
		.status = node->status,
		.since = node->since,
		.next_start = next_start(core, id),
		.restarts_in_window = is_super ? failure_window(core, core->head.now, id).count : 0,
		.group_restarts = is_super ? super_get(core, id)->group_restarts : 0 };
}

const struct core_spec *
core_spec_of(const struct core *core, uint32_t node)
{
	return node_spec(core, node);
}

uint32_t
core_area_count(const struct core *core, enum core_area area)
{
	return core->area_count[area];
}

uint32_t
core_area_size(const struct core *core, enum core_area area)
{
	static const uint32_t sizes[CORE_AREAS] = {
		[CORE_AREA_HEAD] = sizeof(struct head),
		[CORE_AREA_NODES] = sizeof(struct node),
		[CORE_AREA_SUPERS] = sizeof(struct super),
		[CORE_AREA_STAMPS] = sizeof(mono_ms),
	};

	(void)core;
	return sizes[area];
}

const void *
core_area_item(const struct core *core, enum core_area area, uint32_t index)
{
	must(index < core->area_count[area]);
	switch (area) {
	case CORE_AREA_HEAD: return &core->head;
	case CORE_AREA_NODES: return &core->nodes[index];
	case CORE_AREA_SUPERS: return &core->supers[index];
	case CORE_AREA_STAMPS: return &core->stamps[index];
	case CORE_AREAS: break;
	}
	return NULL;
}

bool
core_next_dirty(struct core *core, enum core_area *area, uint32_t *index)
{
	for (enum core_area a = 0; a < CORE_AREAS; a++) {
		if (core->dirty_count[a] == 0)
			continue;
		*area = a;
		*index = core->dirty[a][--core->dirty_count[a]];
		core->is_dirty[a][*index] = 0;
		return true;
	}
	return false;
}
