#include "core/queue.h"

#include "core/node.h"
#include "core/super.h"
#include "lib/must.h"

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
queue_add_slot(struct core *core, uint32_t id)
{
	must(!core->nodes[id].pending);
	list_append(core, &super_touch(core, core->nodes[id].parent)->slots, id);
}

void
queue_remove_slot(struct core *core, uint32_t id)
{
	list_remove(core, &super_touch(core, core->nodes[id].parent)->slots, id);
}
