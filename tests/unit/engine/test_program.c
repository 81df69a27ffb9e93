#include "engine/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLAIN                                                                                                         \
	"{\"argv\": [\"web\", \"--port\", \"80\"], \"env\": [\"A=1\", \"PATH=/own\", \"A=2\"], \"clear_env\": false," \
	" \"directory\": \"/srv\", \"stdin\": \"inherit\", \"log\": \"null\", \"log_file\": null,"                    \
	" \"log_stderr\": \"same\", \"log_stderr_file\": null, \"umask\": 18, \"identity\": null}"
#define TEMPLATE                                                                                                             \
	"{\"argv\": [\"web\", \"80\\u0001\", \"\\u0001\\u0001\"], \"env\": [\"N=n\\u0001\", \"B=b\"], \"clear_env\": true,"  \
	" \"directory\": \"/srv/\\u0001\", \"stdin\": \"/in/\\u0001\", \"log\": \"file\", \"log_file\": \"/log/\\u0001\","   \
	" \"log_stderr\": \"file\", \"log_stderr_file\": \"/err/\\u0001\", \"umask\": 63,"                                   \
	" \"identity\": {\"uid\": 1000, \"gid\": 1001, \"groups\": [1001, 7], \"home\": \"/home/shop\", \"name\": \"shop\"," \
	" \"shell\": \"/bin/sh\"}}"

static json_t *
parse(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	return object;
}

/* The JSON is gone before the program is used. */
static struct program *
program_from(const char *text)
{
	json_t *object = parse(text);
	const char *problem = NULL;
	struct program *program = program_new(object, &problem);

	json_decref(object);
	assert_null(problem);
	assert_non_null(program);
	return program;
}

static void
assert_texts(const char *const *texts, const char *expected)
{
	char all[1024] = "";

	for (; *texts != NULL; texts++) {
		strcat(all, *texts);
		strcat(all, "|");
	}
	assert_string_equal(all, expected);
}

static void
set_environment(void)
{
	clearenv();
	setenv("A", "0", 1);
	setenv("PATH", "/daemon", 1);
	setenv("HOME", "/root", 1);
	setenv("PS1", "\x01odd\x02", 1);
}

static void
test_plain(void **state)
{
	struct spawn_request request, again;
	struct program *program;

	(void)state;
	set_environment();
	program = program_from(PLAIN);
	assert_int_equal(program_request(program, 0, &request), 0);
	assert_texts(request.argv, "web|--port|80|");
	/* the last of a name wins, and is there once */
	assert_texts(request.envp, "PS1=\x01odd\x02|HOME=/root|PATH=/own|A=2|");
	assert_int_equal(request.envp_own, 2); /* the last two are its own */
	assert_string_equal(request.search_path, "/own");
	assert_string_equal(request.directory, "/srv");
	assert_int_equal(request.input, INPUT_INHERIT);
	assert_int_equal(request.output, OUTPUT_NULL);
	assert_int_equal(request.error_output, OUTPUT_SAME);
	assert_int_equal(request.umask, 022);
	assert_false(request.set_identity);
	/* nothing is made anew where nothing differs */
	assert_int_equal(program_request(program, 3, &again), 0);
	assert_ptr_equal(again.argv, request.argv);
	assert_ptr_equal(again.envp, request.envp);
	program_free(&program);
	assert_null(program);
}

static void
check_instance(struct program *program, uint32_t instance)
{
	struct spawn_request request = { 0 };
	char expected[512];

	assert_int_equal(program_request(program, instance, &request), 0);
	snprintf(expected, sizeof(expected), "web|80%u|%u%u|", instance, instance, instance);
	assert_texts(request.argv, expected);
	snprintf(expected, sizeof(expected),
	    "PATH=/daemon|HOME=/home/shop|USER=shop|LOGNAME=shop|SHELL=/bin/sh|N=n%u|B=b|",
	    instance);
	assert_texts(request.envp, expected);
	assert_string_equal(request.search_path, "/daemon");
	snprintf(expected, sizeof(expected), "/srv/%u /in/%u /log/%u /err/%u", instance, instance,
	    instance, instance);
	{
		char actual[512];

		snprintf(actual, sizeof(actual), "%s %s %s %s", request.directory,
		    request.input_path, request.output_path, request.error_path);
		assert_string_equal(actual, expected);
	}
	assert_int_equal(request.input, INPUT_FILE);
	assert_int_equal(request.output, OUTPUT_FILE);
	assert_int_equal(request.error_output, OUTPUT_FILE);
	assert_int_equal(request.umask, 077);
	assert_true(request.set_identity);
	assert_int_equal(request.uid, 1000);
	assert_int_equal(request.gid, 1001);
	assert_int_equal(request.group_count, 2);
	assert_int_equal(request.groups[0], 1001);
	assert_int_equal(request.groups[1], 7);
}

static void
test_instances(void **state)
{
	static const uint32_t instances[] = { 1, 65535, UINT32_MAX, 4 };
	struct program *program;

	(void)state;
	set_environment();
	program = program_from(TEMPLATE);
	for (size_t i = 0; i < sizeof(instances) / sizeof(instances[0]); i++)
		check_instance(program, instances[i]);
	program_free(&program);
}

/* All but the words is as in the program. */
static void
test_hooks(void **state)
{
	static const enum core_hook hooks[] = { HOOK_PRE_START, HOOK_STOP, HOOK_POST_STOP };
	static const char *const words[] = { "a|7|", "b|", "c|d77|" };
	struct spawn_request request = { 0 };
	struct program *program;

	(void)state;
	clearenv();
	program = program_from("{\"argv\": [\"x\"], \"umask\": 5, \"env\": [\"N=\\u0001\"],"
			       " \"pre_start\": [\"a\", \"\\u0001\"], \"stop_command\": [\"b\"],"
			       " \"post_stop\": [\"c\", \"d\\u0001\\u0001\"]}");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(program_hook(program, hooks[i], 7, &request), 0);
		assert_texts(request.argv, words[i]);
		assert_texts(request.envp, "N=7|");
		assert_int_equal(request.umask, 5);
	}
	assert_int_equal(program_request(program, 7, &request), 0);
	assert_texts(request.argv, "x|");
	program_free(&program);
	/* a mark in a hook alone */
	program = program_from("{\"argv\": [\"x\"], \"umask\": 0, \"post_stop\": [\"c\\u0001\"]}");
	assert_int_equal(program_hook(program, HOOK_POST_STOP, 3, &request), 0);
	assert_texts(request.argv, "c3|");
	program_free(&program);
}

/* A mark in PATH, and no PATH at all. */
static void
test_search_path(void **state)
{
	struct spawn_request request = { 0 };
	struct program *program;

	(void)state;
	clearenv();
	program = program_from("{\"argv\": [\"x\"], \"umask\": 0}");
	assert_int_equal(program_request(program, 0, &request), 0);
	assert_string_equal(
	    request.search_path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_texts(request.envp, "");
	assert_int_equal(request.output, OUTPUT_INHERIT);
	assert_int_equal(request.input, INPUT_NULL);
	program_free(&program);
	program = program_from("{\"argv\": [\"x\"], \"umask\": 0, \"env\": [\"PATH=/p\\u0001\"]}");
	assert_int_equal(program_request(program, 12, &request), 0);
	assert_string_equal(request.search_path, "/p12");
	program_free(&program);
}

static void
test_wrong(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"argv\": [], \"umask\": 0}",
		"{\"argv\": [1], \"umask\": 0}",
		"{\"argv\": \"x\", \"umask\": 0}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"pre_start\": \"x\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"stop_command\": []}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"post_stop\": [1]}",
		"{\"argv\": [\"x\"]}",
		"{\"argv\": [\"x\"], \"umask\": -1}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"env\": [1]}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"env\": \"A=1\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"directory\": 1}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"log\": \"syslog\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"log\": \"same\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"log\": \"file\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"identity\": \"nobody\"}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"identity\": {}}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"identity\": {\"uid\": 1, \"gid\": 1}}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"identity\": {\"uid\": \"root\", \"gid\": 0, \"groups\": []}}",
		"{\"argv\": [\"x\"], \"umask\": 0, \"identity\": {\"uid\": 1, \"gid\": 0, \"groups\": [\"adm\"]}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *object = parse(wrong[i]);
		const char *problem = NULL;

		if (program_new(object, &problem) != NULL || problem == NULL)
			fail_msg("accepted: %s", wrong[i]);
		json_decref(object);
	}
}

/* --- the contract --- */

#define CONTRACT                                                                                          \
	"{\"argv\": [\"x\"], \"umask\": 18, \"env_file\": \"/etc/\\u0001\", \"env_file_optional\": true," \
	" \"limits\": [[7, [1024, null]], [4, [0, 0]]], \"nice\": -5, \"oom_score_adj\": -1000,"          \
	" \"cpu_affinity\": [[0, 1], [64, 64], [1023, 1023]], \"capabilities\": 1099511627777,"           \
	" \"no_new_privileges\": true}"

static void
test_contract(void **state)
{
	struct spawn_request request;
	struct program *program;
	const struct contract *contract = &request.contract;

	(void)state;
	set_environment();
	program = program_from(CONTRACT);
	assert_int_equal(program_request(program, 7, &request), 0);
	assert_string_equal(contract->env_file, "/etc/7");
	assert_true(contract->env_file_optional && contract->no_new_privileges);
	assert_int_equal(contract->limit_count, 2);
	assert_int_equal(contract->limits[0].resource, 7);
	assert_int_equal(contract->limits[0].value[0], 1024);
	assert_true(contract->limits[0].value[1] == UINT64_MAX);
	assert_int_equal(contract->limits[1].resource, 4);
	assert_true(contract->sets_nice && contract->nice == -5);
	assert_string_equal(contract->oom_score_adj, "-1000");
	assert_int_equal(contract->cpus[0], 3);
	assert_int_equal(contract->cpus[1], 1);
	assert_true(contract->cpus[15] == UINT64_C(1) << 63);
	assert_true(contract->sets_capabilities);
	assert_int_equal(contract->capabilities, UINT64_C(1) << 40 | 1);
	program_free(&program);
	/* what is not there is not asked for, also in what an earlier version has written */
	program = program_from(PLAIN);
	assert_int_equal(program_request(program, 0, &request), 0);
	assert_null(contract->env_file);
	assert_null(contract->cpus);
	assert_int_equal(contract->limit_count, 0);
	assert_string_equal(contract->oom_score_adj, "");
	assert_false(contract->sets_nice || contract->sets_capabilities ||
	    contract->no_new_privileges || contract->env_file_optional);
	program_free(&program);
}

static void
test_impossible_contracts(void **state)
{
	static const char *const members[] = { "\"nice\": 20", "\"nice\": \"5\"",
		"\"oom_score_adj\": 1001", "\"oom_score_adj\": null", "\"capabilities\": -1",
		"\"no_new_privileges\": 1", "\"env_file\": 3", "\"env_file_optional\": \"\"",
		"\"limits\": 3", "\"limits\": [3]", "\"limits\": [[16, [1, 1]]]",
		"\"limits\": [[-1, [1, 1]]]", "\"limits\": [[7, [1]]]",
		"\"limits\": [[7, [1, -1]]]", "\"limits\": [[7, [1, \"1\"]]]",
		"\"cpu_affinity\": []", "\"cpu_affinity\": 1", "\"cpu_affinity\": [[0, 1024]]",
		"\"cpu_affinity\": [[2, 1]]", "\"cpu_affinity\": [[-1, 1]]",
		"\"cpu_affinity\": [[1]]" };

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[256];
		const char *problem = NULL;
		json_t *object;

		snprintf(text, sizeof(text), "{\"argv\": [\"x\"], \"umask\": 18, %s}", members[i]);
		object = parse(text);
		if (program_new(object, &problem) != NULL || problem == NULL)
			fail_msg("taken: %s", text);
		json_decref(object);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_search_path),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_impossible_contracts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
