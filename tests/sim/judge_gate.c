/*
 * What holds a start back: nobody starts before what it comes after is ready, nor without a
 * connection where it is on_demand; and whoever waits for such a thing starts with it.
 */
#include "judge.h"

#include <string.h>

static bool
is_ready(const struct sim_node *node)
{
	return node->notes.state == STATE_RUNNING ||
	    (node->notes.state == STATE_FINISHED && node->spec->kind == KIND_CHILD &&
		node->spec->ready == READY_EXIT);
}

/* The first that it comes after and that is not ready, or CORE_NONE. */
static uint32_t
held_by(const struct sim *sim, uint32_t id)
{
	const struct story_place *place = sim->nodes[id].from;

	for (uint32_t k = 0; k < place->after_count; k++) {
		uint32_t i = sim->by_number[place->after[k]];

		for (uint32_t at = i; at != CORE_NONE && at < sim->count &&
		     sim->nodes[at].place == sim->nodes[i].place;
		     at++) {
			if (!is_ready(&sim->nodes[at]))
				return at;
		}
	}
	return CORE_NONE;
}

bool
judge_has_gate(const struct sim_node *node)
{
	return node->from->after_count > 0 || node->spec->on_demand;
}

static bool
waits_for_demand(const struct sim_node *node)
{
	return node->view.state == STATE_WAITING && node->view.reason == REASON_DEMAND;
}

/* Only where it is waited for, and nothing else is wished. */
void
judge_gate_event(struct sim *sim, const struct core_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];
	bool up = event->type == ON_START || event->type == ON_RESTART || event->type == ON_RESET;

	sim->connected = CORE_NONE;
	if (event->type == ON_DEMAND && (!node->spec->on_demand || node->notes.drained))
		return;
	if (event->type != ON_DEMAND && !up)
		return;
	if (event->type == ON_DEMAND && waits_for_demand(node))
		node->notes.demanded = true;
	for (uint32_t i = 0; up && i < sim->count; i++) {
		if (sim->nodes[i].spec->on_demand && sim_is_below(sim, i, event->node))
			sim->nodes[i].notes.demanded = sim->nodes[i].notes.by_hand = true;
	}
	if (waits_for_demand(node) && !judge_is_still(sim, node->parent) &&
	    !judge_is_busy(sim, node->parent) && event->type != ON_RESET)
		sim->connected = event->node;
}

void
judge_gate_record(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	bool down = record->state == STATE_STOPPED || record->state == STATE_FINISHED ||
	    record->state == STATE_FAILED;

	if (record->type == RECORD_READY || node->spec->kind != KIND_CHILD || !judge_has_gate(node))
		return;
	if ((down && !node->notes.by_hand) ||
	    (record->state == STATE_WAITING && record->reason == REASON_DEMAND))
		node->notes.demanded = node->notes.by_hand = false;
	if (record->state != STATE_STARTING)
		return;
	sim->because = held_by(sim, record->node);
	if (sim->because != CORE_NONE)
		sim_break(sim, 18, record->node, "started before what it comes after was ready");
	if (node->spec->on_demand && !node->notes.demanded)
		sim_break(sim, 18, record->node, "started without a connection");
	node->notes.by_hand = false;
}

/* Its supervisor begins: what an operator has asked for meanwhile holds. */
void
judge_gate_begin(struct sim_notes *notes)
{
	notes->demanded = notes->by_hand;
}

void
judge_gate(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	if (sim->connected == id && waits_for_demand(node))
		sim_break(sim, 18, id, "a connection has come, and it still waits for one");
	if (node->view.state != STATE_WAITING)
		return;
	if (node->view.reason == REASON_DEMAND && !node->spec->on_demand)
		sim_break(sim, 18, id, "waits for connections that do not concern it");
	sim->because = held_by(sim, id);
	if ((core_held_by(sim->core, id) == CORE_NONE) != (sim->because == CORE_NONE))
		sim_break(sim, 18, id, "it says that it waits for others than it does");
	if (node->view.reason == REASON_AFTER && sim->because == CORE_NONE &&
	    !judge_is_still(sim, node->parent) && !judge_is_busy(sim, node->parent))
		sim_break(sim, 18, id, "still waits though all that it comes after are ready");
}

/*
 * Some trees never come up as a whole: a supervisor starts until its last child is ready, and that
 * one waits for what somebody has stopped. What its parent had to do after that is never done.
 */
static void
find_stuck(const struct sim *sim, bool *stuck)
{
	memset(stuck, 0, sim->count * sizeof *stuck);
	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->nodes[i].view.state != STATE_WAITING ||
		    sim->nodes[i].view.reason != REASON_AFTER)
			continue;
		for (uint32_t up = sim->nodes[i].parent; up != CORE_NONE;
		     up = sim->nodes[up].parent)
			stuck[up] = sim->nodes[up].view.state == STATE_STARTING;
	}
}

static bool
is_behind_stuck(const struct sim *sim, const bool *stuck, uint32_t id)
{
	uint32_t parent = sim->nodes[id].parent;

	if (stuck[id])
		return true;
	for (uint32_t i = parent == CORE_NONE ? CORE_NONE : sim->nodes[parent].first;
	     i != CORE_NONE; i = sim->nodes[i].next) {
		if (stuck[i])
			return true;
	}
	return false;
}

/* At the end: whether it, or what it is below, may be in between for good. */
bool
judge_may_wait(const struct sim *sim, uint32_t id)
{
	static bool stuck[SIM_MAX_NODES];
	const struct sim_node *node = &sim->nodes[id];

	if (node->view.state == STATE_WAITING && node->view.reason == REASON_DEMAND)
		return true;
	if (node->view.state == STATE_WAITING && node->view.reason == REASON_AFTER)
		return held_by(sim, id) != CORE_NONE;
	find_stuck(sim, stuck);
	if (stuck[id])
		return true;
	for (; id != CORE_NONE; id = sim->nodes[id].parent) {
		if (!stuck[id] && is_behind_stuck(sim, stuck, id))
			return true;
	}
	return false;
}
