#include "engine/load.h"
#include "lib/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static int
file_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static void
reads_again_and_again(void **state)
{
	static const char text[] = "{\"version\": 2, \"coppice\": [1, 2]}\n{}\n";
	int fd = file_of(text);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct load_product product;
		const char *problem;
		assert_int_equal(load_read(&product, fd, &problem), 0);
		assert_int_equal(product.size, strlen(text));
		assert_memory_equal(product.text, text, strlen(text));
		assert_int_equal(json_array_size(product.coppice), 2);
		assert_string_equal(text + product.nodes_at, "{}\n");
		load_release(&product);
		assert_null(product.coppice);
		assert_null(product.text);
	}
	fd_close(&fd);
}

static void
what_is_no_product_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "cannot be read" },
		{ "{\"version\": 2", "no JSON" },
		{ "{\"version\":\n2}", "no JSON" },
		{ "{\"version\": 1}\n", "another version" },
		{ "{}", "another version" },
		{ "[1]", "another version" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct load_product product;
		const char *problem = NULL;
		int fd = file_of(cases[i].text);
		assert_true(load_read(&product, fd, &problem) < 0);
		assert_non_null(problem);
		if (!strstr(problem, cases[i].says))
			fail_msg("\"%s\": says \"%s\"", cases[i].text, problem);
		assert_null(product.coppice);
		assert_null(product.text);
		fd_close(&fd);
	}
}

/* One line is read again, and nothing else; what is damaged is said to be so. */
static void
a_place_is_read_again(void **state)
{
	static const char text[] = "{\"version\": 2}\n{\"path\": \"/\"}\njunk";
	const struct place root = { .specs_at = 15, .specs_len = 13 };
	const struct place junk = { .specs_at = 29, .specs_len = 4 };
	const struct place beyond = { .specs_at = 15, .specs_len = 99 };
	const struct place none = { .specs_at = 0 };
	int fd = file_of(text);

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_t *place = load_place(fd, &root);
		assert_non_null(place);
		assert_string_equal(json_string_value(json_object_get(place, "path")), "/");
		json_decref(place);
	}
	assert_null(load_place(fd, &junk));
	assert_null(load_place(fd, &beyond));
	assert_null(load_place(fd, &none));
	assert_null(load_place(-1, &root));
	fd_close(&fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_again_and_again),
		cmocka_unit_test(a_place_is_read_again),
		cmocka_unit_test(what_is_no_product_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
