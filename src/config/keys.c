#include "config/keys.h"

#include "lib/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#define LIMIT "limit."

#define GROUP(id, title)
#define KEY(id, ...) [KEY_##id] = { __VA_ARGS__ },
const struct keys_key keys_table[KEY_COUNT] = {
#include "config/keys.def"
};
#undef KEY
#undef GROUP

#define KEY(id, ...)
#define GROUP(id, title) { KEY_##id, title },
const struct keys_group keys_groups[] = {
#include "config/keys.def"
};
#undef KEY
#undef GROUP
const size_t keys_group_count = sizeof keys_groups / sizeof keys_groups[0];

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
	{ "requires", "after" },
	{ "listenstream", "listen" },
	{ "listendatagram", "listen" },
	{ "type", "ready" },
	{ "environmentfile", "env_file" },
	{ "environment_file", "env_file" },
	{ "priority", "nice" },
	{ "oomscoreadjust", "oom_score_adj" },
	{ "capabilityboundingset", "capabilities" },
	{ "ambientcapabilities", "capabilities" },
	{ "nonewprivileges", "no_new_privileges" },
	{ "minfds", "limit.nofile" },
	{ "minprocs", "limit.nproc" },
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

bool
keys_are_alike(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "_-. ");
		b += strspn(b, "_-. ");
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
	}
}

/* Of the limits, by what stands behind the point: all begin alike. */
static const char *
nearest_limit(const char *name, unsigned in)
{
	const char *candidates[KEY_COUNT], *nearest;
	const size_t skip = strlen(LIMIT);
	size_t count = 0;

	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((keys_table[i].in & in) != 0 && str_starts(keys_table[i].name, LIMIT))
			candidates[count++] = keys_table[i].name + skip;
	nearest = str_nearest(name + skip, candidates, count);
	return nearest != NULL ? nearest - skip : NULL;
}

const char *
keys_nearest(const char *name, unsigned in)
{
	const char *point = strchr(name, '.');
	const char *candidates[KEY_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if ((keys_table[i].in & in) == 0 || keys_table[i].later)
			continue;
		if (keys_are_alike(name, keys_table[i].name))
			return keys_table[i].name;
		if (point != NULL && keys_is_prefix(&keys_table[i]) &&
		    (size_t)(point - name) == strlen(keys_table[i].name) - 1 &&
		    strncasecmp(name, keys_table[i].name, (size_t)(point - name)) == 0)
			return keys_table[i].name;
		candidates[count++] = keys_table[i].name;
	}
	for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
		const char *suffix;
		if (strcasecmp(name, habits[i].theirs) == 0 &&
		    keys_find(habits[i].ours, in, &suffix) != NULL)
			return habits[i].ours;
	}
	if (str_starts(name, "export ") && (in & IN_CHILD) != 0)
		return "env.NAME";
	return str_starts(name, LIMIT) ? nearest_limit(name, in)
				       : str_nearest(name, candidates, count);
}
