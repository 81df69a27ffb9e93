/* The words of why: spans, names, ends, and the reasons of states. */
#include "engine/why_words.h"

#include "engine/engine.h"
#include "engine/event.h"
#include "engine/listen.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/subject.h"

#include <stdio.h>
#include <string.h>

const char *
why_since(const struct why *why, char out[SPAN_TEXT_SIZE])
{
	return span_about(why->now - why->facts.since, out);
}

const char *
why_name(const struct why *why, uint32_t node, char out[WHY_NAME_SIZE])
{
	char path[NODES_PATH_SIZE];

	snprintf(out, WHY_NAME_SIZE, "%s",
	    node == CORE_ROOT ? "the root" : nodes_path(why->engine->nodes, node, path));
	return out;
}

static const char *
parent_name(const struct why *why, char out[WHY_NAME_SIZE])
{
	return why_name(why, why->facts.parent, out);
}

static const struct core_spec *
parent_spec(const struct why *why)
{
	return core_spec_of(why->engine->core, why->facts.parent);
}

/* "uid 1000", as an operator's event tells it */
static const char *
who(const struct image_event *event, char out[64])
{
	if (event == NULL || event->b == EVENT_NOBODY)
		snprintf(out, 64, "an operator");
	else
		snprintf(out, 64, "uid %u", (unsigned)((uint64_t)event->b >> 32));
	return out;
}

/* --- because … --- */

static void
because_asked(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	const struct image_event *command = why->command;
	char by[64], ago[SPAN_TEXT_SIZE];

	if (command == NULL)
		snprintf(out, WHY_PHRASE_SIZE, "an operator asked for it");
	else
		snprintf(out, WHY_PHRASE_SIZE, "%s asked for a %s %s ago", who(command, by),
		    core_event_text((enum core_event_type)command->a),
		    span_about(engine_wall_ms(why->now) - command->wall_ms, ago));
}

static void
because_above(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	uint32_t above = why->above;
	struct core_view facts;
	char of[WHY_NAME_SIZE];

	if (above == CORE_NONE)
		above = why->facts.parent;
	if (above == CORE_NONE) {
		snprintf(out, WHY_PHRASE_SIZE, "it has not been started");
		return;
	}
	core_view(why->engine->core, above, &facts);
	snprintf(out, WHY_PHRASE_SIZE, "%s, above it, is %s", why_name(why, above, of),
	    core_state_text(facts.state));
}

static void
because_group(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	const struct image_event *group = why->group;
	char of[WHY_NAME_SIZE], by[WHY_NAME_SIZE];
	bool named = group != NULL && group->a >= 0 &&
	    (uint32_t)group->a < core_count(why->engine->core) && (uint32_t)group->a != why->node;

	snprintf(out, WHY_PHRASE_SIZE, "%s restarts it together with %s (strategy = %s)",
	    parent_name(why, of), named ? why_name(why, (uint32_t)group->a, by) : "its siblings",
	    nodes_strategy_text(parent_spec(why)->strategy));
}

/* "one restart more than 5 within 1m would have been too many for shop" */
static void
because_limit(const struct why *why, uint32_t supervisor, char out[WHY_PHRASE_SIZE])
{
	const struct core_spec *spec = core_spec_of(why->engine->core, supervisor);
	const char *on_limit = nodes_limit_text(spec->on_limit);
	char of[WHY_NAME_SIZE], period[SPAN_TEXT_SIZE];

	why_name(why, supervisor, of);
	if (spec->intensity == 0)
		snprintf(out, WHY_PHRASE_SIZE,
		    "%s allows no restart (intensity = 0, on_limit = %s)", of, on_limit);
	else
		snprintf(out, WHY_PHRASE_SIZE,
		    "more than %u restart%s within %s would be too many for %s (on_limit = %s)",
		    (unsigned)spec->intensity, spec->intensity == 1 ? "" : "s",
		    span_about(spec->period, period), of, on_limit);
}

/* "shop/db, which it comes after, is not ready (after)" */
static void
because_after(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	uint32_t held_by = core_held_by(why->engine->core, why->node);
	char name[WHY_NAME_SIZE];

	if (held_by == CORE_NONE)
		snprintf(out, WHY_PHRASE_SIZE, "what it comes after is ready now (after)");
	else
		snprintf(out, WHY_PHRASE_SIZE, "%s, which it comes after, is not ready (after)",
		    why_name(why, held_by, name));
}

static void
because_demand(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	const char *address = listen_address(why->engine->listen, why->node);

	if (why->facts.state == STATE_WAITING)
		snprintf(out, WHY_PHRASE_SIZE, "what comes to %s starts it (on_demand)",
		    address != NULL ? address : "its sockets");
	else
		snprintf(out, WHY_PHRASE_SIZE, "a connection has come (on_demand)");
}

static void
because_turn(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	uint32_t other = core_waits_for(why->engine->core, why->node);
	char of[WHY_NAME_SIZE];
	struct core_view facts;

	if (other == CORE_NONE) {
		snprintf(out, WHY_PHRASE_SIZE, "%s does one thing after the other",
		    parent_name(why, of));
		return;
	}
	core_view(why->engine->core, other, &facts);
	snprintf(out, WHY_PHRASE_SIZE, "%s, which comes before it, is %s", why_name(why, other, of),
	    core_state_text(facts.state));
}

static void
because_slot(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	uint32_t other = core_waits_for(why->engine->core, why->node);
	uint32_t most = parent_spec(why)->max_starting;
	char of[WHY_NAME_SIZE];

	snprintf(out, WHY_PHRASE_SIZE, "at most %u start%s at a time (max_starting)%s%s%s",
	    (unsigned)most, most == 1 ? "s" : "", other != CORE_NONE ? ", now " : "",
	    other != CORE_NONE ? why_name(why, other, of) : "",
	    other != CORE_NONE && most > 1 ? " and others" : "");
}

/* Why a start came to nothing, or how a process ended. */
static void
because_end(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	const struct image_event *end = why->end;
	char failure[SPAWN_FAILURE_SIZE], how[PROCESS_END_SIZE];

	if (end != NULL && end->type == RECORD_START_FAILED)
		snprintf(out, WHY_PHRASE_SIZE, "it could not be started: %s",
		    subject_failure(why->engine, end->node, HOOK_NONE, end->a, end->b, failure));
	else if (end != NULL || why->facts.ended)
		snprintf(out, WHY_PHRASE_SIZE, "it %s",
		    process_end_text(end != NULL ? end->a : why->facts.status, how));
	else
		snprintf(out, WHY_PHRASE_SIZE, "it ended");
}

static void
because_child_ended(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	char end[WHY_PHRASE_SIZE];

	because_end(why, end);
	if (why->facts.reason == REASON_ENDED_EARLY)
		snprintf(out, WHY_PHRASE_SIZE, "%.500s before it was ready", end);
	else if (why->facts.reason == REASON_OOM)
		snprintf(out, WHY_PHRASE_SIZE,
		    "%.500s, after the kernel had killed for want of memory (memory_max of it or of what it is in, or the machine's)",
		    end);
	else if (why->facts.reason == REASON_NO_RESTART)
		snprintf(out, WHY_PHRASE_SIZE, "%.500s, which is in no_restart_exit", end);
	else
		memcpy(out, end, WHY_PHRASE_SIZE);
}

const char *
why_because(const struct why *why, char out[WHY_PHRASE_SIZE])
{
	const struct core_spec *spec = why->spec;
	char span[SPAN_TEXT_SIZE];

	snprintf(out, WHY_PHRASE_SIZE, "%s",
	    why->facts.incarnation == 0 ? "it has not been started yet" : "nothing more is known");
	switch (why->facts.reason) {
	case REASON_NONE:
	case REASON_COUNT: break;
	case REASON_BOOT: snprintf(out, WHY_PHRASE_SIZE, "it has not been started yet"); break;
	case REASON_AUTOSTART:
		snprintf(
		    out, WHY_PHRASE_SIZE, "autostart = no, so it starts only when somebody asks");
		break;
	case REASON_OPERATOR: because_asked(why, out); break;
	case REASON_SUPERVISOR: because_above(why, out); break;
	case REASON_SHUTDOWN: snprintf(out, WHY_PHRASE_SIZE, "the daemon is shutting down"); break;
	case REASON_TURN: because_turn(why, out); break;
	case REASON_SLOT: because_slot(why, out); break;
	case REASON_EXITED:
	case REASON_ENDED_EARLY:
	case REASON_NO_RESTART:
	case REASON_OOM:
	case REASON_LOST:
	case REASON_START_FAILED: because_child_ended(why, out); break;
	case REASON_START_TIMEOUT:
		snprintf(out, WHY_PHRASE_SIZE, "it was not ready within %s (start_timeout)",
		    span_about(spec->start_timeout, span));
		break;
	case REASON_HOOK_TIMEOUT:
		snprintf(out, WHY_PHRASE_SIZE, "its pre_start took longer than %s (hook_timeout)",
		    span_about(spec->hook_timeout, span));
		break;
	case REASON_QUEUE_TIMEOUT:
		snprintf(
		    out, WHY_PHRASE_SIZE, "no start slot came free in time (start_queue_timeout)");
		break;
	case REASON_GROUP: because_group(why, out); break;
	case REASON_AFTER: because_after(why, out); break;
	case REASON_DEMAND: because_demand(why, out); break;
	case REASON_LIMIT:
	case REASON_GIVEN_UP: because_limit(why, why->facts.parent, out); break;
	case REASON_INTENSITY: because_limit(why, why->node, out); break;
	case REASON_ESCALATE:
		snprintf(out, WHY_PHRASE_SIZE, "a failure below made it fail (escalate)");
		break;
	case REASON_AUTO_SHUTDOWN:
		snprintf(out, WHY_PHRASE_SIZE, "a significant child has ended (auto_shutdown)");
		break;
	case REASON_ABORT:
		snprintf(
		    out, WHY_PHRASE_SIZE, "a child could not start (on_start_failure = abort)");
		break;
	}
	return out;
}
