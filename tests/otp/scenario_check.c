/* scenario_check: whether a file says what the format (README) allows. Members that it does not know are not looked at. */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_DEPTH 200

typedef const char *const words[];

static const words restarts = { "permanent", "transient", "temporary", NULL };
static const words strategies = { "one_for_one", "one_for_all", "rest_for_one", NULL };
static const words shutdowns = { "never", "any_significant", "all_significant", NULL };
static const words stops = { "graceful", "ignore_term", "crash", NULL };
static const words ends = { "crash", "normal", NULL };

static const char *said;
static size_t at_step; /* 0: the tree */
static json_t *owners; /* {id: its supervisor's id} */

/* Notes what is wrong; the first of several is what is told. */
static void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	static char text[256];
	size_t used = 0;
	va_list list;

	if (said != NULL)
		return;
	if (at_step > 0)
		used = (size_t)snprintf(text, sizeof text, "step %zu: ", at_step);
	va_start(list, format);
	vsnprintf(text + used, sizeof text - used, format, list);
	va_end(list);
	said = text;
}

static bool
is_word(const json_t *value, const char *const known[])
{
	for (; json_is_string(value) && *known != NULL; known++) {
		if (strcmp(json_string_value(value), *known) == 0)
			return true;
	}
	return false;
}

static bool
is_count(const json_t *value, json_int_t least)
{
	return json_is_integer(value) && json_integer_value(value) >= least &&
	    json_integer_value(value) <= 1000000000;
}

static bool
is_id(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0;
}

static bool
are_ids(const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (!is_id(one))
			return false;
	}
	return json_is_array(list);
}

/* One of three words; `whose`: who the key belongs to, as a message begins. */
static void
check_word(const json_t *value, const char *whose, const char *key, const char *const known[])
{
	if (value != NULL && !is_word(value, known))
		wrong("%s: \"%s\" is none of %s, %s, %s", whose, key, known[0], known[1], known[2]);
}

static void
check_significant(const json_t *child)
{
	const json_t *value = json_object_get(child, "significant");

	if (value != NULL && !json_is_boolean(value))
		wrong("%s: \"significant\" is neither true nor false", scenario_id(child));
}

static void
check_number(const json_t *value, const char *whose, const char *key, json_int_t least)
{
	if (value != NULL && !is_count(value, least))
		wrong("%s: \"%s\" is no whole number from %d to a thousand million", whose, key,
		    (int)least);
}

static void
check_start(const json_t *worker)
{
	const json_t *start = json_object_get(worker, "start"), *value;
	const json_t *fail = json_object_get(start, "fail"),
		     *crash = json_object_get(start, "crash");
	static const words ok = { "ok", NULL };
	const char *key;
	size_t i;

	if (start != NULL && !json_is_object(start) && !is_word(start, ok))
		wrong("%s: \"start\" is neither \"ok\" nor an object", scenario_id(worker));
	check_number(json_object_get(start, "fail_from"), scenario_id(worker), "fail_from", 1);
	json_array_foreach(fail, i, value) check_number(value, scenario_id(worker), "fail", 1);
	if ((fail != NULL && !json_is_array(fail)) || (crash != NULL && !json_is_object(crash)))
		wrong("%s: \"fail\" is no list, or \"crash\" no object", scenario_id(worker));
	json_object_foreach((json_t *)(uintptr_t)crash, key, value)
	{
		if (!are_ids(value) || *key < '1' || *key > '9' ||
		    strspn(key, "0123456789") != strlen(key))
			wrong("%s: \"crash\" at a start is not {\"number of an attempt\": [ids]}",
			    scenario_id(worker));
	}
}

/* An id stands for one child of one supervisor: once in the tree, and in what is added only for that one again. */
static void
check_unique(const char *id, const char *super, json_t *here)
{
	const char *other = json_string_value(json_object_get(owners, id));

	if (json_object_get(here, id) != NULL || (other != NULL && strcmp(other, super) != 0))
		wrong("%s: two have this id, and ids are unique", id);
	json_object_set_new(here, id, json_true());
	json_object_set_new(owners, id, json_string(super));
}

static bool
is_stop(const json_t *stop)
{
	const json_t *crash = json_object_get(stop, "crash"),
		     *slow = json_object_get(stop, "slow_ms");

	if (!json_is_object(stop))
		return is_word(stop, stops);
	return crash != NULL ? are_ids(crash) && slow == NULL : is_count(slow, 0);
}

static bool
has_id(const json_t *list, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (json_is_string(one) && strcmp(json_string_value(one), id) == 0)
			return true;
	}
	return false;
}

static void
check_worker(const json_t *worker)
{
	const json_t *shutdown = json_object_get(worker, "shutdown"),
		     *stop = json_object_get(worker, "stop");
	static const words waits = { "brutal_kill", "infinity", NULL };

	if (shutdown != NULL && !is_count(shutdown, 0) && !is_word(shutdown, waits))
		wrong("%s: \"shutdown\" is neither milliseconds, \"brutal_kill\" nor \"infinity\"",
		    scenario_id(worker));
	if (stop != NULL && !is_stop(stop))
		wrong("%s: \"stop\" is none of graceful, ignore_term, crash, {\"slow_ms\": "
		      "number}, {\"crash\": [ids]}",
		    scenario_id(worker));
	if (has_id(json_object_get(stop, "crash"), scenario_id(worker)))
		wrong(
		    "%s: \"stop\" crashes itself: \"crash\" alone does that", scenario_id(worker));
	check_start(worker);
}

/* `here`: the ids of what is looked at. */
static void
check_tree(const json_t *child, const char *super, json_t *here, int depth)
{
	const json_t *children = json_object_get(child, "children"), *one;
	static const words types = { "supervisor", "worker", NULL };
	const char *id = scenario_id(child);
	size_t i;

	if (depth > MOST_DEPTH) {
		wrong("more than %d supervisors below each other", MOST_DEPTH);
		return;
	}
	if (!is_id(json_object_get(child, "id"))) {
		wrong("a supervisor or worker without an id, or what is neither");
		return;
	}
	check_unique(id, super, here);
	if (!is_word(json_object_get(child, "type"), types))
		wrong("%s: \"type\" is neither \"supervisor\" nor \"worker\"", id);
	check_word(json_object_get(child, "restart"), id, "restart", restarts);
	check_significant(child);
	if (!scenario_is_supervisor(child)) {
		check_worker(child);
		return;
	}
	check_word(json_object_get(child, "strategy"), id, "strategy", strategies);
	check_word(json_object_get(child, "auto_shutdown"), id, "auto_shutdown", shutdowns);
	check_number(json_object_get(child, "intensity"), id, "intensity", 0);
	check_number(json_object_get(child, "period_s"), id, "period_s", 1);
	if (children != NULL && !json_is_array(children))
		wrong("%s: \"children\" is no list", id);
	json_array_foreach(children, i, one) check_tree(one, id, here, depth + 1);
}

static void
check_one_tree(const json_t *tree, const char *super)
{
	json_t *here = json_object();

	check_tree(tree, super, here, 1);
	json_decref(here);
}

static void
check_call(const json_t *call)
{
	static const words of_ids = { "terminate_child", "restart_child", "delete_child", NULL };
	static const words of_specs = { "start_child", NULL };
	const json_t *op = json_object_get(call, "op");

	if (!is_word(op, of_ids) && !is_word(op, of_specs))
		wrong("its \"op\" is none of terminate_child, restart_child, delete_child, "
		      "start_child (of a step also: exit, wait, shutdown)");
	else if (!is_id(json_object_get(call, "sup")))
		wrong("a call without \"sup\"");
	else if (is_word(op, of_specs))
		check_one_tree(
		    json_object_get(call, "spec"), json_string_value(json_object_get(call, "sup")));
	else if (!is_id(json_object_get(call, "id")))
		wrong("a call without \"id\"");
}

static void
check_exit(const json_t *step)
{
	const json_t *who = json_object_get(step, "who"), *call = json_object_get(step, "call"),
		     *one;
	const json_t *first = json_object_get(step, "call_first");
	size_t i;

	if (!json_is_array(who))
		wrong("an exit without \"who\"");
	json_array_foreach(who, i, one)
	{
		if (json_array_size(one) != 2 || !is_id(json_array_get(one, 0)) ||
		    !is_word(json_array_get(one, 1), ends))
			wrong("\"who\" holds what is not [id, \"crash\" or \"normal\"]");
	}
	if (first != NULL && !json_is_boolean(first))
		wrong("\"call_first\" is neither true nor false");
	if (call != NULL)
		check_call(call);
}

static void
check_step(const json_t *step)
{
	static const words exits = { "exit", NULL }, waits = { "wait", NULL },
			   leaves = { "shutdown", NULL };
	const json_t *op = json_object_get(step, "op");

	if (is_word(op, exits))
		check_exit(step);
	else if (is_word(op, waits) && json_object_get(step, "ms") == NULL)
		wrong("a wait without \"ms\"");
	else if (is_word(op, waits))
		check_number(json_object_get(step, "ms"), "a wait", "ms", 0);
	else if (!is_word(op, leaves))
		check_call(step);
}

const char *
scenario_check(const json_t *scenario)
{
	const json_t *tree = json_object_get(scenario, "tree"), *step;
	const json_t *steps = json_object_get(scenario, "steps");
	size_t i;

	said = NULL;
	at_step = 0;
	if (!json_is_object(scenario) || tree == NULL)
		wrong("it has no \"tree\"");
	owners = json_object();
	check_one_tree(tree, "");
	if (!scenario_is_supervisor(tree))
		wrong("its \"tree\" is no supervisor");
	if (!json_is_array(steps))
		wrong("it has no list of \"steps\"");
	json_array_foreach(steps, i, step)
	{
		at_step = i + 1;
		check_step(step);
	}
	json_decref(owners);
	return said;
}
