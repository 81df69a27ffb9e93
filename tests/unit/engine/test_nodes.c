#include "engine/nodes.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COMMON                                                                                              \
	"\"restart\":\"transient\",\"significant\":true,\"autostart\":false,\"backoff\":\"fibonacci\","     \
	"\"backoff_delay\":11,\"backoff_max\":null,\"backoff_factor_milli\":1500,\"backoff_jitter_ppm\":9," \
	"\"stable_after\":77"
#define SUPER(path)                                                                                      \
	"{\"path\":\"" path "\",\"kind\":\"supervisor\"," COMMON                                         \
	",\"strategy\":\"rest_for_one\",\"on_limit\":\"give_up\",\"intensity\":3,\"period\":500,"        \
	"\"auto_shutdown\":\"any_significant\",\"start_order\":\"parallel\",\"stop_order\":\"ordered\"," \
	"\"max_starting\":2,\"start_queue_timeout\":null,\"on_start_failure\":\"abort\"}"
#define CHILD(path, instances)                                                                                  \
	"{\"path\":\"" path "\",\"kind\":\"child\",\"instances\":" instances "," COMMON                         \
	",\"ready\":\"exit\",\"start_timeout\":123,\"stop\":[[\"INT\",50],[\"KILL\",null]],"                    \
	"\"stop_group\":true, \"hook_timeout\": 10000,\"kill_mode\":\"group\",\"success_exit\":[0,7,\"TERM\"]," \
	"\"no_restart_exit\":[255],\"escalate_exit\":[\"SEGV\"],"                                               \
	"\"program\":{\"argv\":[\"/bin/true\"],\"env\":[],\"clear_env\":false,\"directory\":null,"              \
	"\"stdin\":\"null\",\"log\":\"inherit\",\"log_file\":null,\"log_stderr\":\"same\","                     \
	"\"log_stderr_file\":null,\"umask\":18,\"identity\":null}}"
static const char *const PLACES[] = { SUPER("/"), CHILD("one", "null"), SUPER("shop"),
	CHILD("shop/none", "0"), CHILD("shop/web", "3"), SUPER("shop/deep"),
	CHILD("shop/deep/db", "1"), CHILD("last", "0") };

/* A line each, to be changed by the caller. */
static char *
tree(void)
{
	static char text[8192];
	size_t len = 0;

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", PLACES[i]);
	return text;
}

static struct nodes *
make(const char *text, struct core **core, const char **problem)
{
	*core = core_new(1);
	assert_non_null(*core);
	return nodes_new(*core, text, strlen(text), 0, problem);
}

static void
paths_and_nodes(void **state)
{
	static const struct {
		const char *path;
		uint32_t node, instance;
	} there[] = {
		{ "/", 0, 0 },
		{ "one", 1, 0 },
		{ "shop", 2, 0 },
		{ "shop/web@1", 3, 1 },
		{ "shop/web@2", 4, 2 },
		{ "shop/web@3", 5, 3 },
		{ "shop/deep", 6, 0 },
		{ "shop/deep/db@1", 7, 1 },
	};
	static const char *const not_there[] = { "", "on", "one/", "one@1", "shop/web",
		"shop/web@0", "shop/web@4", "shop/web@01", "shop/web@+1", "shop/web@",
		"shop/web@1x", "shop/none", "shop/none@1", "last@1",
		"shop/web@99999999999999999999", "@1", "//", "shop@1" };
	char path[NODES_PATH_SIZE];
	const char *problem;
	struct core *core;
	struct nodes *nodes = make(tree(), &core, &problem);

	(void)state;
	assert_non_null(nodes);
	assert_int_equal(core_count(core), 8);
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		assert_int_equal(nodes_find(nodes, there[i].path), there[i].node);
		assert_string_equal(nodes_path(nodes, there[i].node, path), there[i].path);
		assert_int_equal(nodes_instance(nodes, there[i].node), there[i].instance);
	}
	for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++)
		if (nodes_find(nodes, not_there[i]) != CORE_NONE)
			fail_msg("\"%s\" is no node", not_there[i]);
	assert_int_equal(nodes_find_place(nodes, "shop/web")->count, 3);
	assert_int_equal(nodes_find_place(nodes, "shop/none")->count, 0);
	assert_true(nodes_find_place(nodes, "shop/deep/db")->is_template);
	assert_null(nodes_find_place(nodes, "shop/web@1"));
	nodes_free(&nodes);
	assert_null(nodes);
	core_free(&core);
}

/* Each place knows its own line, wherever the lines begin and whether or not the last is ended. */
static void
lines_are_remembered(void **state)
{
	char product[8300] = "{\"version\":2}\n";
	size_t first = strlen(product);
	const char *problem;

	(void)state;
	strcat(product, tree());
	for (int cut = 0; cut < 2; cut++) {
		struct core *core = core_new(1);
		struct nodes *nodes =
		    nodes_new(core, product, strlen(product) - (size_t)cut, first, &problem);
		assert_non_null(nodes);
		for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
			const char *path = strchr(PLACES[i], ':') + 2;
			char name[64] = "";
			memcpy(name, path, strcspn(path, "\""));
			const struct place *place = nodes_find_place(nodes, name);
			assert_non_null(place);
			assert_int_equal(place->specs_len, strlen(PLACES[i]));
			assert_memory_equal(product + place->specs_at, PLACES[i], place->specs_len);
		}
		nodes_free(&nodes);
		core_free(&core);
	}
}

static void
parents_are_the_paths(void **state)
{
	const char *problem;
	struct core *core;
	struct nodes *nodes = make(tree(), &core, &problem);
	struct core_view view;

	(void)state;
	assert_non_null(nodes);
	core_view(core, 5, &view);
	assert_int_equal(view.parent, 2);
	core_view(core, 7, &view);
	assert_int_equal(view.parent, 6);
	core_view(core, 1, &view);
	assert_int_equal(view.parent, CORE_ROOT);
	nodes_free(&nodes);
	core_free(&core);
}

/* Every value differs from its default, so each is seen to be read. */
static void
values_are_read(void **state)
{
	const char *problem;
	struct core *core;
	struct nodes *nodes = make(tree(), &core, &problem);
	const struct core_spec *child, *super;

	(void)state;
	assert_non_null(nodes);
	child = core_spec_of(core, 1);
	super = core_spec_of(core, 2);
	assert_int_equal(child->restart, RESTART_TRANSIENT);
	assert_true(child->significant);
	assert_false(child->autostart);
	assert_int_equal(child->backoff, BACKOFF_FIBONACCI);
	assert_int_equal(child->backoff_delay, 11);
	assert_true(child->backoff_max == SPAN_INFINITE);
	assert_int_equal(child->backoff_factor_milli, 1500);
	assert_int_equal(child->backoff_jitter_ppm, 9);
	assert_int_equal(child->stable_after, 77);
	assert_int_equal(child->ready, READY_EXIT);
	assert_int_equal(child->start_timeout, 123);
	assert_int_equal(child->stop_steps, 2);
	assert_int_equal(child->stop[0].signal, SIGINT);
	assert_int_equal(child->stop[0].wait, 50);
	assert_int_equal(child->stop[1].signal, SIGKILL);
	assert_true(child->stop[1].wait == SPAN_INFINITE);
	assert_true(child->stop_group);
	assert_int_equal(child->kill_mode, KILL_GROUP);
	assert_true(spec_exit_has_code(&child->success_exit, 7));
	assert_true(spec_exit_has_signal(&child->success_exit, SIGTERM));
	assert_true(spec_exit_has_code(&child->no_restart_exit, 255));
	assert_false(spec_exit_has_code(&child->no_restart_exit, 0));
	assert_true(spec_exit_has_signal(&child->escalate_exit, SIGSEGV));
	assert_int_equal(super->strategy, STRATEGY_REST_FOR_ONE);
	assert_int_equal(super->on_limit, LIMIT_GIVE_UP);
	assert_int_equal(super->intensity, 3);
	assert_int_equal(super->period, 500);
	assert_int_equal(super->auto_shutdown, AUTO_ANY_SIGNIFICANT);
	assert_int_equal(super->start_order, ORDER_PARALLEL);
	assert_int_equal(super->stop_order, ORDER_ORDERED);
	assert_int_equal(super->max_starting, 2);
	assert_true(super->start_queue_timeout == SPAN_INFINITE);
	assert_int_equal(super->on_start_failure, START_FAILURE_ABORT);
	nodes_free(&nodes);
	core_free(&core);
}

static void
replace(char *text, const char *from, const char *to)
{
	char *at = strstr(text, from);
	size_t length = strlen(from);

	assert_non_null(at);
	assert_true(strlen(to) <= length);
	memset(at, ' ', length);
	memcpy(at, to, strlen(to));
}

/* The product of another version, or a damaged one: refused with a word, never taken in part. */
static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "\"shop/deep\"", "\"shap/deep\"", "before its supervisor" },
		{ "\"shop/web\"", "\"one\"", "twice" },
		{ "\"path\":\"/\"", "\"path\":\"x\"", "before its supervisor" },
		{ "\"transient\"", "\"trensient\"", "unknown" },
		{ "\"backoff_max\":null", "\"backoff_max\":-1", "missing or impossible" },
		{ "\"intensity\":3", "\"intansity\":3", "supervisor" },
		{ "\"INT\"", "\"XXX\"", "child" },
		{ "\"significant\":true", "\"significant\":1", "missing or impossible" },
		{ "[\"KILL\",null]", "[\"KILL\"]", "child" },
		{ "[255]", "[256]", "child" },
		{ "\"kind\":\"child\"", "\"kind\":\"chold\"", "missing" },
		{ "{\"path\":\"last\"", "[\"path\":\"last\"", "no JSON" },
		{ "\"argv\":[\"/bin/true\"]", "\"argv\":[]", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = tree();
		const char *problem = NULL;
		struct core *core;
		struct nodes *nodes;
		replace(text, cases[i].from, cases[i].to);
		nodes = make(text, &core, &problem);
		assert_null(nodes);
		assert_non_null(problem);
		if (!strstr(problem, cases[i].says))
			fail_msg("%s: says \"%s\"", cases[i].to, problem);
		core_free(&core);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_and_nodes),
		cmocka_unit_test(lines_are_remembered),
		cmocka_unit_test(parents_are_the_paths),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
