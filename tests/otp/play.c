/*
 * play: plays scenarios with the core, in virtual time, and prints their traces.
 *
 *   play FILE...          all on standard output, one after the other
 *   play -o DIR FILE...   each as DIR/NAME.trace
 *   play -n FILE...       plays nothing: prints the names of those that are scenarios, and says what is
 *                         wrong with the others
 *
 * Exit status: 0; 1 where a file could not be played; 64 usage.
 */
#include "scenario.h"
#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN_MS 1000000

static json_t *
state_of(const struct stage *stage, uint32_t node)
{
	const struct actor *actor = &stage->actors[node];
	bool up = stage_is_up(stage, node);
	json_t *out = json_pack("{s:s, s:s}", "id", stage->idents[actor->ident].name, "state",
	    up ? "running" : "stopped");
	json_t *children;

	if (!scenario_is_supervisor(actor->spec))
		return out;
	children = json_array();
	for (uint32_t child = 0; up && child < stage->count; child++) {
		if (stage->actors[child].parent == node && stage_is_present(stage, child))
			json_array_append_new(children, state_of(stage, child));
	}
	json_object_set_new(out, "children", children);
	return out;
}

static json_t *
starts_of(const struct stage *stage)
{
	json_t *out = json_object();

	for (uint32_t i = 0; i < stage->ident_count; i++) {
		if (stage->idents[i].starts > 0)
			json_object_set_new(
			    out, stage->idents[i].name, json_integer(stage->idents[i].starts));
	}
	return out;
}

/* Consumes the result. */
static void
print_line(struct stage *stage, FILE *out, size_t step, const char *op, json_t *result)
{
	json_t *state = stage->count > 0 ? state_of(stage, CORE_ROOT) : json_null();
	json_t *line = json_pack("{s:I, s:s, s:o, s:O, s:o, s:o}", "step", (json_int_t)step, "op",
	    op, "result", result, "events", stage->events, "state", state, "starts",
	    starts_of(stage));

	json_dumpf(line, out, JSON_COMPACT | JSON_ENSURE_ASCII);
	putc('\n', out);
	json_decref(line);
	json_array_clear(stage->events);
}

static const char *
answer(const struct stage *stage)
{
	return stage->call_result != NULL ? stage->call_result : "no_supervisor";
}

static json_t *
play_exits(struct stage *stage, const json_t *step)
{
	const json_t *call = json_object_get(step, "call"), *one;
	bool first = json_is_true(json_object_get(step, "call_first"));
	json_t *result = json_object();
	size_t i;

	if (call != NULL && first)
		calls_arrive(stage, call);
	json_array_foreach(json_object_get(step, "who"), i, one)
	{
		const char *id = json_string_value(json_array_get(one, 0));
		const char *how = json_string_value(json_array_get(one, 1));
		bool ran = stage_kill(stage, id, strcmp(how, "crash") == 0);

		json_object_set_new(result, id, json_string(ran ? "ok" : "not_running"));
	}
	if (call != NULL && !first)
		calls_arrive(stage, call);
	stage_settle(stage);
	if (call != NULL)
		json_object_set_new(result, "call", json_string(answer(stage)));
	return result;
}

static json_t *
play_step(struct stage *stage, const json_t *step, const char *op)
{
	stage->call = NULL;
	stage->call_result = NULL;
	stage->call_node = CORE_NONE;
	if (strcmp(op, "exit") == 0)
		return play_exits(stage, step);
	if (strcmp(op, "wait") == 0) {
		stage->now += json_integer_value(json_object_get(step, "ms"));
	} else if (strcmp(op, "shutdown") == 0) {
		stage_order(stage, ON_SHUTDOWN, CORE_ROOT);
	} else {
		calls_arrive(stage, step);
		stage_settle(stage);
		return json_string(answer(stage));
	}
	stage_settle(stage);
	return json_string("ok");
}

/* "ok" when all of it is up. */
static const char *
boot(struct stage *stage, const json_t *tree)
{
	if (scenario_problem(tree, NULL) != NULL || stage_add(stage, CORE_NONE, tree) == CORE_NONE)
		return "bad_spec";
	stage_order(stage, ON_BOOT, CORE_ROOT);
	stage_settle(stage);
	return stage_failed_to_start(stage) ? "start_failed" : "ok";
}

static const char *
play(const json_t *scenario, FILE *out)
{
	struct stage stage = {
		.core = core_new(1), .now = BEGIN_MS, .call_node = CORE_NONE, .events = json_array()
	};
	const json_t *step;
	const char *broken, *result;
	size_t i;

	if (stage.core == NULL)
		return "no memory";
	result = boot(&stage, json_object_get(scenario, "tree"));
	print_line(&stage, out, 0, "boot", json_string(result));
	json_array_foreach(json_object_get(scenario, "steps"), i, step)
	{
		const char *op = json_string_value(json_object_get(step, "op"));

		if (stage.broken != NULL)
			break;
		print_line(&stage, out, i + 1, op, play_step(&stage, step, op));
	}
	broken = stage.broken;
	stage_free(&stage);
	return broken;
}

/* What is read from the file as a scenario; NULL and a message when it is none. */
static json_t *
read_scenario(const char *path)
{
	json_error_t error;
	json_t *scenario = json_load_file(path, 0, &error);
	const char *problem;

	if (scenario == NULL) {
		if (error.line < 0)
			fprintf(stderr, "play: %s\n", error.text);
		else
			fprintf(stderr, "play: %s:%d: no JSON: %s\n", path, error.line, error.text);
		return NULL;
	}
	problem = scenario_check(scenario);
	if (problem == NULL)
		return scenario;
	fprintf(stderr, "play: %s: no scenario: %s\n", path, problem);
	json_decref(scenario);
	return NULL;
}

static FILE *
open_trace(const char *directory, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t length = strlen(name);
	char *to;
	FILE *out;

	if (length > 5 && strcmp(name + length - 5, ".json") == 0)
		length -= 5;
	if (asprintf(&to, "%s/%.*s.trace", directory, (int)length, name) < 0)
		return NULL;
	out = fopen(to, "we");
	if (out == NULL)
		fprintf(stderr, "play: %s: %s\n", to, strerror(errno));
	free(to);
	return out;
}

static int
check_file(const char *path)
{
	json_t *scenario = read_scenario(path);

	if (scenario == NULL)
		return 1;
	puts(path);
	json_decref(scenario);
	return 0;
}

static int
play_file(const char *path, const char *directory)
{
	json_t *scenario = read_scenario(path);
	FILE *out = directory == NULL ? stdout : NULL;
	const char *broken;

	if (scenario != NULL && directory != NULL)
		out = open_trace(directory, path);
	if (scenario == NULL || out == NULL) {
		json_decref(scenario);
		return 1;
	}
	broken = play(scenario, out);
	if (broken != NULL)
		fprintf(stderr, "play: %s: %s\n", path, broken);
	json_decref(scenario);
	if (out != stdout)
		fclose(out);
	return broken != NULL;
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	int failed = 0, option;
	bool play = true;

	while ((option = getopt(argc, argv, "no:")) != -1) {
		if (option != 'o' && option != 'n')
			return 64;
		if (option == 'n')
			play = false;
		else
			directory = optarg;
	}
	if (optind == argc) {
		fputs("usage: play [-n] [-o DIR] FILE...\n", stderr);
		return 64;
	}
	for (int i = optind; i < argc; i++)
		failed |= play ? play_file(argv[i], directory) : check_file(argv[i]);
	return failed;
}
