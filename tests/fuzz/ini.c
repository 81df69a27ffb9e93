/* INI text through everything that reads it, but the databases of users: to the product, which must be JSON. */
#include "fuzz.h"

#include "config/build.h"
#include "config/check.h"
#include "config/daemon.h"
#include "config/inherit.h"
#include "config/product.h"
#include "lib/must.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES 1000 /* a template is a place */

static void
check_product(const struct build *build, const struct daemon_settings *settings)
{
	struct buf out = { 0 };
	const char *line, *end;

	product_write(build, settings, &out);
	must(!out.failed);
	for (line = out.data; line < out.data + out.len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(out.data + out.len - line));
		must(end != NULL);
		json_t *root = json_loadb(line, (size_t)(end - line), 0, NULL);
		must(json_is_object(root));
		json_decref(root);
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag *diag = diag_new();
	struct daemon_settings settings;
	struct buf messages = { 0 };
	char *text = malloc(size + 1);

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	struct raw_file *file = raw_parse("fuzz.conf", text, size, diag);
	struct build *build = build_new(file, BUILD_SERVICE, diag);
	inherit_all(build);
	daemon_read(build, &settings);
	check_all(build);
	diag_print(diag, &messages);
	if (diag_errors(diag) == 0 && build->count < MAX_PLACES)
		check_product(build, &settings);
	else
		must(messages.len > 0 || build->count >= MAX_PLACES);
	buf_free(&messages);
	daemon_free(&settings);
	build_free(&build);
	raw_free(&file);
	diag_free(&diag);
	free(text);
	return 0;
}
