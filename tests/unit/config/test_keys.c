/* The key table against itself, the manual page and the example file. */
#include "config/keys.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <fcntl.h>
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

/* Each key that works stands in the example, set or commented out. */
static void
test_example(void **state)
{
	char *example = file_text("etc/coppice.conf");

	(void)state;
	if (example == NULL) {
		skip();
		return;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char *bare = mem_printf("\n%s", keys_table[i].name),
		     *commented = mem_printf("\n#%s", keys_table[i].name);
		if (!keys_table[i].later && strstr(example, bare) == NULL &&
		    strstr(example, commented) == NULL)
			fail_msg("etc/coppice.conf does not show \"%s\"", keys_table[i].name);
		free(bare);
		free(commented);
	}
	free(example);
}

static void
test_print(void **state)
{
	struct buf out = { 0 };

	(void)state;
	keys_print(&out);
	assert_non_null(strstr(out.data, "\nstart_timeout = duration (10s)\n"));
	assert_non_null(strstr(out.data, "\nhealth (not supported yet)\n"));
	assert_non_null(strstr(out.data, "\nintensity = number 0–65535 (5)\n"));
	assert_non_null(strstr(out.data,
	    "\nstrategy = one_for_one one_for_all rest_for_one escalate (one_for_one)\n"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
