#include "engine/cgroup_limit.h"

#include "engine/cgroup_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PERIOD_US      100000 /* of cpu.max */
#define PER_CENT       (PERIOD_US / 100)
#define BFQ_MAX_WEIGHT 1000

#define X(name, text) text,
const char *const cgroup_controller_texts[CGROUP_CONTROLLER_COUNT] = { CGROUP_CONTROLLERS(X) };
#undef X

#define X(name, key, controller, file) { key, CGROUP_##controller, file },
static const struct {
	const char *key;
	enum cgroup_controller controller;
	const char *file;
} limits_table[CGROUP_LIMIT_COUNT] = { CGROUP_LIMITS(X) };
#undef X

bool
cgroup_limit_read(const json_t *place, struct cgroup_limits *out)
{
	const json_t *object = json_object_get(place, "cgroup");

	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		const json_t *value = json_object_get(object, limits_table[i].key);
		int64_t number = json_integer_value(value);

		out->value[i] = value == NULL ? CGROUP_LIMIT_NONE
		    : json_is_null(value)     ? CGROUP_LIMIT_INFINITE
					      : number;
		if (json_is_integer(value) ? number < 0 : value != NULL && !json_is_null(value))
			return false;
	}
	return object == NULL || json_is_object(object);
}

const char *
cgroup_limit_key(enum cgroup_limit limit)
{
	return limits_table[limit].key;
}

enum cgroup_controller
cgroup_limit_controller(enum cgroup_limit limit)
{
	return limits_table[limit].controller;
}

unsigned
cgroup_limit_needs(const struct cgroup_limits *limits)
{
	unsigned needs = 0;

	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++)
		if (limits->value[i] != CGROUP_LIMIT_NONE)
			needs |= limits_table[i].controller;
	return needs;
}

static void
print(enum cgroup_limit limit, int64_t value, char *out, size_t size)
{
	if (limit == LIMIT_CPU_MAX && value != CGROUP_LIMIT_INFINITE)
		snprintf(out, size, "%" PRId64 " %d", value * PER_CENT, PERIOD_US);
	else if (limit == LIMIT_IO_WEIGHT)
		snprintf(out, size, "default %" PRId64, value);
	else if (value == CGROUP_LIMIT_INFINITE)
		snprintf(out, size, "max");
	else
		snprintf(out, size, "%" PRId64, value);
}

static int
apply_one(int dir, enum cgroup_limit limit, int64_t value)
{
	char text[48];
	int error;

	print(limit, value, text, sizeof(text));
	error = cgroup_file_write(dir, limits_table[limit].file, text);
	/* where disks are shared by BFQ the file has another name, and less room */
	if (error == -ENOENT && limit == LIMIT_IO_WEIGHT) {
		print(limit, value < BFQ_MAX_WEIGHT ? value : BFQ_MAX_WEIGHT, text, sizeof(text));
		error = cgroup_file_write(dir, "io.bfq.weight", text);
	}
	return error;
}

int
cgroup_limit_apply(
    int dir, const struct cgroup_limits *limits, unsigned controllers, const char **file)
{
	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		int error = 0;

		if (limits->value[i] != CGROUP_LIMIT_NONE &&
		    (limits_table[i].controller & controllers) != 0)
			error = apply_one(dir, (enum cgroup_limit)i, limits->value[i]);
		*file = limits_table[i].file;
		if (error != 0)
			return error;
	}
	return 0;
}
