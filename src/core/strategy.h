/*
 * strategy: which siblings a failure touches (coppice-semantics(7), Strategies). Reads the tree,
 * changes nothing.
 */
#ifndef COPPICE_CORE_STRATEGY_H
#define COPPICE_CORE_STRATEGY_H

#include "core/tree.h"

/* Whether restarts concern one child at a time, so that each child is an operation of its own. */
bool strategy_is_single(const struct core_spec *supervisor);
/*
 * Whether `member` belongs to the set that is restarted when its sibling `failed` (or itself)
 * fails.
 */
bool strategy_takes(const struct core *core, uint32_t failed, uint32_t member);
/* The first node of the supervisor at which that set can begin. */
uint32_t strategy_first(const struct core *core, uint32_t failed);

#endif
