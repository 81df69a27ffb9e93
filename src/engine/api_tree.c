#include "engine/api.h"

#include "engine/engine.h"
#include "engine/orphaned.h"
#include "engine/view.h"

#include <inttypes.h>

#define HOLD_NOTICE "the daemon holds: it starts and stops nothing by itself; `start /` ends that"

#define USAGE_NODES 256
#define USAGE_WORK  8 /* as much as that many nodes without */

/* Phases of both. */
enum {
	TREE_BEGIN,
	TREE_RANGE,
	TREE_WALK
};

/*
 * What the reader has to know about the whole: as members of an object that has at least one more,
 * before or after.
 */
static void
tree_put_event(const struct engine *engine, struct buf *out)
{
	bool holds = core_is_holding(engine->core);

	buf_printf(out, "\"at_event\":%" PRIu64, engine->event_number);
	if (holds)
		buf_puts(out, ",\"hold\":true");
	if (holds || engine->reaper_lost)
		buf_printf(out, ",\"notice\":\"%s%s%s\"", holds ? HOLD_NOTICE : "",
		    holds && engine->reaper_lost ? "; " : "",
		    engine->reaper_lost ? ORPHANED_NOTICE : "");
}

/*
 * The node after `node` in a walk of the subtree of state->top, parents first; CORE_NONE at its
 * end. `closed` is told of each supervisor whose children are done on the way.
 */
static uint32_t
tree_next(
    const struct rpc_call *call, uint32_t node, const struct core_view *facts, unsigned *closed)
{
	const struct core *core = call->session->engine->core;
	struct core_view above = *facts;

	*closed = 0;
	if (facts->first_child != CORE_NONE)
		return facts->first_child;
	while (node != call->state.top && above.next == CORE_NONE) {
		node = above.parent;
		core_view(core, node, &above);
		++*closed;
	}
	return node == call->state.top ? CORE_NONE : above.next;
}

/* --- status: {"at_event": N, "nodes": […]} --- */

/* Which nodes are meant; false after refusing. */
static bool
status_begin(struct rpc_call *call)
{
	struct rpc_state *state = &call->state;
	bool whole = call->args.path == NULL;

	if (!whole && !api_find(call))
		return false;
	state->top = state->next = whole ? CORE_ROOT : state->first;
	/* Below instances there is nothing. */
	state->phase = whole || (call->args.recursive && !state->many) ? TREE_WALK : TREE_RANGE;
	struct buf *out = rpc_result(call);
	if (out == NULL)
		return false;
	buf_puts(out, "{");
	tree_put_event(call->session->engine, out);
	buf_puts(out, ",\"nodes\":[");
	if (state->phase == TREE_RANGE && state->count == 0)
		state->next = CORE_NONE;
	return true;
}

/* Where it concerns few: of ten thousand it would take as long as ten thousand starts. */
static bool
status_has_usage(const struct rpc_call *call)
{
	return call->state.phase == TREE_RANGE
	    ? call->state.count <= USAGE_NODES
	    : core_count(call->session->engine->core) <= USAGE_NODES;
}

enum rpc_progress
api_status(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct buf *out = call->session->out;
	struct core_view facts;
	struct view view;
	unsigned closed;

	if (state->phase == TREE_BEGIN && !status_begin(call))
		return RPC_DONE;
	view_begin(&view, call->session->engine);
	view.with_usage = status_has_usage(call);
	while (state->next != CORE_NONE) {
		*work -= view.with_usage ? USAGE_WORK : 1;
		if (*work < 0)
			return RPC_MORE;
		view_open(&view, state->next, out, &facts);
		if (state->phase == TREE_WALK)
			state->next = tree_next(call, state->next, &facts, &closed);
		else
			state->next = state->next + 1 < state->first + state->count
			    ? state->next + 1
			    : CORE_NONE;
		buf_puts(out, state->next != CORE_NONE ? "}," : "}");
	}
	buf_puts(out, "]}");
	return rpc_finish(call);
}

/* --- tree: a node with "children": [node…] --- */

static bool
tree_begin(struct rpc_call *call)
{
	struct rpc_state *state = &call->state;

	if (call->args.path == NULL)
		state->next = CORE_ROOT;
	else if (!api_find(call))
		return false;
	if (state->many) {
		rpc_refuse(call, RPC_INVALID_PARAMS, call->args.path,
		    "name one instance, or use `status`", "%s is a template, which is no node",
		    call->args.path);
		return false;
	}
	state->top = state->next;
	state->phase = TREE_WALK;
	return rpc_result(call) != NULL;
}

/* One node with what opens and closes after it; returns the next. */
static uint32_t
tree_put(const struct rpc_call *call, struct view *view, uint32_t node)
{
	struct buf *out = call->session->out;
	struct core_view facts;
	unsigned closed;

	view_open(view, node, out, &facts);
	if (node == call->state.top) {
		buf_puts(out, ",");
		tree_put_event(call->session->engine, out);
	}
	uint32_t next = tree_next(call, node, &facts, &closed);
	if (facts.kind == KIND_SUPERVISOR)
		buf_puts(out, ",\"children\":[");
	if (facts.first_child != CORE_NONE)
		return next;
	buf_puts(out, facts.kind == KIND_SUPERVISOR ? "]}" : "}");
	while (closed-- > 0)
		buf_puts(out, "]}");
	if (next != CORE_NONE)
		buf_puts(out, ",");
	return next;
}

enum rpc_progress
api_tree(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct view view;

	if (state->phase == TREE_BEGIN && !tree_begin(call))
		return RPC_DONE;
	view_begin(&view, call->session->engine);
	while (state->next != CORE_NONE) {
		if (--*work < 0)
			return RPC_MORE;
		state->next = tree_put(call, &view, state->next);
	}
	return rpc_finish(call);
}
