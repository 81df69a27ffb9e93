#include "config/daemon.h"

#include "config/identity.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_OPERATORS 64 /* of each kind: what the engine has room for */

/* The value that is set, or built in, or NULL. */
static const struct value *
value_of(const struct build *build, enum keys_id id)
{
	const struct raw_entry *entry = build_daemon_entry(build, id);

	return entry != NULL && entry->parsed != NULL ? entry->parsed : build->built_in[id];
}

static int64_t
number_of(const struct build *build, enum keys_id id, int64_t fallback)
{
	const struct value *value = value_of(build, id);

	return value != NULL ? value->number : fallback;
}

/* A variable that names a directory; others are ignored (XDG Base Directory Specification). */
static const char *
directory_in(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value == '/' ? value : NULL;
}

static char *
default_runtime_dir(void)
{
	const char *xdg = directory_in("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return mem_strdup("/run/coppice");
	if (xdg != NULL)
		return mem_printf("%s/coppice", xdg);
	return mem_printf("/tmp/coppice-%u", geteuid());
}

static char *
default_log_dir(const char *runtime_dir)
{
	const char *state = directory_in("XDG_STATE_HOME"), *home = directory_in("HOME");

	if (geteuid() == 0)
		return mem_strdup("/var/log/coppice");
	if (state != NULL)
		return mem_printf("%s/coppice", state);
	if (home == NULL) {
		const struct passwd *self = getpwuid(geteuid());
		home = self != NULL && *self->pw_dir == '/' ? self->pw_dir : NULL;
	}
	return home != NULL ? mem_printf("%s/.local/state/coppice", home)
			    : mem_printf("%s/log", runtime_dir);
}

/* A message about a key of [coppice], also where it is not set. */
static void
report(const struct build *build, enum keys_id id, const char *problem)
{
	struct raw_entry *entry = build_daemon_entry(build, id);
	const struct diag_where where = {
		.file = build->file->name, .section = "coppice", .key = keys_table[id].name
	};

	if (entry != NULL)
		raw_entry_error(entry, build->diag, "%s", problem);
	else
		diag_error(build->diag, &where, "%s", problem);
}

/* Whether the file stands in that very directory. */
static bool
is_in(const char *file, const char *dir)
{
	size_t len = strlen(dir);

	return str_starts(file, dir) && file[len] == '/' && strchr(file + len + 1, '/') == NULL;
}

static void
read_socket(const struct build *build, struct daemon_settings *settings)
{
	const struct value *value = value_of(build, KEY_CONTROL_SOCKET);
	const char *path = value != NULL ? value->text : "control.sock";
	size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
	char clip[DIAG_CLIP_SIZE];

	if (str_equal(path, "none"))
		return;
	settings->control_socket =
	    *path == '/' ? mem_strdup(path) : mem_printf("%s/%s", settings->runtime_dir, path);
	settings->make_runtime_dir = is_in(settings->control_socket, settings->runtime_dir);
	size_t len = strlen(settings->control_socket);
	if (len <= room)
		return;
	char *problem =
	    mem_printf("\"%s\" has %zu bytes, and sockets have at most %zu: choose a shorter path",
		diag_clip(settings->control_socket, clip), len, room);
	report(build, KEY_CONTROL_SOCKET, problem);
	free(problem);
}

static char *
add_operator(struct daemon_settings *settings, const char *word)
{
	char *problem;

	if (str_equal(word, "@")) {
		problem = mem_strdup("\"@\" names no group: write @GROUP");
	} else if (*word == '@') {
		gid_t gid;
		problem = identity_group(word + 1, &gid);
		if (problem == NULL && settings->operator_gid_count < MAX_OPERATORS)
			settings->operator_gids[settings->operator_gid_count++] = gid;
		else if (problem == NULL)
			problem = mem_printf(
			    "more than %d groups: name one group that all of them are in",
			    MAX_OPERATORS);
	} else {
		uid_t uid;
		problem = identity_user(word, &uid);
		if (problem == NULL && settings->operator_uid_count < MAX_OPERATORS)
			settings->operator_uids[settings->operator_uid_count++] = uid;
		else if (problem == NULL)
			problem =
			    mem_printf("more than %d users: name a group (@GROUP) that they are in",
				MAX_OPERATORS);
	}
	return problem;
}

static void
read_people(const struct build *build, struct daemon_settings *settings)
{
	const struct value *group = value_of(build, KEY_CONTROL_GROUP),
			   *operators = value_of(build, KEY_OPERATORS);
	char *problem = NULL;

	if (group != NULL) {
		problem = identity_group(group->text, &settings->control_gid);
		settings->has_control_gid = problem == NULL;
		if (problem != NULL)
			report(build, KEY_CONTROL_GROUP, problem);
		free(problem);
	}
	settings->operator_uids = mem_zalloc(MAX_OPERATORS, sizeof(uid_t));
	settings->operator_gids = mem_zalloc(MAX_OPERATORS, sizeof(gid_t));
	problem = NULL;
	for (size_t i = 0; i < operators->word_count; i++)
		problem = diag_join(problem, add_operator(settings, operators->words[i]));
	if (problem != NULL)
		report(build, KEY_OPERATORS, problem);
	free(problem);
}

span_ms
daemon_shutdown_timeout(const struct build *build)
{
	return number_of(build, KEY_SHUTDOWN_TIMEOUT, build->mode == BUILD_SERVICE ? 90000 : 60000);
}

void
daemon_read(const struct build *build, struct daemon_settings *settings)
{
	const struct value *runtime_dir = value_of(build, KEY_RUNTIME_DIR),
			   *log_dir = value_of(build, KEY_LOG_DIR);

	*settings = (struct daemon_settings){
		.control_mode = number_of(build, KEY_CONTROL_MODE, geteuid() == 0 ? 0660 : 0600),
		.shutdown_timeout = daemon_shutdown_timeout(build),
		.event_history = number_of(build, KEY_EVENT_HISTORY, 0),
	};
	settings->runtime_dir =
	    runtime_dir != NULL ? mem_strdup(runtime_dir->text) : default_runtime_dir();
	settings->log_dir =
	    log_dir != NULL ? mem_strdup(log_dir->text) : default_log_dir(settings->runtime_dir);
	if (value_of(build, KEY_CGROUP_ROOT) != NULL)
		settings->cgroup_root = value_of(build, KEY_CGROUP_ROOT)->text;
	read_socket(build, settings);
	read_people(build, settings);
}

void
daemon_free(struct daemon_settings *settings)
{
	free(settings->runtime_dir);
	free(settings->control_socket);
	free(settings->log_dir);
	free(settings->operator_uids);
	free(settings->operator_gids);
	*settings = (struct daemon_settings){ 0 };
}
