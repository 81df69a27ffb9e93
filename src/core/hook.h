/*
 * hook: the commands that belong to a child's start and end: pre_start to `starting`, stop_command
 * and post_stop to `stopping`. At most one runs at a time; it is asked for, perhaps cut short, and
 * always over with CHILD_HOOK_DONE.
 */
#ifndef COPPICE_CORE_HOOK_H
#define COPPICE_CORE_HOOK_H

#include "core/tree.h"

/* Whether the number is that of a hook that such a node has, or of none. */
bool hook_fits(const struct core_spec *spec, uint32_t hook);
/* Begins one; the node's deadline is when it has had its time, at most `most` from now. */
void hook_begin(struct core *core, uint32_t id, enum core_hook hook, span_ms most);
/* Ends the one that runs, whatever it does; no time limit any more. */
void hook_cut(struct core *core, uint32_t id);
/* It is over. */
void hook_clear(struct core *core, uint32_t id);
/* After an engine's death: asks again. */
void hook_repeat(struct core *core, uint32_t id);

static inline enum core_hook
hook_of(const struct core *core, uint32_t id)
{
	return (enum core_hook)core->nodes[id].hook;
}

#endif
