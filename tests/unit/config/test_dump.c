/*
 * What --dump prints reads as the same configuration: for examples, and for random ones.
 */
#include "compiled.h"

#include "config/dump.h"
#include "config/product.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RUNS 1000

static char *
dump_of(struct compiled *compiled)
{
	struct buf out = { 0 };

	assert_null(dump_write(compiled->build, &compiled->settings, &out));
	assert_false(out.failed);
	return out.data;
}

/* All lines without comments. */
static char *
values_of(const char *dump)
{
	struct buf out = { 0 };

	buf_puts(&out, "");
	for (const char *line = dump; *line != '\0';) {
		size_t len = strcspn(line, "\n") + 1;
		if (*line != '#')
			buf_append(&out, line, len);
		line += len;
	}
	return out.data;
}

/* The product without what says where values are from. */
static char *
product_of(struct compiled *compiled)
{
	struct buf all = { 0 }, out = { 0 };

	product_write(compiled->build, &compiled->settings, &all);
	for (char *line = strtok(all.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		const char *settings = strstr(line, ", \"settings\": {");
		buf_append(&out, line, settings != NULL ? (size_t)(settings - line) : strlen(line));
		buf_puts(&out, "\n");
	}
	buf_free(&all);
	return out.data;
}

static void
assert_same(const char *what, const char *text, const char *one, const char *other)
{
	size_t at = 0;

	if (str_equal(one, other))
		return;
	while (one[at] == other[at])
		at++;
	at = at > 60 ? at - 60 : 0;
	fprintf(stderr, "%s\n", text);
	fail_msg("%s differs: …%.120s… became …%.120s…", what, one + at, other + at);
}

/* Whether the text is a configuration without errors; if so, its dump must be the same one. */
static bool
is_kept(const char *text)
{
	struct compiled first, second;

	compiled_make(&first, text, strlen(text), BUILD_SERVICE);
	bool is_good = diag_errors(first.diag) == 0;
	if (is_good) {
		char *dump = dump_of(&first), *product = product_of(&first);
		compiled_make(&second, dump, strlen(dump), BUILD_SERVICE);
		if (diag_errors(second.diag) != 0) {
			fprintf(stderr, "%s\n---\n%s\n---\n%s\n", text, dump, second.messages.data);
			fail_msg("the dump has errors");
		}
		char *dump2 = dump_of(&second), *product2 = product_of(&second);
		assert_same("the product", text, product, product2);
		char *values = values_of(dump), *values2 = values_of(dump2);
		assert_same("the dump", text, values, values2);
		compiled_free(&second);
		free(values);
		free(values2);
		free(dump);
		free(dump2);
		free(product);
		free(product2);
	}
	compiled_free(&first);
	return is_good;
}

/* --- examples ------------------------------------------------------------------------------- */

static const char example[] = "[coppice]\n"
			      "runtime_dir = /run/x\n"
			      "[defaults]\n"
			      "log = inherit\n"
			      "env.TZ = UTC\n"
			      "[profile:p]\n"
			      "stop = KILL\n"
			      "[supervisor:s]\n"
			      "strategy = one_for_all\n"
			      "child.profile = p\n"
			      "[child:s/a]\n"
			      "command = x '${A}\n"
			      "  b' %n\n"
			      "log_file = a.log\n"
			      "env.A = $${B} 5%%\n";

/* What is set, each below its origin; the profile as a comment; log as it is meant. */
static void
test_example(void **state)
{
	static const char wanted[] = "\n[child:s/a]\n"
				     "# t.conf:12\n"
				     "command = x '${A}\n"
				     "\tb' a\n"
				     "# t.conf:10\n"
				     "# profile = p, whose values stand here\n"
				     "# t.conf:7\n"
				     "stop = KILL\n"
				     "# t.conf:14\n"
				     "log = file\n"
				     "# t.conf:14\n"
				     "log_file = a.log\n"
				     "# t.conf:15\n"
				     "env.A = $${B} 5%%\n"
				     "# t.conf:5\n"
				     "env.TZ = UTC\n"
				     "#clear_env = no\n";
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, example, sizeof example - 1, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	char *dump = dump_of(&compiled);
	if (strstr(dump, wanted) == NULL)
		fail_msg("got:\n%s", dump);
	assert_non_null(strstr(dump,
	    "\n[coppice]\n# t.conf:2\nruntime_dir = /run/x\n"
	    "#control_socket = /run/x/control.sock\n"));
	assert_non_null(strstr(dump, "\n[supervisor:/]\n#strategy = one_for_one\n"));
	assert_non_null(strstr(dump, "\n[supervisor:s]\n# t.conf:9\nstrategy = one_for_all\n"));
	assert_null(strstr(dump, "[defaults]"));
	free(dump);
	compiled_free(&compiled);
	assert_true(is_kept(example));
}

/* Who takes the comment marks away to change a value meets no complaint about the others. */
static void
test_built_in_values_are_good(void **state)
{
	static const char text[] = "[supervisor:s]\n"
				   "[child:s/a]\n"
				   "command = x\n"
				   "[child:b]\n"
				   "command = x\n"
				   "instances = 2\n"
				   "log = file\n";
	struct compiled compiled;
	struct buf bare = { 0 };

	(void)state;
	compiled_make(&compiled, text, sizeof text - 1, BUILD_SERVICE);
	char *dump = dump_of(&compiled);
	for (const char *line = dump; *line != '\0'; line += strcspn(line, "\n") + 1) {
		bool is_key = *line == '#' && line[1] >= 'a' && line[1] <= 'z';
		buf_append(&bare, line + is_key, strcspn(line, "\n") + 1 - is_key);
	}
	compiled_free(&compiled);
	buf_puts(&bare, "");
	assert_true(bare.data != NULL && strstr(bare.data, "\nrestart = permanent\n") != NULL);
	compiled_make(&compiled, bare.data, bare.len, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	compiled_free(&compiled);
	buf_free(&bare);
	free(dump);
}

/* Lines have 64 KiB at most; a value may be longer. */
static void
test_long_values(void **state)
{
	struct buf text = { 0 };
	struct compiled compiled;

	(void)state;
	buf_puts(&text, "[child:a]\ncommand = x");
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, " ä%d%s", i, i % 1000 == 0 ? "\n" : "");
	buf_puts(&text, "\n ${COPPICE_TEST_LONG} ");
	/* the same bytes apart in any place: one of these is cut within a character */
	for (int i = 0; i < 4; i++)
		buf_printf(&text, "%.*s${COPPICE_TEST_WIDE} ", i, "abc");
	buf_puts(&text, "\nenv.LONG = a");
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, " %d%s", i, i % 1000 == 0 ? " =\n [" : "");
	buf_puts(&text, "\n[coppice]\noperators = 0");
	for (int i = 0; i < 60; i++)
		buf_puts(&text, "\n\t1 @2");
	buf_puts(&text, "\n");
	assert_true(text.len > 2 * 65536);
	assert_true(is_kept(text.data));
	buf_free(&text);
	static const char whole[] = "[child:a]\ncommand = x\nenv.X = ${COPPICE_TEST_LONG}\n";
	compiled_make(&compiled, whole, sizeof whole - 1, BUILD_SERVICE);
	char *problem = dump_write(compiled.build, &compiled.settings, &text);
	assert_string_equal(problem,
	    "t.conf:3: [child:a] env.X: 100000 bytes without a space, and a line has 65536 at most");
	free(problem);
	buf_free(&text);
	compiled_free(&compiled);
}

/* --- random configurations ------------------------------------------------------------------ */

struct maker {
	uint64_t state; /* of the random numbers, xorshift64* */
	struct buf out;
	bool in_template; /* %i means something */
};

static uint32_t
below(struct maker *maker, uint32_t limit)
{
	maker->state ^= maker->state >> 12;
	maker->state ^= maker->state << 25;
	maker->state ^= maker->state >> 27;
	return (uint32_t)((maker->state * 2685821657736338717ULL) >> 33) % limit;
}

#define PICK(maker, list) (list)[below(maker, sizeof(list) / sizeof((list)[0]))]

static void
put_odd_text(struct maker *maker, struct buf *text)
{
	static const char *const pieces[] = { "a", "bc", " ", "  ", "\t", "=", "#", " #", ";",
		"[x]", "%%", "%h", "%p", "%n", "%x20", "%x0a", "%x09", "%x7f", "%x02", "$", "$$",
		"$${", "{", "}", "\"", "'", "\\", "ä", "→", "\xf0\x9f\x8c\xb1",
		"${COPPICE_TEST_ODD}", "${COPPICE_TEST_NONE:-x y}", "\n\tz", "\n  restart", "\n \"",
		",", "-", "/" };

	for (uint32_t count = below(maker, 8); count > 0; count--)
		buf_puts(
		    text, maker->in_template && below(maker, 8) == 0 ? "%i" : PICK(maker, pieces));
}

static void
put_command(struct maker *maker, struct buf *text)
{
	static const char *const between[] = { " ", "\n\t", "", "'", "\"", "\\" };

	buf_puts(text, "x");
	for (uint32_t count = below(maker, 5); count > 0; count--) {
		const char *quote = PICK(maker, between);
		buf_puts(text, " ");
		buf_puts(text, quote);
		put_odd_text(maker, text);
		buf_puts(text, *quote == '\'' || *quote == '"' ? quote : "");
	}
}

static void
put_number(struct maker *maker, const struct keys_key *key, struct buf *text)
{
	uint64_t range = (uint64_t)(key->max - key->min) + 1;
	uint64_t big = (uint64_t)below(maker, 1U << 30) << 30 | below(maker, 1U << 30);
	int64_t number = key->min + (int64_t)(below(maker, 2) ? big % range : big % range % 100);

	buf_printf(text, key->type == TYPE_OCTAL ? "%lo" : "%ld", number);
}

static void
put_span(struct maker *maker, const struct keys_key *key, struct buf *text)
{
	static const char *const units[] = { "ms", "s", "m", "h", "" };

	if (key->infinite && below(maker, 4) == 0)
		buf_puts(text, "infinity");
	else
		buf_printf(text, "%u%s", 1 + below(maker, 100), PICK(maker, units));
}

/* Several words of the list. */
static void
put_list(struct maker *maker, const char *const *list, uint32_t size, struct buf *text)
{
	for (uint32_t count = below(maker, 4); count > 0; count--)
		buf_printf(text, "%s%s", list[below(maker, size)], count > 1 ? ", " : "");
}

static void
put_choice(struct maker *maker, const struct keys_key *key, struct buf *text)
{
	const char *word = key->choices;

	for (const char *p = word; *p != '\0'; p++)
		if (*p == ' ' && below(maker, 2) == 0)
			word = p + 1;
	if (strncmp(word, "fd:N", 4) == 0)
		buf_printf(text, "fd:%u", 3 + below(maker, 29));
	else
		buf_append(text, word, strcspn(word, " "));
}

/* A value that is good for the key more often than not. */
static void
put_value(struct maker *maker, const struct keys_key *key, struct buf *text)
{
	static const char *const bools[] = { "yes", "no", "on", "FALSE" };
	static const char *const factors[] = { "1", "1.5", "1.001", "1000" };
	static const char *const percents[] = { "0", "12.5%", "100%", "0.0001%" };
	static const char *const stops[] = { "TERM", "TERM 10s KILL", "immediate", "infinity",
		"graceful(3s)", "INT 1 15 0 RTMIN+1 250ms KILL", "KILL" };
	static const char *const success[] = { "0", "1", "TERM", "RTMAX" };
	static const char *const failures[] = { "78", "255", "SIGKILL", "1" };
	static const char *const names[] = { "0", "1", "65534" };
	static const char *const limits[] = { "0", "7", "infinity", "1:2", "0:infinity", "1s:1h" };
	static const char *const mosts[] = { "1", "700", "infinity" };
	static const char *const cgroups[] = { "none", "/sys/fs/cgroup/x" };
	static const char *const cpus[] = { "0", "1-3, 8", "1023", "7 5-6,1", "0-1023" };
	static const char *const addresses[] = { "tcp:80", "udp:[::1]:%i", "unix:/x",
		"unix:/y:0600::0" };
	static const char *const capabilities[] = { "kill", "CAP_CHOWN", "sys_nice", "bpf" };

	switch (key->type) {
	case TYPE_TEXT: put_odd_text(maker, text); break;
	case TYPE_COMMAND: put_command(maker, text); break;
	case TYPE_PATH:
	case TYPE_DIRECTORY:
	case TYPE_INPUT:
	case TYPE_OUTPUT:
	case TYPE_ENV_FILE:
		buf_puts(text, "/x");
		put_odd_text(maker, text);
		break;
	case TYPE_BOOL: buf_puts(text, PICK(maker, bools)); break;
	case TYPE_NUMBER:
	case TYPE_OCTAL: put_number(maker, key, text); break;
	case TYPE_SPAN: put_span(maker, key, text); break;
	case TYPE_FACTOR: buf_puts(text, PICK(maker, factors)); break;
	case TYPE_PERCENT: buf_puts(text, PICK(maker, percents)); break;
	case TYPE_CHOICE:
	case TYPE_READY: put_choice(maker, key, text); break;
	case TYPE_STOP: buf_puts(text, PICK(maker, stops)); break;
	case TYPE_EXITS:
		put_list(maker, keys_id(key) == KEY_SUCCESS_EXIT ? success : failures, 4, text);
		break;
	case TYPE_NAME: buf_puts(text, PICK(maker, names)); break;
	case TYPE_NAMES: put_list(maker, names, 3, text); break;
	case TYPE_LIMIT: buf_puts(text, PICK(maker, limits)); break;
	case TYPE_MOST:
		buf_puts(text, key->unit == UNIT_PERCENT ? "150%" : PICK(maker, mosts));
		break;
	case TYPE_CGROUP: buf_puts(text, PICK(maker, cgroups)); break;
	case TYPE_CPUS: buf_puts(text, PICK(maker, cpus)); break;
	case TYPE_CAPABILITIES: put_list(maker, capabilities, 4, text); break;
	case TYPE_ADDRESSES: put_list(maker, addresses, 4, text); break;
	}
}

/* A good value, or none after some tries. */
static void
put_entry(struct maker *maker, const struct keys_key *key, const char *prefix, const char *suffix)
{
	const struct expand expand = {
		.path = key->in == IN_COPPICE ? NULL : "a/b",
		.name = "b",
		.is_template = maker->in_template,
	};

	for (int try = 0; try < 5; try++) {
		struct buf text = { 0 };
		char *problem;
		buf_puts(&text, "");
		put_value(maker, key, &text);
		struct value *value = value_parse(key, text.data, &expand, &problem);
		if (value != NULL)
			buf_printf(
			    &maker->out, "%s%s%s = %s\n", prefix, key->name, suffix, text.data);
		bool is_good = value != NULL;
		value_free(&value);
		free(problem);
		buf_free(&text);
		if (is_good)
			return;
	}
}

/* Some keys of those that a section knows; the chance of each is one in `rare`. */
static void
put_entries(struct maker *maker, unsigned in, const char *prefix, uint32_t rare)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		/* Those that need others to be good, or that the caller puts. */
		bool is_odd = i == KEY_COMMAND || i == KEY_SIGNIFICANT || i == KEY_INSTANCES ||
		    i == KEY_PROFILE || i == KEY_INCLUDE || i == KEY_RUNTIME_DIR ||
		    i == KEY_AFTER || i == KEY_LISTEN || i == KEY_ON_DEMAND;
		bool is_identity = i == KEY_USER || i == KEY_GROUP || i == KEY_GROUPS;
		if ((key->in & in) == 0 || key->later || is_odd || below(maker, rare) != 0 ||
		    (is_identity && geteuid() != 0))
			continue;
		put_entry(
		    maker, key, prefix, keys_is_prefix(key) ? below(maker, 2) ? "A" : "B" : "");
	}
	if (in == IN_CHILD && below(maker, 3) == 0)
		buf_printf(&maker->out, "%sprofile = p%u\n", prefix, below(maker, 3));
}

static void
put_child(struct maker *maker, const char *parent, uint32_t number)
{
	buf_printf(&maker->out, "[child:%sc%u]\n", parent, number);
	maker->in_template = below(maker, 3) == 0;
	if (maker->in_template)
		buf_printf(&maker->out, "instances = %u\n", below(maker, 5));
	put_entry(maker, &keys_table[KEY_COMMAND], "", "");
	put_entries(maker, IN_CHILD, "", 4);
	maker->in_template = false;
}

/* A tree of up to three supervisors and some children, with defaults and three profiles. */
static void
put_configuration(struct maker *maker)
{
	static const char *const supervisors[] = { "", "s/", "s/t/" };

	buf_puts(&maker->out, "[coppice]\nruntime_dir = /run/x\n");
	put_entries(maker, IN_COPPICE, "", 4);
	for (size_t i = 0; i < 3; i++) {
		buf_printf(&maker->out, "[profile:p%zu]\n", i);
		for (size_t k = 0; k < KEY_COUNT; k++)
			if (keys_table[k].in == IN_CHILD && !keys_table[k].later &&
			    keys_table[k].respawn && k != KEY_COMMAND && k != KEY_USER &&
			    k != KEY_GROUP && k != KEY_GROUPS && k != KEY_LISTEN &&
			    below(maker, 6) == 0)
				put_entry(maker, &keys_table[k], "",
				    keys_is_prefix(&keys_table[k]) ? "P" : "");
	}
	for (size_t i = 0, count = 1 + below(maker, 3); i < count; i++) {
		const char *path = supervisors[i];
		buf_printf(&maker->out, "[supervisor:%.*s]\n", i > 0 ? (int)strlen(path) - 1 : 1,
		    i > 0 ? path : "/");
		put_entries(maker, IN_SUPERVISOR, "", 5);
		put_entries(maker, IN_CHILD, "child.", 12);
		for (uint32_t k = below(maker, 3); k > 0; k--)
			put_child(maker, path, k);
	}
	buf_puts(&maker->out, "[defaults]\n");
	put_entries(maker, IN_CHILD, "", 8);
}

static void
test_random(void **state)
{
	int good = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= RUNS; seed++) {
		struct maker maker = { .state = seed * 0x9e3779b97f4a7c15ULL };
		put_configuration(&maker);
		good += is_kept(maker.out.data);
		buf_free(&maker.out);
	}
	/* Of the others something was wrong, which other tests are for. */
	if (good < RUNS / 2)
		fail_msg("only %d of %d configurations were good", good, RUNS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_built_in_values_are_good),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_random),
	};
	char *longest = mem_zalloc(100001, 1), *wide = mem_zalloc(90001, 1);

	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("COPPICE_TEST_NONE");
	memset(longest, 'y', 100000);
	setenv("COPPICE_TEST_LONG", longest, 1);
	setenv("COPPICE_TEST_ODD",
	    "\n a\n#b\n[child:x]\nrestart = 1\n\t'\"\\ %i ${X} $ \x02\x7f\x1b ", 1);
	for (size_t i = 0; i < 90000; i++)
		wide[i] = "ä '"[i % 4];
	setenv("COPPICE_TEST_WIDE", wide, 1);
	free(longest);
	free(wide);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
