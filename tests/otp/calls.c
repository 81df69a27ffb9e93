/* calls: terminate_child, restart_child, start_child and delete_child, as OTP 34 to 37 say. */
#include "scenario.h"
#include "stage.h"

#include <string.h>

static const char *
text_of(const json_t *call, const char *key)
{
	const char *text = json_string_value(json_object_get(call, key));

	return text != NULL ? text : "";
}

void
calls_arrive(struct stage *stage, const json_t *call)
{
	uint32_t super = stage_find_super(stage, text_of(call, "sup"));

	stage->call = call;
	if (super == CORE_NONE)
		stage->call_result = "no_supervisor";
	else
		stage_queue(&stage->mail,
		    (struct item){ .what = CALL,
			.super = super,
			.super_incarnation = stage_view(stage, super).incarnation,
			.node = CORE_NONE,
			.culprit = CORE_NONE });
}

static const char *
terminate(struct stage *stage, uint32_t child)
{
	if (stage->actors[child].parked)
		stage_stop_waiting(stage, stage->actors[child].parent);
	stage_terminate(stage, child);
	stage_unpark(stage, child);
	return "ok";
}

/* NULL: the answer comes when it runs, or has not come to. */
static const char *
start(struct stage *stage, uint32_t child)
{
	stage->call_node = child;
	stage_order(stage, ON_START, child);
	return stage->call_result;
}

static const char *
start_new(struct stage *stage, uint32_t super)
{
	const json_t *spec = json_object_get(stage->call, "spec");
	uint32_t child = stage_find_child(stage, super, scenario_id(spec));

	if (scenario_problem(spec, stage->actors[super].spec) != NULL)
		return "bad_spec";
	if (child != CORE_NONE)
		return stage_is_up(stage, child) && !stage->actors[child].parked
		    ? "already_started"
		    : "already_present";
	child = stage_add(stage, super, spec);
	if (child == CORE_NONE) {
		stage->broken = "the core refuses a child";
		return "bad_spec";
	}
	stage->actors[child].added = true;
	return start(stage, child);
}

static const char *
run(struct stage *stage, uint32_t super)
{
	const char *op = text_of(stage->call, "op");
	uint32_t child = stage_find_child(stage, super, text_of(stage->call, "id"));

	if (strcmp(op, "start_child") == 0)
		return start_new(stage, super);
	if (child == CORE_NONE)
		return "not_found";
	if (strcmp(op, "terminate_child") == 0)
		return terminate(stage, child);
	if (stage->actors[child].parked)
		return "restarting";
	if (stage_is_up(stage, child) || stage_view(stage, child).state == STATE_STOPPING)
		return "running";
	if (strcmp(op, "restart_child") == 0)
		return start(stage, child);
	stage->actors[child].forgotten = true;
	return "ok";
}

void
calls_run(struct stage *stage, struct item call)
{
	bool ended = !stage_is_up(stage, call.super) ||
	    stage_view(stage, call.super).incarnation != call.super_incarnation;

	stage->call_result = ended ? "no_supervisor" : run(stage, call.super);
}

void
calls_start_failed(struct stage *stage, struct item end)
{
	bool is_new = strcmp(text_of(stage->call, "op"), "start_child") == 0;

	stage->call_result = "start_failed";
	stage_terminate(stage, stage->call_node);
	stage_feed_item(stage, &end);
	stage->actors[stage->call_node].forgotten = is_new;
}
