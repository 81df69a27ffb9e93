#include "engine/settings.h"

#include <errno.h>
#include <string.h>

/* A whole number in [0, max]; false when it is none. */
static bool
settings_number(const json_t *object, const char *key, json_int_t max, json_int_t *out)
{
	const json_t *value = json_object_get(object, key);

	*out = json_integer_value(value);
	return json_is_integer(value) && *out >= 0 && *out <= max;
}

/* An array of numeric ids. */
static bool
settings_ids(
    const json_t *object, const char *key, uint32_t ids[SETTINGS_MAX_OPERATORS], uint32_t *count)
{
	const json_t *array = json_object_get(object, key);
	size_t size = json_array_size(array);

	if (!json_is_array(array) || size > SETTINGS_MAX_OPERATORS)
		return false;
	for (size_t i = 0; i < size; i++) {
		const json_t *id = json_array_get(array, i);
		json_int_t value = json_integer_value(id);
		/* The highest number means "no id" to the kernel. */
		if (!json_is_integer(id) || value < 0 || value >= UINT32_MAX)
			return false;
		ids[i] = (uint32_t)value;
	}
	*count = (uint32_t)size;
	return true;
}

static bool
settings_group(const json_t *object, gid_t *gid)
{
	json_int_t value = 0;

	*gid = (gid_t)-1;
	if (json_is_null(json_object_get(object, "control_gid")))
		return true;
	bool fits = settings_number(object, "control_gid", (json_int_t)UINT32_MAX - 1, &value);
	*gid = fits ? (gid_t)value : *gid;
	return fits;
}

static bool
settings_socket(const json_t *object, char path[sizeof((struct settings *)NULL)->control_socket])
{
	const json_t *value = json_object_get(object, "control_socket");
	size_t len = json_string_length(value);

	if (json_is_null(value))
		return true;
	if (!json_is_string(value) || len == 0 ||
	    len >= sizeof((struct settings *)NULL)->control_socket)
		return false;
	memcpy(path, json_string_value(value), len + 1);
	return true;
}

static bool
settings_cgroup(const json_t *object, char path[sizeof((struct settings *)NULL)->cgroup_root])
{
	const json_t *value = json_object_get(object, "cgroup_root");
	size_t len = json_string_length(value);

	if (json_is_string(value) && len < sizeof((struct settings *)NULL)->cgroup_root)
		memcpy(path, json_string_value(value), len + 1);
	return value == NULL || json_is_null(value) || path[0] != '\0';
}

int
settings_read(struct settings *settings, const json_t *object, const char **problem)
{
	const json_t *timeout = json_object_get(object, "shutdown_timeout");
	const json_t *make = json_object_get(object, "make_runtime_dir");
	json_int_t mode = 0, history = 0, timeout_ms = 0;

	*settings = (struct settings){ .shutdown_timeout = SPAN_INFINITE };
	*problem = NULL;
	if (!settings_socket(object, settings->control_socket))
		*problem = "control_socket is no path of 1 to 107 bytes";
	else if (!settings_number(object, "control_mode", 0777, &mode))
		*problem = "control_mode is no file mode";
	else if (!settings_group(object, &settings->control_gid))
		*problem = "control_gid is neither null nor a group id";
	else if (!json_is_boolean(make))
		*problem = "make_runtime_dir is neither true nor false";
	else if (!settings_ids(object, "operator_uids", settings->operator_uids,
		     &settings->operator_uid_count))
		*problem = "operator_uids are no user ids, or too many";
	else if (!settings_ids(object, "operator_gids", settings->operator_gids,
		     &settings->operator_gid_count))
		*problem = "operator_gids are no group ids, or too many";
	else if (!json_is_null(timeout) &&
	    !settings_number(object, "shutdown_timeout", SPAN_INFINITE - 1, &timeout_ms))
		*problem = "shutdown_timeout is neither null nor milliseconds";
	else if (!settings_cgroup(object, settings->cgroup_root))
		*problem = "cgroup_root is neither null nor a path of 1 to 1023 bytes";
	else if (!settings_number(object, "event_history", UINT32_MAX, &history))
		*problem = "event_history is no number";
	if (*problem != NULL)
		return -EINVAL;
	settings->control_mode = (mode_t)mode;
	settings->make_runtime_dir = json_is_true(make);
	settings->event_history = (uint32_t)history;
	if (!json_is_null(timeout))
		settings->shutdown_timeout = timeout_ms;
	return 0;
}
