#include "ctl/member.h"

const char *
member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

double
member_number(const json_t *object, const char *name, double none)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : none;
}

span_ms
member_span(const json_t *object, const char *name)
{
	double seconds = member_number(object, name, -1);

	return seconds >= 0 && seconds < 1e12 ? (span_ms)(seconds * 1000 + 0.5) : -1;
}

bool
member_is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

void
member_put(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool control = (unsigned char)*text < 0x20 || *text == 0x7f;
		buf_append(out, control ? "?" : text, 1);
	}
}
