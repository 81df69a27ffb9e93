#include "core/core.h"

#include "core/child.h"
#include "core/command.h"
#include "core/failure.h"
#include "core/gate.h"
#include "core/heap.h"
#include "core/hook.h"
#include "core/node.h"
#include "core/super.h"
#include "lib/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any one event can ask for: a stop and a start of everything, each with its records. */
#define ACTIONS_PER_NODE 16U
#define ACTIONS_ALWAYS   256U

struct core *
core_new(uint64_t seed)
{
	struct core *core = calloc(1, sizeof *core);

	if (!core)
		return NULL;
	rng_seed(&core->head.rng, seed);
	core->wake.head = core->wake.tail = CORE_NONE;
	return core;
}

void
core_free(struct core **core)
{
	if (!*core)
		return;
	for (enum core_area area = 0; area < CORE_AREAS; area++) {
		free((*core)->dirty[area]);
		free((*core)->is_dirty[area]);
	}
	free((*core)->nodes);
	free((*core)->supers);
	free((*core)->stamps);
	free((*core)->specs);
	free((*core)->heap);
	free((*core)->heap_at);
	free((*core)->actions);
	free((*core)->wake_next);
	free((*core)->gates);
	free((*core)->gates_of);
	free((*core)->gates_on);
	free(*core);
	*core = NULL;
}

/* Powers of two, so that adding one node after the other stays cheap. */
static size_t
capacity(size_t count)
{
	size_t capacity = 16;

	while (capacity < count)
		capacity *= 2;
	return capacity;
}

/* Makes room for `count` items in *array, which has room for `before`; on failure it is as before. */
static int
grow(void *array, size_t before, size_t count, size_t size)
{
	void *old, *grown;

	memcpy(&old, array, sizeof old);
	if (old != NULL && capacity(before) >= capacity(count))
		return 0;
	grown = realloc(old, capacity(count) * size);
	if (!grown)
		return -1;
	memcpy(array, &grown, sizeof grown);
	/* cppcheck-suppress memleak ; it is in *array */
	return 0;
}

static int
grow_area(struct core *core, enum core_area area, uint32_t count)
{
	uint32_t before = core->area_count[area];

	if (grow(&core->dirty[area], before, count, sizeof *core->dirty[area]) ||
	    grow(&core->is_dirty[area], before, count, sizeof *core->is_dirty[area]))
		return -1;
	if (count > before)
		memset(core->is_dirty[area] + before, 0, count - before);
	return 0;
}

static int
reserve(struct core *core, uint32_t nodes, uint32_t supers, uint32_t stamps)
{
	uint32_t had_nodes = core->area_count[CORE_AREA_NODES];
	uint32_t had_supers = core->area_count[CORE_AREA_SUPERS];
	uint32_t had_stamps = core->area_count[CORE_AREA_STAMPS];
	uint32_t actions = nodes * ACTIONS_PER_NODE + ACTIONS_ALWAYS;

	if (grow_area(core, CORE_AREA_HEAD, 1) || grow_area(core, CORE_AREA_NODES, nodes) ||
	    grow_area(core, CORE_AREA_SUPERS, supers) || grow_area(core, CORE_AREA_STAMPS, stamps))
		return -1;
	if (grow(&core->nodes, had_nodes, nodes, sizeof *core->nodes) ||
	    grow(&core->supers, had_supers, supers, sizeof *core->supers) ||
	    grow(&core->stamps, had_stamps, stamps, sizeof *core->stamps) ||
	    grow(&core->heap, had_nodes, nodes, sizeof *core->heap) ||
	    grow(&core->heap_at, had_nodes, nodes, sizeof *core->heap_at) ||
	    grow(&core->wake_next, had_supers, supers, sizeof *core->wake_next) ||
	    grow(&core->actions, core->action_capacity, actions, sizeof *core->actions))
		return -1;
	core->action_capacity = actions;
	return 0;
}

/* The spec's index; one that is the same as the last is not stored again. */
static int
add_spec(struct core *core, const struct core_spec *spec, uint32_t *index)
{
	const struct core_spec *last = core->spec_count ? &core->specs[core->spec_count - 1] : NULL;

	/* A difference in padding alone costs a second copy, no more. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	if (last == NULL || memcmp(last, spec, sizeof *spec) != 0) {
		if (grow(&core->specs, core->spec_count, (size_t)core->spec_count + 1,
			sizeof *core->specs))
			return -1;
		must(core->specs != NULL);
		memcpy(&core->specs[core->spec_count++], spec, sizeof *spec);
	}
	*index = core->spec_count - 1;
	return 0;
}

static void
link_last(struct core *core, uint32_t id)
{
	struct node *node = &core->nodes[id], *parent;

	if (node->parent == CORE_NONE)
		return;
	parent = &core->nodes[node->parent];
	node->prev = parent->last;
	if (parent->last == CORE_NONE)
		parent->first = id;
	else
		core->nodes[parent->last].next = id;
	parent->last = id;
}

static void
init_node(struct core *core, uint32_t id, uint32_t parent, uint32_t spec, uint32_t place)
{
	bool autostart = core->specs[spec].autostart;

	core->heap_at[id] = 0;
	core->nodes[id] = (struct node){ .parent = parent,
		.prev = CORE_NONE,
		.next = CORE_NONE,
		.first = CORE_NONE,
		.last = CORE_NONE,
		.spec = spec,
		.super = CORE_NONE,
		.place = place,
		.queue_prev = CORE_NONE,
		.queue_next = CORE_NONE,
		.deadline = MONO_NEVER,
		.marks = autostart ? NODE_WANTED : 0,
		.kind = (uint8_t)core->specs[spec].kind,
		.state = STATE_STOPPED,
		.reason = autostart ? REASON_NONE : REASON_AUTOSTART };
	link_last(core, id);
}

static void
init_super(struct core *core, uint32_t index, uint32_t id)
{
	struct super *super = &core->supers[index];
	uint32_t intensity = node_spec(core, id)->intensity;

	memset(super, 0, sizeof *super);
	super->node = id;
	super->cursor = CORE_NONE;
	super->stamps = core->area_count[CORE_AREA_STAMPS];
	super->window.capacity = intensity;
	super->queue = super->slots = (struct list){ CORE_NONE, CORE_NONE };
	memset(core->stamps + super->stamps, 0, intensity * sizeof *core->stamps);
	core->area_count[CORE_AREA_STAMPS] += intensity;
	core->wake_next[index] = index;
	core->nodes[id].super = index;
}

int
core_add(struct core *core, uint32_t parent, const struct core_spec *spec, uint32_t count,
    uint32_t *first)
{
	uint32_t nodes = core->area_count[CORE_AREA_NODES],
		 supers = core->area_count[CORE_AREA_SUPERS];
	bool is_super = spec->kind == KIND_SUPERVISOR;
	uint32_t index, place = 0;

	if (spec_problem(spec) || (is_super && count != 1) || count > UINT16_MAX)
		return -EINVAL;
	if (parent == CORE_NONE ? nodes != 0 || !is_super
				: parent >= nodes || core->nodes[parent].super == CORE_NONE)
		return -EINVAL;
	if (reserve(core, nodes + count, supers + is_super,
		core->area_count[CORE_AREA_STAMPS] + (is_super ? spec->intensity : 0)) ||
	    add_spec(core, spec, &index))
		return -ENOMEM;
	if (parent != CORE_NONE && core->nodes[parent].last != CORE_NONE)
		place = core->nodes[core->nodes[parent].last].place + 1;
	core->area_count[CORE_AREA_HEAD] = 1;
	for (uint32_t i = 0; i < count; i++)
		init_node(core, nodes + i, parent, index, place);
	core->area_count[CORE_AREA_NODES] += count;
	if (is_super) {
		init_super(core, supers, nodes);
		core->area_count[CORE_AREA_SUPERS]++;
	}
	if (first)
		*first = nodes;
	return 0;
}

int
core_add_after(struct core *core, uint32_t waiter, uint32_t dependency)
{
	return gate_add(core, waiter, dependency);
}

uint32_t
core_held_by(const struct core *core, uint32_t node)
{
	return gate_closed_by(core, node);
}

uint32_t
core_count(const struct core *core)
{
	return core->area_count[CORE_AREA_NODES];
}

/* Steps the supervisors that something has changed for, until nothing changes any more. */
static void
drain(struct core *core)
{
	struct super_event step = { .type = SUPER_STEP };

	while (core->wake.head != CORE_NONE) {
		uint32_t index = core->wake.head;

		core->wake.head = core->wake_next[index];
		if (core->wake.head == CORE_NONE)
			core->wake.tail = CORE_NONE;
		core->wake_next[index] = index;
		super_handle(core, core->supers[index].node, &step);
	}
}

static void
on_timer(struct core *core)
{
	uint32_t id;

	while (
	    (id = heap_top(core)) != CORE_NONE && node_get(core, id)->deadline <= core->head.now) {
		node_set_deadline(core, id, MONO_NEVER);
		if (node_get(core, id)->kind == KIND_CHILD)
			child_handle(core, id, &(struct child_event){ .type = CHILD_TIMER });
		else
			super_handle(core, id, &(struct super_event){ .type = SUPER_TIMER });
		drain(core);
	}
}

/* Events about a process count only while that incarnation's process may exist. */
static void
on_process(struct core *core, const struct core_event *event)
{
	static const enum child_event_type translation[EVENT_COUNT] = {
		[ON_SPAWNED] = CHILD_SPAWNED,
		[ON_SPAWN_FAILED] = CHILD_SPAWN_FAILED,
		[ON_READY] = CHILD_READY,
		[ON_EXITED] = CHILD_EXITED,
		[ON_EXTEND] = CHILD_EXTEND,
	};
	struct child_event child = { .type = translation[event->type],
		.status = event->status,
		.oom = event->oom,
		.step = event->step,
		.error = event->error,
		.pid = event->pid,
		.timeout = event->timeout };

	if (event->incarnation != node_get(core, event->node)->incarnation ||
	    !node_has(core, event->node, NODE_PROCESS))
		return;
	if (event->type == ON_SPAWN_FAILED && !node_has(core, event->node, NODE_SPAWNING))
		return;
	child_handle(core, event->node, &child);
}

/* A hook that is not the one that runs is one of before. */
static void
on_hook_done(struct core *core, const struct core_event *event)
{
	uint32_t id = event->node;
	struct child_event child = { .type = CHILD_HOOK_DONE,
		.status = event->status,
		.step = event->step,
		.error = event->error };

	if (event->incarnation != node_get(core, id)->incarnation || event->hook == HOOK_NONE ||
	    event->hook != hook_of(core, id))
		return;
	tree_record(core, RECORD_HOOK, id, event->status,
	    (int64_t)event->error * RECORD_HOOK_ERROR + (int64_t)event->hook);
	child_handle(core, id, &child);
}

/* Asks again for what may not have been done. */
static void
on_resume(struct core *core)
{
	for (uint32_t id = 0; id < core_count(core); id++) {
		const struct node *node = node_get(core, id);

		if (node_has(core, id, NODE_PROCESS | NODE_SPAWNING))
			tree_action(core, DO_SPAWN, id);
		if (hook_of(core, id) != HOOK_NONE)
			hook_repeat(core, id);
		if (node->kind == KIND_CHILD && node->state == STATE_STOPPING)
			child_repeat_stop(core, id);
	}
	if (core->head.left)
		super_leave(core);
}

static void
on_boot(struct core *core)
{
	if (core->head.booted || core->head.hold)
		return;
	tree_head_touch(core)->booted = 1;
	node_start(core, CORE_ROOT, REASON_BOOT);
}

/* What came due during the hold is taken up, in order. */
static void
on_release(struct core *core)
{
	if (!core->head.hold)
		return;
	tree_head_touch(core)->hold = 0;
	for (uint32_t id = 0; id < core_count(core); id++) {
		const struct node *node = node_get(core, id);

		if (node->kind == KIND_SUPERVISOR && !node_is_down(core, id))
			tree_wake(core, id);
		if (node->state == STATE_RESTARTING && node->deadline == MONO_NEVER &&
		    !node->pending && !node_has(core, id, NODE_IN_SET))
			failure_due(core, id);
		gate_try(core, id);
	}
	on_boot(core);
}

/* The commands that may start something. */
static void
on_starting_command(struct core *core, const struct core_event *event)
{
	if (core->head.hold) {
		if (event->node == CORE_ROOT && event->type != ON_RESET)
			on_release(core);
		return;
	}
	if (core_refusal(core, event->node) != CORE_NONE)
		return;
	if (event->type == ON_START)
		command_start(core, event->node);
	else if (event->type == ON_RESTART)
		command_restart(core, event->node, event->group);
	else
		command_reset(core, event->node);
}

static void
dispatch(struct core *core, const struct core_event *event)
{
	switch (event->type) {
	case ON_BOOT: on_boot(core); break;
	case ON_RESUME: on_resume(core); break;
	case ON_START:
	case ON_RESTART:
	case ON_RESET: on_starting_command(core, event); break;
	case ON_STOP: command_stop(core, event->node, event->now, event->until_restart); break;
	case ON_DRAIN: command_drain(core, event->node); break;
	case ON_SHUTDOWN: command_shutdown(core, event->now, event->timeout); break;
	case ON_SPAWNED:
	case ON_SPAWN_FAILED:
	case ON_READY:
	case ON_EXITED:
	case ON_EXTEND: on_process(core, event); break;
	case ON_HOOK_DONE: on_hook_done(core, event); break;
	case ON_DEMAND:
		if (!node_has(core, event->node, NODE_DRAINED))
			gate_demand(core, event->node);
		break;
	case ON_TIMER: on_timer(core); break;
	case ON_HOLD: tree_head_touch(core)->hold = 1; break;
	case ON_RELEASE: on_release(core); break;
	case EVENT_COUNT: never("no event");
	}
}

void
core_handle(struct core *core, mono_ms now, const struct core_event *event)
{
	must(event->type < EVENT_COUNT);
	if (event->node >= core_count(core))
		return;
	if (core->action_head == core->action_tail)
		core->action_head = core->action_tail = 0;
	if (now > core->head.now)
		tree_head_touch(core)->now = now;
	dispatch(core, event);
	drain(core);
}

bool
core_next_action(struct core *core, struct core_action *out)
{
	const struct action *action;

	if (core->action_head == core->action_tail)
		return false;
	action = &core->actions[core->action_head++];
	*out = (struct core_action){
		.type = action->type, .node = action->node, .incarnation = action->incarnation
	};
	if (action->type == DO_SIGNAL) {
		out->signal = action->signal;
		out->group = action->group;
	} else if (action->type == DO_HOOK || action->type == DO_END_HOOK) {
		out->hook = action->hook;
	} else if (action->type == DO_EXIT) {
		out->status = core->head.exit_status;
		out->escalated = core->head.escalated;
		out->automatic = core->head.automatic;
	} else if (action->type == DO_RECORD) {
		out->record = (struct core_record){ .type = action->record,
			.state = action->node_state,
			.reason = action->node_reason,
			.node = action->node,
			.incarnation = action->incarnation,
			.a = action->a,
			.b = action->b };
	}
	return true;
}

mono_ms
core_next_deadline(const struct core *core)
{
	uint32_t id = heap_top(core);

	return id == CORE_NONE ? MONO_NEVER : node_get(core, id)->deadline;
}

static bool
refuses(const struct core *core, uint32_t id)
{
	return node_is_down(core, id) ? node_get(core, id)->state != STATE_RESTARTING &&
		node_get(core, id)->state != STATE_WAITING
				      : node_get(core, id)->state == STATE_STOPPING;
}

uint32_t
core_refusal(const struct core *core, uint32_t node)
{
	uint32_t refusal = CORE_NONE;

	if (core_is_leaving(core))
		return CORE_ROOT;
	for (uint32_t up = node_get(core, node)->parent; up != CORE_NONE;
	     up = node_get(core, up)->parent) {
		if (refuses(core, up))
			refusal = up;
	}
	return refusal;
}

bool
core_is_holding(const struct core *core)
{
	return core->head.hold;
}

bool
core_is_leaving(const struct core *core)
{
	const struct node *root = node_get(core, CORE_ROOT);

	return core->head.left || (root->state == STATE_STOPPING && root->goal >= GOAL_ESCALATE);
}
