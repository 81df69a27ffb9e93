/*
 * queue: the two queues of a supervisor, in order of arrival: what is pending (failures,
 * significant ends, commands), and who waits for a start slot. A node is in one of them at most.
 */
#ifndef COPPICE_CORE_QUEUE_H
#define COPPICE_CORE_QUEUE_H

#include "core/tree.h"

/* Puts the node at the end of its parent's queue unless it is there, and adds the bit. */
void queue_add(struct core *core, uint32_t id, enum node_pending pending);
/* Takes bits away; a node without any leaves the queue. */
void queue_remove(struct core *core, uint32_t id, uint32_t pending);
void queue_add_slot(struct core *core, uint32_t id);
void queue_remove_slot(struct core *core, uint32_t id);

#endif
