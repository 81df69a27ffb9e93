#include "engine/nodes.h"

#include "lib/names.h"
#include "lib/str.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INSTANCES 65535
#define MAX_READY_FD  31 /* a child keeps no higher ones (engine/child_setup) */

struct nodes {
	struct place *places; /* in the order of their nodes */
	uint32_t count;
	uint32_t *buckets; /* by hash of the path: index of a place, CORE_NONE: empty */
	uint32_t mask;
};

/* ---- names ---- */

static uint32_t
hash_of(const char *path, size_t len)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)path[i]) * 16777619U;
	return hash;
}

static struct place *
lookup(const struct nodes *nodes, const char *path, size_t len)
{
	uint32_t at = hash_of(path, len) & nodes->mask;

	while (nodes->buckets[at] != CORE_NONE) {
		struct place *place = &nodes->places[nodes->buckets[at]];
		if (strncmp(place->path, path, len) == 0 && place->path[len] == '\0')
			return place;
		at = (at + 1) & nodes->mask;
	}
	return NULL;
}

static void
enter(struct nodes *nodes, uint32_t index)
{
	const char *path = nodes->places[index].path;
	uint32_t at = hash_of(path, strlen(path)) & nodes->mask;

	while (nodes->buckets[at] != CORE_NONE)
		at = (at + 1) & nodes->mask;
	nodes->buckets[at] = index;
}

/* ---- reading values; each returns NULL or what is wrong ---- */

struct word {
	const char *text;
	int value;
};

struct enum_key {
	const char *key;
	size_t offset; /* in struct core_spec, of an enum */
	const struct word *words;
};

#define WORDS(name, ...) static const struct word name[] = { __VA_ARGS__, { NULL, 0 } }
WORDS(restart_words, { "permanent", RESTART_PERMANENT }, { "transient", RESTART_TRANSIENT },
    { "temporary", RESTART_TEMPORARY });
WORDS(backoff_words, { "none", BACKOFF_NONE }, { "fixed", BACKOFF_FIXED },
    { "linear", BACKOFF_LINEAR }, { "exponential", BACKOFF_EXPONENTIAL },
    { "fibonacci", BACKOFF_FIBONACCI });
WORDS(kill_words, { "tree", KILL_TREE }, { "group", KILL_GROUP }, { "process", KILL_PROCESS });
WORDS(strategy_words, { "one_for_one", STRATEGY_ONE_FOR_ONE },
    { "one_for_all", STRATEGY_ONE_FOR_ALL }, { "rest_for_one", STRATEGY_REST_FOR_ONE },
    { "escalate", STRATEGY_ESCALATE });
WORDS(limit_words, { "escalate", LIMIT_ESCALATE }, { "backoff", LIMIT_BACKOFF },
    { "give_up", LIMIT_GIVE_UP }, { "terminate", LIMIT_TERMINATE });
WORDS(auto_words, { "never", AUTO_NEVER }, { "any_significant", AUTO_ANY_SIGNIFICANT },
    { "all_significant", AUTO_ALL_SIGNIFICANT });
WORDS(order_words, { "ordered", ORDER_ORDERED }, { "parallel", ORDER_PARALLEL });
WORDS(abort_words, { "retry", START_FAILURE_RETRY }, { "abort", START_FAILURE_ABORT });

#define AT(field) offsetof(struct core_spec, field)
static const struct enum_key common_enums[] = {
	{ "restart", AT(restart), restart_words },
	{ "backoff", AT(backoff), backoff_words },
	{ NULL, 0, NULL },
};
static const struct enum_key child_enums[] = {
	{ "kill_mode", AT(kill_mode), kill_words },
	{ NULL, 0, NULL },
};
static const struct enum_key super_enums[] = {
	{ "strategy", AT(strategy), strategy_words },
	{ "on_limit", AT(on_limit), limit_words },
	{ "auto_shutdown", AT(auto_shutdown), auto_words },
	{ "start_order", AT(start_order), order_words },
	{ "stop_order", AT(stop_order), order_words },
	{ "on_start_failure", AT(on_start_failure), abort_words },
	{ NULL, 0, NULL },
};

static const char *
text_of(const struct word *word, int value)
{
	while (word->text && word->value != value)
		word++;
	return word->text;
}

const char *
nodes_strategy_text(enum core_strategy strategy)
{
	return text_of(strategy_words, (int)strategy);
}

const char *
nodes_limit_text(enum core_on_limit on_limit)
{
	return text_of(limit_words, (int)on_limit);
}

const char *
nodes_backoff_text(enum core_backoff backoff)
{
	return text_of(backoff_words, (int)backoff);
}

static const char *
read_enums(struct core_spec *spec, const json_t *object, const struct enum_key *keys)
{
	for (; keys->key; keys++) {
		const char *text = json_string_value(json_object_get(object, keys->key));
		const struct word *word = keys->words;
		int value;
		if (!text)
			return "a word is missing in a node of the specs";
		while (word->text && !str_equal(word->text, text))
			word++;
		if (!word->text)
			return "a word in a node of the specs is unknown";
		value = word->value;
		/* all enums of core_spec are of int's size: asserted below */
		memcpy((char *)spec + keys->offset, &value, sizeof(value));
	}
	return NULL;
}
_Static_assert(sizeof(enum core_restart) == sizeof(int) && sizeof(enum core_order) == sizeof(int),
    "read_enums");

static bool
read_bool(const json_t *object, const char *key, bool *out)
{
	const json_t *value = json_object_get(object, key);

	*out = json_is_true(value);
	return json_is_boolean(value);
}

static bool
read_uint32(const json_t *object, const char *key, uint32_t *out)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
		return false;
	*out = (uint32_t)number;
	return true;
}

/* null is infinity. */
static bool
span_of(const json_t *value, span_ms *out)
{
	*out = json_is_null(value) ? SPAN_INFINITE : json_integer_value(value);
	return json_is_null(value) || (json_is_integer(value) && *out >= 0);
}

static bool
read_span(const json_t *object, const char *key, span_ms *out)
{
	return span_of(json_object_get(object, key), out);
}

static bool
read_exit_set(const json_t *object, const char *key, struct core_exit_set *set)
{
	const json_t *array = json_object_get(object, key);

	memset(set, 0, sizeof(*set));
	if (!json_is_array(array))
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *value = json_array_get(array, i);
		int number = json_is_string(value) ? names_signal(json_string_value(value)) : -1;
		if (number > 0)
			spec_exit_add_signal(set, number);
		else if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		    json_integer_value(value) <= 255)
			spec_exit_add_code(set, (uint32_t)json_integer_value(value));
		else
			return false;
	}
	return true;
}

static bool
read_stop(const json_t *object, struct core_spec *spec)
{
	const json_t *array = json_object_get(object, "stop");
	size_t count = json_array_size(array);

	if (count < 1 || count > SPEC_MAX_STOP_STEPS)
		return false;
	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_array_get(array, i);
		const char *name = json_string_value(json_array_get(pair, 0));
		spec->stop[i].signal = name ? names_signal(name) : -1;
		if (spec->stop[i].signal < 1 ||
		    !span_of(json_array_get(pair, 1), &spec->stop[i].wait))
			return false;
	}
	spec->stop_steps = (uint32_t)count;
	return true;
}

/* spawn, exit, notify, or fd:N. */
static const char *
read_ready(struct place *place, const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "ready"));
	int64_t number;

	if (!text)
		return "how a child is ready is missing in the specs";
	place->spec.ready = READY_TOLD;
	place->ready_notify = str_equal(text, "notify");
	if (str_equal(text, "spawn"))
		place->spec.ready = READY_SPAWN;
	else if (str_equal(text, "exit"))
		place->spec.ready = READY_EXIT;
	else if (str_starts(text, "fd:") && !str_to_int64(text + 3, 3, MAX_READY_FD, &number))
		place->ready_fd = (int)number;
	else if (!place->ready_notify)
		return "how a child is ready is unknown in the specs";
	return NULL;
}

/* Their words are the program's. */
static void
read_hooks(struct core_spec *spec, const json_t *program)
{
	spec->pre_start = json_is_array(json_object_get(program, "pre_start"));
	spec->stop_command = json_is_array(json_object_get(program, "stop_command"));
	spec->post_stop = json_is_array(json_object_get(program, "post_stop"));
}

static const char *
read_child(struct place *place, const json_t *object)
{
	struct core_spec *spec = &place->spec;
	const char *problem = read_enums(spec, object, child_enums);

	if (!problem)
		problem = read_ready(place, object);
	if (problem)
		return problem;
	if (!read_span(object, "start_timeout", &spec->start_timeout) || !read_stop(object, spec) ||
	    !read_bool(object, "stop_group", &spec->stop_group) ||
	    !read_span(object, "hook_timeout", &spec->hook_timeout) ||
	    !read_exit_set(object, "success_exit", &spec->success_exit) ||
	    !read_exit_set(object, "no_restart_exit", &spec->no_restart_exit) ||
	    !read_exit_set(object, "escalate_exit", &spec->escalate_exit))
		return "a value of a child is missing or impossible in the specs";
	read_hooks(spec, json_object_get(object, "program"));
	spec->on_demand = json_is_true(json_object_get(object, "on_demand"));
	return NULL;
}

static const char *
read_super(struct core_spec *spec, const json_t *object)
{
	const char *problem = read_enums(spec, object, super_enums);

	if (problem)
		return problem;
	if (!read_uint32(object, "intensity", &spec->intensity) ||
	    !read_span(object, "period", &spec->period) ||
	    !read_uint32(object, "max_starting", &spec->max_starting) ||
	    !read_span(object, "start_queue_timeout", &spec->start_queue_timeout))
		return "a value of a supervisor is missing or impossible in the specs";
	return NULL;
}

static const char *
read_spec(struct place *place, const json_t *object)
{
	struct core_spec *spec = &place->spec;
	bool child = str_equal(json_string_value(json_object_get(object, "kind")), "child");
	const char *problem;

	spec_defaults(spec, child ? KIND_CHILD : KIND_SUPERVISOR);
	problem = read_enums(spec, object, common_enums);
	if (problem)
		return problem;
	if (!read_bool(object, "significant", &spec->significant) ||
	    !read_bool(object, "autostart", &spec->autostart) ||
	    !read_span(object, "backoff_delay", &spec->backoff_delay) ||
	    !read_span(object, "backoff_max", &spec->backoff_max) ||
	    !read_uint32(object, "backoff_factor_milli", &spec->backoff_factor_milli) ||
	    !read_uint32(object, "backoff_jitter_ppm", &spec->backoff_jitter_ppm) ||
	    !read_span(object, "stable_after", &spec->stable_after))
		return "a value of a node is missing or impossible in the specs";
	if (!cgroup_limit_read(object, &place->limits))
		return "a limit of a node is impossible in the specs";
	problem = child ? read_child(place, object) : read_super(spec, object);
	return problem ? problem : spec_problem(spec);
}

/* ---- building ---- */

/*
 * The id of the supervisor that holds the path; CORE_NONE for the root, or when there is none
 * (*found false).
 */
static uint32_t
parent_of(const struct nodes *nodes, const char *path, bool *found)
{
	const char *slash = strrchr(path, '/');
	const struct place *place;

	*found = true;
	if (str_equal(path, "/"))
		return CORE_NONE;
	place = slash ? lookup(nodes, path, (size_t)(slash - path)) : lookup(nodes, "/", 1);
	*found = place && !place->program;
	return *found ? place->first : CORE_NONE;
}

/* Reads one object into places[index] and the core. */
static const char *
add_place(struct nodes *nodes, struct core *core, const json_t *object, uint32_t index)
{
	struct place *place = &nodes->places[index];
	const char *path = json_string_value(json_object_get(object, "path"));
	const json_t *instances = json_object_get(object, "instances");
	const char *problem;
	uint32_t parent;
	bool found;
	int error;

	if (!path || path[0] == '\0' || strlen(path) > 255 || lookup(nodes, path, strlen(path)))
		return "a path is missing, too long or there twice in the specs";
	problem = read_spec(place, object);
	if (problem)
		return problem;
	parent = parent_of(nodes, path, &found);
	if (!found || (parent == CORE_NONE) != (index == 0))
		return "a node stands before its supervisor in the specs";
	if (json_integer_value(instances) < 0 || json_integer_value(instances) > MAX_INSTANCES)
		return "a number of instances is impossible in the specs";
	place->is_template = json_is_integer(instances);
	place->count = place->is_template ? (uint32_t)json_integer_value(instances) : 1;
	place->first = core_count(core);
	place->path = strdup(path);
	if (!place->path)
		return "out of memory";
	nodes->count = index + 1;
	if (place->spec.kind == KIND_CHILD) {
		place->program = program_new(json_object_get(object, "program"), &problem);
		if (!place->program)
			return problem;
		place->after = json_incref(json_object_get(object, "after"));
	}
	enter(nodes, index);
	error = core_add(core, parent, &place->spec, place->count, NULL);
	return error == -ENOMEM ? "out of memory"
	    : error             ? "the core refuses a node of the specs"
				: NULL;
}

static bool
allocate(struct nodes *nodes, size_t count)
{
	uint32_t buckets = 16;

	while (buckets < 2 * count)
		buckets *= 2;
	nodes->places = calloc(count, sizeof(*nodes->places));
	nodes->buckets = malloc(buckets * sizeof(*nodes->buckets));
	if (!nodes->places || !nodes->buckets)
		return false;
	nodes->mask = buckets - 1;
	memset(nodes->buckets, 0xff, buckets * sizeof(*nodes->buckets));
	return true;
}

static size_t
count_lines(const char *text, size_t size)
{
	size_t count = 0;

	for (const char *end = text + size; text < end; count++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		text = stop ? stop + 1 : end;
	}
	return count;
}

/* A line at a time: parsed, all of them would be our largest use of memory. */
static const char *
add_lines(struct nodes *nodes, struct core *core, const char *product, size_t size, size_t at)
{
	const char *problem = NULL;

	for (uint32_t index = 0; at < size && !problem; index++) {
		const char *stop = memchr(product + at, '\n', size - at);
		size_t len = stop ? (size_t)(stop - product) - at : size - at;
		json_t *object = json_loadb(product + at, len, 0, NULL);
		nodes->places[index].specs_at = at;
		nodes->places[index].specs_len = (uint32_t)len;
		problem = !object || len > UINT32_MAX ? "a node of the specs is no JSON"
						      : add_place(nodes, core, object, index);
		json_decref(object);
		at += len + 1;
	}
	return problem;
}

/* Now that all are there: who comes after whom. What is said for many leaves out the one it names. */
static const char *
add_order(struct nodes *nodes, struct core *core)
{
	for (uint32_t i = 0; i < nodes->count; i++) {
		struct place *place = &nodes->places[i];

		/* from the last: the newest gate is the first that is told of */
		for (size_t n = json_array_size(place->after); n > 0; n--) {
			const char *path = json_string_value(json_array_get(place->after, n - 1));
			const struct place *other = path ? nodes_find_place(nodes, path) : NULL;
			if (!other)
				return "a node of the specs comes after one that is not there";
			if (other != place && place->count > 0 && other->count > 0 &&
			    core_add_after(core, place->first, other->first))
				return "out of memory";
		}
		json_decref(place->after);
		place->after = NULL;
	}
	return NULL;
}

struct nodes *
nodes_new(struct core *core, const char *product, size_t size, size_t at, const char **problem)
{
	size_t count = at < size ? count_lines(product + at, size - at) : 0;
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	*problem = NULL;
	if (count == 0 || count > INT32_MAX)
		*problem = "the specs name no nodes";
	else if (!nodes || !allocate(nodes, count))
		*problem = "out of memory";
	else
		*problem = add_lines(nodes, core, product, size, at);
	if (!*problem && nodes != NULL)
		*problem = add_order(nodes, core);
	if (*problem)
		nodes_free(&nodes);
	return nodes;
}

void
nodes_free(struct nodes **nodes)
{
	struct nodes *old = *nodes;

	*nodes = NULL;
	if (!old)
		return;
	for (uint32_t i = 0; i < old->count; i++) {
		free(old->places[i].path);
		json_decref(old->places[i].after);
		program_free(&old->places[i].program);
	}
	free(old->places);
	free(old->buckets);
	free(old);
}

/* ---- looking up ---- */

const struct place *
nodes_find_place(const struct nodes *nodes, const char *path)
{
	return lookup(nodes, path, strlen(path));
}

uint32_t
nodes_find(const struct nodes *nodes, const char *path)
{
	const char *at = strrchr(path, '@');
	const struct place *place;
	int64_t instance;

	if (!at) {
		place = nodes_find_place(nodes, path);
		return place && !place->is_template ? place->first : CORE_NONE;
	}
	place = lookup(nodes, path, (size_t)(at - path));
	/* one spelling only: no "+1", " 1" or "01" */
	if (!place || !place->is_template || at[1] < '1' || at[1] > '9' ||
	    str_to_int64(at + 1, 1, (int64_t)place->count, &instance) != 0)
		return CORE_NONE;
	return place->first + (uint32_t)instance - 1;
}

/*
 * The last place that begins at or before the node: an empty template begins where the next place
 * does.
 */
const struct place *
nodes_place(const struct nodes *nodes, uint32_t node)
{
	uint32_t low = 0, high = nodes->count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (nodes->places[middle].first <= node)
			low = middle;
		else
			high = middle;
	}
	return &nodes->places[low];
}

uint32_t
nodes_instance(const struct nodes *nodes, uint32_t node)
{
	const struct place *place = nodes_place(nodes, node);

	return place->is_template ? node - place->first + 1 : 0;
}

const char *
nodes_path(const struct nodes *nodes, uint32_t node, char out[NODES_PATH_SIZE])
{
	const struct place *place = nodes_place(nodes, node);

	if (place->is_template)
		(void)snprintf(out, NODES_PATH_SIZE, "%s@%u", place->path, node - place->first + 1);
	else
		(void)snprintf(out, NODES_PATH_SIZE, "%s", place->path);
	return out;
}
