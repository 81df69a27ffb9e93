#include "core/hook.h"

#include "core/node.h"

bool
hook_fits(const struct core_spec *spec, uint32_t hook)
{
	switch (hook) {
	case HOOK_NONE: return true;
	case HOOK_PRE_START: return spec->pre_start;
	case HOOK_STOP: return spec->stop_command;
	case HOOK_POST_STOP: return spec->post_stop;
	}
	return false;
}

void
hook_begin(struct core *core, uint32_t id, enum core_hook hook, span_ms most)
{
	span_ms own = node_spec(core, id)->hook_timeout;

	node_touch(core, id)->hook = (uint8_t)hook;
	node_set_deadline(core, id, span_after(core->head.now, own < most ? own : most));
	tree_action(core, DO_HOOK, id)->hook = (uint8_t)hook;
}

void
hook_cut(struct core *core, uint32_t id)
{
	node_set_deadline(core, id, MONO_NEVER);
	if (node_has(core, id, NODE_HOOK_ENDING))
		return;
	node_mark(core, id, NODE_HOOK_ENDING);
	tree_action(core, DO_END_HOOK, id)->hook = node_get(core, id)->hook;
}

void
hook_clear(struct core *core, uint32_t id)
{
	node_set_deadline(core, id, MONO_NEVER);
	node_touch(core, id)->hook = HOOK_NONE;
	node_unmark(core, id, NODE_HOOK_ENDING);
}

void
hook_repeat(struct core *core, uint32_t id)
{
	tree_action(core, DO_HOOK, id)->hook = node_get(core, id)->hook;
	if (node_has(core, id, NODE_HOOK_ENDING))
		tree_action(core, DO_END_HOOK, id)->hook = node_get(core, id)->hook;
}
