#include "engine/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char good[] =
    "{\"control_socket\": \"/run/coppice/control.sock\", \"control_mode\": 432, \"control_gid\": 4,"
    " \"make_runtime_dir\": true, \"operator_uids\": [0, 1000], \"operator_gids\": [27],"
    " \"shutdown_timeout\": 90000, \"event_history\": 4096}";

static void
every_key_is_read(void **unused)
{
	struct settings settings;
	const char *problem;
	json_t *object = json_loads(good, 0, NULL);

	(void)unused;
	assert_int_equal(settings_read(&settings, object, &problem), 0);
	assert_string_equal(settings.control_socket, "/run/coppice/control.sock");
	assert_int_equal(settings.control_mode, 0660);
	assert_int_equal(settings.control_gid, 4);
	assert_true(settings.make_runtime_dir);
	assert_int_equal(settings.operator_uid_count, 2);
	assert_int_equal(settings.operator_uids[1], 1000);
	assert_int_equal(settings.operator_gid_count, 1);
	assert_int_equal(settings.operator_gids[0], 27);
	assert_int_equal(settings.shutdown_timeout, 90000);
	assert_int_equal(settings.event_history, 4096);
	json_decref(object);
}

static void
null_is_no_group_and_no_limit(void **unused)
{
	struct settings settings;
	const char *problem;
	json_t *object = json_loads(good, 0, NULL);

	(void)unused;
	json_object_set_new(object, "control_gid", json_null());
	json_object_set_new(object, "shutdown_timeout", json_null());
	assert_int_equal(settings_read(&settings, object, &problem), 0);
	assert_true(settings.control_gid == (gid_t)-1);
	assert_true(settings.shutdown_timeout == SPAN_INFINITE);
	json_decref(object);
}

static void
what_is_wrong_is_named(void **unused)
{
	static const struct {
		const char *key, *value;
	} rows[] = {
		{ "control_socket", "\"\"" },
		{ "control_socket", "5" },
		{ "control_mode", "512" },
		{ "control_mode", "-1" },
		{ "control_mode", "\"0600\"" },
		{ "control_gid", "4294967295" },
		{ "control_gid", "\"adm\"" },
		{ "make_runtime_dir", "null" },
		{ "operator_uids", "[4294967295]" },
		{ "operator_uids", "[-1]" },
		{ "operator_uids", "[\"root\"]" },
		{ "operator_gids", "null" },
		{ "shutdown_timeout", "-1" },
		{ "shutdown_timeout", "\"5s\"" },
		{ "event_history", "1.5" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct settings settings;
		const char *problem = NULL;
		json_t *object = json_loads(good, 0, NULL);
		json_object_set_new(
		    object, rows[i].key, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		assert_int_not_equal(settings_read(&settings, object, &problem), 0);
		assert_non_null(problem);
		assert_memory_equal(problem, rows[i].key, strlen(rows[i].key));
		json_object_del(object, rows[i].key);
		assert_int_not_equal(settings_read(&settings, object, &problem), 0);
		json_decref(object);
	}
}

static void
lists_and_paths_have_a_greatest_length(void **unused)
{
	struct settings settings;
	const char *problem;
	char path[110];
	json_t *object = json_loads(good, 0, NULL), *ids = json_array();

	(void)unused;
	memset(path, 'p', sizeof path);
	path[107] = '\0';
	json_object_set_new(object, "control_socket", json_string(path));
	assert_int_equal(settings_read(&settings, object, &problem), 0);
	assert_string_equal(settings.control_socket, path);
	path[107] = 'p';
	path[108] = '\0';
	json_object_set_new(object, "control_socket", json_string(path));
	assert_int_not_equal(settings_read(&settings, object, &problem), 0);
	json_object_set_new(object, "control_socket", json_string("/s"));
	for (int i = 0; i < SETTINGS_MAX_OPERATORS; i++)
		json_array_append_new(ids, json_integer(i));
	json_object_set_new(object, "operator_uids", ids);
	assert_int_equal(settings_read(&settings, object, &problem), 0);
	assert_int_equal(settings.operator_uid_count, SETTINGS_MAX_OPERATORS);
	json_array_append_new(ids, json_integer(5));
	assert_int_not_equal(settings_read(&settings, object, &problem), 0);
	json_decref(object);
}

static void
what_is_no_object_is_refused(void **unused)
{
	struct settings settings;
	const char *problem = NULL;

	(void)unused;
	assert_int_not_equal(settings_read(&settings, NULL, &problem), 0);
	assert_non_null(problem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(null_is_no_group_and_no_limit),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(lists_and_paths_have_a_greatest_length),
		cmocka_unit_test(what_is_no_object_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
