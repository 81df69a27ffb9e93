#include "engine/program.h"

#include "engine/room.h"
#include "lib/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MARK_ROOM    10 /* digits of any uint32_t */

/*
 * One block each: struct, vectors, text. Strings of the inherited environment are not copied: they
 * stay where they are for the life of the engine, and ten thousand copies would be our largest use
 * of memory.
 */
struct program {
	struct spawn_request request;   /* as for an instance whose number is named nowhere */
	const char **hooks[HOOK_COUNT]; /* their argv; NULL: it has none */
	size_t size;                    /* of the block */
	bool is_marked;                 /* some string of ours holds PROGRAM_INSTANCE_MARK */
};

/*
 * What the request for an instance is made in, once for all programs: the header lets a request
 * live only until the next one, and only the engine's main thread asks. It keeps the size that the
 * largest needed.
 */
static struct {
	char *memory;
	size_t size;
} arena;

/* NULL: none. */
static const char *const *given;

/* --- reading ---------------------------------------------------------------------------------- */

/* The object being read; `problem` is the first thing wrong. */
struct reader {
	const json_t *object;
	const json_t *identity; /* NULL: none */
	const char *problem;
	struct room room;
};

static const char *
read_text(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL || json_is_null(value))
		return NULL;
	if (!json_is_string(value))
		reader->problem = "program: a text is expected";
	return json_string_value(value);
}

static uint32_t
read_number(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number >= UINT32_MAX)
		reader->problem = "program: a number is expected";
	return (uint32_t)number;
}

static bool
is_texts(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!json_is_string(json_array_get(array, i)))
			return false;
	}
	return json_is_array(array);
}

static const char **
room_for(struct reader *reader, const json_t *array)
{
	return room_take(&reader->room, (json_array_size(array) + 1) * sizeof(const char *));
}

/* The words of a command, to where there is room for them; NULL while counting. */
static void
read_words(struct reader *reader, const json_t *array, const char **to)
{
	size_t count = json_array_size(array);

	if (!is_texts(array) || count == 0) {
		reader->problem = "program: the words of a command are expected";
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *text =
		    room_text(&reader->room, json_string_value(json_array_get(array, i)));

		if (to != NULL)
			to[i] = text;
	}
	if (to != NULL)
		to[count] = NULL;
}

static const json_t *
hook_words(const struct reader *reader, int hook)
{
	return json_object_get(reader->object, core_hook_text((enum core_hook)hook));
}

static bool
same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* The last of a name wins, in the place of the first; what has no '=' is no variable. */
static size_t
put_variable(const char **vector, size_t count, const char *variable)
{
	size_t i = 0;

	if (strchr(variable, '=') == NULL)
		return count;
	while (i < count && !same_name(vector[i], variable))
		i++;
	vector[i] = variable;
	return i == count ? count + 1 : count;
}

static const char *
identity_variable(struct reader *reader, const char *name, const char *key)
{
	const char *value = read_text(reader, reader->identity, key);
	size_t size;
	char *text;

	if (value == NULL)
		return NULL;
	size = strlen(name) + 1 + strlen(value) + 1;
	text = room_take(&reader->room, size);
	if (text != NULL)
		stpcpy(stpcpy(stpcpy(text, name), "="), value);
	return text;
}

static char **
daemon_environment(void)
{
	static char *none[] = { NULL };

	return environ == NULL ? none : environ;
}

/*
 * One that wins over those of env_file, in vector[*own] and behind. It takes the place of one of
 * that name; where that one is not such itself, the last of those moves there.
 */
static size_t
put_own(const char **vector, size_t count, size_t *own, const char *variable)
{
	size_t i = 0;

	if (strchr(variable, '=') == NULL)
		return count;
	while (i < count && !same_name(vector[i], variable))
		i++;
	if (i < *own) {
		vector[i] = vector[--*own];
		i = *own;
	}
	vector[i] = variable;
	return i == count ? count + 1 : count;
}

/* What our own supervisor listens to is not for our children, nor what it calls us. */
static bool
is_ours(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "COPPICE_PATH=", "COPPICE_INSTANCE=",
		"COPPICE_HOOK=", "COPPICE_PID=", "COPPICE_EXIT_CODE=", "COPPICE_EXIT_SIGNAL=",
		"COPPICE_REASON=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

/*
 * The daemon's, then those of the user, then the child's own (coppice.conf(5)). Returns where the
 * latter begin.
 */
static uint32_t
read_environment(struct reader *reader, const char **vector)
{
	static const char *const names[][2] = { { "HOME", "home" }, { "USER", "name" },
		{ "LOGNAME", "name" }, { "SHELL", "shell" } };
	const json_t *own = json_object_get(reader->object, "env");
	bool clear = json_is_true(json_object_get(reader->object, "clear_env"));
	size_t count = 0, first = 0;

	if (own != NULL && !is_texts(own))
		reader->problem = "program: env is expected";
	for (char **inherited = daemon_environment(); vector != NULL && *inherited != NULL;
	     inherited++) {
		if (!is_ours(*inherited) && (!clear || strncmp(*inherited, "PATH=", 5) == 0))
			count = put_variable(vector, count, *inherited);
	}
	first = count;
	for (size_t i = 0; reader->identity != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text = identity_variable(reader, names[i][0], names[i][1]);

		if (vector != NULL && text != NULL)
			count = put_own(vector, count, &first, text);
	}
	for (size_t i = 0; i < json_array_size(own); i++) {
		const char *text =
		    room_text(&reader->room, json_string_value(json_array_get(own, i)));

		if (vector != NULL && text != NULL)
			count = put_own(vector, count, &first, text);
	}
	if (vector != NULL)
		vector[count] = NULL;
	return (uint32_t)first;
}

static size_t
environment_room(const struct reader *reader)
{
	size_t count = json_array_size(json_object_get(reader->object, "env")) + 4 + 1;

	for (char **inherited = daemon_environment(); *inherited != NULL; inherited++)
		count++;
	return count;
}

static void
read_input(struct reader *reader, struct spawn_request *request)
{
	const char *text = read_text(reader, reader->object, "stdin");

	if (text == NULL || strcmp(text, "null") == 0) {
		request->input = INPUT_NULL;
	} else if (strcmp(text, "inherit") == 0) {
		request->input = INPUT_INHERIT;
	} else {
		request->input = INPUT_FILE;
		request->input_path = room_text(&reader->room, text);
	}
}

static enum spawn_output
read_output(struct reader *reader, const char *key, enum spawn_output otherwise,
    const char *path_key, const char **path)
{
	static const char *const names[] = { [OUTPUT_INHERIT] = "inherit",
		[OUTPUT_NULL] = "null",
		[OUTPUT_FILE] = "file",
		[OUTPUT_SAME] = "same" };
	const char *text = read_text(reader, reader->object, key);
	size_t i = 0;

	if (text == NULL)
		return otherwise;
	while (i < sizeof(names) / sizeof(names[0]) && strcmp(names[i], text) != 0)
		i++;
	if (i == sizeof(names) / sizeof(names[0]) ||
	    (i == OUTPUT_SAME && otherwise != OUTPUT_SAME)) {
		reader->problem = "program: log is inherit, null or file";
		return otherwise;
	}
	text = read_text(reader, reader->object, path_key);
	if (i == OUTPUT_FILE && text == NULL)
		reader->problem = "program: log = file needs a path";
	*path = room_text(&reader->room, text);
	return (enum spawn_output)i;
}

static void
read_identity(struct reader *reader, struct spawn_request *request, gid_t *groups)
{
	const json_t *array = json_object_get(reader->identity, "groups");

	request->set_identity = reader->identity != NULL;
	if (reader->identity == NULL)
		return;
	if (!json_is_array(array))
		reader->problem = "program: groups are expected";
	request->uid = read_number(reader, reader->identity, "uid");
	request->gid = read_number(reader, reader->identity, "gid");
	request->groups = groups;
	request->group_count = (uint32_t)json_array_size(array);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *gid = json_array_get(array, i);

		if (!json_is_integer(gid) || json_integer_value(gid) < 0 ||
		    json_integer_value(gid) >= UINT32_MAX)
			reader->problem = "program: groups are numbers";
		else if (groups != NULL)
			groups[i] = (gid_t)json_integer_value(gid);
	}
}

/* What was inherited may hold that byte too (shells put it into PS1), and means nothing by it. */
static bool
has_mark(const struct program *program, const char *text)
{
	const char *block = (const char *)program;

	return text >= block && text < block + program->size &&
	    strchr(text, PROGRAM_INSTANCE_MARK) != NULL;
}

static bool
any_marked(const struct program *program, const char *const *texts)
{
	while (*texts != NULL && !has_mark(program, *texts))
		texts++;
	return *texts != NULL;
}

static bool
is_marked(const struct program *program)
{
	const struct spawn_request *request = &program->request;

	for (int hook = HOOK_NONE + 1; hook < HOOK_COUNT; hook++)
		if (program->hooks[hook] != NULL && any_marked(program, program->hooks[hook]))
			return true;
	return any_marked(program, request->argv) || any_marked(program, request->envp) ||
	    has_mark(program, request->directory) || has_mark(program, request->input_path) ||
	    has_mark(program, request->output_path) || has_mark(program, request->error_path) ||
	    has_mark(program, request->contract.env_file) ||
	    (request->listen != NULL && any_marked(program, request->listen));
}

/* Once with room for nothing, to count, then with `program` at the beginning of the room. */
static void
read_program(struct reader *reader, struct program *program)
{
	struct spawn_request request = { 0 };
	const json_t *words = json_object_get(reader->object, "argv");
	const json_t *addresses = json_object_get(reader->object, "listen");
	const char **hooks[HOOK_COUNT] = { NULL }, **argv, **envp, **listen = NULL, *wrong;
	gid_t *groups;

	room_take(&reader->room, sizeof(*program));
	argv = room_for(reader, words);
	for (int hook = HOOK_NONE + 1; hook < HOOK_COUNT; hook++)
		if (hook_words(reader, hook) != NULL)
			hooks[hook] = room_for(reader, hook_words(reader, hook));
	envp = room_take(&reader->room, environment_room(reader) * sizeof(*envp));
	if (addresses != NULL)
		listen = room_for(reader, addresses);
	wrong = contract_read(reader->object, &reader->room, &request.contract);
	if (wrong != NULL)
		reader->problem = wrong;
	groups = room_take(&reader->room,
	    json_array_size(json_object_get(reader->identity, "groups")) * sizeof(*groups));
	read_words(reader, words, argv);
	request.argv = argv;
	if (addresses != NULL)
		read_words(reader, addresses, listen);
	request.listen = listen;
	for (int hook = HOOK_NONE + 1; hook < HOOK_COUNT; hook++)
		if (hook_words(reader, hook) != NULL)
			read_words(reader, hook_words(reader, hook), hooks[hook]);

	request.envp_own = read_environment(reader, envp);
	request.envp = envp;
	request.contract.env_file = room_text(&reader->room, request.contract.env_file);
	request.directory =
	    room_text(&reader->room, read_text(reader, reader->object, "directory"));
	read_input(reader, &request);
	request.output =
	    read_output(reader, "log", OUTPUT_INHERIT, "log_file", &request.output_path);
	request.error_output =
	    read_output(reader, "log_stderr", OUTPUT_SAME, "log_stderr_file", &request.error_path);
	request.umask = read_number(reader, reader->object, "umask");
	read_identity(reader, &request, groups);
	if (program == NULL)
		return;
	if (given != NULL && json_is_true(json_object_get(reader->object, "given")))
		request.argv = given;
	program->request = request;
	memcpy(program->hooks, hooks, sizeof(hooks));
}

/* The PATH that the child will have; a child without one is not one without commands. */
static const char *
search_path(const char *const *envp)
{
	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return DEFAULT_PATH;
}

struct program *
program_new(const json_t *object, const char **problem)
{
	struct reader reader = { .object = object };
	struct program *program;
	const json_t *identity = json_object_get(object, "identity");

	/*
	 * anything but an object or null is wrong, and not "none": that would run it with our own
	 * rights
	 */
	if (identity != NULL && !json_is_null(identity)) {
		reader.identity = identity;
		if (!json_is_object(identity))
			reader.problem = "program: identity is an object";
	}
	read_program(&reader, NULL);
	if (reader.problem != NULL) {
		*problem = reader.problem;
		return NULL;
	}
	program = calloc(1, reader.room.used);
	if (program == NULL) {
		*problem = "program: no memory";
		return NULL;
	}
	reader.room = (struct room){ .base = (char *)program };
	read_program(&reader, program);
	program->size = reader.room.used;
	program->is_marked = is_marked(program);
	program->request.search_path = search_path(program->request.envp);
	return program;
}

void
program_set_given(char *const *command)
{
	given = (const char *const *)command;
}

void
program_free(struct program **program)
{
	free(*program);
	*program = NULL;
}

/* --- instances -------------------------------------------------------------------------------- */

static size_t
marked_size(const char *text)
{
	size_t size = strlen(text) + 1;

	for (; *text != '\0'; text++) {
		if (*text == PROGRAM_INSTANCE_MARK)
			size += MARK_ROOM - 1;
	}
	return size;
}

static const char *
replace_marks(
    struct room *room, const struct program *program, const char *text, const char *number)
{
	char *copy, *at;

	if (!has_mark(program, text))
		return text;
	copy = at = room_take(room, marked_size(text));
	if (copy == NULL)
		return NULL;
	for (; *text != '\0'; text++) {
		if (*text == PROGRAM_INSTANCE_MARK)
			at = stpcpy(at, number);
		else
			*at++ = *text;
	}
	*at = '\0';
	return copy;
}

static const char *const *
replace_all(struct room *room, const struct program *program, const char *const *texts,
    const char **to, const char *number)
{
	size_t i;

	for (i = 0; texts[i] != NULL; i++) {
		const char *text = replace_marks(room, program, texts[i], number);

		if (to != NULL)
			to[i] = text;
	}
	if (to != NULL)
		to[i] = NULL;
	return to;
}

/* Twice, as read_program. */
static void
make_instance(struct room *room, const struct program *program, const char *const *words,
    const char *number, struct spawn_request *out)
{
	const struct spawn_request *shared = &program->request;
	const char **argv = room_vector(room, words);
	const char **envp = room_vector(room, shared->envp);
	const char **listen = shared->listen != NULL ? room_vector(room, shared->listen) : NULL;

	out->argv = replace_all(room, program, words, argv, number);
	out->envp = replace_all(room, program, shared->envp, envp, number);
	if (shared->listen != NULL)
		out->listen = replace_all(room, program, shared->listen, listen, number);
	out->directory = replace_marks(room, program, shared->directory, number);
	out->input_path = replace_marks(room, program, shared->input_path, number);
	out->output_path = replace_marks(room, program, shared->output_path, number);
	out->error_path = replace_marks(room, program, shared->error_path, number);
	out->contract.env_file = replace_marks(room, program, shared->contract.env_file, number);
}

uint32_t
program_sockets(const struct program *program)
{
	uint32_t count = 0;

	while (program->request.listen != NULL && program->request.listen[count] != NULL)
		count++;
	return count;
}

static int
request_for(
    struct program *program, const char *const *words, uint32_t instance, struct spawn_request *out)
{
	struct room room = { NULL, 0 };
	char number[16];

	*out = program->request;
	out->argv = words;
	if (program->is_marked) {
		snprintf(number, sizeof(number), "%u", (unsigned)instance);
		make_instance(&room, program, words, number, out);
		if (room.used > arena.size) {
			char *grown = realloc(arena.memory, room.used);

			if (grown == NULL)
				return -ENOMEM;
			arena.memory = grown;
			arena.size = room.used;
		}
		room = (struct room){ .base = arena.memory };
		make_instance(&room, program, words, number, out);
		out->search_path = search_path(out->envp);
	}
	return 0;
}

int
program_request(struct program *program, uint32_t instance, struct spawn_request *out)
{
	return request_for(program, program->request.argv, instance, out);
}

int
program_hook(
    struct program *program, enum core_hook hook, uint32_t instance, struct spawn_request *out)
{
	if ((unsigned)hook >= HOOK_COUNT || program->hooks[hook] == NULL)
		return -ENOENT;
	return request_for(program, program->hooks[hook], instance, out);
}
