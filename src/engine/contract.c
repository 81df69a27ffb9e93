#include "engine/contract.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define WORDS           (CONTRACT_CPUS / 64)
#define HIGHEST_LIMIT   15
#define LOWEST_NICE     (-20)
#define HIGHEST_NICE    19
#define HIGHEST_OOM     1000
#define HIGHEST_CAP_SET INT64_MAX

/* Whether the member is there; *wrong is set where it is no number of that range. */
static bool
read_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
    const char **wrong)
{
	const json_t *value = json_object_get(object, key);

	*out = json_integer_value(value);
	if (value != NULL && (!json_is_integer(value) || *out < min || *out > max))
		*wrong = "program: a number is impossible";
	return value != NULL;
}

static bool
read_bool(const json_t *object, const char *key, const char **wrong)
{
	const json_t *value = json_object_get(object, key);

	if (value != NULL && !json_is_boolean(value))
		*wrong = "program: true or false is expected";
	return json_is_true(value);
}

/* null is infinity. */
static bool
read_value(const json_t *value, uint64_t *out)
{
	*out =
	    json_is_null(value) ? (uint64_t)RLIM64_INFINITY : (uint64_t)json_integer_value(value);
	return json_is_null(value) || (json_is_integer(value) && json_integer_value(value) >= 0);
}

/* [[resource, [soft, hard]], …] */
static const char *
read_limits(const json_t *program, struct room *room, struct contract *out)
{
	const json_t *array = json_object_get(program, "limits");
	size_t count = json_array_size(array);
	struct contract_limit *limits = room_take(room, count * sizeof(*limits));

	if (array != NULL && !json_is_array(array))
		return "program: limits are expected";
	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_array_get(array, i), *both = json_array_get(pair, 1);
		const json_t *resource = json_array_get(pair, 0);
		struct contract_limit limit = { (int32_t)json_integer_value(resource), { 0, 0 } };

		if (!json_is_integer(resource) || json_integer_value(resource) < 0 ||
		    json_integer_value(resource) > HIGHEST_LIMIT ||
		    !read_value(json_array_get(both, 0), &limit.value[0]) ||
		    !read_value(json_array_get(both, 1), &limit.value[1]))
			return "program: a limit is impossible";
		if (limits != NULL)
			limits[i] = limit;
	}
	out->limits = limits;
	out->limit_count = (uint32_t)count;
	return NULL;
}

/* [[first, last], …] */
static const char *
read_cpus(const json_t *program, struct room *room, struct contract *out)
{
	const json_t *array = json_object_get(program, "cpu_affinity");
	uint64_t *cpus = NULL;

	if (array == NULL)
		return NULL;
	cpus = room_take(room, WORDS * sizeof(*cpus));
	if (cpus != NULL)
		memset(cpus, 0, WORDS * sizeof(*cpus));
	if (json_array_size(array) == 0)
		return "program: CPUs are expected";
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *range = json_array_get(array, i);
		json_int_t from = json_integer_value(json_array_get(range, 0)),
			   to = json_integer_value(json_array_get(range, 1));

		if (json_array_size(range) != 2 || from < 0 || from > to || to >= CONTRACT_CPUS)
			return "program: a range of CPUs is impossible";
		for (; cpus != NULL && from <= to; from++)
			cpus[from / 64] |= UINT64_C(1) << (from % 64);
	}
	out->cpus = cpus;
	return NULL;
}

const char *
contract_read(const json_t *program, struct room *room, struct contract *out)
{
	const json_t *file = json_object_get(program, "env_file");
	const char *wrong, *cpus;
	int64_t nice, oom, capabilities;

	memset(out, 0, sizeof(*out));
	wrong = read_limits(program, room, out);
	cpus = read_cpus(program, room, out);
	if (cpus != NULL)
		wrong = cpus;
	out->env_file = json_string_value(file);
	if (file != NULL && !json_is_string(file))
		wrong = "program: env_file is a text";
	out->env_file_optional = read_bool(program, "env_file_optional", &wrong);
	out->no_new_privileges = read_bool(program, "no_new_privileges", &wrong);
	out->sets_nice = read_number(program, "nice", LOWEST_NICE, HIGHEST_NICE, &nice, &wrong);
	out->nice = (int32_t)nice;
	out->sets_capabilities =
	    read_number(program, "capabilities", 0, HIGHEST_CAP_SET, &capabilities, &wrong);
	out->capabilities = (uint64_t)capabilities;
	if (read_number(program, "oom_score_adj", -HIGHEST_OOM, HIGHEST_OOM, &oom, &wrong))
		out->oom_score_adj_len = snprintf(out->oom_score_adj, sizeof(out->oom_score_adj),
		    "%d", (int)oom % (HIGHEST_OOM + 1));
	return wrong;
}

void
contract_copy(struct room *room, struct contract *contract)
{
	size_t size = contract->limit_count * sizeof(*contract->limits);
	void *limits = room_take(room, size), *cpus = NULL;

	if (limits != NULL && size > 0)
		memcpy(limits, contract->limits, size);
	contract->limits = limits;
	if (contract->cpus == NULL)
		return;
	cpus = room_take(room, WORDS * sizeof(*contract->cpus));
	if (cpus != NULL)
		memcpy(cpus, contract->cpus, WORDS * sizeof(*contract->cpus));
	contract->cpus = cpus;
}
