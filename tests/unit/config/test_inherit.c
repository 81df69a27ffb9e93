/*
 * Which value holds: the child's own, its supervisors' child.* from inner to outer, [defaults],
 * built in.
 */
#include "compiled.h"

#include "config/check.h"
#include "config/inherit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char layers[] = "[child:a/b/own]\n"
			     "command = x\n"
			     "umask = 001\n"
			     "env.OWN = own\n"
			     "[supervisor:a/b]\n"
			     "child.umask = 002\n"
			     "child.stdin = inherit\n"
			     "child.env.OWN = inner\n"
			     "child.env.INNER = inner\n"
			     "[child:a/b/plain]\n"
			     "command = x\n"
			     "[supervisor:a]\n"
			     "child.umask = 003\n"
			     "child.stdin = /outer\n"
			     "child.directory = /outer\n"
			     "child.env.OWN = outer\n"
			     "child.env.OUTER = outer %n\n"
			     "restart = temporary\n"
			     "[supervisor:/]\n"
			     "child.directory = /root\n"
			     "child.clear_env = yes\n"
			     "[defaults]\n"
			     "umask = 004\n"
			     "stdin = /defaults\n"
			     "directory = /defaults\n"
			     "clear_env = no\n"
			     "kill_mode = group\n"
			     "restart = transient\n"
			     "env.INNER = defaults\n"
			     "[child:top]\n"
			     "command = x\n";

static const struct {
	const char *path, *key, *value;
} expected[] = {
	{ "a/b/own", "umask", "001" },
	{ "a/b/own", "stdin", "inherit" },
	{ "a/b/own", "directory", "/outer" },
	{ "a/b/own", "clear_env", "yes" },
	{ "a/b/own", "kill_mode", "group" },
	{ "a/b/own", "start_timeout", "10s" },
	{ "a/b/own", "instances", "(none)" },
	{ "a/b/own", "env.OWN", "own" },
	{ "a/b/own", "env.INNER", "inner" },
	{ "a/b/own", "env.OUTER", "outer own" },
	{ "a/b/plain", "umask", "002" },
	{ "a/b/plain", "env.OWN", "inner" },
	{ "a/b/plain", "env.OUTER", "outer plain" },
	{ "a/b/plain", "restart", "transient" },
	{ "top", "umask", "004" },
	{ "top", "stdin", "/defaults" },
	{ "top", "directory", "/root" },
	{ "top", "clear_env", "yes" },
	{ "top", "env.INNER", "defaults" },
	/* [defaults] and child.* are children's; a supervisor has its own keys alone. */
	{ "a", "restart", "temporary" },
	{ "a/b", "restart", "permanent" },
	{ "a/b", "on_limit", "escalate" },
	{ "/", "on_limit", "backoff" },
};

static void
test_layers(void **state)
{
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, layers, sizeof layers - 1, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		const char *value = compiled_value(&compiled, expected[i].path, expected[i].key);
		if (strcmp(value, expected[i].value) != 0)
			fail_msg("%s of %s is %s, not %s", expected[i].key, expected[i].path, value,
			    expected[i].value);
	}
	/* Each knows where it is written. */
	const struct build_place *own = compiled_place(&compiled, "a/b/own");
	assert_int_equal(own->settings[KEY_UMASK].entry->line, 3);
	assert_int_equal(own->settings[KEY_DIRECTORY].entry->line, 15);
	assert_int_equal(own->settings[KEY_KILL_MODE].entry->line, 27);
	assert_null(own->settings[KEY_STOP].entry);
	compiled_free(&compiled);
}

/* Sections in any order: parents before children, siblings as they are named. */
static void
test_order(void **state)
{
	static const char text[] =
	    "[child:s/2/x]\ncommand = x\n[child:z]\ncommand = x\n[child:s/1]\ncommand = x\n"
	    "[supervisor:s/2]\n[supervisor:s]\n[child:a]\ncommand = x\n[child:s/2/w]\ncommand = x\n";
	static const char *const order[] = { "/", "z", "s", "s/1", "s/2", "s/2/x", "s/2/w", "a" };
	struct compiled compiled;
	size_t at = 0;

	(void)state;
	compiled_make(&compiled, text, sizeof text - 1, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	for (const struct build_place *place = compiled.build->places[0]; place != NULL;
	     place = build_next(place)) {
		assert_true(at < sizeof order / sizeof order[0]);
		assert_string_equal(place->path, order[at++]);
	}
	assert_int_equal(at, sizeof order / sizeof order[0]);
	compiled_free(&compiled);
}

static void
test_on_limit_of_the_root(void **state)
{
	static const struct {
		const char *text;
		enum build_mode mode;
		const char *on_limit;
	} cases[] = {
		{ "", BUILD_SERVICE, "backoff" },
		{ "", BUILD_MACHINE, "backoff" },
		{ "", BUILD_CONTAINER, "escalate" },
		{ "[supervisor:/]\non_limit = terminate\n", BUILD_CONTAINER, "terminate" },
		{ "[supervisor:/]\nstrategy = escalate\n", BUILD_SERVICE, "escalate" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct compiled compiled;
		compiled_make(&compiled, cases[i].text, strlen(cases[i].text), cases[i].mode);
		assert_string_equal(compiled_value(&compiled, "/", "on_limit"), cases[i].on_limit);
		compiled_free(&compiled);
	}
}

/* log_file asks for log = file, unless a log stands nearer. */
static void
test_log_file(void **state)
{
	static const struct {
		const char *defaults, *child;
		bool to_file;
	} cases[] = {
		{ "", "", false },
		{ "", "log = file\n", true },
		{ "", "log_file = x\n", true },
		{ "log = null\n", "log_file = x\n", true },
		{ "log_file = x\n", "log = null\n", false },
		{ "log_file = x\n", "", true },
		{ "", "log_file = x\nlog = inherit\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct compiled compiled;
		struct buf text = { 0 };
		buf_printf(&text, "[defaults]\n%s[child:a]\ncommand = x\n%s", cases[i].defaults,
		    cases[i].child);
		compiled_make(&compiled, text.data, text.len, BUILD_SERVICE);
		assert_int_equal(
		    check_logs_to_file(compiled_place(&compiled, "a")), cases[i].to_file);
		compiled_free(&compiled);
		buf_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_on_limit_of_the_root),
		cmocka_unit_test(test_log_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
