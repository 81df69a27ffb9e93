#include "config/dump.h"

#include "config/check.h"
#include "config/inherit.h"
#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE 65536U

struct dump {
	const struct build *build;
	const struct daemon_settings *settings;
	struct buf *out;
	char *problem; /* the first */
};

/* --- pieces --------------------------------------------------------------------------------- */

static void
put_origin(struct dump *dump, const struct raw_entry *entry)
{
	buf_puts(dump->out, "# ");
	diag_put(dump->out, entry->section->file);
	if (entry->line > 0)
		buf_printf(dump->out, ":%" PRIu32, entry->line);
	buf_puts(dump->out, "\n");
}

/* The lines of a value; all but the first are indented, to continue it. */
static void
put_value(struct dump *dump, const char *key, const char *suffix, const char *text)
{
	buf_printf(dump->out, "%s%s =%s", key, suffix, *text != '\0' ? " " : "");
	for (size_t len = strcspn(text, "\n"); text[len] == '\n'; len = strcspn(text, "\n")) {
		buf_append(dump->out, text, len + 1);
		buf_puts(dump->out, "\t");
		text += len + 1;
	}
	buf_printf(dump->out, "%s\n", text);
}

/* Whether a line that begins with so many bytes is too long for a file. */
static bool
has_long_line(const char *text, size_t before)
{
	size_t len = strcspn(text, "\n");

	while (len + before <= MAX_LINE && text[len] == '\n') {
		text += len + 1;
		len = strcspn(text, "\n");
	}
	return len + before > MAX_LINE;
}

/* What somebody set, below where it is from. */
static void
put_set(struct dump *dump, const struct build_setting *setting, const char *suffix)
{
	const struct raw_entry *entry = setting->entry;
	const char *key = entry->info->name;
	struct buf text = { 0 };

	buf_puts(&text, "");
	value_print(entry->info, setting->value, &text);
	if (text.failed) {
		dump->out->failed = true;
	} else if (has_long_line(text.data, strlen(key) + strlen(suffix) + strlen(" = "))) {
		if (dump->problem == NULL)
			dump->problem = mem_printf(
			    "%s:%u: [%s] %s: %zu bytes without a space, and a line has %u at most",
			    entry->section->file, entry->line, entry->section->title, entry->key,
			    text.len, MAX_LINE);
	} else {
		put_origin(dump, entry);
		put_value(dump, key, suffix, text.data);
	}
	buf_free(&text);
}

/* What nobody set. */
static void
put_built_in(struct dump *dump, const struct keys_key *key, const char *text)
{
	buf_printf(dump->out, "#%s =%s", key->name, *text != '\0' ? " " : "");
	diag_put(dump->out, text);
	buf_puts(dump->out, "\n");
}

/* --- places --------------------------------------------------------------------------------- */

static bool
is_key_of(const struct build_place *place, enum keys_id id)
{
	unsigned in = place->kind == KIND_CHILD ? IN_CHILD : IN_SUPERVISOR;

	return (keys_table[id].in & in) != 0 && !keys_table[id].later &&
	    !keys_is_prefix(&keys_table[id]);
}

/*
 * A log_file nearer than log = … is a wish for log = file. Here all stands equally near, so that
 * wish is written out.
 */
static bool
is_wish_for_file(const struct build_place *place)
{
	const struct build_setting *log = &place->settings[KEY_LOG],
				   *file = &place->settings[KEY_LOG_FILE];

	return log->entry != NULL && file->entry != NULL && file->distance < log->distance;
}

static void
put_place_key(struct dump *dump, const struct build_place *place, enum keys_id id)
{
	const struct build_setting *setting = &place->settings[id];

	if (!is_key_of(place, id) || setting->entry == NULL)
		return;
	if (id == KEY_PROFILE) {
		put_origin(dump, setting->entry);
		buf_printf(
		    dump->out, "# profile = %s, whose values stand here\n", setting->value->text);
	} else if (id == KEY_LOG && is_wish_for_file(place)) {
		put_origin(dump, place->settings[KEY_LOG_FILE].entry);
		put_value(dump, keys_table[id].name, "", "file");
	} else if (keys_table[id].type == TYPE_EXITS) {
		/* Of lists that are equally near none may have what another has. */
		struct core_exit_set exits = inherit_exits(place, id);
		struct value value = { .exits = &exits };
		put_set(
		    dump, &(struct build_setting){ .value = &value, .entry = setting->entry }, "");
	} else {
		put_set(dump, setting, "");
	}
}

static void
put_place(struct dump *dump, const struct build_place *place)
{
	struct buf text = { 0 };

	buf_printf(dump->out, "\n[%s:%s]\n", place->kind == KIND_CHILD ? "child" : "supervisor",
	    place->path);
	for (size_t i = 0; i < KEY_COUNT; i++)
		put_place_key(dump, place, (enum keys_id)i);
	for (size_t i = 0; i < place->variable_count; i++)
		put_set(dump, &place->variables[i].setting, place->variables[i].name);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct build_setting *setting = &place->settings[i];
		if (!is_key_of(place, (enum keys_id)i) || setting->entry != NULL ||
		    setting->value == NULL ||
		    (place->parent == NULL && check_root_ignores((enum keys_id)i) != NULL))
			continue;
		if (i == KEY_LOG && check_logs_to_file(place))
			buf_puts(&text, "file");
		else
			value_print(&keys_table[i], setting->value, &text);
		put_built_in(dump, &keys_table[i], text.len > 0 ? text.data : "");
		buf_free(&text);
	}
}

/* --- [coppice] ------------------------------------------------------------------------------ */

/* Built-in values depend on who we are. */
static void
put_daemon_built_in(struct dump *dump, enum keys_id id)
{
	const struct daemon_settings *settings = dump->settings;
	const struct keys_key *key = &keys_table[id];
	char span[SPAN_TEXT_SIZE], mode[32];

	if (id == KEY_CONTROL_SOCKET)
		put_built_in(dump, key, settings->control_socket);
	else if (id == KEY_RUNTIME_DIR)
		put_built_in(dump, key, settings->runtime_dir);
	else if (id == KEY_LOG_DIR)
		put_built_in(dump, key, settings->log_dir);
	else if (id == KEY_SHUTDOWN_TIMEOUT)
		put_built_in(dump, key, span_format(settings->shutdown_timeout, span));
	else if (id == KEY_CONTROL_MODE) {
		snprintf(mode, sizeof mode, "%04" PRIo64, (uint64_t)settings->control_mode);
		put_built_in(dump, key, mode);
	} else if (key->fallback != NULL)
		put_built_in(dump, key, key->fallback);
}

static void
put_daemon(struct dump *dump)
{
	buf_puts(dump->out, "\n[coppice]\n");
	for (size_t i = 0; i < KEY_COUNT; i++) {
		struct raw_entry *entry = build_daemon_entry(dump->build, (enum keys_id)i);
		if (i == KEY_INCLUDE || entry == NULL)
			continue;
		struct build_setting setting = { .value = entry->parsed, .entry = entry };
		put_set(dump, &setting, "");
	}
	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((keys_table[i].in & IN_COPPICE) != 0 && !keys_table[i].later &&
		    build_daemon_entry(dump->build, (enum keys_id)i) == NULL)
			put_daemon_built_in(dump, (enum keys_id)i);
}

/* --- all ------------------------------------------------------------------------------------ */

char *
dump_write(const struct build *build, const struct daemon_settings *settings, struct buf *out)
{
	struct dump dump = { .build = build, .settings = settings, .out = out };

	buf_puts(out, "# ");
	diag_put(out, build->file->name);
	buf_puts(out,
	    " as it takes effect\n"
	    "# Above a value stands where it is set; what is built in stands as a comment.\n");
	put_daemon(&dump);
	for (const struct build_place *place = build->places[0]; place != NULL;
	     place = build_next(place))
		put_place(&dump, place);
	return dump.problem;
}
