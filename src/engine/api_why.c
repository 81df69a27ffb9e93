#include "engine/api.h"

#include "engine/engine.h"
#include "engine/event.h"
#include "engine/pen.h"
#include "engine/spawn.h"
#include "engine/why.h"
#include "lib/names.h"

#include <stdio.h>

#define WHY_PIECE_SIZE 1024U
#define WHY_SET        16U

static const char *const why_outcomes[] = {
	[OUTCOME_NOTHING] = "nothing",
	[OUTCOME_RESTART] = "restart",
	[OUTCOME_LIMIT] = "limit",
	[OUTCOME_ESCALATE] = "escalate",
};

static const char *
why_path(const struct why *why, uint32_t node, char out[NODES_PATH_SIZE])
{
	return nodes_path(why->engine->nodes, node, out);
}

static void
why_put(struct buf *out, const char *text, const struct pen *pen)
{
	buf_append(out, text, (size_t)(pen->at - text));
}

static void
why_put_head(const struct why *why, struct buf *out)
{
	uint32_t other = core_waits_for(why->engine->core, why->node);
	char text[WHY_PIECE_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	const struct core_view *facts = &why->facts;

	pen_string(&pen, "{\"path\":", why->path);
	pen_string(&pen, ",\"kind\":", facts->kind == KIND_CHILD ? "child" : "supervisor");
	pen_string(&pen, ",\"state\":", core_state_text(facts->state));
	if (facts->reason != REASON_NONE)
		pen_string(&pen, ",\"reason\":", core_reason_text(facts->reason));
	if (other != CORE_NONE)
		pen_string(&pen, ",\"waits_for\":", why_path(why, other, path));
	if (facts->since != MONO_NEVER && facts->since > 0) /* 0: never in any other state */
		pen_seconds(&pen, ",\"since_at\":", engine_wall_ms(facts->since));
	pen_text(&pen, facts->wanted ? ",\"wanted\":true" : ",\"wanted\":false");
	if (facts->next_start != MONO_NEVER)
		pen_seconds(&pen, ",\"next_start_in_s\":", facts->next_start - why->now);
	why_put(out, text, &pen);
}

/* Of a child; what the ring does not hold any more is left out. */
static void
why_put_end(const struct why *why, struct buf *out)
{
	char text[WHY_PIECE_SIZE];
	struct pen pen = { text, text + sizeof text };
	const struct image_event *end = why->end;

	if (why->facts.kind != KIND_CHILD || (end == NULL && !why->facts.ended))
		return;
	pen_text(&pen, ",\"last_end\":");
	/* Each member begins with a comma: that of the first, whichever it is, becomes the brace. */
	char *first = pen.at;
	if (end != NULL) {
		pen_seconds(&pen, ",\"at\":", end->wall_ms);
		pen_number(&pen, ",\"incarnation\":", end->incarnation);
	}
	if (end != NULL && end->type == RECORD_START_FAILED) {
		pen_string(&pen, ",\"start_error\":{\"step\":", spawn_step_text(end->a));
		if (end->b > 0)
			pen_string(&pen, ",\"error\":", names_errno((int)end->b));
		pen_text(&pen, "}");
	} else {
		pen_exit(&pen, end != NULL ? end->a : why->facts.status);
	}
	if (end != NULL && end->type == RECORD_EXITED && end->reason == REASON_OOM)
		pen_text(&pen, ",\"oom\":true");
	if (end != NULL && end->type == RECORD_EXITED)
		pen_seconds(&pen, ",\"uptime_s\":", end->b);
	pen_text(&pen, "}");
	*first = '{';
	why_put(out, text, &pen);
}

static void
why_put_budget(const struct why *why, uint32_t supervisor, const char *comma, struct buf *out)
{
	char text[WHY_PIECE_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	struct core_budget budget;

	core_budget(why->engine->core, why->now, supervisor, &budget);
	pen_text(&pen, comma);
	pen_string(&pen, "{\"path\":", why_path(why, supervisor, path));
	pen_number(&pen, ",\"intensity\":", budget.intensity);
	pen_seconds(&pen, ",\"period_s\":", budget.period);
	pen_number(&pen, ",\"used\":", budget.used);
	pen_number(&pen, ",\"left\":", budget.intensity - budget.used);
	if (budget.next_free != MONO_NEVER)
		pen_seconds(&pen, ",\"next_free_in_s\":", budget.next_free - why->now);
	pen_string(&pen, ",\"on_limit\":",
	    nodes_limit_text(core_spec_of(why->engine->core, supervisor)->on_limit));
	pen_text(&pen, "}");
	why_put(out, text, &pen);
}

/* Its own, if it is a supervisor, and those of all above. */
static void
why_put_budgets(const struct why *why, struct buf *out)
{
	struct core_view facts;
	const char *comma = "";

	buf_puts(out, ",\"budgets\":[");
	for (uint32_t id = why->node; id != CORE_NONE; id = facts.parent) {
		core_view(why->engine->core, id, &facts);
		if (facts.kind != KIND_SUPERVISOR)
			continue;
		why_put_budget(why, id, comma, out);
		comma = ",";
	}
	buf_puts(out, "]");
}

static void
why_put_set(const struct why *why, struct buf *out)
{
	char path[NODES_PATH_SIZE];
	struct core_view facts;
	unsigned count = 0;

	buf_puts(out, ",\"set\":[");
	for (uint32_t id = why->next.set_first; id != CORE_NONE && count < WHY_SET;
	     id = facts.next) {
		core_view(why->engine->core, id, &facts);
		if (!core_forecast_takes(why->engine->core, why->node, id))
			continue;
		buf_puts(out, count++ > 0 ? "," : "");
		buf_json_string(out, why_path(why, id, path));
	}
	buf_printf(out, "],\"set_count\":%u", (unsigned)why->next.set_count);
}

static void
why_put_next(const struct why *why, struct buf *out)
{
	char text[WHY_PIECE_SIZE], path[NODES_PATH_SIZE];
	struct pen pen = { text, text + sizeof text };
	const struct core_forecast *next = &why->next;

	if (!why->has_next)
		return;
	pen_string(&pen, ",\"next_failure\":{\"outcome\":", why_outcomes[next->outcome]);
	pen_number(&pen, ",\"streak\":", next->streak);
	pen_seconds(&pen, ",\"delay_s\":[", next->delay_min);
	pen_seconds(&pen, ",", next->delay_max);
	pen_text(&pen, "]");
	if (next->supervisor != CORE_NONE)
		pen_string(&pen, ",\"supervisor\":", why_path(why, next->supervisor, path));
	if (next->outcome == OUTCOME_LIMIT)
		pen_string(&pen, ",\"on_limit\":", nodes_limit_text(next->on_limit));
	why_put(out, text, &pen);
	why_put_set(why, out);
	buf_puts(out, "}");
}

static void
why_put_events(const struct why *why, struct buf *out)
{
	buf_puts(out, ",\"events\":[");
	for (unsigned i = 0; i < why->event_count; i++) {
		buf_puts(out, i > 0 ? "," : "");
		event_json(why->engine, why->events[i], out);
	}
	buf_puts(out, "]");
}

/* A template is no node; with one instance it is clear which is meant. */
static bool
why_find(struct rpc_call *call)
{
	char hint[2 * NODES_PATH_SIZE + 64];

	if (!api_find(call))
		return false;
	if (!call->state.many || call->state.count == 1)
		return true;
	snprintf(hint, sizeof hint, "name one of its %u instances, \"%s@1\" for example",
	    (unsigned)call->state.count, call->args.path);
	rpc_refuse(call, RPC_INVALID_PARAMS, call->args.path,
	    call->state.count > 0 ? hint : "it has no instance",
	    "%s is a template, which is no node", call->args.path);
	return false;
}

enum rpc_progress
api_why(struct rpc_call *call, int *work)
{
	struct why why;

	*work -= (int)(WHY_LOOK / RPC_WORK_BYTES);
	if (!why_find(call))
		return RPC_DONE;
	struct buf *out = rpc_result(call);
	if (out == NULL)
		return rpc_finish(call);
	why_look(&why, call->session->engine, call->state.first);
	why_put_head(&why, out);
	why_put_end(&why, out);
	why_put_budgets(&why, out);
	why_put_next(&why, out);
	why_put_events(&why, out);
	buf_puts(out, ",\"text\":");
	why_text(&why, out);
	buf_puts(out, "}");
	return rpc_finish(call);
}
