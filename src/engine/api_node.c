#include "engine/api.h"

#include "engine/engine.h"
#include "engine/view.h"
#include "lib/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * What happens to a command: to each of its nodes it is handed, then some wait, then the nodes are
 * shown. A restart of several instances that is waited for takes one after the other, so that only
 * one is ever missing.
 */
enum {
	NODE_BEGIN,
	NODE_SUBMIT,
	NODE_WAIT,
	NODE_ANSWER
};

/* Shows the nodes: one as it is, the instances of a template as {"nodes": […]}. */
static enum rpc_progress
node_answer(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct buf *out = call->session->out;
	struct view view;

	if (state->phase != NODE_ANSWER) {
		if (rpc_result(call) == NULL)
			return rpc_finish(call);
		state->phase = NODE_ANSWER;
		state->next = state->first;
		if (state->many)
			buf_puts(out, "{\"nodes\":[");
	}
	view_begin(&view, call->session->engine);
	while (state->next - state->first < state->count) {
		if (--*work < 0)
			return RPC_MORE;
		if (state->next != state->first)
			buf_puts(out, ",");
		view_node(&view, state->next++, out);
	}
	if (state->many)
		buf_puts(out, "]}");
	return rpc_finish(call);
}

/* Whether a start or restart of these nodes can be done at all; false after saying why not. */
static bool
node_may_start(struct rpc_call *call)
{
	const struct engine *engine = call->session->engine;
	char path[NODES_PATH_SIZE], hint[NODES_PATH_SIZE + 32];
	struct core_view facts;

	if (core_is_leaving(engine->core)) {
		rpc_refuse(call, RPC_LEAVING, call->args.path,
		    "when it has gone, start the daemon again", "the daemon is shutting down");
		return false;
	}
	uint32_t above =
	    call->state.count > 0 ? core_refusal(engine->core, call->state.first) : CORE_NONE;
	if (above == CORE_NONE)
		return true;
	core_view(engine->core, above, &facts);
	nodes_path(engine->nodes, above, path);
	snprintf(hint, sizeof hint, "`start %s` comes first", path);
	rpc_refuse(call, RPC_REFUSED, path, hint, "%s is %s, so nothing below it is started", path,
	    core_state_text(facts.state));
	return false;
}

/* Whether it may start something. */
static bool
node_starts(enum core_event_type type)
{
	return type == ON_START || type == ON_RESTART || type == ON_RESET;
}

/* In a hold only `start /` starts anything: it ends the hold. */
static bool
node_may_in_hold(struct rpc_call *call, enum core_event_type type)
{
	if (!node_starts(type) || !core_is_holding(call->session->engine->core))
		return true;
	rpc_refuse(call, RPC_HOLD, call->args.path, "`start /` ends it",
	    "the daemon holds: it starts nothing until that is ended");
	return false;
}

/*
 * A group restart of a template: under one_for_all one instance brings all; under the others each
 * would have to be asked for, and under rest_for_one each would restart what stands after them once
 * more.
 */
static bool
node_may_group(struct rpc_call *call)
{
	struct rpc_state *state = &call->state;

	if (!call->args.group || !state->many || state->count < 2)
		return true;
	rpc_refuse(call, RPC_INVALID_PARAMS, call->args.path, "name one instance",
	    "a group restart is asked for by one node");
	return false;
}

/* Whether the nodes get the command one after the other. */
static bool
node_takes_turns(const struct rpc_call *call, enum core_event_type type)
{
	return type == ON_RESTART && call->args.wait && call->state.count > 1;
}

/* ", and those after it …", for a hint; or nothing. */
static const char *
node_left(const struct rpc_call *call)
{
	const struct rpc_state *state = &call->state;

	return state->next < state->first + state->count
	    ? "; the instances after it are left as they are"
	    : "";
}

static enum rpc_progress
node_wait_failed(struct rpc_call *call)
{
	const struct engine *engine = call->session->engine;
	const struct wait *wait = &call->state.wait;
	char path[NODES_PATH_SIZE], more[160];
	struct buf text = { 0 };
	enum rpc_error code = RPC_FAILED;
	const char *hint = "its restart policy goes on; `status` shows how";
	struct core_view facts;

	core_view(engine->core, wait->failed_node, &facts);
	if (facts.state == STATE_FAILED || facts.state == STATE_FINISHED)
		hint = "it is not tried again by itself";
	if (wait->failure == WAIT_INTERRUPTED) {
		code = core_is_leaving(engine->core) ? RPC_LEAVING : RPC_REFUSED;
		hint = NULL;
	}
	snprintf(more, sizeof more, "%s%s", hint != NULL ? hint : "", node_left(call));
	wait_describe(wait, engine, &text);
	nodes_path(engine->nodes, wait->failed_node, path);
	enum rpc_progress progress = rpc_refuse(call, code, path, hint != NULL ? more : NULL,
	    "%s: %s", path, text.data != NULL ? text.data : "it failed");
	buf_free(&text);
	return progress;
}

/* Begins to wait for all its nodes, or for the one whose turn it is; false after refusing. */
static bool
node_listen(struct rpc_call *call, enum core_event_type type)
{
	struct rpc_session *session = call->session;
	struct rpc_state *state = &call->state;
	bool turns = node_takes_turns(call, type);

	state->wait.wake = session->wake;
	state->wait.context = session->context;
	if (wait_begin(&state->wait, session->waits, session->engine->core,
		type == ON_STOP ? WAIT_DOWN : WAIT_UP, state->next, turns ? 1 : state->count) == 0)
		return true;
	rpc_refuse(call, RPC_INTERNAL, call->args.path, NULL, "memory is gone");
	return false;
}

/* The next instance's turn, if nothing forbids it by now. */
static enum rpc_progress
node_next_turn(struct rpc_call *call, enum core_event_type type)
{
	wait_end(&call->state.wait, call->session->waits);
	if (!node_may_start(call) || !node_listen(call, type))
		return RPC_DONE;
	call->state.phase = NODE_SUBMIT;
	return RPC_MORE;
}

static enum rpc_progress
node_wait(struct rpc_call *call, int *work, enum core_event_type type)
{
	struct rpc_state *state = &call->state;
	char hint[160];

	if (state->wait.failure != WAIT_NO_FAILURE)
		return node_wait_failed(call);
	if (state->wait.remaining == 0 && state->next < state->first + state->count)
		return node_next_turn(call, type);
	if (state->wait.remaining == 0)
		return node_answer(call, work);
	if (span_mono_now() < state->deadline)
		return RPC_WAITS;
	snprintf(hint, sizeof hint, "what was asked for goes on%s", node_left(call));
	return rpc_refuse(call, RPC_TIMEOUT, call->args.path, hint,
	    "%s: not done within the timeout of the request", call->args.path);
}

/* What the command is to the core: in a hold `start /` is its end. */
static enum core_event_type
node_event_type(const struct rpc_call *call, enum core_event_type asked)
{
	bool release = asked == ON_START && call->state.first == CORE_ROOT &&
	    core_is_holding(call->session->engine->core);

	return release ? ON_RELEASE : asked;
}

/* Checks, logs, and gets ready to wait; false after refusing. */
static bool
node_begin(struct rpc_call *call, enum core_event_type type)
{
	if (!node_may_in_hold(call, type))
		return false;
	if (node_starts(type) && (!node_may_start(call) || !node_may_group(call)))
		return false;
	if (call->args.wait) {
		if (!node_listen(call, type))
			return false;
		call->state.deadline = span_after(span_mono_now(), call->args.timeout);
	}
	api_log(
	    call, call->args.path, type == ON_RELEASE ? "end of the hold" : core_event_text(type));
	return true;
}

/*
 * Hands the command to the core for as many nodes as the work allows, in one commit; whether that
 * were all whose turn it is.
 */
static bool
node_submit(struct rpc_call *call, int *work, enum core_event_type type)
{
	struct rpc_state *state = &call->state;
	struct engine *engine = call->session->engine;
	uint32_t end = node_takes_turns(call, type) ? state->next + 1 : state->first + state->count;

	for (; state->next<end && * work> 0; state->next++) {
		struct core_event event = { .type = type, .node = state->next };
		event.now = call->args.now;
		event.group = call->args.group;
		*work -= RPC_WORK_REQUEST;
		if (call->args.wait)
			wait_expect(&state->wait, state->next, type == ON_RESTART);
		engine_feed(engine, &event);
		if (call->args.wait)
			wait_look(&state->wait, state->next);
	}
	engine_commit(engine);
	return state->next == end;
}

static enum rpc_progress
node_command(struct rpc_call *call, int *work, enum core_event_type asked)
{
	struct rpc_state *state = &call->state;

	if (state->phase == NODE_BEGIN) {
		if (!api_find(call) || !node_begin(call, node_event_type(call, asked)))
			return RPC_DONE;
		state->phase = NODE_SUBMIT;
	}
	if (state->phase == NODE_SUBMIT) {
		if (!node_submit(call, work, node_event_type(call, asked)))
			return RPC_MORE;
		state->phase = NODE_WAIT;
	}
	if (state->phase == NODE_WAIT && call->args.wait)
		return node_wait(call, work, asked);
	return node_answer(call, work);
}

enum rpc_progress
api_start(struct rpc_call *call, int *work)
{
	return node_command(call, work, ON_START);
}

enum rpc_progress
api_stop(struct rpc_call *call, int *work)
{
	return node_command(call, work, ON_STOP);
}

enum rpc_progress
api_restart(struct rpc_call *call, int *work)
{
	return node_command(call, work, ON_RESTART);
}

enum rpc_progress
api_reset(struct rpc_call *call, int *work)
{
	return node_command(call, work, ON_RESET);
}

enum rpc_progress
api_drain(struct rpc_call *call, int *work)
{
	return node_command(call, work, ON_DRAIN);
}

/* --- signal --- */

/* False after refusing. */
static bool
signal_begin(struct rpc_call *call)
{
	const struct engine *engine = call->session->engine;
	char what[32];

	if (!api_find(call))
		return false;
	if (!call->state.many &&
	    core_spec_of(engine->core, call->state.first)->kind == KIND_SUPERVISOR) {
		rpc_refuse(call, RPC_NO_PROCESS, call->args.path, "name a child of it",
		    "%s is a supervisor, which has no process", call->args.path);
		return false;
	}
	snprintf(what, sizeof what, "signal %s", names_signal_text(call->args.signal));
	api_log(call, call->args.path, what);
	call->state.phase = NODE_SUBMIT;
	return true;
}

static enum rpc_progress
signal_refuse(struct rpc_call *call, uint32_t node, int error)
{
	char path[NODES_PATH_SIZE];

	nodes_path(call->session->engine->nodes, node, path);
	return rpc_refuse(call, RPC_INTERNAL, path, NULL, "%s could not be signalled: %s", path,
	    strerror(-error));
}

enum rpc_progress
api_signal(struct rpc_call *call, int *work)
{
	struct rpc_state *state = &call->state;
	struct engine *engine = call->session->engine;

	if (state->phase == NODE_BEGIN && !signal_begin(call))
		return RPC_DONE;
	while (state->phase == NODE_SUBMIT && state->next - state->first < state->count) {
		if (*work <= 0)
			return RPC_MORE;
		*work -= RPC_WORK_REQUEST;
		int error =
		    engine_signal(engine, state->next, call->args.signal, call->args.whole_tree);
		if (error != 0 && error != -ESRCH)
			return signal_refuse(call, state->next, error);
		state->hits += error == 0;
		state->next++;
	}
	if (state->phase == NODE_SUBMIT && state->hits == 0)
		return rpc_refuse(call, RPC_NO_PROCESS, call->args.path, "`status` shows its state",
		    "%s has no process", call->args.path);
	return node_answer(call, work);
}
