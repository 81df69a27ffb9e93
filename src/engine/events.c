#include "engine/events.h"

#include "engine/auth.h"
#include "engine/cgroup_tree.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/subject.h"
#include "lib/log.h"
#include "lib/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define TEXT_SIZE     640
#define LINES_A_FLUSH 64 /* what the log's buffer surely holds */

/*
 * A burst must not push events out of the ring that nobody has seen. The core's state may be
 * committed before all actions of its last event are taken: what is not carried out is asked for
 * again by ON_RESUME.
 */
static void
make_room(struct engine *engine)
{
	struct image_state *next = checkpoint_state(engine->checkpoint);

	events_log(engine);
	if (next->event_number - *checkpoint_logged(engine->checkpoint) <=
	    checkpoint_events(engine->checkpoint))
		return;
	next->event_number--; /* its slot is not written yet */
	checkpoint_commit(engine->checkpoint, engine->core);
	cgroup_tree_act_kills(engine);
	engine->event_number = next->event_number;
	events_log(engine);
	next->event_number++;
}

static int64_t
caller_of(const struct engine *engine)
{
	const struct auth_peer *peer = engine->caller;

	return peer != NULL ? event_caller(peer->uid, peer->pid) : EVENT_NOBODY;
}

void
events_add(struct engine *engine, const struct core_record *record)
{
	struct image_state *next = checkpoint_state(engine->checkpoint);
	uint64_t number = ++next->event_number;
	struct image_event *event;

	if (number - *checkpoint_logged(engine->checkpoint) > checkpoint_events(engine->checkpoint))
		make_room(engine);
	event = checkpoint_event(engine->checkpoint, number);
	*event = (struct image_event){
		.number = number,
		.wall_ms = span_wall_now_ms(),
		.type = record->type,
		.state = record->state,
		.reason = record->reason,
		.node = record->node,
		.incarnation = record->incarnation,
		.a = record->a,
		.b = record->type == RECORD_OPERATOR ? caller_of(engine) : record->b,
	};
}

/* ---- lines: one function a type of record; an empty text is no line ---- */

static const struct core_spec *
spec_of(const struct engine *engine, const struct image_event *event)
{
	return core_spec_of(engine->core, event->node);
}

/* Whether "started" says all there is to say about getting ready. */
static bool
is_ready_by_spawn(const struct engine *engine, const struct image_event *event)
{
	const struct core_spec *spec = spec_of(engine, event);

	return spec->kind == KIND_CHILD && spec->ready == READY_SPAWN;
}

static const char *
reason_of(const struct image_event *event)
{
	return core_reason_text((enum core_reason)event->reason);
}

static void
line_state(const struct engine *engine, const struct image_event *event, char *text)
{
	const char *reason = reason_of(event);

	switch ((enum core_state)event->state) {
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RESTARTING: /* has events of its own */ return;
	case STATE_RUNNING:
		if (is_ready_by_spawn(engine, event))
			return;
		reason = "";
		break;
	case STATE_STOPPED:
	case STATE_STOPPING:
	case STATE_FINISHED:
	case STATE_FAILED:
	case STATE_COUNT: break;
	}
	(void)snprintf(text, TEXT_SIZE, "%s%s%s%s", core_state_text((enum core_state)event->state),
	    reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

static void
line_started(const struct engine *engine, const struct image_event *event, char *text)
{
	(void)engine; /* all such functions have one shape */
	(void)snprintf(text, TEXT_SIZE, "started (pid %d, start %u)", event->a, event->incarnation);
}

static void
line_start_failed(const struct engine *engine, const struct image_event *event, char *text)
{
	char failure[SPAWN_FAILURE_SIZE];

	if (event->a == STEP_PREPARE && event->b == ECANCELED)
		(void)snprintf(text, TEXT_SIZE, "start cancelled (start %u)", event->incarnation);
	else
		(void)snprintf(text, TEXT_SIZE, "could not start: %s (start %u)",
		    subject_failure(engine, event->node, HOOK_NONE, event->a, event->b, failure),
		    event->incarnation);
}

static void
line_ready(const struct engine *engine, const struct image_event *event, char *text)
{
	char span[SPAN_TEXT_SIZE];

	if (!is_ready_by_spawn(engine, event))
		(void)snprintf(text, TEXT_SIZE, "ready after %s", span_about(event->b, span));
}

/* Only what went wrong; all of them are events. */
static void
line_hook(const struct engine *engine, const struct image_event *event, char *text)
{
	enum core_hook which = (enum core_hook)(event->b % RECORD_HOOK_ERROR);
	const char *hook = core_hook_text(which);
	int64_t error = event->b / RECORD_HOOK_ERROR;
	char how[PROCESS_END_SIZE], why[SPAWN_FAILURE_SIZE];

	if (error > 0)
		(void)snprintf(text, TEXT_SIZE, "could not run %s: %s (start %u)", hook,
		    subject_failure(engine, event->node, which, event->a, error, why),
		    event->incarnation);
	else if (event->a != 0)
		(void)snprintf(text, TEXT_SIZE, "%s %s (start %u)", hook,
		    process_end_text(event->a, how), event->incarnation);
}

static void
line_exited(const struct engine *engine, const struct image_event *event, char *text)
{
	char how[96], span[SPAN_TEXT_SIZE];
	int status = event->a;

	(void)engine;
	if (status == CORE_STATUS_UNKNOWN)
		(void)snprintf(how, sizeof(how), "exited with unknown status");
	else if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "killed by SIG%s%s",
		    names_signal_text(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
	else
		(void)snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(status));
	(void)snprintf(text, TEXT_SIZE, "%s%s after %s (start %u)", how,
	    event->reason == REASON_OOM ? " for want of memory" : "", span_about(event->b, span),
	    event->incarnation);
}

static void
line_restarting(const struct engine *engine, const struct image_event *event, char *text)
{
	char span[SPAN_TEXT_SIZE];
	const char *reason = reason_of(event);

	(void)engine;
	if (event->b > 0)
		(void)snprintf(text, TEXT_SIZE, "restarting in %s (%s, failure %d in a row)",
		    span_about(event->b, span), reason, event->a);
	else
		(void)snprintf(text, TEXT_SIZE, "restarting (%s)", reason);
}

static void
line_group_restarting(const struct engine *engine, const struct image_event *event, char *text)
{
	char path[NODES_PATH_SIZE], span[SPAN_TEXT_SIZE];

	if (event->a < 0 || (uint32_t)event->a >= core_count(engine->core))
		return;
	(void)nodes_path(engine->nodes, (uint32_t)event->a, path);
	if (event->b > 0)
		(void)snprintf(text, TEXT_SIZE, "restarting the group of %s in %s", path,
		    span_about(event->b, span));
	else
		(void)snprintf(text, TEXT_SIZE, "restarting the group of %s", path);
}

static void
line_limit(const struct engine *engine, const struct image_event *event, char *text)
{
	static const char *const then[] = {
		[LIMIT_ESCALATE] = "stopping all and escalating",
		[LIMIT_BACKOFF] = "waiting",
		[LIMIT_GIVE_UP] = "giving up what failed",
		[LIMIT_TERMINATE] = "stopping all and giving up",
	};
	const struct core_spec *spec = spec_of(engine, event);
	char period[SPAN_TEXT_SIZE], wait[SPAN_TEXT_SIZE];

	if (event->a < LIMIT_ESCALATE || event->a > LIMIT_TERMINATE)
		return;
	(void)snprintf(text, TEXT_SIZE, "intensity of %u in %s reached: %s%s%s", spec->intensity,
	    span_format(spec->period, period), then[event->a], event->b > 0 ? " " : "",
	    event->b > 0 ? span_about(event->b, wait) : "");
}

static void
line_escalated(const struct engine *engine, const struct image_event *event, char *text)
{
	(void)engine;
	(void)snprintf(
	    text, TEXT_SIZE, "escalated (%s)", core_reason_text((enum core_reason)event->a));
}

static void
line_operator(const struct engine *engine, const struct image_event *event, char *text)
{
	(void)engine;
	(void)snprintf(
	    text, TEXT_SIZE, "asked to %s", core_event_text((enum core_event_type)event->a));
}

/* Whoever takes over says more in a line of its own (resume.c). */
static void
line_recovered(const struct engine *engine, const struct image_event *event, char *text)
{
	(void)engine, (void)event, (void)text;
}

typedef void line_fn(const struct engine *engine, const struct image_event *event, char *text);

static line_fn *const LINES[] = {
	[RECORD_STATE] = line_state,
	[RECORD_STARTED] = line_started,
	[RECORD_START_FAILED] = line_start_failed,
	[RECORD_READY] = line_ready,
	[RECORD_EXITED] = line_exited,
	[RECORD_RESTARTING] = line_restarting,
	[RECORD_GROUP_RESTARTING] = line_group_restarting,
	[RECORD_LIMIT] = line_limit,
	[RECORD_ESCALATED] = line_escalated,
	[RECORD_OPERATOR] = line_operator,
	[RECORD_RECOVERED] = line_recovered,
	[RECORD_HOOK] = line_hook,
};
_Static_assert(sizeof(LINES) / sizeof(LINES[0]) == RECORD_COUNT, "a line for each type of record");

/* Who reads of a restart, or of one too many, asks how the one before has ended. */
static bool
is_cause_of_restart(const struct engine *engine, const struct image_event *event)
{
	return event->type == RECORD_EXITED && event->state != STATE_STOPPING &&
	    spec_restarts_after(spec_of(engine, event), event->a);
}

static void
write_line(const struct engine *engine, const struct image_event *event)
{
	char text[TEXT_SIZE] = "", path[NODES_PATH_SIZE];

	/*
	 * the ring may have been written by an engine that died; it is memory that others could
	 * have damaged
	 */
	if (event->type >= RECORD_COUNT || event->node >= core_count(engine->core))
		return;
	if (engine->terse && event_severity_of(event) < EVENT_WARNING &&
	    !is_cause_of_restart(engine, event))
		return;
	LINES[event->type](engine, event, text);
	if (text[0])
		log_line_at(
		    event->wall_ms, nodes_path(engine->nodes, event->node, path), "%s", text);
}

bool
events_log_some(struct engine *engine, uint32_t most)
{
	uint64_t *logged = checkpoint_logged(engine->checkpoint);
	uint64_t last = engine->event_number;
	uint32_t lines = 0;

	if (engine->event_number - *logged > checkpoint_events(engine->checkpoint))
		*logged = engine->event_number - checkpoint_events(engine->checkpoint);
	if (last - *logged > most)
		last = *logged + most;
	for (uint64_t number = *logged + 1; number <= last; number++) {
		write_line(engine, checkpoint_event(engine->checkpoint, number));
		if (++lines % LINES_A_FLUSH == 0) {
			log_flush();
			*logged = number;
		}
	}
	log_flush();
	*logged = last;
	return last < engine->event_number;
}

void
events_log(struct engine *engine)
{
	(void)events_log_some(engine, UINT32_MAX);
}

/* ---- for those who read them ---- */

/*
 * A slot may hold another event than it should: one that a dead engine had not committed, or a newer
 * one.
 */
const struct image_event *
events_get(const struct engine *engine, uint64_t number)
{
	uint64_t newest = engine->event_number, slots = checkpoint_events(engine->checkpoint);

	if (number == 0 || number > newest || newest - number >= slots)
		return NULL;
	const struct image_event *event = checkpoint_event(engine->checkpoint, number);
	return event->number == number ? event : NULL;
}

uint64_t
events_oldest(const struct engine *engine)
{
	uint64_t newest = engine->event_number, slots = checkpoint_events(engine->checkpoint);
	uint64_t number = newest >= slots ? newest - slots + 1 : 1;

	while (number <= newest && events_get(engine, number) == NULL)
		number++;
	return number;
}
