#include "core/strategy.h"

static enum core_strategy
strategy_above(const struct core *core, uint32_t id)
{
	return node_spec(core, node_get(core, id)->parent)->strategy;
}

bool
strategy_is_single(const struct core_spec *supervisor)
{
	return supervisor->strategy == STRATEGY_ONE_FOR_ONE;
}

/*
 * Instances of one template share a place and never restart each other under rest_for_one, only
 * what stands after it.
 */
bool
strategy_takes(const struct core *core, uint32_t failed, uint32_t member)
{
	switch (strategy_above(core, failed)) {
	case STRATEGY_ONE_FOR_ALL: return true;
	case STRATEGY_REST_FOR_ONE:
		return member == failed ||
		    node_get(core, member)->place > node_get(core, failed)->place;
	case STRATEGY_ONE_FOR_ONE:
	case STRATEGY_ESCALATE: break;
	}
	return member == failed;
}

uint32_t
strategy_first(const struct core *core, uint32_t failed)
{
	if (strategy_above(core, failed) == STRATEGY_ONE_FOR_ALL)
		return node_get(core, node_get(core, failed)->parent)->first;
	return failed;
}
