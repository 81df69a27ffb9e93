#include "engine/api.h"

#include "config/value.h"
#include "engine/cgroup_report.h"
#include "engine/engine.h"
#include "engine/load.h"
#include "engine/own.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is shown: the product's line of a place, and which instance of it (0: the template). */
struct show {
	const json_t *line;
	uint32_t instance;
	bool effective, any;
	const struct rlimit *files;
	const struct cgroup *cgroup;
	struct buf *out;
};

/* Text as in a file, with `%i` filled in for an instance. */
static void
show_text(const struct show *show, const char *text)
{
	struct buf filled = { 0 };

	if (show->instance == 0) {
		buf_json_string(show->out, text);
		return;
	}
	buf_puts(&filled, "");
	while (*text != '\0') {
		size_t len = text[0] == '%' && text[1] != '\0' ? 2 : 1;
		if (len == 2 && text[1] == 'i')
			buf_printf(&filled, "%u", (unsigned)show->instance);
		else
			buf_append(&filled, text, len);
		text += len;
	}
	buf_json_string(show->out, filled.data != NULL ? filled.data : "");
	show->out->failed = show->out->failed || filled.failed;
	buf_free(&filled);
}

/* Of a limit that nothing keeps here. */
static void
show_missing(const struct show *show, const char *key)
{
	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		const char *why = NULL;

		if (str_equal(key, cgroup_limit_key((enum cgroup_limit)i)))
			why = cgroup_report_missing(show->cgroup, (enum cgroup_limit)i);
		if (why == NULL)
			continue;
		buf_puts(show->out, ",\"not_in_force\":");
		buf_json_string(show->out, why);
	}
}

static void
show_value(struct show *show, const char *key, const char *text, const char *origin)
{
	buf_puts(show->out, show->any ? "," : "");
	show->any = true;
	buf_json_string(show->out, key);
	buf_puts(show->out, show->effective ? ":{\"value\":" : ":");
	show_text(show, text);
	if (show->effective) {
		buf_puts(show->out, ",\"origin\":");
		buf_json_string(show->out, origin);
		show_missing(show, key);
		buf_puts(show->out, "}");
	}
}

/* --- built-in values that depend on the place or on where we run --- */

/*
 * Whom the program runs as: what the product says, else what the daemon is. Numbers, since looking
 * names up could take for ever.
 */
static void
show_identity(const struct show *show, enum keys_id id, struct buf *text)
{
	const json_t *identity =
	    json_object_get(json_object_get(show->line, "program"), "identity");
	const json_t *groups = json_object_get(identity, "groups");
	gid_t own[64];
	const char *between = "";

	if (id != KEY_GROUPS) {
		const json_t *number = json_object_get(identity, id == KEY_USER ? "uid" : "gid");
		buf_printf(text, "%lld",
		    number != NULL       ? (long long)json_integer_value(number)
			: id == KEY_USER ? (long long)geteuid()
					 : (long long)getegid());
		return;
	}
	int count = groups != NULL ? (int)json_array_size(groups) : getgroups(64, own);
	buf_puts(text, "");
	for (int i = 0; i < count; i++, between = ", ")
		buf_printf(text, "%s%lld", between,
		    groups != NULL
			? (long long)json_integer_value(json_array_get(groups, (size_t)i))
			: (long long)own[i]);
}

/* A path of the product, as a file would have it. */
static void
show_path(const struct show *show, const char *member, struct buf *text)
{
	const json_t *path = json_object_get(json_object_get(show->line, "program"), member);
	char *copy = json_is_string(path) ? strdup(json_string_value(path)) : NULL;
	struct value value = { .text = copy };

	if (copy != NULL)
		value_print(&keys_table[KEY_LOG_FILE], &value, text);
	free(copy);
}

static void
show_directory(struct buf *text)
{
	char path[4096];
	struct value value = { .text = path };

	if (getcwd(path, sizeof path) != NULL)
		value_print(&keys_table[KEY_DIRECTORY], &value, text);
}

static void
show_string(const json_t *value, struct buf *text)
{
	if (json_is_string(value))
		buf_puts(text, json_string_value(value));
}

/* Nothing is appended where there is none. */
static void
show_built_in(const struct show *show, enum keys_id id, struct buf *text)
{
	const struct keys_key *key = &keys_table[id];
	const json_t *program = json_object_get(show->line, "program");

	if (id == KEY_USER || id == KEY_GROUP || id == KEY_GROUPS)
		show_identity(show, id, text);
	else if (id == KEY_DIRECTORY)
		show_directory(text);
	else if (id == KEY_LOG_FILE)
		show_path(show, "log_file", text);
	else if (id == KEY_LOG) /* file when log_file is set */
		show_string(json_object_get(program, "log"), text);
	else if (key->fallback != NULL)
		buf_puts(text, key->fallback);
	else if (json_object_get(show->line, key->name) != NULL)
		show_string(json_object_get(show->line, key->name), text);
	else
		own_put(id, show->files, text);
}

/* --- the method --- */

static void
show_key(struct show *show, enum keys_id id, const json_t *settings)
{
	const struct keys_key *key = &keys_table[id];
	struct buf text = { 0 };

	if (json_object_get(settings, key->name) != NULL)
		return;
	show_built_in(show, id, &text);
	if (text.data != NULL)
		show_value(show, key->name, text.data, "built in");
	show->out->failed = show->out->failed || text.failed;
	buf_free(&text);
}

static void
show_values(struct show *show, unsigned in)
{
	json_t *settings = json_object_get(show->line, "settings");
	const char *key;
	json_t *pair;

	json_object_foreach(settings, key, pair)
	{
		const char *text = json_string_value(json_array_get(pair, 0));
		const char *origin = json_string_value(json_array_get(pair, 1));
		if (text != NULL && origin != NULL)
			show_value(show, key, text, origin);
	}
	for (size_t i = 0; show->effective && i < KEY_COUNT; i++) {
		const struct keys_key *row = &keys_table[i];
		if ((row->in & in) != 0 && !row->later && !keys_is_prefix(row))
			show_key(show, (enum keys_id)i, settings);
	}
}

static void
show_put(struct rpc_call *call, const struct place *place, struct show *show)
{
	const struct rpc_state *state = &call->state;
	bool child = place->spec.kind == KIND_CHILD;
	char path[NODES_PATH_SIZE];

	buf_puts(show->out, "{\"path\":");
	buf_json_string(show->out,
	    state->many ? place->path
			: nodes_path(call->session->engine->nodes, state->first, path));
	buf_puts(show->out, child ? ",\"kind\":\"child\"" : ",\"kind\":\"supervisor\"");
	if (state->many)
		buf_printf(show->out, ",\"instances\":%u", (unsigned)place->count);
	buf_puts(show->out, ",\"values\":{");
	show_values(show, child ? IN_CHILD : IN_SUPERVISOR);
	buf_puts(show->out, "}}");
}

enum rpc_progress
api_show(struct rpc_call *call, int *work)
{
	const struct engine *engine = call->session->engine;
	struct show show = { .effective = call->args.effective,
		.files = &engine->files,
		.cgroup = &engine->cgroup };

	*work -= RPC_WORK_REQUEST;
	if (!api_find(call))
		return RPC_DONE;
	/* a template may have no instance, hence no node */
	const struct place *place = call->state.many
	    ? nodes_find_place(engine->nodes, call->args.path)
	    : nodes_place(engine->nodes, call->state.first);
	show.instance = call->state.many ? 0 : nodes_instance(engine->nodes, call->state.first);
	json_t *line = load_place(engine->specs, place);
	if (line == NULL)
		return rpc_refuse(call, RPC_INTERNAL, call->args.path, NULL,
		    "%s: what was configured cannot be read: memory is gone, or it is damaged",
		    call->args.path);
	show.line = line;
	show.out = rpc_result(call);
	if (show.out != NULL)
		show_put(call, place, &show);
	json_decref(line);
	return rpc_finish(call);
}
