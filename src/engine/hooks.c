#include "engine/hooks.h"

#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/program.h"
#include "engine/slot.h"
#include "lib/must.h"
#include "lib/names.h"
#include "lib/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define VARIABLES     5U
#define VARIABLE_SIZE 64U

struct hooks {
	uint32_t nodes, count; /* … nodes that have hooks */
	uint32_t *node_of;     /* [slot - nodes], ascending */
	/* of the last request */
	char variables[VARIABLES][VARIABLE_SIZE];
	const char **environment;
	size_t environment_size;
};

static bool
has_hooks(const struct core *core, uint32_t node)
{
	const struct core_spec *spec = core_spec_of(core, node);

	return spec->pre_start || spec->stop_command || spec->post_stop;
}

struct hooks *
hooks_new(const struct core *core)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));

	if (!hooks)
		return NULL;
	hooks->nodes = core_count(core);
	for (uint32_t node = 0; node < hooks->nodes; node++)
		hooks->count += has_hooks(core, node);
	hooks->node_of = calloc(hooks->count + 1, sizeof(*hooks->node_of));
	if (!hooks->node_of) {
		hooks_free(&hooks);
		return NULL;
	}
	for (uint32_t node = 0, at = 0; at < hooks->count; node++)
		if (has_hooks(core, node))
			hooks->node_of[at++] = node;
	return hooks;
}

void
hooks_free(struct hooks **hooks)
{
	struct hooks *old = *hooks;

	*hooks = NULL;
	if (!old)
		return;
	free(old->node_of);
	free(old->environment);
	free(old);
}

uint32_t
hooks_slots(const struct hooks *hooks)
{
	return hooks->nodes + hooks->count;
}

bool
hooks_has(const struct hooks *hooks, uint32_t slot)
{
	return slot >= hooks->nodes;
}

uint32_t
hooks_node(const struct hooks *hooks, uint32_t slot)
{
	must(slot < hooks_slots(hooks));
	return hooks_has(hooks, slot) ? hooks->node_of[slot - hooks->nodes] : slot;
}

uint32_t
hooks_slot(const struct hooks *hooks, uint32_t node)
{
	uint32_t low = 0, high = hooks->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (hooks->node_of[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	must(low < hooks->count && hooks->node_of[low] == node);
	return hooks->nodes + low;
}

uint32_t
hooks_incarnation(uint32_t incarnation, enum core_hook hook)
{
	return incarnation * HOOK_COUNT + (uint32_t)hook;
}

static enum core_hook
hook_of(uint32_t incarnation)
{
	return (enum core_hook)(incarnation % HOOK_COUNT);
}

bool
hooks_is_wanted(const struct engine *engine, uint32_t slot, uint32_t incarnation)
{
	struct core_view view;

	core_view(engine->core, hooks_node(engine->hooks, slot), &view);
	return view.hook != HOOK_NONE &&
	    hooks_incarnation(view.incarnation, view.hook) == incarnation;
}

bool
hooks_ends(uint32_t incarnation)
{
	return hook_of(incarnation) != HOOK_PRE_START;
}

/* --- what it is told ---------------------------------------------------------------------------- */

/* How many variables there are then. */
static size_t
write_variables(const struct engine *engine, uint32_t node, enum core_hook hook)
{
	char(*to)[VARIABLE_SIZE] = engine->hooks->variables;
	struct core_view view;
	size_t n = 0;

	core_view(engine->core, node, &view);
	snprintf(to[n++], VARIABLE_SIZE, "COPPICE_HOOK=%s", core_hook_text(hook));
	snprintf(to[n++], VARIABLE_SIZE, "COPPICE_REASON=%s", core_reason_text(view.reason));
	if (hook == HOOK_STOP && engine->processes[node].pid > 0)
		snprintf(
		    to[n++], VARIABLE_SIZE, "COPPICE_PID=%d", (int)engine->processes[node].pid);
	if (hook != HOOK_POST_STOP || view.status == CORE_STATUS_UNKNOWN)
		return n;
	if (WIFSIGNALED(view.status))
		snprintf(to[n++], VARIABLE_SIZE, "COPPICE_EXIT_SIGNAL=%s",
		    names_signal_text(WTERMSIG(view.status)));
	else
		snprintf(to[n++], VARIABLE_SIZE, "COPPICE_EXIT_CODE=%d", WEXITSTATUS(view.status));
	return n;
}

/* A hook gets none of the child's sockets; of the daemon's own variables none is among these. */
static bool
is_of_sockets(const char *variable)
{
	return str_starts(variable, "LISTEN_PID=") || str_starts(variable, "LISTEN_FDS=") ||
	    str_starts(variable, "LISTEN_FDNAMES=");
}

static int
add_variables(struct hooks *hooks, size_t more, struct spawn_request *request)
{
	size_t count = 0;

	while (request->envp[count] != NULL)
		count++;
	if (hooks->environment_size < count + more + 1) {
		const char **grown =
		    realloc(hooks->environment, (count + more + 1) * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		hooks->environment = grown;
		hooks->environment_size = count + more + 1;
	}
	count = 0;
	for (size_t i = 0; request->envp[i] != NULL; i++)
		if (!is_of_sockets(request->envp[i]))
			hooks->environment[count++] = request->envp[i];
	for (size_t i = 0; i < more; i++)
		hooks->environment[count++] = hooks->variables[i];
	hooks->environment[count] = NULL;
	request->envp = hooks->environment;
	return 0;
}

int
hooks_request(
    const struct engine *engine, uint32_t slot, uint32_t incarnation, struct spawn_request *out)
{
	uint32_t node = hooks_node(engine->hooks, slot);
	const struct place *place = nodes_place(engine->nodes, node);
	enum core_hook hook = hook_of(incarnation);
	int error = program_hook(place->program, hook, nodes_instance(engine->nodes, node), out);

	if (error)
		return error;
	out->start_timeout = place->spec.hook_timeout;
	return add_variables(engine->hooks, write_variables(engine, node, hook), out);
}

/* --- what came of it ---------------------------------------------------------------------------- */

static struct core_event
hook_done(const struct engine *engine, uint32_t slot, uint32_t incarnation)
{
	return (struct core_event){ .type = ON_HOOK_DONE,
		.node = hooks_node(engine->hooks, slot),
		.incarnation = incarnation / HOOK_COUNT,
		.hook = hook_of(incarnation) };
}

/*
 * Where a pre_start is why a start fails, the node's own slot tells it like any other failed start.
 * Before the commit: an engine that sees this end again writes the same again.
 */
static void
note_failed_start(const struct engine *engine, const struct core_event *event)
{
	struct image_process *process = &engine->processes[event->node];
	struct core_view view;

	core_view(engine->core, event->node, &view);
	if (event->hook != HOOK_PRE_START || view.state != STATE_STARTING ||
	    (event->error == 0 && event->status == 0))
		return;
	slot_open(process, event->incarnation);
	slot_close(process, STEP_PRE_START, event->error);
}

struct core_event
hooks_failed(
    const struct engine *engine, uint32_t slot, uint32_t incarnation, int32_t step, int32_t error)
{
	struct core_event event = hook_done(engine, slot, incarnation);

	event.step = STEP_PRE_START;
	event.status = step;
	event.error = error;
	note_failed_start(engine, &event);
	return event;
}

/* Whether no process of the child comes after it, whose helpers those in its cgroup may be. */
static bool
leaves_nothing(const struct engine *engine, const struct core_event *event, int32_t status)
{
	return core_spec_of(engine->core, event->node)->kill_mode == KILL_TREE &&
	    (event->hook == HOOK_POST_STOP || (event->hook == HOOK_PRE_START && status != 0));
}

struct core_event
hooks_ended(const struct engine *engine, uint32_t slot, int32_t status)
{
	const struct image_process *process = &engine->processes[slot];
	struct core_event event = hook_done(engine, slot, process->incarnation);

	checkpoint_add_kill(engine->checkpoint, process->pid);
	if (leaves_nothing(engine, &event, status))
		checkpoint_add_kill_tree(engine->checkpoint, event.node);
	event.step = STEP_PRE_START;
	event.status = status;
	note_failed_start(engine, &event);
	return event;
}
