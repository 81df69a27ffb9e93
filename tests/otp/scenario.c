#include "scenario.h"

#include <signal.h>
#include <string.h>

#define MOST_INTENSITY 65535 /* coppice's; Erlang has none */

static const char *
text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : otherwise;
}

static bool
is(const json_t *object, const char *key, const char *text)
{
	return strcmp(text_of(object, key, ""), text) == 0;
}

const char *
scenario_id(const json_t *child)
{
	return text_of(child, "id", "");
}

bool
scenario_is_supervisor(const json_t *child)
{
	return is(child, "type", "supervisor");
}

bool
scenario_is_temporary(const json_t *child)
{
	return is(child, "restart", "temporary");
}

static enum core_restart
restart_of(const json_t *child)
{
	if (is(child, "restart", "transient"))
		return RESTART_TRANSIENT;
	return scenario_is_temporary(child) ? RESTART_TEMPORARY : RESTART_PERMANENT;
}

static void
supervisor_spec(const json_t *child, struct core_spec *out)
{
	const json_t *intensity = json_object_get(child, "intensity");
	const json_t *period = json_object_get(child, "period_s");

	if (is(child, "strategy", "one_for_all"))
		out->strategy = STRATEGY_ONE_FOR_ALL;
	else if (is(child, "strategy", "rest_for_one"))
		out->strategy = STRATEGY_REST_FOR_ONE;
	if (is(child, "auto_shutdown", "any_significant"))
		out->auto_shutdown = AUTO_ANY_SIGNIFICANT;
	else if (is(child, "auto_shutdown", "all_significant"))
		out->auto_shutdown = AUTO_ALL_SIGNIFICANT;
	out->intensity = intensity != NULL ? (uint32_t)json_integer_value(intensity) : 1;
	if (out->intensity > MOST_INTENSITY)
		out->intensity = MOST_INTENSITY;
	out->period = (period != NULL ? json_integer_value(period) : 5) * 1000;
	out->on_limit = LIMIT_ESCALATE;
	out->on_start_failure = START_FAILURE_ABORT;
}

/* TERM, its shutdown time, KILL; or KILL at once: with no time at all it does nothing either before that. */
static void
worker_spec(const json_t *child, struct core_spec *out)
{
	const json_t *shutdown = json_object_get(child, "shutdown");
	span_ms wait = json_is_integer(shutdown) ? json_integer_value(shutdown) : 5000;

	if (is(child, "shutdown", "infinity"))
		wait = SPAN_INFINITE;
	out->stop_steps = 0;
	if (!is(child, "shutdown", "brutal_kill") && wait > 0)
		out->stop[out->stop_steps++] = (struct core_stop_step){ SIGTERM, wait };
	out->stop[out->stop_steps++] = (struct core_stop_step){ SIGKILL, SPAN_INFINITE };
}

bool
scenario_has_more_intensity(const json_t *supervisor)
{
	return json_integer_value(json_object_get(supervisor, "intensity")) > MOST_INTENSITY;
}

void
scenario_spec(const json_t *child, struct core_spec *out)
{
	bool supervisor = scenario_is_supervisor(child);

	spec_defaults(out, supervisor ? KIND_SUPERVISOR : KIND_CHILD);
	out->restart = restart_of(child);
	out->significant = json_is_true(json_object_get(child, "significant"));
	out->backoff = BACKOFF_NONE;
	if (supervisor)
		supervisor_spec(child, out);
	else
		worker_spec(child, out);
}

const char *
scenario_problem(const json_t *child, const json_t *supervisor)
{
	struct core_spec spec;

	scenario_spec(child, &spec);
	if (supervisor == NULL) {
		spec.significant = false; /* the root is nobody's child */
		return spec_problem(&spec);
	}
	if (spec.significant && strcmp(text_of(supervisor, "auto_shutdown", "never"), "never") == 0)
		return "significant without auto_shutdown";
	return spec_problem(&spec);
}

bool
scenario_start_fails(const json_t *worker, uint32_t attempt)
{
	const json_t *start = json_object_get(worker, "start");
	json_int_t from = json_integer_value(json_object_get(start, "fail_from"));
	const json_t *one;
	size_t i;

	if (from > 0 && (json_int_t)attempt >= from)
		return true;
	json_array_foreach(json_object_get(start, "fail"), i, one)
	{
		if (json_integer_value(one) == (json_int_t)attempt)
			return true;
	}
	return false;
}

const json_t *
scenario_start_crashes(const json_t *worker, uint32_t attempt)
{
	char key[16];

	snprintf(key, sizeof key, "%u", attempt);
	return json_object_get(json_object_get(json_object_get(worker, "start"), "crash"), key);
}

const json_t *
scenario_stop_crashes(const json_t *worker)
{
	return json_object_get(json_object_get(worker, "stop"), "crash");
}

bool
scenario_stop_is(const json_t *worker, const char *word)
{
	return is(worker, "stop", word);
}

span_ms
scenario_stop_ms(const json_t *worker)
{
	return json_integer_value(json_object_get(json_object_get(worker, "stop"), "slow_ms"));
}
