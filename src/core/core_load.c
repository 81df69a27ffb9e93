/*
 * core_load: the core's memory from a checkpoint. Whoever wrote it may have died of broken memory: nothing is taken that could
 * lead outside of the tree.
 */
#include "core/core.h"
#include "core/gate.h"
#include "core/heap.h"
#include "core/hook.h"
#include "core/super.h"
#include "core/tree.h"
#include "lib/must.h"

static bool
is_link(const struct core *core, uint32_t id)
{
	return id == CORE_NONE || id < core_count(core);
}

static bool
are_links(const struct core *core, const struct list *list)
{
	return is_link(core, list->head) && is_link(core, list->tail);
}

/* What core_add has laid down is the same, whatever happened since. */
static bool
is_same_place(const struct node *node, const struct node *made)
{
	return node->parent == made->parent && node->prev == made->prev &&
	    node->next == made->next && node->first == made->first && node->last == made->last &&
	    node->spec == made->spec && node->super == made->super && node->place == made->place &&
	    node->kind == made->kind;
}

static bool
load_node(struct core *core, uint32_t id, const struct node *node)
{
	const struct core_spec *spec = node_spec(core, id);

	if (!is_same_place(node, node_get(core, id)) || node->state >= STATE_COUNT ||
	    node->reason >= REASON_COUNT || node->goal >= GOAL_COUNT ||
	    (node->goal >= GOAL_ESCALATE && node->kind == KIND_CHILD) ||
	    node->stop_step > spec->stop_steps || !hook_fits(spec, node->hook) ||
	    node->end_kind > END_SHUTDOWN || !is_link(core, node->queue_prev) ||
	    !is_link(core, node->queue_next) || node->since < 0 || node->ready_at < 0 ||
	    node->started_at < 0 || node->deadline < 0)
		return false;
	core->nodes[id] = *node;
	return true;
}

static bool
load_super(struct core *core, uint32_t index, const struct super *super)
{
	const struct super *made = &core->supers[index];

	if (super->node != made->node || super->stamps != made->stamps ||
	    super->window.capacity != made->window.capacity ||
	    super->window.count > made->window.capacity ||
	    (super->window.first > 0 && super->window.first >= made->window.capacity) ||
	    !is_link(core, super->cursor) || !are_links(core, &super->queue) ||
	    !are_links(core, &super->slots) || super->operation > OPERATION_STOP_ALL ||
	    super->wait > WAIT_LIMIT || super->set_goal >= GOAL_COUNT ||
	    super->end_reason >= REASON_COUNT)
		return false;
	core->supers[index] = *super;
	return true;
}

/* A generator of zeros would give zeros for ever. */
static bool
load_head(struct core *core, const struct head *head)
{
	const uint64_t *s = head->rng.s;

	core->head = *head;
	return head->now >= 0 && (s[0] | s[1] | s[2] | s[3]) != 0;
}

bool
core_load(struct core *core, enum core_area area, uint32_t index, const void *item)
{
	must(index < core->area_count[area]);
	switch (area) {
	case CORE_AREA_HEAD: return load_head(core, item);
	case CORE_AREA_NODES: return load_node(core, index, item);
	case CORE_AREA_SUPERS: return load_super(core, index, item);
	case CORE_AREA_STAMPS:
		core->stamps[index] = *(const mono_ms *)item;
		return core->stamps[index] >= 0;
	case CORE_AREAS: break;
	}
	never("no area");
}

const char *
core_load_end(struct core *core)
{
	heap_rebuild(core);
	gate_count(core);
	return core_check(core);
}
