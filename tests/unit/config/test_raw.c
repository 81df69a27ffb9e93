/* How lines become sections, keys and values. */
#include "config/raw.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Sections as "[title]LINE", entries as "key=value@LINE", one a line; then the messages. */
static char *
describe(struct raw_file *file, struct diag *diag)
{
	struct buf out = { 0 };

	buf_puts(&out, "");
	for (size_t i = 0; i < file->count; i++) {
		const struct raw_section *section = file->sections[i];
		buf_printf(&out, "[%s]%u\n", section->title, section->line);
		for (size_t k = 0; k < section->count; k++)
			buf_printf(&out, "%s=%s@%u\n", section->entries[k]->key,
			    section->entries[k]->value, section->entries[k]->line);
	}
	diag_print(diag, &out);
	return out.data;
}

static char *
parsed(const char *text, size_t len)
{
	struct diag *diag = diag_new();
	char *copy = mem_zalloc(len + 1, 1);

	memcpy(copy, text, len);
	struct raw_file *file = raw_parse("f", copy, len, diag);
	char *description = describe(file, diag);
	raw_free(&file);
	diag_free(&diag);
	free(copy);
	return description;
}

static const struct {
	const char *text, *expected;
} cases[] = {
	{ "", "" },
	{ "# only\n\n ; comments\n", "" },
	{ "[a]\n[b]\n", "[a]1\n[b]2\n" },
	{ "[a]\nk = v", "[a]1\nk=v@2\n" },
	{ "[a]\n\tk=v\n", "[a]1\nk=v@2\n" },
	{ "  [a]  \n k  =  v w  \n", "[a]1\nk=v w@2\n" },
	{ "[a]\nk =\n", "[a]1\nk=@2\n" },
	{ "[a]\nk = = v = \n", "[a]1\nk== v =@2\n" },
	{ "[a]\nk = v ; w # x\n", "[a]1\nk=v ; w # x@2\n" },
	{ "[a]\nk = \"v\" 'w'\n", "[a]1\nk=\"v\" 'w'@2\n" },
	{ "[a]\nk = v\n  w\n\n  # no\n  ; no\n\tx = y\nl = 1\n", "[a]1\nk=v\nw\nx = y@2\nl=1@8\n" },
	{ "[a]\nk =\n  v\n", "[a]1\nk=v@2\n" },
	{ "[a]\nk = v\n# c\n  w\n", "[a]1\nk=v\nw@2\n" },
	{ "[a]\nk = v\n[b]\n  l = w\n", "[a]1\nk=v@2\n[b]3\nl=w@4\n" },
	{ "[a]\nk = v\nk = w\n", "[a]1\nk=v@2\nk=w@3\n" },
	{ "[a:b:c]\nk:l = v\n", "[a:b:c]1\nk:l=v@2\n" },
	{ "[s12]\nk345 = v345\n", "[s12]1\nk345=v345@2\n" },
	{ "[a]\njunk\n  of two lines\nk = v\n",
	    "[a]1\nk=v@4\nf:2: [a]: no \"=\" in \"junk\": write key = value, or indent the line if it continues the one before\n" },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *description = parsed(cases[i].text, strlen(cases[i].text));
		assert_string_equal(description, cases[i].expected);
		free(description);
	}
}

/* inih's own build would cut at 199 bytes, titles at 49 (FIELD 2.G.9). */
static void
test_long_lines(void **state)
{
	size_t most = 65536;
	struct buf text = { 0 }, expected = { 0 };

	(void)state;
	buf_puts(&text, "[a]\nk = ");
	while (text.len < 4 + most)
		buf_puts(&text, "x");
	buf_puts(&text, "\n[");
	for (int i = 0; i < 300; i++)
		buf_puts(&text, "t");
	buf_puts(&text, "]\nl = 1\n");
	buf_puts(&expected, "[a]1\nk=");
	for (size_t i = 0; i < most - 4; i++)
		buf_puts(&expected, "x");
	buf_puts(&expected, "@2\n[");
	for (int i = 0; i < 300; i++)
		buf_puts(&expected, "t");
	buf_puts(&expected, "]3\nl=1@4\n");
	char *description = parsed(text.data, text.len);
	assert_string_equal(description, expected.data);
	free(description);
	buf_free(&text);
	buf_free(&expected);
}

static void
test_too_long(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "[a]\nk = ");
	while (text.len < 4 + 65537)
		buf_puts(&text, "x");
	buf_puts(&text, "\nl = 1\n");
	char *description = parsed(text.data, text.len);
	assert_non_null(strstr(description, "\nl=1@3\n"));
	assert_non_null(strstr(description,
	    "f:2: [a] k: the line has 65537 bytes, more than the 65536 that are allowed: shorten it, or continue it in an indented line\n"));
	free(description);
	buf_free(&text);
}

/* --- files ---------------------------------------------------------------------------------- */

static char directory[] = "/tmp/coppice-test-raw-XXXXXX";

static char *
in_directory(const char *name)
{
	return mem_printf("%s/%s", directory, name);
}

/* What reading the path says, with the directory left out; to be freed. */
static char *
said(const char *path)
{
	struct diag *diag = diag_new();
	struct raw_file *file = raw_read(path, "", diag);
	char *description = describe(file, diag);
	char *first = strchr(description, ' ');
	char *text = mem_strdup(first != NULL ? first + 1 : description);

	raw_free(&file);
	diag_free(&diag);
	free(description);
	return text;
}

static void
assert_says(const char *path, const char *expected)
{
	char *text = said(path);

	assert_string_equal(text, expected);
	free(text);
}

static void
make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[a]\n", 4), 4);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* None of these may hang or be mistaken for a configuration. */
static void
test_no_files(void **state)
{
	char *fifo = in_directory("fifo"), *missing = in_directory("missing");

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_says(fifo, "is a FIFO, not a file: name a file\n");
	assert_says(directory, "is a directory, not a file: name a file in it\n");
	assert_says("/dev/null", "is a character device, not a file: name a file\n");
	assert_says(missing,
	    "cannot be read: No such file or directory: make it, or name another with -c FILE (coppice.conf(5) has examples)\n");
	unlink(fifo);
	free(fifo);
	free(missing);
}

static void
test_who_may_write(void **state)
{
	char *path = in_directory("file");

	(void)state;
	make_file(path, 0644);
	assert_says(path, "[a]1\n");
	make_file(path, 0646);
	char *text = said(path);
	if (geteuid() == 0)
		assert_non_null(
		    strstr(text, "is writable by everybody, and root would run what it says"));
	else
		assert_string_equal(text, "[a]1\n");
	free(text);
	make_file(path, 0600);
	assert_int_equal(chmod(directory, 0777), 0);
	text = said(path);
	if (geteuid() == 0)
		assert_non_null(strstr(text, "its directory"));
	free(text);
	/* As in /tmp, where others cannot replace it. */
	assert_int_equal(chmod(directory, 01777), 0);
	assert_says(path, "[a]1\n");
	assert_int_equal(chmod(directory, 0700), 0);
	unlink(path);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_who_may_write),
	};

	if (mkdtemp(directory) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
