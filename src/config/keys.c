#include "config/keys.h"

#include "lib/span.h"
#include "lib/str.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define KEY(id, ...) [KEY_##id] = { __VA_ARGS__ },
const struct keys_key keys_table[KEY_COUNT] = {
#include "config/keys.def"
};
#undef KEY

/*
 * What people know from elsewhere (supervisord, systemd, runit's kin, process-compose) and write
 * here by habit.
 */
static const struct habit {
	const char *theirs, *ours;
} habits[] = {
	{ "cmd", "command" },
	{ "exec", "command" },
	{ "execstart", "command" },
	{ "program", "command" },
	{ "run", "command" },
	{ "cwd", "directory" },
	{ "chdir", "directory" },
	{ "workdir", "directory" },
	{ "working_dir", "directory" },
	{ "working_directory", "directory" },
	{ "workingdirectory", "directory" },
	{ "env", "env.NAME" },
	{ "environment", "env.NAME" },
	{ "numprocs", "instances" },
	{ "replicas", "instances" },
	{ "autorestart", "restart" },
	{ "exitcodes", "success_exit" },
	{ "successexitstatus", "success_exit" },
	{ "restartpreventexitstatus", "no_restart_exit" },
	{ "startsecs", "stable_after" },
	{ "restartsec", "backoff_delay" },
	{ "delay", "backoff_delay" },
	{ "startretries", "intensity" },
	{ "startlimitburst", "intensity" },
	{ "max_restarts", "intensity" },
	{ "startlimitintervalsec", "period" },
	{ "max_seconds", "period" },
	{ "stopsignal", "stop" },
	{ "stopwaitsecs", "stop" },
	{ "stop_timeout", "stop" },
	{ "timeoutstopsec", "stop" },
	{ "stop_signal", "stop" },
	{ "timeoutstartsec", "start_timeout" },
	{ "stopasgroup", "stop_group" },
	{ "killasgroup", "kill_mode" },
	{ "killmode", "kill_mode" },
	{ "stdout_logfile", "log_file" },
	{ "stderr_logfile", "log_stderr" },
	{ "logfile", "log_file" },
	{ "socket", "control_socket" },
	{ "depends_on", "after" },
	{ "type", "ready" },
};

enum keys_id
keys_id(const struct keys_key *key)
{
	return (enum keys_id)(key - keys_table);
}

bool
keys_is_prefix(const struct keys_key *key)
{
	return key->name[strlen(key->name) - 1] == '.';
}

const struct keys_key *
keys_find(const char *name, unsigned in, const char **suffix)
{
	*suffix = NULL;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		if ((key->in & in) == 0 || key->name[0] != name[0])
			continue;
		if (str_equal(key->name, name))
			return keys_is_prefix(key) ? NULL : key;
		if (keys_is_prefix(key) && str_starts(name, key->name)) {
			*suffix = name + strlen(key->name);
			return key;
		}
	}
	return NULL;
}

bool
keys_is_known(const char *name)
{
	const char *suffix;

	if (str_starts(name, "child."))
		return keys_find(name + strlen("child."), IN_CHILD, &suffix) != NULL;
	return keys_find(name, IN_CHILD | IN_SUPERVISOR | IN_COPPICE, &suffix) != NULL;
}

const char *
keys_nearest(const char *name, unsigned in)
{
	const char *candidates[KEY_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if ((keys_table[i].in & in) == 0 || keys_table[i].later)
			continue;
		if (strcasecmp(name, keys_table[i].name) == 0)
			return keys_table[i].name;
		candidates[count++] = keys_table[i].name;
	}
	for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
		const char *suffix;
		if (strcasecmp(name, habits[i].theirs) == 0 &&
		    keys_find(habits[i].ours, in, &suffix) != NULL)
			return habits[i].ours;
	}
	return str_nearest(name, candidates, count);
}

/* What a value looks like. */
static const char *
type_text(enum keys_type type)
{
	switch (type) {
	case TYPE_TEXT: return "text";
	case TYPE_COMMAND: return "words";
	case TYPE_PATH: return "path";
	case TYPE_DIRECTORY: return "/path";
	case TYPE_INPUT: return "null|inherit|/path";
	case TYPE_OUTPUT: return "same|inherit|null|file|/path";
	case TYPE_BOOL: return "yes|no";
	case TYPE_NUMBER: return "number";
	case TYPE_OCTAL: return "octal";
	case TYPE_SPAN: return "duration";
	case TYPE_FACTOR: return "factor";
	case TYPE_PERCENT: return "percent";
	case TYPE_CHOICE:
	case TYPE_READY: return "word";
	case TYPE_STOP: return "SIGNAL [TIME SIGNAL]…";
	case TYPE_EXITS: return "statuses and signals";
	case TYPE_NAME: return "name or number";
	case TYPE_NAMES: return "names or numbers";
	}
	return "?";
}

static void
print_key(struct buf *out, const struct keys_key *key)
{
	const char *kind = key->choices != NULL ? key->choices : type_text(key->type);

	buf_printf(out, "%s%s", key->name, keys_is_prefix(key) ? "NAME" : "");
	if (key->later) {
		buf_printf(out, " (not supported yet)\n\t%s\n", key->doc);
		return;
	}
	buf_printf(out, " = %s", kind);
	if (key->type == TYPE_NUMBER)
		buf_printf(out, " %" PRId64 "–%" PRId64, key->min, key->max);
	if (key->fallback != NULL && key->fallback[0] != '\0')
		buf_printf(out, " (%s)", key->fallback);
	buf_printf(
	    out, "\n\t%s%s\n", key->doc, key->respawn ? " [a change restarts the child]" : "");
}

void
keys_print(struct buf *out)
{
	static const struct {
		unsigned in;
		const char *title;
	} parts[] = {
		{ IN_CHILD, "[child:PATH], [defaults], and as child.KEY in [supervisor:PATH]" },
		{ IN_SUPERVISOR, "[supervisor:PATH]" },
		{ IN_COPPICE, "[coppice]" },
	};

	for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
		buf_printf(out, "%s%s\n", part > 0 ? "\n" : "", parts[part].title);
		for (size_t i = 0; i < KEY_COUNT; i++)
			if (keys_table[i].in & parts[part].in)
				print_key(out, &keys_table[i]);
	}
}
