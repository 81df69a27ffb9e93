#include "lib/env_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a file means: its variables with "|" behind each, or the line that is wrong behind "!". */
static const struct {
	const char *text, *meaning;
} files[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "A=1", "A=1|" },
	{ "A=1\n", "A=1|" },
	{ "A=1\r\nB=2\r\n", "A=1|B=2|" },
	{ "# A=1\n; B=2\n  # C\nD=3", "D=3|" },
	{ "#", "" },
	{ "A=", "A=|" },
	{ "A=\nB=", "A=|B=|" },
	{ "_a9 = b  c \t\n", "_a9=b  c|" },
	{ "A=b # c", "A=b # c|" },
	{ "A=a=b", "A=a=b|" },
	{ "A=x'y\"z", "A=x'y\"z|" },
	{ "A=${HOME} $(x) %i", "A=${HOME} $(x) %i|" },
	{ "A=a\\\nb\\ \nB=2", "A=ab |B=2|" },
	{ "A=a\\\\b\\'c", "A=a\\b'c|" },
	{ "A=a\\", "A=a\\|" },
	{ "A=''\nB=\"\"", "A=|B=|" },
	{ "A=' a\\b\"$ ' \nB=1", "A= a\\b\"$ |B=1|" },
	{ "A='1\n2'\nB=3\nC", "A=1\n2|B=3|!4" },
	{ "A=\"\\\"\\\\\\$\\`\\n\"", "A=\"\\$`\\n|" },
	{ "A=\"1\\\n2\"\nB", "A=12|!3" },
	{ "A=\xff\xfe", "A=\xff\xfe|" },
	{ "A", "!1" },
	{ "A B=1", "!1" },
	{ "=1", "!1" },
	{ "1A=1", "!1" },
	{ "export A=1", "!1" },
	{ "\nA-B=1", "!2" },
	{ "A='b' c", "!1" },
	{ "A='b'c", "!1" },
	{ "A='b", "!1" },
	{ "X=1\nA=\"b\n\nc\n", "X=1|!2" },
	{ "A=\"b\\", "!1" },
	{ "A=\"b\\\"", "!1" },
};

static void
read_text(const char *text, size_t size, char *meaning)
{
	char *copy = malloc(size + 1), *variable; /* one byte more, of which a tool sees the end */
	struct env_file file = { copy, copy + size, 0 };
	int result;

	assert_non_null(copy);
	memcpy(copy, text, size);
	while ((result = env_file_next(&file, &variable)) == 1) {
		meaning = stpcpy(meaning, variable);
		meaning = stpcpy(meaning, "|");
	}
	if (result < 0) {
		assert_int_equal(result, -EBADMSG);
		*meaning++ = '!';
		*meaning++ = (char)('0' + file.line);
	}
	*meaning = '\0';
	free(copy);
}

static void
test_files(void **state)
{
	char meaning[256];

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		read_text(files[i].text, strlen(files[i].text), meaning);
		if (strcmp(meaning, files[i].meaning) != 0)
			fail_msg("\"%s\": got \"%s\", not \"%s\"", files[i].text, meaning,
			    files[i].meaning);
	}
	read_text("A=1\0\nB=2", 9, meaning);
	assert_string_equal(meaning, "!1");
	read_text("A='\0'", 5, meaning);
	assert_string_equal(meaning, "!1");
	read_text("A\0=1", 4, meaning);
	assert_string_equal(meaning, "!1");
}

/* Whatever the bytes are, it stays within them and comes to an end. */
static void
test_any_bytes(void **state)
{
	static const char bytes[] = "A=\\'\"\n \t\r#;$b\0";
	uint32_t random = 1;

	(void)state;
	for (int run = 0; run < 20000; run++) {
		char text[24], meaning[256];
		size_t size = (random >> 16) % sizeof text;

		for (size_t i = 0; i < size; i++) {
			random = random * 1103515245U + 12345U;
			text[i] = bytes[(random >> 16) % (sizeof bytes - 1)];
		}
		random = random * 1103515245U + 12345U;
		read_text(text, size, meaning);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
