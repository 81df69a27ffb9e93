#include "compiled.h"

#include "config/check.h"
#include "config/identity.h"
#include "config/inherit.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void
compiled_make(struct compiled *compiled, const char *text, size_t len, enum build_mode mode)
{
	char *copy = mem_zalloc(len + 1, 1);

	*compiled = (struct compiled){ .diag = diag_new() };
	memcpy(copy, text, len);
	compiled->file = raw_parse("t.conf", copy, len, compiled->diag);
	free(copy);
	compiled->build = build_new(compiled->file, mode, compiled->diag);
	inherit_all(compiled->build);
	daemon_read(compiled->build, &compiled->settings);
	identity_all(compiled->build);
	check_all(compiled->build);
	buf_puts(&compiled->messages, "");
	diag_print(compiled->diag, &compiled->messages);
}

void
compiled_free(struct compiled *compiled)
{
	buf_free(&compiled->messages);
	daemon_free(&compiled->settings);
	build_free(&compiled->build);
	raw_free(&compiled->file);
	diag_free(&compiled->diag);
}

struct build_place *
compiled_place(struct compiled *compiled, const char *path)
{
	for (size_t i = 0; i < compiled->build->count; i++)
		if (str_equal(compiled->build->places[i]->path, path))
			return compiled->build->places[i];
	fail_msg("no place %s; messages: %s", path, compiled->messages.data);
	return NULL;
}

const char *
compiled_value(struct compiled *compiled, const char *path, const char *key)
{
	static char text[256];
	const struct build_place *place = compiled_place(compiled, path);
	const struct keys_key *info;
	const char *suffix;
	struct buf out = { 0 };

	info = keys_find(key, IN_CHILD | IN_SUPERVISOR | IN_COPPICE, &suffix);
	assert_non_null(info);
	const struct value *value = place->settings[keys_id(info)].value;
	for (size_t i = 0; suffix != NULL && i < place->variable_count; i++)
		if (str_equal(place->variables[i].name, suffix))
			value = place->variables[i].setting.value;
	if (value == NULL)
		return "(none)";
	buf_puts(&out, "");
	value_print(info, value, &out);
	assert_true(out.len < sizeof text);
	strcpy(text, out.data);
	buf_free(&out);
	return text;
}
