#include "core/gate.h"

#include "core/node.h"
#include "lib/must.h"

#include <errno.h>
#include <stdlib.h>

/* The nodes of one place wait for the nodes of another. */
struct gate {
	uint32_t waiters, waiter_count; /* first node, how many */
	uint32_t awaited, awaited_count;
	uint32_t next_of, next_on; /* index + 1 in the lists of gates_of, gates_on; 0: the last */
};

static uint32_t
place_of(const struct core *core, uint32_t id, uint32_t *count)
{
	uint32_t first = id, last = id;

	while (node_get(core, first)->prev != CORE_NONE &&
	    node_get(core, node_get(core, first)->prev)->place == node_get(core, id)->place)
		first = node_get(core, first)->prev;
	while (node_get(core, last)->next != CORE_NONE &&
	    node_get(core, node_get(core, last)->next)->place == node_get(core, id)->place)
		last = node_get(core, last)->next;
	*count = last - first + 1; /* the ids of a place are consecutive */
	return first;
}

static int
make_room(struct core *core)
{
	uint32_t nodes = core_count(core);
	struct gate *grown = realloc(core->gates, (core->gate_count + (size_t)1) * sizeof *grown);

	if (grown == NULL)
		return -ENOMEM;
	core->gates = grown;
	if (core->gates_of == NULL)
		core->gates_of = calloc(nodes, sizeof *core->gates_of);
	if (core->gates_on == NULL)
		core->gates_on = calloc(nodes, sizeof *core->gates_on);
	return core->gates_of != NULL && core->gates_on != NULL ? 0 : -ENOMEM;
}

int
gate_add(struct core *core, uint32_t waiter, uint32_t dependency)
{
	struct gate *gate;
	int result = make_room(core);

	if (result != 0)
		return result;
	must(core->gates != NULL);
	gate = &core->gates[core->gate_count++];
	gate->waiters = place_of(core, waiter, &gate->waiter_count);
	gate->awaited = place_of(core, dependency, &gate->awaited_count);
	gate->next_of = core->gates_of[gate->waiters];
	gate->next_on = core->gates_on[gate->awaited];
	for (uint32_t i = 0; i < gate->waiter_count; i++)
		core->gates_of[gate->waiters + i] = core->gate_count;
	for (uint32_t i = 0; i < gate->awaited_count; i++)
		core->gates_on[gate->awaited + i] = core->gate_count;
	return 0;
}

static bool
is_ready(const struct core *core, uint32_t id)
{
	const struct core_spec *spec = node_spec(core, id);
	enum core_state state = node_get(core, id)->state;

	return state == STATE_RUNNING ||
	    (state == STATE_FINISHED && spec->kind == KIND_CHILD && spec->ready == READY_EXIT);
}

/* The first of those waited for that is not ready. */
static uint32_t
closed_by(const struct core *core, const struct gate *gate)
{
	for (uint32_t i = 0; i < gate->awaited_count; i++)
		if (!is_ready(core, gate->awaited + i))
			return gate->awaited + i;
	return CORE_NONE;
}

uint32_t
gate_closed_by(const struct core *core, uint32_t node)
{
	uint32_t index = core->gates_of == NULL ? 0 : core->gates_of[node];
	uint32_t closed = CORE_NONE;

	for (; index != 0 && closed == CORE_NONE; index = core->gates[index - 1].next_of)
		closed = closed_by(core, &core->gates[index - 1]);
	return closed;
}

bool
gate_holds(const struct core *core, uint32_t id, enum core_reason *reason)
{
	if (node_spec(core, id)->on_demand && !node_has(core, id, NODE_DEMANDED))
		*reason = REASON_DEMAND;
	else if (gate_closed_by(core, id) != CORE_NONE)
		*reason = REASON_AFTER;
	else
		return false;
	return true;
}

static bool
waits(const struct core *core, uint32_t id, enum core_reason reason)
{
	return node_get(core, id)->state == STATE_WAITING && node_get(core, id)->reason == reason &&
	    !node_has(core, id, NODE_IN_SET) && !tree_is_still(core, id);
}

void
gate_try(struct core *core, uint32_t id)
{
	if (waits(core, id, REASON_AFTER))
		node_start(core, id, REASON_AFTER);
}

void
gate_note_ready(struct core *core, uint32_t id)
{
	uint32_t index;

	if (core->gates_on == NULL || !is_ready(core, id))
		return;
	for (index = core->gates_on[id]; index != 0; index = core->gates[index - 1].next_on) {
		const struct gate *gate = &core->gates[index - 1];

		if (closed_by(core, gate) != CORE_NONE)
			continue;
		for (uint32_t i = 0; i < gate->waiter_count; i++)
			gate_try(core, gate->waiters + i);
	}
}

void
gate_demand(struct core *core, uint32_t id)
{
	if (!waits(core, id, REASON_DEMAND))
		return;
	node_mark(core, id, NODE_DEMANDED);
	node_start(core, id, REASON_DEMAND);
}

void
gate_ask(struct core *core, uint32_t id)
{
	if (node_spec(core, id)->on_demand)
		node_mark(core, id, NODE_DEMANDED);
	if (waits(core, id, REASON_DEMAND))
		node_start(core, id, REASON_OPERATOR);
}
