/* core_check: every invariant of the core's memory that can be seen by looking at it. */
#include "core/core.h"
#include "core/gate.h"
#include "core/super.h"
#include "core/tree.h"

static const char *
check_links(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (node->parent != CORE_NONE && node->next == CORE_NONE &&
	    node_get(core, node->parent)->last != id)
		return "a last child is not its parent's last";
	if (node->next != CORE_NONE && node_get(core, node->next)->prev != id)
		return "sibling links disagree";
	if (node->next != CORE_NONE && node_get(core, node->next)->place < node->place)
		return "places do not rise";
	return NULL;
}

static const char *
check_child(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);
	bool process = node_has(core, id, NODE_PROCESS);
	bool may_wait = node->state == STATE_WAITING || node->state == STATE_STARTING ||
	    node->state == STATE_STOPPING || node->state == STATE_RESTARTING;

	if (node->deadline != MONO_NEVER && !may_wait)
		return "a deadline of a child that waits for nothing";
	if ((process || node->hook != HOOK_NONE) == node_is_down(core, id))
		return "a child is down with a process or a hook, or up without either";
	if (node->hook != HOOK_NONE && node->state != STATE_STARTING &&
	    node->state != STATE_STOPPING)
		return "a hook runs where none belongs";
	if (node_has(core, id, NODE_SPAWNING) && !process)
		return "a child is being spawned without a process";
	if ((node->state == STATE_STOPPING) != (node->goal != GOAL_NONE))
		return "a goal without a stop, or a stop without a goal";
	return NULL;
}

static const char *
check_deadline(const struct core *core, uint32_t id)
{
	uint32_t at = core->heap_at[id];

	if ((at != 0) != (node_get(core, id)->deadline != MONO_NEVER))
		return "a deadline is not in the heap, or the heap holds none";
	if (at && core->heap[at - 1] != id)
		return "the heap is out of order";
	if (at > 1 &&
	    node_get(core, core->heap[at / 2 - 1])->deadline > node_get(core, id)->deadline)
		return "the heap has a later deadline above an earlier one";
	return NULL;
}

struct counts {
	uint32_t starting, awaited, in_turn, pending, slots;
};

static struct counts
count_children(const struct core *core, uint32_t id)
{
	struct counts counts = { 0 };

	for (uint32_t child = node_get(core, id)->first; child != CORE_NONE;
	     child = node_get(core, child)->next) {
		const struct node *node = node_get(core, child);

		counts.starting += node->kind == KIND_CHILD && node->state == STATE_STARTING;
		counts.awaited += node_has(core, child, NODE_AWAITED);
		counts.in_turn += node_has(core, child, NODE_IN_TURN);
		counts.pending += node->pending != 0;
		counts.slots += node->state == STATE_WAITING && node->reason == REASON_SLOT &&
		    node->kind == KIND_CHILD;
	}
	return counts;
}

static uint32_t
list_length(const struct core *core, const struct list *list)
{
	uint32_t length = 0, before = CORE_NONE;

	for (uint32_t id = list->head; id != CORE_NONE; id = node_get(core, id)->queue_next) {
		if (node_get(core, id)->queue_prev != before || length > core_count(core))
			return UINT32_MAX;
		before = id;
		length++;
	}
	return list->tail == before ? length : UINT32_MAX;
}

static const char *
check_super(const struct core *core, uint32_t id)
{
	const struct super *super = super_get(core, id);
	struct counts counts = count_children(core, id);
	enum core_state state = node_get(core, id)->state;

	if (node_has(core, id, NODE_PROCESS) || node_has(core, id, NODE_SPAWNING))
		return "a supervisor has a process";
	if (node_get(core, id)->deadline != MONO_NEVER && node_is_down(core, id) &&
	    state != STATE_RESTARTING)
		return "a deadline of a supervisor that waits for nothing";
	if (counts.starting != super->starting)
		return "the count of starting children is wrong";
	if (counts.awaited != super->awaited)
		return "the count of awaited children is wrong";
	if (super->operation != OPERATION_NONE && counts.in_turn != super->in_turn)
		return "the count of children whose turn it is is wrong";
	if (super->operation == OPERATION_NONE && counts.in_turn)
		return "a turn without an operation";
	if (counts.pending != list_length(core, &super->queue))
		return "the queue of a supervisor is broken";
	if (counts.slots != list_length(core, &super->slots))
		return "the queue for start slots is broken";
	if ((super->operation == OPERATION_STOP_ALL) != (state == STATE_STOPPING))
		return "a supervisor stops without stopping its children, or the other way round";
	if (node_is_down(core, id) &&
	    (super->operation != OPERATION_NONE || super->wait != WAIT_NONE || super->immediate ||
		super->queue.head != CORE_NONE))
		return "a supervisor that is down has something in hand";
	if (super->operation == OPERATION_STOP_SET && super->set_goal == GOAL_GIVEN_UP &&
	    (super->wait != WAIT_NONE || super->immediate))
		return "a set is given up and to be started";
	if (super->window.count > super->window.capacity)
		return "the window holds more restarts than the intensity";
	return NULL;
}

/* What became void has left the queue (OTP 20), unless nobody will look at it. */
static const char *
check_pending(const struct core *core, uint32_t id)
{
	const struct node *node = node_get(core, id);

	if (!node->pending || node->parent == CORE_NONE ||
	    node_get(core, node->parent)->state == STATE_STOPPING)
		return NULL;
	if ((node->pending & PENDING_FAILURE) && node->state != STATE_RESTARTING)
		return "a failure waits that is none any more";
	if ((node->pending & PENDING_SIGNIFICANT) && !node_is_down(core, id))
		return "the end of one that is up waits";
	return NULL;
}

static const char *
check_below(const struct core *core, uint32_t id)
{
	uint32_t parent = node_get(core, id)->parent;

	if (parent == CORE_NONE)
		return node_get(core, id)->pending || node_has(core, id, NODE_AWAITED) ||
			node_has(core, id, NODE_IN_SET) || node_has(core, id, NODE_IN_TURN)
		    ? "the root is in somebody's hands"
		    : NULL;
	if (node_is_down(core, parent) && !node_is_down(core, id))
		return "a node is up below a supervisor that is down";
	return NULL;
}

const char *
core_check(const struct core *core)
{
	const char *broken =
	    gate_is_counted(core) ? NULL : "the count of the ready that are waited for is wrong";

	for (uint32_t id = 0; id < core_count(core) && !broken; id++) {
		broken = check_links(core, id);
		if (!broken)
			broken = check_deadline(core, id);
		if (!broken)
			broken = check_below(core, id);
		if (!broken)
			broken = check_pending(core, id);
		if (!broken)
			broken = node_get(core, id)->kind == KIND_CHILD ? check_child(core, id)
									: check_super(core, id);
	}
	return broken;
}
