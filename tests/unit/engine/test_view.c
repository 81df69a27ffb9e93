#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/view.h"
#include "shell.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define EXITED(code) ((code) << 8)

static const char *const tree[] = { "/", "a spawn off", "shot exit off", "shop/", "shop/db",
	"shop/web spawn 2", NULL };

static struct shell *
begin(void)
{
	struct shell *shell = shell_new(tree);

	shell_submit(shell, ON_BOOT, NULL);
	return shell;
}

static json_t *
show(const struct shell *shell, const char *path)
{
	struct view view;
	struct buf out = { 0 };

	view_begin(&view, &shell->engine);
	view_node(&view, shell_node(shell, path), &out);
	assert_false(out.failed);
	json_t *node = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(node);
	assert_string_equal(json_string_value(json_object_get(node, "path")), path);
	buf_free(&out);
	return node;
}

static const char *
text(json_t *node, const char *key)
{
	return json_string_value(json_object_get(node, key));
}

static json_int_t
number(json_t *node, const char *key)
{
	assert_true(json_is_integer(json_object_get(node, key)));
	return json_integer_value(json_object_get(node, key));
}

/* Just these members, in this order. */
static void
assert_members(json_t *node, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(node, key, value)
	{
		assert_non_null(*names);
		assert_string_equal(key, *names++);
	}
	assert_null(*names);
}

static void
a_running_child(void **unused)
{
	static const char *const members[] = {
		"path",
		"kind",
		"state",
		"since_at",
		"pid",
		"incarnation",
		"restarts",
		"streak",
		"ready",
		"uptime_s",
		NULL,
	};
	struct shell *shell = begin();
	uint32_t node = shell_node(shell, "shop/web@2");

	(void)unused;
	shell->processes[node].start_min = process_ticks_now() - 100;
	json_t *object = show(shell, "shop/web@2");
	assert_members(object, members);
	assert_string_equal(text(object, "kind"), "child");
	assert_string_equal(text(object, "state"), "running");
	assert_int_equal(number(object, "pid"), shell->processes[node].pid);
	assert_int_equal(number(object, "incarnation"), 1);
	assert_true(json_is_true(json_object_get(object, "ready")));
	double since = json_number_value(json_object_get(object, "since_at"));
	assert_true(fabs(since - (double)span_wall_now_ms() / 1000) < 5);
	double uptime = json_number_value(json_object_get(object, "uptime_s"));
	assert_true(uptime >= 1 && uptime < 6);
	json_decref(object);
	shell_free(shell);
}

/* Its start is due and not made yet: what the table holds is the process before. */
static void
the_process_before_is_not_shown(void **unused)
{
	struct shell *shell = begin();
	uint32_t node = shell_node(shell, "a");

	(void)unused;
	shell->manual = true;
	shell_submit(shell, ON_START, "a");
	json_t *object = show(shell, "a");
	assert_int_equal(number(object, "pid"), shell->processes[node].pid);
	json_decref(object);
	shell->processes[node].incarnation--;
	object = show(shell, "a");
	assert_string_equal(text(object, "state"), "starting");
	assert_null(json_object_get(object, "pid"));
	json_decref(object);
	shell_free(shell);
}

static void
a_child_that_was_never_started(void **unused)
{
	static const char *const members[] = {
		"path",
		"kind",
		"state",
		"reason",
		"incarnation",
		"restarts",
		"streak",
		"ready",
		NULL,
	};
	struct shell *shell = begin();
	json_t *object = show(shell, "a");

	(void)unused;
	assert_members(object, members);
	assert_string_equal(text(object, "state"), "stopped");
	assert_string_equal(text(object, "reason"), "autostart");
	assert_true(json_is_false(json_object_get(object, "ready")));
	json_decref(object);
	shell_free(shell);
}

static void
how_a_child_ended(void **unused)
{
	static const struct {
		int32_t status;
		const char *json;
	} rows[] = {
		{ EXITED(0), "{\"code\": 0, \"core_dumped\": false}" },
		{ EXITED(255), "{\"code\": 255, \"core_dumped\": false}" },
		{ SIGKILL, "{\"signal\": \"KILL\", \"core_dumped\": false}" },
		{ SIGSEGV | 0x80, "{\"signal\": \"SEGV\", \"core_dumped\": true}" },
		{ CORE_STATUS_UNKNOWN, "{\"unknown\": true}" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shell *shell = begin();
		json_t *wanted = json_loads(rows[i].json, 0, NULL);
		json_t *usage = json_loads("{\"cpu_s\": 1.500, \"memory_bytes\": 4096}", 0, NULL);
		uint32_t node = shell_node(shell, "shop/db");
		shell_end(shell, "shop/db", rows[i].status);
		shell->processes[node].used_cpu_us = 1500000;
		shell->processes[node].used_memory_kb = 4;
		json_t *object = show(shell, "shop/db");
		assert_true(json_equal(json_object_get(object, "usage"), usage));
		json_decref(usage);
		assert_true(json_equal(json_object_get(object, "exit"), wanted));
		assert_string_equal(text(object, "state"), "restarting");
		assert_int_equal(number(object, "restarts"), 1);
		assert_int_equal(number(object, "streak"), 1);
		assert_null(json_object_get(object, "pid"));
		double left = json_number_value(json_object_get(object, "next_start_in_s"));
		assert_true(json_object_get(object, "next_start_in_s") != NULL && left <= 0.1);
		json_decref(object);
		json_decref(wanted);
		shell_free(shell);
	}
}

static void
why_a_start_failed(void **unused)
{
	struct shell *shell = begin();

	(void)unused;
	shell->bad = "a";
	shell_submit(shell, ON_START, "a");
	json_t *object = show(shell, "a");
	json_t *error = json_object_get(object, "start_error");
	assert_string_equal(text(error, "step"), spawn_step_text(STEP_EXEC));
	assert_string_equal(text(error, "error"), "ENOENT");
	assert_string_equal(text(object, "reason"), "start_failed");
	assert_null(json_object_get(object, "pid"));
	json_decref(object);
	shell->bad = NULL;
	shell_submit(shell, ON_START, "a");
	object = show(shell, "a");
	assert_null(json_object_get(object, "start_error"));
	json_decref(object);
	shell_free(shell);
}

static void
a_finished_one_shot_is_ready(void **unused)
{
	struct shell *shell = begin();

	(void)unused;
	shell_submit(shell, ON_START, "shot");
	json_t *object = show(shell, "shot");
	assert_true(json_is_false(json_object_get(object, "ready")));
	json_decref(object);
	shell_end(shell, "shot", EXITED(0));
	object = show(shell, "shot");
	assert_string_equal(text(object, "state"), "finished");
	assert_true(json_is_true(json_object_get(object, "ready")));
	json_decref(object);
	shell_free(shell);
}

static void
a_supervisor(void **unused)
{
	static const char *const members[] = {
		"path",
		"kind",
		"state",
		"since_at",
		"incarnation",
		"restarts",
		"streak",
		"strategy",
		"intensity",
		"period_s",
		"restarts_in_window",
		"group_restarts",
		NULL,
	};
	struct shell *shell = begin();

	(void)unused;
	shell_end(shell, "shop/db", EXITED(1));
	json_t *object = show(shell, "shop");
	assert_members(object, members);
	assert_string_equal(text(object, "kind"), "supervisor");
	assert_string_equal(text(object, "strategy"), "one_for_one");
	assert_int_equal(number(object, "intensity"), 5);
	assert_int_equal(number(object, "period_s"), 60);
	assert_int_equal(number(object, "restarts_in_window"), 1);
	json_decref(object);
	shell_free(shell);
}

static void
what_is_no_letter_is_replaced(void **unused)
{
	struct shell *shell = begin();
	struct place *place = NULL;
	struct view view;
	struct buf out = { 0 };

	(void)unused;
	/* No configuration makes such a path; a broken checkpoint might. */
	memcpy(&place,
	    &(const struct place *){
		nodes_place(shell->engine.nodes, shell_node(shell, "shop/db")) },
	    sizeof place);
	memcpy(place->path, "s\"\\\n\xff/x", 7);
	view_begin(&view, &shell->engine);
	view_node(&view, place->first, &out);
	json_t *object = json_loadb(out.data, out.len, 0, NULL);
	assert_string_equal(text(object, "path"), "s?\?\?\?/x");
	json_decref(object);
	buf_free(&out);
	shell_free(shell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_child),
		cmocka_unit_test(the_process_before_is_not_shown),
		cmocka_unit_test(a_child_that_was_never_started),
		cmocka_unit_test(how_a_child_ended),
		cmocka_unit_test(why_a_start_failed),
		cmocka_unit_test(a_finished_one_shot_is_ready),
		cmocka_unit_test(a_supervisor),
		cmocka_unit_test(what_is_no_letter_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
