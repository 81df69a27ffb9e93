/* The key table against itself, the manual page and the example file. */
#include "config/keys.h"
#include "config/manual.h"
#include "config/value.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_PAGE (1U << 20)

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		const char *suffix;
		assert_non_null(key->name);
		assert_non_null(key->doc);
		assert_true(strlen(key->doc) > 5);
		assert_true(key->in != 0);
		bool has_words = key->type == TYPE_CHOICE || key->type == TYPE_READY;
		assert_true(has_words ? key->choices != NULL : key->choices == NULL);
		if (key->type == TYPE_NUMBER || key->type == TYPE_SPAN || key->type == TYPE_OCTAL)
			assert_true(key->later || key->max > key->min);
		if (keys_is_prefix(key)) {
			char *name = mem_printf("%sNAME", key->name);
			assert_ptr_equal(keys_find(name, key->in, &suffix), key);
			assert_string_equal(suffix, "NAME");
			free(name);
		} else {
			assert_ptr_equal(keys_find(key->name, key->in, &suffix), key);
			assert_null(suffix);
		}
		assert_int_equal(keys_id(key), i);
		assert_null(keys_find(key->name, ~key->in & 7U, &suffix));
	}
}

/* Each group begins with its first key, and its keys are of the same sections. */
static void
test_groups(void **state)
{
	(void)state;
	assert_int_equal(keys_groups[0].first, 0);
	for (size_t g = 0; g < keys_group_count; g++) {
		enum keys_id end = g + 1 < keys_group_count ? keys_groups[g + 1].first : KEY_COUNT;
		assert_true(keys_groups[g].first < end);
		for (enum keys_id id = keys_groups[g].first; id < end; id++)
			if ((keys_table[id].in & keys_table[keys_groups[g].first].in) == 0)
				fail_msg("%s in \"%s\"", keys_table[id].name, keys_groups[g].title);
	}
}

static void
test_nearest(void **state)
{
	static const char *const pairs[][2] = { { "comand", "command" }, { "Restart", "restart" },
		{ "ExecStart", "command" }, { "autorestart", "restart" },
		{ "numprocs", "instances" }, { "envv.", "env." } };

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		const char *nearest = keys_nearest(pairs[i][0], IN_CHILD);
		assert_non_null(nearest);
		assert_string_equal(nearest, pairs[i][1]);
	}
	assert_null(keys_nearest("zzzzzz", IN_CHILD));
	/* Only keys that the section knows. */
	assert_null(keys_nearest("stratgy", IN_CHILD));
	assert_string_equal(keys_nearest("stratgy", IN_SUPERVISOR), "strategy");
}

static void
test_known(void **state)
{
	(void)state;
	assert_true(keys_is_known("strategy"));
	assert_true(keys_is_known("env.X"));
	assert_true(keys_is_known("child.env.X"));
	assert_true(keys_is_known("health"));
	assert_false(keys_is_known("child.strategy"));
	assert_false(keys_is_known("X"));
}

static char *
file_text(const char *path)
{
	char *text = mem_zalloc(MAX_PAGE + 1, 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("%s is not here\n", path);
		free(text);
		return NULL;
	}
	assert_true(fd_read_all(fd, text, MAX_PAGE) > 0);
	fd_close(&fd);
	return text;
}

/* Tests run in the top of the tree. */
static void
test_manual(void **state)
{
	char *page = file_text("man/coppice.conf.5");

	(void)state;
	if (page == NULL) {
		skip();
		return;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char *item = mem_printf(".It Ic %s%s", keys_table[i].name,
		    keys_is_prefix(&keys_table[i]) ? "NAME" : "");
		char *listed = mem_printf(
		    ".Ic %s%s", keys_table[i].name, keys_is_prefix(&keys_table[i]) ? "NAME" : "");
		const char *found = strstr(page, keys_table[i].later ? listed : item);
		if (found == NULL)
			fail_msg("man/coppice.conf.5 has no \"%s\"",
			    keys_table[i].later ? listed : item);
		free(item);
		free(listed);
	}
	free(page);
}

/* The item of a key, up to the next one, without macros: "Default: 10s ." is "Default: 10s." */
static char *
manual_item(const char *page, const char *name)
{
	char *head = mem_printf(".It Ic %s\n", name);
	const char *at = strstr(page, head);

	assert_non_null(at);
	at += strlen(head);
	const char *end = strstr(at, "\n.It "), *list = strstr(at, "\n.El");
	if (end == NULL || (list != NULL && list < end))
		end = list;
	assert_non_null(end);
	free(head);
	return mem_strndup(at, (size_t)(end - at));
}

/* What the manual says of a default is what is built in. */
static void
test_manual_defaults(void **state)
{
	char *page = file_text("man/coppice.conf.5");

	(void)state;
	if (page == NULL) {
		skip();
		return;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		if (key->later || key->fallback == NULL || *key->fallback == '\0')
			continue;
		char *item = manual_item(page, key->name);
		char *plain = mem_printf("Default: %s", key->fallback);
		const char *found = strstr(item, plain);
		const char *after = found != NULL ? found + strlen(plain) : "";
		bool told = found != NULL && strchr(".,;\n", *after) != NULL;
		const char *the = strstr(item, "\n(the default)");
		size_t len = strlen(key->fallback);
		/* ".Ql spawn" or ".Ql none , fixed , exponential" before "(the default)" */
		told = told ||
		    (the != NULL && the - item > (long)len &&
			strncmp(the - len, key->fallback, len) == 0 && the[-(long)len - 1] == ' ');
		if (!told)
			fail_msg("man/coppice.conf.5 does not say that the default of %s is %s",
			    key->name, key->fallback);
		free(item);
		free(plain);
	}
	free(page);
}

/* And so are the ends of a range; durations have those of the page's own words. */
static void
test_manual_ranges(void **state)
{
	char *page = file_text("man/coppice.conf.5"), *range;

	(void)state;
	if (page == NULL) {
		skip();
		return;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		if (key->type == TYPE_NUMBER || key->type == TYPE_FACTOR)
			range = mem_printf("from %" PRId64 " to %" PRId64, key->min, key->max);
		else if (key->type == TYPE_PERCENT)
			range =
			    mem_printf("from %" PRId64 "%% to %" PRId64 "%%", key->min, key->max);
		else if (key->type == TYPE_OCTAL)
			range = mem_printf("up to 0%" PRIo64, (uint64_t)key->max);
		else if (key->type == TYPE_SPAN && key->min > 0)
			range = mem_printf("t least %" PRId64 "ms", key->min);
		else
			continue;
		char *item = key->later ? mem_strdup(range) : manual_item(page, key->name);
		if (strstr(item, range) == NULL)
			fail_msg("man/coppice.conf.5: %s: no \"%s\"", key->name, range);
		if (key->infinite && strstr(item, "infinity") == NULL)
			fail_msg("man/coppice.conf.5: %s: no \"infinity\"", key->name);
		free(item);
		free(range);
	}
	free(page);
}

/* etc/coppice.conf is what the table makes of it. */
static void
test_example(void **state)
{
	char *committed = file_text("etc/coppice.conf");
	struct buf made = { 0 };

	(void)state;
	manual_example(&made);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char *line = mem_printf("\n#%s", keys_table[i].name);
		if (strstr(made.data, line) == NULL)
			fail_msg("the example does not show \"%s\"", keys_table[i].name);
		free(line);
	}
	if (committed != NULL && !str_equal(committed, made.data))
		fail_msg("etc/coppice.conf is not what the table makes: make etc/coppice.conf");
	free(committed);
	buf_free(&made);
}

static void
assert_narrow(const char *text)
{
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n"), columns = 0;
		for (size_t i = 0; i < len; i++)
			columns += ((unsigned char)line[i] & 0xc0) != 0x80;
		if (columns > 80)
			fail_msg("%zu columns: %.*s", columns, (int)len, line);
		assert_true(len == 0 || line[len - 1] != ' ');
		line += len + (line[len] == '\n');
	}
}

static void
test_list(void **state)
{
	struct buf out = { 0 };

	(void)state;
	manual_keys(&out);
	assert_non_null(strstr(out.data,
	    "\n  intensity            so many restarts are allowed within the period\n"
	    "                       = number from 0 to 65535; default 5\n"));
	assert_non_null(strstr(out.data,
	    "\n  health               a health check\n"
	    "                       = not supported yet\n"));
	assert_non_null(strstr(out.data,
	    "\n                       = permanent, transient or temporary; default permanent\n"));
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char *line = mem_printf("\n  %s", keys_table[i].name);
		if (strstr(out.data, line) == NULL)
			fail_msg("the list does not have \"%s\"", keys_table[i].name);
		free(line);
	}
	assert_narrow(out.data);
	buf_free(&out);
	manual_example(&out);
	assert_narrow(out.data);
	buf_free(&out);
}

/* --- values --------------------------------------------------------------------------------- */

static const struct expand somewhere = { .path = "shop/web", .name = "web" };

/* What is said for people about values is true of them. */
static void
test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		bool has_fallback = key->fallback != NULL && *key->fallback != '\0';
		char *problem;
		if (key->later)
			continue;
		if (has_fallback == (key->example != NULL) ||
		    has_fallback == (key->otherwise != NULL))
			fail_msg("%s: either .fallback, or .otherwise and .example", key->name);
		struct value *value = value_parse(
		    key, has_fallback ? key->fallback : key->example, &somewhere, &problem);
		if (value == NULL)
			fail_msg("%s: %s", key->name, problem);
		value_free(&value);
	}
}

/* A number of the value's unit, as text. */
static char *
number_text(const struct keys_key *key, int64_t number)
{
	const char *sign = number < 0 ? "-" : "";
	long long size = llabs(number);

	if (key->type == TYPE_SPAN)
		return mem_printf("%s%lldms", sign, size);
	if (key->type == TYPE_OCTAL)
		return mem_printf("%s0%llo", sign, (unsigned long long)size);
	if (key->type == TYPE_FACTOR)
		return mem_printf("%s%lld.%03lld", sign, size / 1000, size % 1000);
	if (key->type == TYPE_PERCENT)
		return mem_printf("%s%lld.%04lld%%", sign, size / 10000, size % 10000);
	return mem_printf("%s%lld", sign, size);
}

/* A number is taken, or refused with both ends of the range. */
static void
check_number(const struct keys_key *key, int64_t number, bool good)
{
	char low[SPAN_TEXT_SIZE], high[SPAN_TEXT_SIZE];
	char *text = number_text(key, number), *problem, *range;
	struct value *value = value_parse(key, text, &somewhere, &problem);

	if (good != (value != NULL))
		fail_msg("%s = %s: %s", key->name, text, good ? problem : "was taken");
	if (value != NULL) {
		assert_int_equal(value->number, number);
	} else {
		if (key->type == TYPE_SPAN)
			range = mem_printf(
			    "(%s to %s", span_format(key->min, low), span_format(key->max, high));
		else if (key->type == TYPE_OCTAL)
			range = mem_printf("(0 to 0%" PRIo64, (uint64_t)key->max);
		else if (key->type == TYPE_PERCENT)
			range = mem_printf("(%" PRId64 "%% to %" PRId64 "%%", key->min, key->max);
		else
			range = mem_printf("(%" PRId64 " to %" PRId64, key->min, key->max);
		if (strstr(problem, range) == NULL)
			fail_msg("%s = %s: no \"%s)\" in: %s", key->name, text, range, problem);
		free(range);
	}
	value_free(&value);
	free(problem);
	free(text);
}

/* Both ends of every range, and one step outside. */
static void
test_ranges(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		int64_t unit = key->type == TYPE_FACTOR ? 1000
		    : key->type == TYPE_PERCENT         ? 10000
							: 1;
		if (key->later ||
		    (key->type != TYPE_NUMBER && key->type != TYPE_SPAN &&
			key->type != TYPE_OCTAL && key->type != TYPE_FACTOR &&
			key->type != TYPE_PERCENT))
			continue;
		check_number(key, key->min * unit, true);
		check_number(key, key->max * unit, true);
		check_number(key, key->min * unit - 1, false);
		check_number(key, key->max * unit + 1, false);
		count++;
	}
	assert_true(count >= 15);
}

/* Every word of every choice, and what is near to it. */
static void
test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		if (key->type != TYPE_CHOICE)
			continue;
		char *words = mem_strdup(key->choices), *save, *problem;
		int64_t index = 0;
		for (char *word = strtok_r(words, " ", &save); word != NULL;
		     word = strtok_r(NULL, " ", &save)) {
			struct value *value = value_parse(key, word, &somewhere, &problem);
			assert_non_null(value);
			assert_int_equal(value->number, index++);
			value_free(&value);
			char *wrong = mem_printf("%sx", word);
			assert_null(value_parse(key, wrong, &somewhere, &problem));
			char *meant = mem_printf("(did you mean \"%s\"?)", word);
			if (strstr(problem, meant) == NULL)
				fail_msg("%s = %s: %s", key->name, wrong, problem);
			free(meant);
			free(wrong);
			free(problem);
		}
		free(words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_defaults),
		cmocka_unit_test(test_manual_ranges),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
