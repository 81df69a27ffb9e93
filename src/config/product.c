#include "config/product.h"

#include "config/check.h"
#include "config/identity.h"
#include "config/inherit.h"
#include "config/sockets.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- pieces --------------------------------------------------------------------------------- */

static void
put_name(const char *name, struct buf *out)
{
	buf_printf(out, ", \"%s\": ", name);
}

static void
put_string(const char *name, const char *text, struct buf *out)
{
	put_name(name, out);
	if (text != NULL)
		buf_json_string(out, text);
	else
		buf_puts(out, "null");
}

static void
put_numbers(const char *name, const uint32_t *numbers, size_t count, struct buf *out)
{
	put_name(name, out);
	buf_puts(out, "[");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%" PRIu32, i > 0 ? ", " : "", numbers[i]);
	buf_puts(out, "]");
}

static void
put_setting(const struct build_place *place, enum keys_id id, struct buf *out)
{
	const struct keys_key *key = &keys_table[id];
	const struct value *value = place->settings[id].value;

	put_name(key->product != NULL ? key->product : key->name, out);
	if (key->type == TYPE_EXITS) {
		struct core_exit_set exits = inherit_exits(place, id);
		value_json(key, &(struct value){ .exits = &exits }, out);
	} else if (value != NULL)
		value_json(key, value, out);
	else
		buf_puts(out, "null");
}

/* --- a child's program ---------------------------------------------------------------------- */

static void
put_variable(const char *name, const char *value, const char **between, struct buf *out)
{
	char *text = mem_printf("%s=%s", name, value);

	buf_puts(out, *between);
	buf_json_string(out, text);
	*between = ", ";
	free(text);
}

/* As sd_listen_fds(3) has it; the PID is filled in by the child itself. */
static void
put_socket_variables(const struct build_place *place, const char **between, struct buf *out)
{
	size_t count = sockets_count(place);
	struct buf names = { 0 };
	char number[24];

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		buf_printf(&names, "%s%s", i > 0 ? "/" : "", place->name);
	for (char *p = names.data; !names.failed && *p != '\0'; p++)
		*p = (char)(*p == ':' ? '_' : *p == '/' ? ':' : *p);
	snprintf(number, sizeof number, "%zu", count);
	put_variable("LISTEN_FDS", number, between, out);
	put_variable("LISTEN_FDNAMES", names.failed ? "" : names.data, between, out);
	put_variable("LISTEN_PID", "0000000000", between, out);
	out->failed = out->failed || names.failed;
	buf_free(&names);
}

/* Who it is; after all others, so that these win. */
static void
put_place_variables(const struct build_place *place, const char **between, struct buf *out)
{
	static const char instance[] = { EXPAND_INSTANCE, '\0' };
	char *path = mem_printf("%s%s%s", place->path, place->is_template ? "@" : "",
	    place->is_template ? instance : "");

	put_variable("COPPICE_PATH", path, between, out);
	if (place->is_template)
		put_variable("COPPICE_INSTANCE", instance, between, out);
	put_socket_variables(place, between, out);
	free(path);
}

/*
 * A user's own variables are the engine's to set, from the identity; but not where the identity
 * changes nothing and is left out of the product.
 */
static void
put_environment(const struct build_place *place, struct buf *out)
{
	const struct identity *identity = place->identity;
	const char *between = "";

	put_name("env", out);
	buf_puts(out, "[");
	if (identity != NULL && !identity->changes && identity->asked_user != NULL) {
		put_variable("HOME", identity->home, &between, out);
		put_variable("USER", identity->name, &between, out);
		put_variable("LOGNAME", identity->name, &between, out);
		put_variable("SHELL", identity->shell, &between, out);
	}
	for (size_t i = 0; i < place->variable_count; i++)
		put_variable(place->variables[i].name, place->variables[i].setting.value->text,
		    &between, out);
	put_place_variables(place, &between, out);
	buf_puts(out, "]");
}

static void
put_identity(const struct identity *identity, struct buf *out)
{
	put_name("identity", out);
	if (identity == NULL || !identity->changes) {
		buf_puts(out, "null");
		return;
	}
	buf_printf(out, "{\"uid\": %u, \"gid\": %u", identity->uid, identity->gid);
	put_numbers("groups", identity->groups, identity->group_count, out);
	put_string("home", identity->home, out);
	put_string("name", identity->name, out);
	put_string("shell", identity->shell, out);
	buf_puts(out, "}");
}

/* log_dir/PATH with '/' as '.' and the ending; to be freed. */
static char *
default_log(const struct build_place *place, const char *log_dir, const char *ending)
{
	static const char instance[] = { '@', EXPAND_INSTANCE, '\0' };
	char *name = mem_strdup(place->path);

	for (char *p = strchr(name, '/'); p != NULL; p = strchr(p, '/'))
		*p = '.';
	char *path =
	    mem_printf("%s/%s%s%s", log_dir, name, place->is_template ? instance : "", ending);
	free(name);
	return path;
}

static char *
below(const char *dir, const char *path)
{
	return *path == '/' ? mem_strdup(path) : mem_printf("%s/%s", dir, path);
}

static void
put_log(const struct build_place *place, const char *log_dir, struct buf *out)
{
	const struct value *file = place->settings[KEY_LOG_FILE].value;
	const char *error = place->settings[KEY_LOG_STDERR].value->text;
	char *path = NULL, *error_path = NULL;

	if (check_logs_to_file(place)) {
		path =
		    file != NULL ? below(log_dir, file->text) : default_log(place, log_dir, ".log");
		put_string("log", "file", out);
	} else {
		put_setting(place, KEY_LOG, out);
	}
	put_string("log_file", path, out);
	if (str_equal(error, "file"))
		error_path = default_log(place, log_dir, ".err.log");
	else if (strchr(error, '/') != NULL)
		error_path = below(log_dir, error);
	put_string("log_stderr", error_path != NULL ? "file" : error, out);
	put_string("log_stderr_file", error_path, out);
	free(path);
	free(error_path);
}

/* "limits": [[resource, [soft, hard]], …] */
static void
put_limits(const struct build_place *place, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (keys_table[i].type != TYPE_LIMIT || place->settings[i].value == NULL)
			continue;
		if (*between == '\0')
			buf_puts(out, ", \"limits\": [");
		buf_printf(out, "%s[%d, ", between, keys_table[i].resource);
		value_json(&keys_table[i], place->settings[i].value, out);
		buf_puts(out, "]");
		between = ", ";
	}
	if (*between != '\0')
		buf_puts(out, "]");
}

/* What few programs ask for, and what costs nothing where it is not asked for. */
static void
put_contract(const struct build_place *place, struct buf *out)
{
	static const enum keys_id plain[] = { KEY_NICE, KEY_OOM_SCORE_ADJ, KEY_CPU_AFFINITY,
		KEY_CAPABILITIES };
	static const enum keys_id hooks[] = { KEY_PRE_START, KEY_STOP_COMMAND, KEY_POST_STOP };
	const struct value *file = place->settings[KEY_ENV_FILE].value;

	if (file != NULL) {
		bool optional = *file->text == '-';
		put_string("env_file", file->text + optional, out);
		buf_printf(out, ", \"env_file_optional\": %s", optional ? "true" : "false");
	}
	if (sockets_count(place) > 0) {
		put_name("listen", out);
		sockets_json(place, out);
	}
	put_limits(place, out);
	for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
		if (place->settings[hooks[i]].value != NULL)
			put_setting(place, hooks[i], out);
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (place->settings[plain[i]].value != NULL)
			put_setting(place, plain[i], out);
	if (place->settings[KEY_NO_NEW_PRIVILEGES].value->number != 0)
		put_setting(place, KEY_NO_NEW_PRIVILEGES, out);
}

static bool
is_cgroup(size_t id)
{
	return id >= KEY_MEMORY_MAX && id <= KEY_IO_WEIGHT;
}

/* "cgroup": {"memory_max": 536870912, …}: what is set */
static void
put_cgroup(const struct build_place *place, struct buf *out)
{
	const char *before = ", \"cgroup\": {", *after = "";

	for (size_t i = KEY_MEMORY_MAX; is_cgroup(i); i++) {
		if (place->settings[i].value == NULL)
			continue;
		buf_printf(out, "%s\"%s\": ", before, keys_table[i].name);
		value_json(&keys_table[i], place->settings[i].value, out);
		before = ", ";
		after = "}";
	}
	buf_puts(out, after);
}

static void
put_program(const struct build_place *place, const char *log_dir, struct buf *out)
{
	put_name("program", out);
	buf_puts(out, "{\"argv\": ");
	value_json(&keys_table[KEY_COMMAND], place->settings[KEY_COMMAND].value, out);
	/* Whatever bytes it has: JSON does not hold all. */
	if (place->settings[KEY_COMMAND].entry->line == 0)
		buf_puts(out, ", \"given\": true");
	put_environment(place, out);
	put_setting(place, KEY_CLEAR_ENV, out);
	put_setting(place, KEY_DIRECTORY, out);
	put_setting(place, KEY_STDIN, out);
	put_log(place, log_dir, out);
	put_setting(place, KEY_UMASK, out);
	put_identity(place->identity, out);
	put_contract(place, out);
	buf_puts(out, "}");
}

/* --- what files say, and where --------------------------------------------------------------- */

/* "key": ["text", "file:line"] */
static void
put_origin(const struct build_setting *setting, const char *name, const char *suffix,
    const char **between, struct buf *out)
{
	const struct raw_entry *entry = setting->entry;
	char *key = mem_printf("%s%s", name, suffix);
	char *origin = entry->line > 0
	    ? mem_printf("%s:%" PRIu32, entry->section->file, entry->line)
	    : mem_strdup(entry->section->file);
	struct buf text = { 0 };

	buf_puts(&text, "");
	value_print(entry->info, setting->value, &text);
	buf_puts(out, *between);
	buf_json_string(out, key);
	buf_puts(out, ": [");
	buf_json_string(out, text.data);
	buf_puts(out, ", ");
	buf_json_string(out, origin);
	buf_puts(out, "]");
	*between = ", ";
	out->failed = out->failed || text.failed;
	buf_free(&text);
	free(origin);
	free(key);
}

static void
put_settings(const struct build_place *place, struct buf *out)
{
	const char *between = "";

	put_name("settings", out);
	buf_puts(out, "{");
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (place->settings[i].entry != NULL)
			put_origin(&place->settings[i], keys_table[i].name, "", &between, out);
	for (size_t i = 0; i < place->variable_count; i++)
		put_origin(&place->variables[i].setting, keys_table[KEY_ENV].name,
		    place->variables[i].name, &between, out);
	buf_puts(out, "}");
}

/* --- all ------------------------------------------------------------------------------------ */

/* What few ask for is left out where it is not asked for. */
static bool
is_asked_for(const struct build_place *place, enum keys_id id)
{
	const struct value *value = place->settings[id].value;

	if (id == KEY_AFTER)
		return value != NULL && value->word_count > 0;
	return id != KEY_ON_DEMAND || value->number != 0;
}

/*
  * What the core decides by: every key of the kind but those of the program, which are commands and
 * those that need a restart, and the profile, which has given what it had.
 */
static void
put_node(const struct build_place *place, const char *log_dir, struct buf *out)
{
	bool is_child = place->kind == KIND_CHILD;
	unsigned in = is_child ? IN_CHILD : IN_SUPERVISOR;

	buf_puts(out, "{\"path\": ");
	buf_json_string(out, place->path);
	put_string("kind", is_child ? "child" : "supervisor", out);
	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((keys_table[i].in & in) != 0 && !keys_table[i].later &&
		    !keys_table[i].respawn && keys_table[i].type != TYPE_COMMAND &&
		    i != KEY_PROFILE && !is_cgroup(i) && is_asked_for(place, (enum keys_id)i))
			put_setting(place, (enum keys_id)i, out);
	put_cgroup(place, out);
	if (is_child)
		put_program(place, log_dir, out);
	put_settings(place, out);
	buf_puts(out, "}\n");
}

static void
put_daemon(const struct daemon_settings *settings, struct buf *out)
{
	buf_puts(out, "{\"control_socket\": ");
	if (settings->control_socket != NULL)
		buf_json_string(out, settings->control_socket);
	else
		buf_puts(out, "null");
	buf_printf(out, ", \"control_mode\": %" PRId64, settings->control_mode);
	if (settings->has_control_gid)
		buf_printf(out, ", \"control_gid\": %u", settings->control_gid);
	else
		buf_puts(out, ", \"control_gid\": null");
	buf_printf(
	    out, ", \"make_runtime_dir\": %s", settings->make_runtime_dir ? "true" : "false");
	put_numbers("operator_uids", settings->operator_uids, settings->operator_uid_count, out);
	put_numbers("operator_gids", settings->operator_gids, settings->operator_gid_count, out);
	if (settings->cgroup_root != NULL)
		put_string("cgroup_root", settings->cgroup_root, out);
	put_name("shutdown_timeout", out);
	value_json(&keys_table[KEY_SHUTDOWN_TIMEOUT],
	    &(struct value){ .number = settings->shutdown_timeout }, out);
	buf_printf(out, ", \"event_history\": %" PRId64 "}", settings->event_history);
}

void
product_write(const struct build *build, const struct daemon_settings *settings, struct buf *out)
{
	buf_puts(out, "{\"version\": 2, \"coppice\": ");
	put_daemon(settings, out);
	buf_puts(out, "}\n");
	for (const struct build_place *place = build->places[0]; place != NULL;
	     place = build_next(place))
		put_node(place, settings->log_dir, out);
}
