#include "engine/view.h"

#include "core/forecast.h"
#include "engine/engine.h"
#include "engine/listen.h"
#include "engine/notify.h"
#include "engine/pen.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/usage.h"
#include "lib/names.h"

#include <unistd.h>

/*
 * A node's object at its longest: two paths of NODES_PATH_SIZE, some twenty names, numbers and texts
 * from our own tables.
 */
#define VIEW_NODE_SIZE 2048U

static void
view_usage(struct pen *pen, const struct image_process *process)
{
	pen_seconds(pen, ",\"usage\":{\"cpu_s\":", (int64_t)(process->used_cpu_us / 1000));
	pen_number(pen, ",\"memory_bytes\":", process->used_memory_kb * 1024);
	pen_text(pen, "}");
}

void
view_begin(struct view *view, const struct engine *engine)
{
	long ticks_per_s = sysconf(_SC_CLK_TCK);

	*view = (struct view){ .engine = engine };
	view->now = span_mono_now();
	view->wall_offset_ms = engine_wall_ms(view->now) - view->now;
	view->ticks_now = process_ticks_now();
	view->ticks_per_s = ticks_per_s > 0 ? (uint64_t)ticks_per_s : 100;
}

static void
view_using(const struct view *view, struct pen *pen, uint32_t node)
{
	struct usage usage;

	if (!usage_read(view->engine, node, &usage))
		return;
	pen_seconds(pen, ",\"using\":{\"cpu_s\":", (int64_t)usage.cpu_ms);
	pen_number(pen, ",\"memory_bytes\":", usage.memory_bytes);
	pen_number(pen, ",\"processes\":", usage.processes);
	pen_text(pen, "}");
}

static void
view_pid(struct pen *pen, const struct core_view *facts, const struct image_process *process)
{
	if (facts->has_process && process->incarnation == facts->incarnation && process->pid > 0)
		pen_number(pen, ",\"pid\":", (uint64_t)process->pid);
}

static void
view_child(const struct view *view, struct pen *pen, uint32_t node, const struct core_view *facts,
    const struct image_process *process)
{
	bool one_shot = core_spec_of(view->engine->core, node)->ready == READY_EXIT;
	bool ready = facts->state == STATE_RUNNING || (facts->state == STATE_FINISHED && one_shot);

	pen_text(pen, ready ? ",\"ready\":true" : ",\"ready\":false");
	if (facts->hook != HOOK_NONE)
		pen_string(pen, ",\"hook\":", core_hook_text(facts->hook));
	/* Why the last start came to nothing, for as long as nothing newer is known. */
	if (process->state == PROCESS_FAILED && process->incarnation == facts->incarnation) {
		pen_string(pen, ",\"start_error\":{\"step\":", spawn_step_text(process->step));
		if (process->error > 0)
			pen_string(pen, ",\"error\":", names_errno(process->error));
		pen_text(pen, "}");
	}
	if (facts->has_process && process->state == PROCESS_STARTED &&
	    process->start_min <= view->ticks_now)
		pen_seconds(pen, ",\"uptime_s\":",
		    (int64_t)((view->ticks_now - process->start_min) * 1000 / view->ticks_per_s));
}

/* What it says of itself; anything may be in it, so it goes the long way. */
static void
view_told(const struct view *view, uint32_t node, struct buf *out)
{
	const char *status = notify_status(view->engine->notify, node);

	if (notify_is_reloading(view->engine->notify, node))
		buf_puts(out, ",\"reloading\":true");
	if (status != NULL) {
		buf_puts(out, ",\"status_text\":");
		buf_json_string(out, status);
	}
}

static void
view_supervisor(
    const struct view *view, struct pen *pen, uint32_t node, const struct core_view *facts)
{
	const struct core_spec *spec = core_spec_of(view->engine->core, node);

	pen_string(pen, ",\"strategy\":", nodes_strategy_text(spec->strategy));
	pen_number(pen, ",\"intensity\":", spec->intensity);
	pen_seconds(pen, ",\"period_s\":", spec->period);
	pen_number(pen, ",\"restarts_in_window\":", facts->restarts_in_window);
	pen_number(pen, ",\"group_restarts\":", facts->group_restarts);
}

/* The same for all that wait below a supervisor, of which there may be thousands. */
static uint32_t
view_waits_for(struct view *view, uint32_t node, const struct core_view *facts)
{
	struct view_holder *holder;

	if (facts->state != STATE_WAITING || facts->parent == CORE_NONE)
		return CORE_NONE;
	if (facts->reason == REASON_AFTER)
		return core_held_by(view->engine->core, node);
	holder = &view->holders[facts->parent % VIEW_HOLDERS];
	if (holder->supervisor != facts->parent || holder->reason != facts->reason)
		*holder = (struct view_holder){ .supervisor = facts->parent,
			.node = core_waits_for(view->engine->core, node),
			.reason = facts->reason };
	return holder->node;
}

static void
view_address(const struct view *view, struct pen *pen, uint32_t node)
{
	const char *address = listen_address(view->engine->listen, node);

	if (address != NULL)
		pen_string(pen, ",\"waits_for\":", address);
}

static void
view_state(struct view *view, struct pen *pen, uint32_t node, const struct core_view *facts)
{
	uint32_t other = view_waits_for(view, node, facts);
	char path[NODES_PATH_SIZE];

	pen_string(pen, ",\"state\":", core_state_text(facts->state));
	if (facts->since != MONO_NEVER && facts->since > 0) /* 0: never in any other state */
		pen_seconds(pen, ",\"since_at\":", facts->since + view->wall_offset_ms);
	if (facts->reason != REASON_NONE)
		pen_string(pen, ",\"reason\":", core_reason_text(facts->reason));
	if (other != CORE_NONE)
		pen_string(pen, ",\"waits_for\":", nodes_path(view->engine->nodes, other, path));
	else if (facts->state == STATE_WAITING && facts->reason == REASON_DEMAND)
		view_address(view, pen, node);
}

void
view_open(struct view *view, uint32_t node, struct buf *out, struct core_view *facts)
{
	char text[VIEW_NODE_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	const struct image_process *process = &view->engine->processes[node];

	core_view(view->engine->core, node, facts);
	bool child = facts->kind == KIND_CHILD;
	pen_string(&pen, "{\"path\":", nodes_path(view->engine->nodes, node, path));
	pen_text(&pen, child ? ",\"kind\":\"child\"" : ",\"kind\":\"supervisor\"");
	view_state(view, &pen, node, facts);
	if (child)
		view_pid(&pen, facts, process);
	pen_number(&pen, ",\"incarnation\":", facts->incarnation);
	pen_number(&pen, ",\"restarts\":", facts->restarts);
	pen_number(&pen, ",\"streak\":", facts->streak);
	if (child && facts->ended) {
		pen_exit(&pen, facts->status);
		view_usage(&pen, process);
	}
	if (child && view->with_usage && facts->has_process)
		view_using(view, &pen, node);
	if (facts->next_start != MONO_NEVER)
		pen_seconds(&pen, ",\"next_start_in_s\":", facts->next_start - view->now);
	if (facts->drained)
		pen_text(&pen, ",\"drained\":true");
	if (child)
		view_child(view, &pen, node, facts, process);
	else
		view_supervisor(view, &pen, node, facts);
	buf_append(out, text, (size_t)(pen.at - text));
	if (child)
		view_told(view, node, out);
}

void
view_node(struct view *view, uint32_t node, struct buf *out)
{
	struct core_view facts;

	view_open(view, node, out, &facts);
	buf_append(out, "}", 1);
}
