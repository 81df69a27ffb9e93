#include "engine/view.h"

#include "engine/engine.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "lib/must.h"
#include "lib/names.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A node's object at its longest: a path of NODES_PATH_SIZE, some twenty names, numbers and texts
 * from our own tables.
 */
#define VIEW_NODE_SIZE 1536U

struct pen {
	char *at, *end;
};

static void
pen_text(struct pen *pen, const char *text)
{
	size_t len = strlen(text);

	must(len <= (size_t)(pen->end - pen->at));
	memcpy(pen->at, text, len);
	pen->at += len;
}

static void
pen_number(struct pen *pen, const char *name, uint64_t value)
{
	char digits[24];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	pen_text(pen, name);
	pen_text(pen, digits + at);
}

/* Milliseconds as seconds, exactly. */
static void
pen_seconds(struct pen *pen, const char *name, int64_t ms)
{
	uint64_t positive = ms > 0 ? (uint64_t)ms : 0;
	uint64_t part = positive % 1000;
	char fraction[] = { '.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
		(char)('0' + part % 10), '\0' };

	pen_number(pen, name, positive / 1000);
	if (part != 0)
		pen_text(pen, fraction);
}

/*
 * A text of our own or a path: letters that JSON would have escaped do not occur in them, and are
 * replaced if they do.
 */
static void
pen_string(struct pen *pen, const char *name, const char *text)
{
	pen_text(pen, name);
	pen_text(pen, "\"");
	char *from = pen->at;
	pen_text(pen, text);
	for (; from < pen->at; from++) {
		unsigned char c = (unsigned char)*from;
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			*from = '?';
	}
	pen_text(pen, "\"");
}

static void
pen_exit(struct pen *pen, int32_t status, const struct image_process *process)
{
	if (status == CORE_STATUS_UNKNOWN) {
		pen_text(pen, ",\"exit\":{\"unknown\":true");
	} else if (WIFSIGNALED(status)) {
		pen_string(pen, ",\"exit\":{\"signal\":", names_signal_text(WTERMSIG(status)));
		pen_text(
		    pen, WCOREDUMP(status) ? ",\"core_dumped\":true" : ",\"core_dumped\":false");
	} else {
		pen_number(pen, ",\"exit\":{\"code\":", (uint64_t)WEXITSTATUS(status));
		pen_text(pen, ",\"core_dumped\":false");
	}
	pen_text(pen, "}");
	pen_seconds(pen, ",\"usage\":{\"cpu_s\":", (int64_t)(process->used_cpu_us / 1000));
	pen_number(pen, ",\"memory_bytes\":", process->used_memory_kb * 1024);
	pen_text(pen, "}");
}

void
view_begin(struct view *view, const struct engine *engine)
{
	long ticks_per_s = sysconf(_SC_CLK_TCK);

	view->engine = engine;
	view->now = span_mono_now();
	view->wall_offset_ms = engine_wall_ms(view->now) - view->now;
	view->ticks_now = process_ticks_now();
	view->ticks_per_s = ticks_per_s > 0 ? (uint64_t)ticks_per_s : 100;
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
	/* Why the last start came to nothing, for as long as nothing newer is known. */
	if (process->state == PROCESS_FAILED && process->incarnation == facts->incarnation) {
		pen_string(pen, ",\"start_error\":{\"step\":", spawn_step_text(process->step));
		pen_string(pen, ",\"error\":", names_errno(process->error));
		pen_text(pen, "}");
	}
	if (facts->has_process && process->state == PROCESS_STARTED &&
	    process->start_min <= view->ticks_now)
		pen_seconds(pen, ",\"uptime_s\":",
		    (int64_t)((view->ticks_now - process->start_min) * 1000 / view->ticks_per_s));
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

void
view_open(const struct view *view, uint32_t node, struct buf *out, struct core_view *facts)
{
	char text[VIEW_NODE_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	const struct image_process *process = &view->engine->processes[node];

	core_view(view->engine->core, node, facts);
	bool child = facts->kind == KIND_CHILD;
	pen_string(&pen, "{\"path\":", nodes_path(view->engine->nodes, node, path));
	pen_text(&pen, child ? ",\"kind\":\"child\"" : ",\"kind\":\"supervisor\"");
	pen_string(&pen, ",\"state\":", core_state_text(facts->state));
	if (facts->since != MONO_NEVER)
		pen_seconds(&pen, ",\"since_at\":", facts->since + view->wall_offset_ms);
	if (facts->reason != REASON_NONE)
		pen_string(&pen, ",\"reason\":", core_reason_text(facts->reason));
	if (child)
		view_pid(&pen, facts, process);
	pen_number(&pen, ",\"incarnation\":", facts->incarnation);
	pen_number(&pen, ",\"restarts\":", facts->restarts);
	pen_number(&pen, ",\"streak\":", facts->streak);
	if (child && facts->ended)
		pen_exit(&pen, facts->status, process);
	if (facts->next_start != MONO_NEVER)
		pen_seconds(&pen, ",\"next_start_in_s\":", facts->next_start - view->now);
	if (child)
		view_child(view, &pen, node, facts, process);
	else
		view_supervisor(view, &pen, node, facts);
	buf_append(out, text, (size_t)(pen.at - text));
}

void
view_node(const struct view *view, uint32_t node, struct buf *out)
{
	struct core_view facts;

	view_open(view, node, out, &facts);
	buf_append(out, "}", 1);
}
