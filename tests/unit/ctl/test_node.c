/* A node of the API in the words of `coppicectl status`. */
#include "ctl/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_why_in_words(void **state)
{
	static const struct {
		const char *members, *why, *brief;
	} rows[] = {
		{ "\"state\":\"running\",\"reason\":\"boot\",\"exit\":{\"code\":1}", "", "" },
		{ "\"state\":\"running\",\"drained\":true,\"reloading\":true,\"status_text\":\"at \\u001b7\"",
		    "drained; reloading; \"at ?7\"", "drained; reloading; \"at ?7\"" },
		{ "\"state\":\"stopped\",\"reason\":\"operator\",\"exit\":{\"signal\":\"TERM\"}",
		    "by an operator", "by an operator" },
		{ "\"state\":\"finished\",\"reason\":\"exited\",\"exit\":{\"code\":0,\"core_dumped\":false}",
		    "exit status 0", "exit 0" },
		{ "\"state\":\"failed\",\"reason\":\"intensity\",\"exit\":{\"signal\":\"SEGV\",\"core_dumped\":true}",
		    "killed by SEGV (core dumped); given up: too many restarts below it",
		    "killed by SEGV (core dumped); given up" },
		{ "\"state\":\"failed\",\"reason\":\"status_lost\",\"exit\":{\"unknown\":true}",
		    "exit status unknown; nobody saw its end", "exit status unknown; given up" },
		{ "\"state\":\"restarting\",\"reason\":\"limit\",\"exit\":{\"code\":3},\"next_start_in_s\":0.8,\"streak\":4",
		    "exit status 3; too many restarts; next try in 0.8s; 4 failures in a row",
		    "exit 3; next try in 0.8s" },
		{ "\"state\":\"restarting\",\"reason\":\"start_failed\",\"exit\":{\"code\":3},\"streak\":1,"
		  "\"start_error\":{\"step\":\"executing the command\",\"error\":\"ENOENT\"}",
		    "executing the command: ENOENT; could not start",
		    "executing the command: ENOENT" },
		{ "\"state\":\"waiting\",\"reason\":\"turn\",\"waits_for\":\"shop/db\"",
		    "waits for shop/db", "waits for shop/db" },
		{ "\"state\":\"waiting\",\"reason\":\"turn\"", "waits for those before it",
		    "waits for those before it" },
		{ "\"state\":\"waiting\",\"reason\":\"slot\",\"waits_for\":\"shop/db\"",
		    "waits for a start slot; now starting: shop/db",
		    "waits for a start slot; now starting: shop/db" },
		{ "\"state\":\"restarting\",\"reason\":\"intensity\",\"next_start_in_s\":15",
		    "too many restarts below it; next try in 15s",
		    "too many restarts below it; next try in 15s" },
		{ "\"state\":\"stopping\",\"reason\":\"operator\",\"hook\":\"stop_command\"",
		    "stop_command is running; by an operator", "stop_command is running" },
		{ "\"state\":\"waiting\",\"reason\":\"demand\",\"waits_for\":\"tcp:80\",\"drained\":true",
		    "waits for a connection to tcp:80; drained",
		    "waits for a connection to tcp:80; drained" },
		{ "\"state\":\"waiting\",\"reason\":\"something_new\"", "something_new",
		    "something_new" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scan scan;
		struct node node;
		struct buf text = { 0 }, out = { 0 };
		buf_printf(&text, "{\"path\":\"shop/web\",%s,\"later\":[{}]}", rows[i].members);
		scan_begin(&scan, text.data, text.len);
		assert_true(node_scan(&scan, &node));
		node_put_why(&out, &node, false);
		assert_string_equal(out.data == NULL ? "" : out.data, rows[i].why);
		buf_free(&out);
		node_put_why(&out, &node, true);
		assert_string_equal(out.data == NULL ? "" : out.data, rows[i].brief);
		buf_free(&text);
		buf_free(&out);
	}
}

/* What people are told is a sentence, not the API's own word. */
static void
test_each_reason_has_words(void **state)
{
	static const char *const reasons[] = {
#define X(name, text, meaning) text,
#include "core/reasons.def"
#undef X
	};

	(void)state;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		struct scan scan;
		struct node node;
		struct buf text = { 0 }, out = { 0 };
		buf_printf(
		    &text, "{\"path\":\"a\",\"state\":\"failed\",\"reason\":\"%s\"}", reasons[i]);
		scan_begin(&scan, text.data, text.len);
		assert_true(node_scan(&scan, &node));
		node_put_why(&out, &node, false);
		if (out.data != NULL)
			assert_string_not_equal(out.data, reasons[i]);
		buf_free(&text);
		buf_free(&out);
	}
}

static void
test_spans_for_people(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} rows[] = {
		{ 0, "0.0s" },
		{ 0.04, "0.0s" },
		{ 1.25, "1.2s" },
		{ 9.94, "9.9s" },
		{ 9.96, "10s" },
		{ 59.4, "59s" },
		{ 59.6, "1m00s" },
		{ 3599, "59m59s" },
		{ 3600, "1h00m" },
		{ 86399, "23h59m" },
		{ 86400, "1d00h" },
		{ 1e6, "11d13h" },
		{ -1, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };
		node_put_span(&out, rows[i].seconds);
		assert_string_equal(out.data == NULL ? "" : out.data, rows[i].text);
		buf_free(&out);
	}
}

static void
test_sizes_for_people(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} rows[] = {
		{ 0, "0B" },
		{ 999, "999B" },
		{ 1000, "1.0K" },
		{ 1613824, "1.5M" },
		{ 10.2 * 1024 * 1024, "10M" },
		{ 1e12, "931G" },
		{ -1, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };
		node_put_size(&out, rows[i].bytes);
		assert_string_equal(out.data == NULL ? "" : out.data, rows[i].text);
		buf_free(&out);
	}
}

static void
test_ages(void **state)
{
	static const char text[] =
	    "{\"nodes\":[{\"path\":\"a\",\"state\":\"running\",\"since_at\":5,\"uptime_s\":61},"
	    "{\"path\":\"b\",\"state\":\"stopping\",\"since_at\":1e12,\"uptime_s\":61},"
	    "{\"path\":\"c\",\"state\":\"failed\",\"since_at\":5},"
	    "{\"path\":\"d\",\"state\":\"restarting\",\"next_start_in_s\":2}]}";
	struct scan scan;
	struct node_list list = { 0 };

	(void)state;
	scan_begin(&scan, text, strlen(text));
	assert_null(node_scan_status(&scan, &list));
	node_list_pass(&list, 1.5);
	assert_int_equal(list.nodes[0].age_s * 10, 625); /* the process counts */
	assert_int_equal(list.nodes[1].age_s * 10, 15);  /* the state, from a clock ahead of ours */
	assert_true(list.nodes[2].age_s > 1e9);
	assert_true(list.nodes[3].age_s < 0);
	assert_true(list.nodes[3].next_start_in_s == 0.5);
	node_list_pass(&list, 10);
	assert_true(list.nodes[3].next_start_in_s == 0);
	assert_true(list.nodes[0].next_start_in_s < 0);
	node_list_free(&list);
}

static void
test_status_is_read_or_refused(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		bool fine;
	} rows[] = {
		{ "{\"nodes\":[],\"at_event\":3}", 0, true },
		{ "{\"at_event\":3,\"nodes\":[{\"path\":\"/\",\"state\":\"running\"},{\"path\":\"a\",\"state\":\"failed\"}]}",
		    2, true },
		{ "{\"at_event\":3}", 0, false },
		{ "{\"nodes\":{}}", 0, false },
		{ "{\"nodes\":[{\"path\":\"/\"}]}", 0, false },
		{ "{\"nodes\":[{\"path\":\"/\",\"state\":\"running\"},7]}", 1, false },
		{ "[]", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scan scan;
		struct node_list list = { 0 };
		scan_begin(&scan, rows[i].text, strlen(rows[i].text));
		assert_int_equal(node_scan_status(&scan, &list) == NULL, rows[i].fine);
		assert_int_equal(list.count, rows[i].count);
		node_list_free(&list);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_why_in_words),
		cmocka_unit_test(test_each_reason_has_words),
		cmocka_unit_test(test_spans_for_people),
		cmocka_unit_test(test_sizes_for_people),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_status_is_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
