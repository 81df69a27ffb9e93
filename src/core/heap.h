/*
 * heap: the nodes that have a deadline, the earliest on top; ties by node number, so that runs
 * replay alike. A binary heap with positions kept per node (Williams 1964).
 */
#ifndef COPPICE_CORE_HEAP_H
#define COPPICE_CORE_HEAP_H

#include "core/tree.h"

/* Puts the node where its deadline belongs, in or out of the heap. */
void heap_update(struct core *core, uint32_t id);
/* The node with the earliest deadline, or CORE_NONE. */
uint32_t heap_top(const struct core *core);
/* Builds it anew from all nodes. */
void heap_rebuild(struct core *core);

#endif
