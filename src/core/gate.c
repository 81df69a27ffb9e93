#include "core/gate.h"

#include "core/node.h"
#include "lib/must.h"

#include <errno.h>
#include <stdlib.h>

/* The nodes of one place wait for the nodes of another. */
struct gate {
	uint32_t waiters, waiter_count; /* first node, how many */
	uint32_t awaited, awaited_count;
	uint32_t
	    ready; /* how many of the awaited are: templates are large, and starts come in bursts */
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

static bool
makes_ready(const struct core *core, uint32_t id, enum core_state state)
{
	const struct core_spec *spec = node_spec(core, id);

	return state == STATE_RUNNING ||
	    (state == STATE_FINISHED && spec->kind == KIND_CHILD && spec->ready == READY_EXIT);
}

static bool
is_ready(const struct core *core, uint32_t id)
{
	return makes_ready(core, id, node_get(core, id)->state);
}

static bool
is_open(const struct gate *gate)
{
	return gate->ready == gate->awaited_count;
}

static uint32_t
count(const struct core *core, const struct gate *gate)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < gate->awaited_count; i++)
		ready += is_ready(core, gate->awaited + i);
	return ready;
}

void
gate_count(struct core *core)
{
	for (uint32_t i = 0; i < core->gate_count; i++)
		core->gates[i].ready = count(core, &core->gates[i]);
}

bool
gate_is_counted(const struct core *core)
{
	uint32_t i = 0;

	while (i < core->gate_count && core->gates[i].ready == count(core, &core->gates[i]))
		i++;
	return i == core->gate_count;
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
	gate->ready = count(core, gate);
	return 0;
}

/* The first of those waited for that is not ready. */
static uint32_t
closed_by(const struct core *core, const struct gate *gate)
{
	uint32_t i = 0;

	if (is_open(gate))
		return CORE_NONE;
	while (is_ready(core, gate->awaited + i))
		i++;
	return gate->awaited + i;
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

static bool
is_closed(const struct core *core, uint32_t id)
{
	uint32_t index = core->gates_of == NULL ? 0 : core->gates_of[id];

	while (index != 0 && is_open(&core->gates[index - 1]))
		index = core->gates[index - 1].next_of;
	return index != 0;
}

bool
gate_holds(const struct core *core, uint32_t id, enum core_reason *reason)
{
	if (node_spec(core, id)->on_demand && !node_has(core, id, NODE_DEMANDED))
		*reason = REASON_DEMAND;
	else if (is_closed(core, id))
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
gate_note_state(struct core *core, uint32_t id, enum core_state from)
{
	bool was = makes_ready(core, id, from), is = is_ready(core, id);
	uint32_t first = core->gates_on == NULL || was == is ? 0 : core->gates_on[id];

	for (uint32_t index = first; index != 0; index = core->gates[index - 1].next_on)
		core->gates[index - 1].ready += is ? 1U : UINT32_MAX;
	for (uint32_t index = is ? first : 0; index != 0; index = core->gates[index - 1].next_on) {
		const struct gate *gate = &core->gates[index - 1];

		for (uint32_t i = 0; i < gate->waiter_count && is_open(gate); i++)
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
