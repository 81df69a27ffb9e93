/*
 * Values by type: read, printed, as JSON; the ends of ranges and one step outside; every key's own
 * default.
 */
#include "config/keys.h"
#include "config/value.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct expand somewhere = { .path = "shop/web", .name = "web" };

static const struct good {
	const char *key, *text, *printed, *json;
} goods[] = {
	{ "autostart", "yes", "yes", "true" },
	{ "autostart", "ON", "yes", "true" },
	{ "autostart", "true", "yes", "true" },
	{ "autostart", "off", "no", "false" },
	{ "autostart", "no", "no", "false" },
	{ "autostart", "false", "no", "false" },
	{ "intensity", "0", "0", "0" },
	{ "intensity", "65535", "65535", "65535" },
	{ "instances", "0", "0", "0" },
	{ "instances", "65535", "65535", "65535" },
	{ "event_history", "16", "16", "16" },
	{ "event_history", "1000000", "1000000", "1000000" },
	{ "umask", "0", "000", "0" },
	{ "umask", "22", "022", "18" },
	{ "umask", "0777", "777", "511" },
	{ "control_mode", "0660", "660", "432" },
	{ "start_timeout", "1ms", "1ms", "1" },
	{ "start_timeout", "infinity", "infinity", "null" },
	{ "start_timeout", "10000d", "10000d", "864000000000" },
	{ "start_timeout", "1.5", "1500ms", "1500" },
	{ "start_timeout", "90", "90s", "90000" },
	{ "stable_after", "0", "0s", "0" },
	{ "backoff_factor", "1", "1", "1000" },
	{ "backoff_factor", "1.5", "1.5", "1500" },
	{ "backoff_factor", "1.001", "1.001", "1001" },
	{ "backoff_factor", "1000", "1000", "1000000" },
	{ "backoff_jitter", "0", "0%", "0" },
	{ "backoff_jitter", "0%", "0%", "0" },
	{ "backoff_jitter", "0.0001%", "0.0001%", "1" },
	{ "backoff_jitter", "12.5%", "12.5%", "125000" },
	{ "backoff_jitter", "100%", "100%", "1000000" },
	{ "restart", "temporary", "temporary", "\"temporary\"" },
	{ "ready", "exit", "exit", "\"exit\"" },
	{ "ready", "notify", "notify", "\"notify\"" },
	{ "ready", "fd:3", "fd:3", "\"fd:3\"" },
	{ "ready", "fd:31", "fd:31", "\"fd:31\"" },
	{ "strategy", "rest_for_one", "rest_for_one", "\"rest_for_one\"" },
	{ "stop", "graceful(2s)", "TERM 2s KILL", "[[\"TERM\", 2000], [\"KILL\", null]]" },
	{ "stop", "immediate", "KILL", "[[\"KILL\", null]]" },
	{ "stop", "infinity", "TERM infinity", "[[\"TERM\", null]]" },
	{ "stop", "SIGINT 1 15 0 RTMIN+1 250ms KILL", "INT 1s TERM 0s RTMIN+1 250ms KILL",
	    "[[\"INT\", 1000], [\"TERM\", 0], [\"RTMIN+1\", 250], [\"KILL\", null]]" },
	{ "stop", "HUP 1 INT 1 HUP 1 INT 1 HUP 1 INT 1 HUP 1 KILL",
	    "HUP 1s INT 1s HUP 1s INT 1s HUP 1s INT 1s HUP 1s KILL",
	    "[[\"HUP\", 1000], [\"INT\", 1000], [\"HUP\", 1000], [\"INT\", 1000], [\"HUP\", 1000], [\"INT\", 1000], "
	    "[\"HUP\", 1000], [\"KILL\", null]]" },
	{ "success_exit", "", "", "[]" },
	{ "success_exit", "TERM, 255 0,sigint", "0 255 INT TERM", "[0, 255, \"INT\", \"TERM\"]" },
	{ "groups", "", "", "[]" },
	{ "groups", "audio,  video", "audio, video", "[\"audio\", \"video\"]" },
	{ "user", "%n", "web", "\"web\"" },
	{ "env.X", "", "", "\"\"" },
	{ "env.X", "a\nb", "a b", "\"a b\"" },
	{ "env.X", "\"a\" # b", "\"a\" # b", "\"\\\"a\\\" # b\"" },
	{ "env.X", "100%%", "100%%", "\"100%\"" },
	{ "env.X", "$HOME $", "$HOME $", "\"$HOME $\"" },
	{ "stdin", "null", "null", "\"null\"" },
	{ "stdin", "/dev/tty", "/dev/tty", "\"/dev/tty\"" },
	{ "log_stderr", "file", "file", "\"file\"" },
	{ "log_stderr", "./%n.err", "./web.err", "\"./web.err\"" },
	{ "command", "a  b\tc\nd", "a b c d", "[\"a\", \"b\", \"c\", \"d\"]" },
	{ "command", "sh -c 'while :; do\nsleep 1; done'", "sh -c 'while :; do\nsleep 1; done'",
	    "[\"sh\", \"-c\", \"while :; do\\nsleep 1; done\"]" },
	{ "command", "sh -c '\na\n' '${X}' 'a $${'", "sh -c %x0aa%x0a '${X}' 'a $${'",
	    "[\"sh\", \"-c\", \"\\na\\n\", \"${X}\", \"a $${\"]" },
	{ "command", "sh 'a\n#b' 'a\nb = c' 'a \nb' 'a\n[x'",
	    "sh 'a%x0a#b' 'a%x0ab = c' 'a %x0ab' 'a%x0a[x'",
	    "[\"sh\", \"a\\n#b\", \"a\\nb = c\", \"a \\nb\", \"a\\n[x\"]" },
	{ "env.X", "%x20a%x0ab$${X}%x20", "%x20a%x0ab$${X}%x20", "\" a\\nb${X} \"" },
	{ "env.X", "%x20", "%x20", "\" \"" },
	{ "groups", "a%%b, %x7f", "a%%b, %x7f", "[\"a%b\", \"\x7f\"]" },
	{ "nice", "-20", "-20", "-20" },
	{ "oom_score_adj", "1000", "1000", "1000" },
	{ "no_new_privileges", "on", "yes", "true" },
	{ "limit.nofile", "1024", "1024", "[1024, 1024]" },
	{ "limit.nofile", "0:infinity", "0:infinity", "[0, null]" },
	{ "limit.nofile", "infinity", "infinity", "[null, null]" },
	{ "limit.nofile", "9223372036854775806", "9223372036854775806",
	    "[9223372036854775806, 9223372036854775806]" },
	{ "limit.core", "0", "0", "[0, 0]" },
	{ "limit.as", "1024:4096K", "1K:4M", "[1024, 4194304]" },
	{ "limit.as", "1T", "1T", "[1099511627776, 1099511627776]" },
	{ "limit.as", "1025", "1025", "[1025, 1025]" },
	{ "limit.cpu", "90:1h", "90s:1h", "[90, 3600]" },
	{ "limit.cpu", "1d:infinity", "1d:infinity", "[86400, null]" },
	{ "limit.rttime", "250ms:1", "250ms:1s", "[250000, 1000000]" },
	{ "limit.nice", "40", "40", "[40, 40]" },
	{ "limit.rtprio", "0:99", "0:99", "[0, 99]" },
	{ "cpu_affinity", "3", "3", "[[3, 3]]" },
	{ "cpu_affinity", "8, 0-2 2-3,1023", "0-3, 8, 1023", "[[0, 3], [8, 8], [1023, 1023]]" },
	{ "cpu_affinity", "0-1023", "0-1023", "[[0, 1023]]" },
	{ "capabilities", "", "", "0" },
	{ "capabilities", "CAP_SYS_NICE, net_bind_service Kill", "kill, net_bind_service, sys_nice",
	    "8389664" },
	{ "capabilities", "checkpoint_restore", "checkpoint_restore", "1099511627776" },
	{ "env_file", "/etc/%n", "/etc/web", "\"/etc/web\"" },
	{ "env_file", "-/etc/a b", "-/etc/a b", "\"-/etc/a b\"" },
	{ "command", "%p --name=\"%n x\"", "shop/web '--name=web x'",
	    "[\"shop/web\", \"--name=web x\"]" },
};

static struct value *
parse(const char *key, const char *text, const struct keys_key **info, char **problem)
{
	const char *suffix;

	*info = keys_find(key, IN_CHILD | IN_SUPERVISOR | IN_COPPICE, &suffix);
	assert_non_null(*info);
	return value_parse(*info, text, &somewhere, problem);
}

static void
check_text(const struct good *good,
    void print(const struct keys_key *, const struct value *, struct buf *),
    const struct keys_key *info, const struct value *value, const char *expected)
{
	struct buf out = { 0 };

	buf_puts(&out, "");
	print(info, value, &out);
	if (!str_equal(out.data, expected))
		fail_msg("%s = %s: got %s, not %s", good->key, good->text, out.data, expected);
	buf_free(&out);
}

/* parse → print → parse → print is the same. */
static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
		const struct keys_key *info;
		char *problem;
		struct value *value = parse(goods[i].key, goods[i].text, &info, &problem);
		if (value == NULL)
			fail_msg("%s = %s: %s", goods[i].key, goods[i].text, problem);
		check_text(&goods[i], value_print, info, value, goods[i].printed);
		check_text(&goods[i], value_json, info, value, goods[i].json);
		value_free(&value);
		value = parse(goods[i].key, goods[i].printed, &info, &problem);
		assert_non_null(value);
		check_text(&goods[i], value_print, info, value, goods[i].printed);
		value_free(&value);
	}
}

static void
test_bad(void **state)
{
	static const char *const bads[][2] = { { "intensity", "65536" }, { "intensity", "-1" },
		{ "intensity", "1.5" }, { "intensity", "0x10" }, { "intensity", "" },
		{ "event_history", "15" }, { "event_history", "1000001" }, { "umask", "1000" },
		{ "umask", "8" }, { "umask", "-1" }, { "start_timeout", "0" },
		{ "start_timeout", "10000.00001d" }, { "start_timeout", "1 s" },
		{ "period", "0ms" }, { "period", "infinity" }, { "backoff_max", "infinity" },
		{ "backoff_factor", "0.999" }, { "backoff_factor", "1000.001" },
		{ "backoff_factor", "1." }, { "backoff_factor", ".5" },
		{ "backoff_factor", "99999999999999999999" }, { "backoff_jitter", "100.0001%" },
		{ "backoff_jitter", "%" }, { "backoff_jitter", "-1%" },
		{ "backoff_jitter", "1.00001%" }, { "restart", "Permanent" }, { "restart", "" },
		{ "stop", "" }, { "stop", "5s" }, { "stop", "0" }, { "stop", "TERM 5s 65" },
		{ "success_exit", "256" }, { "success_exit", "-1" }, { "success_exit", "1-3" },
		{ "directory", "" }, { "directory", "x" }, { "user", "" }, { "autostart", "y" },
		{ "command", "\"" }, { "command", "" }, { "command", "''" }, { "env.X", "%" },
		{ "env.X", "${" }, { "env.X", "%i" } };

	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
		const struct keys_key *info;
		char *problem;
		struct value *value = parse(bads[i][0], bads[i][1], &info, &problem);
		if (value != NULL)
			fail_msg("%s = %s was taken", bads[i][0], bads[i][1]);
		assert_non_null(problem);
		free(problem);
	}
}

/* A word of any length where it is told of. */
static void
test_long_words(void **state)
{
	static const char *const keys[] = { "command", "restart", "umask", "start_timeout", "stop",
		"success_exit", "user", "log_stderr", "stdin", "backoff_jitter", "env.X", "ready" };
	static const char *const heads[] = { "", "A=", "~/", "$A", "${", "%", "fd:", "-1", "\"" };

	(void)state;
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
		for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++) {
			const struct keys_key *info;
			char *problem, *text = mem_zalloc(20000, 1);
			strcpy(text, heads[h]);
			memset(text + strlen(text), 'x', 15000);
			memcpy(text + 10000, "=/@", 3);
			struct value *value = parse(keys[k], text, &info, &problem);
			assert_true(problem == NULL || strlen(problem) < 1000);
			value_free(&value);
			free(problem);
			free(text);
		}
}

static void
test_every_default(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		const struct good what = { key->name, key->fallback, NULL, NULL };
		struct buf printed = { 0 }, json = { 0 };
		char *problem;
		if (key->fallback == NULL)
			continue;
		struct value *value = value_parse(key, key->fallback, &somewhere, &problem);
		if (value == NULL)
			fail_msg("%s = %s: %s", key->name, key->fallback, problem);
		buf_puts(&printed, "");
		value_print(key, value, &printed);
		value_json(key, value, &json);
		value_free(&value);
		/* 60s may be printed as 1m, as long as that is the same. */
		value = value_parse(key, printed.data, &somewhere, &problem);
		assert_non_null(value);
		check_text(&what, value_json, key, value, json.data);
		buf_free(&printed);
		buf_free(&json);
		value_free(&value);
		count++;
	}
	assert_true(count > 25);
}

static void
test_template(void **state)
{
	static const struct expand template = {
		.path = "shop/web", .name = "web", .is_template = true
	};
	const struct keys_key *key = &keys_table[KEY_COMMAND];
	struct buf out = { 0 };
	char *problem;
	struct value *value = value_parse(key, "%p %n 80%i", &template, &problem);

	(void)state;
	assert_non_null(value);
	value_json(key, value, &out);
	assert_string_equal(out.data, "[\"shop/web@\\u0001\", \"web@\\u0001\", \"80\\u0001\"]");
	buf_free(&out);
	value_print(key, value, &out);
	assert_string_equal(out.data, "shop/web@%i web@%i 80%i");
	buf_free(&out);
	value_free(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_every_default),
		cmocka_unit_test(test_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
