#include "engine/event.h"

#include "engine/engine.h"
#include "engine/pen.h"
#include "engine/spawn.h"
#include "engine/subject.h"
#include "lib/names.h"

#include <string.h>

/* An event at its longest: two paths, some numbers, and texts from our own tables. */
#define EVENT_SIZE (2 * NODES_PATH_SIZE + 768U)
#define OPERATOR   "operator."

#define X(name, text, severity, record, members) [name] = { (text), EVENT_##severity, (record) },
static const struct {
	const char *text;
	enum event_severity severity;
	enum core_record_type record;
} event_types[] = {
#include "engine/event_types.def"
};
#undef X

static const char *const event_severities[] = {
	[EVENT_INFO] = "info",
	[EVENT_NOTICE] = "notice",
	[EVENT_WARNING] = "warning",
	[EVENT_ERROR] = "error",
};

/* ---- types ---- */

static bool
event_is(const struct image_event *event, unsigned type)
{
	if (event->type != event_types[type].record || event->type != RECORD_OPERATOR)
		return event->type == event_types[type].record;
	return strcmp(event_types[type].text + strlen(OPERATOR),
		   core_event_text((enum core_event_type)event->a)) == 0;
}

enum event_type
event_type_of(const struct image_event *event)
{
	unsigned type = 0;

	while (type < EVENT_TYPES && !event_is(event, type))
		type++;
	return (enum event_type)type;
}

const char *
event_type_text(enum event_type type)
{
	return type < EVENT_TYPES ? event_types[type].text : "unknown";
}

enum event_severity
event_severity_of(const struct image_event *event)
{
	enum event_type type = event_type_of(event);

	/* whom nothing brings back by itself must not be passed over by who wants what is grave */
	if (type == EVENT_NODE_STATE && event->state == STATE_FAILED)
		return EVENT_ERROR;
	return type < EVENT_TYPES ? event_types[type].severity : EVENT_INFO;
}

const char *
event_severity_text(enum event_severity severity)
{
	return severity < EVENT_SEVERITIES ? event_severities[severity] : "?";
}

/* ---- what each type adds ---- */

typedef void event_fn(
    struct pen *pen, const struct engine *engine, const struct image_event *event);

static void
event_reason(struct pen *pen, int64_t reason)
{
	if (reason > REASON_NONE && reason < REASON_COUNT)
		pen_string(pen, ",\"reason\":", core_reason_text((enum core_reason)reason));
}

static void
event_state(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine; /* all such functions have one shape */
	pen_string(pen, ",\"from\":", core_state_text((enum core_state)event->a));
	pen_string(pen, ",\"state\":", core_state_text((enum core_state)event->state));
	event_reason(pen, event->reason);
}

static void
event_started(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	if (event->a > 0)
		pen_number(pen, ",\"pid\":", (uint64_t)event->a);
}

static void
pen_failure(struct pen *pen, const struct engine *engine, const struct image_event *event,
    enum core_hook hook, int64_t error)
{
	char subject[SUBJECT_SIZE];
	int32_t step = event->a;
	const char *hint = spawn_hint(step, error);

	pen_string(pen, ",\"step\":", spawn_step_text(step));
	if (*subject_of(engine, event->node, hook, step, subject) != '\0')
		pen_quote(pen, ",\"subject\":", subject);
	if (error > 0)
		pen_string(pen, ",\"error\":", names_errno((int)error));
	if (hint != NULL)
		pen_string(pen, ",\"hint\":", hint);
}

static void
event_start_failed(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	pen_failure(pen, engine, event, HOOK_NONE, event->b);
}

static void
event_ready(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	pen_seconds(pen, ",\"after_s\":", event->b);
}

static void
event_exited(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	pen_exit(pen, event->a);
	if (event->reason == REASON_OOM)
		pen_text(pen, ",\"oom\":true");
	pen_seconds(pen, ",\"uptime_s\":", event->b);
}

static void
event_hook(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	enum core_hook hook = (enum core_hook)(event->b % RECORD_HOOK_ERROR);
	int64_t error = event->b / RECORD_HOOK_ERROR;

	pen_string(pen, ",\"hook\":", core_hook_text(hook));
	if (error > 0)
		pen_failure(pen, engine, event, hook, error);
	else
		pen_exit(pen, event->a);
}

static void
event_restarting(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	pen_number(pen, ",\"streak\":", event->a > 0 ? (uint64_t)event->a : 0);
	pen_seconds(pen, ",\"delay_s\":", event->b);
	event_reason(pen, event->reason);
}

static void
event_group_restarting(
    struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	char path[NODES_PATH_SIZE];

	if (event->a >= 0 && (uint32_t)event->a < core_count(engine->core))
		pen_string(
		    pen, ",\"failed\":", nodes_path(engine->nodes, (uint32_t)event->a, path));
	pen_seconds(pen, ",\"delay_s\":", event->b);
}

static void
event_limit(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	if (event->a >= LIMIT_ESCALATE && event->a <= LIMIT_TERMINATE)
		pen_string(pen, ",\"action\":", nodes_limit_text((enum core_on_limit)event->a));
	if (event->b > 0)
		pen_seconds(pen, ",\"wait_s\":", event->b);
}

static void
event_escalated(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	event_reason(pen, event->a);
}

static void
event_operator(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	if (event->b == EVENT_NOBODY)
		return;
	pen_number(pen, ",\"uid\":", (uint64_t)event->b >> 32);
	if ((uint32_t)event->b != 0)
		pen_number(pen, ",\"pid\":", (uint32_t)event->b);
}

static void
event_recovered(struct pen *pen, const struct engine *engine, const struct image_event *event)
{
	(void)engine;
	pen_number(pen, ",\"generation\":", (uint32_t)event->a);
}

static event_fn *const event_members[] = {
	[RECORD_STATE] = event_state,
	[RECORD_STARTED] = event_started,
	[RECORD_START_FAILED] = event_start_failed,
	[RECORD_READY] = event_ready,
	[RECORD_EXITED] = event_exited,
	[RECORD_RESTARTING] = event_restarting,
	[RECORD_GROUP_RESTARTING] = event_group_restarting,
	[RECORD_LIMIT] = event_limit,
	[RECORD_ESCALATED] = event_escalated,
	[RECORD_OPERATOR] = event_operator,
	[RECORD_RECOVERED] = event_recovered,
	[RECORD_HOOK] = event_hook,
};
_Static_assert(sizeof event_members / sizeof *event_members == RECORD_COUNT,
    "members for each type of record");

void
event_json(const struct engine *engine, const struct image_event *event, struct buf *out)
{
	char text[EVENT_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	enum event_type type = event_type_of(event);
	bool known = event->node < core_count(engine->core);

	pen_number(&pen, "{\"number\":", event->number);
	pen_seconds(&pen, ",\"at\":", event->wall_ms);
	pen_string(&pen, ",\"type\":", event_type_text(type));
	pen_string(&pen, ",\"severity\":", event_severity_text(event_severity_of(event)));
	pen_string(&pen, ",\"path\":", known ? nodes_path(engine->nodes, event->node, path) : "?");
	if (event->incarnation > 0)
		pen_number(&pen, ",\"incarnation\":", event->incarnation);
	if (event->type < RECORD_COUNT)
		event_members[event->type](&pen, engine, event);
	pen_text(&pen, "}");
	buf_append(out, text, (size_t)(pen.at - text));
}
