#include "lib/buf.h"

#include "lib/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

char *
buf_reserve(struct buf *buf, size_t n)
{
	size_t need;

	if (buf->failed)
		return NULL;
	if (__builtin_add_overflow(buf->len, n, &need) || need >= SIZE_MAX / 2) {
		buf->failed = true;
		return NULL;
	}
	need++; /* the final NUL */
	if (need > buf->cap) {
		size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;
		while (cap < need)
			cap *= 2;
		char *data = realloc(buf->data, cap);
		if (data == NULL) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->cap = cap;
		buf->data[buf->len] = '\0';
	}
	return buf->data + buf->len;
}

void
buf_append(struct buf *buf, const void *data, size_t len)
{
	char *into = buf_reserve(buf, len);

	if (into == NULL || len == 0)
		return;
	memcpy(into, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void
buf_puts(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	/* What there is room for, which is nearly always enough; else once more. */
	size_t room = buf->failed || buf->data == NULL ? 0 : buf->cap - buf->len;
	int len = vsnprintf(room > 0 ? buf->data + buf->len : NULL, room, format, args);
	if (len < 0) {
		buf->failed = true;
	} else if ((size_t)len < room) {
		buf->len += (size_t)len;
	} else {
		char *into = buf_reserve(buf, (size_t)len);
		if (into != NULL)
			buf->len += (size_t)vsnprintf(into, (size_t)len + 1, format, again);
		else if (room > 0)
			buf->data[buf->len] = '\0'; /* not half of it */
	}
	va_end(again);
	va_end(args);
}

/*
 * How a character of a JSON string is written if not as itself (RFC 8259 §7); room for seven bytes
 * in out.
 */
static const char *
json_escape(unsigned char c, char *out)
{
	switch (c) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\n': return "\\n";
	case '\t': return "\\t";
	case '\r': return "\\r";
	default: break;
	}
	if (c >= 0x20)
		return NULL;
	snprintf(out, 7, "\\u%04x", c);
	return out;
}

void
buf_json_string(struct buf *buf, const char *text)
{
	size_t len = strlen(text), plain = 0, at = 0;
	char escape[7];

	buf_append(buf, "\"", 1);
	while (at < len) {
		size_t sequence = str_utf8_sequence(text + at, len - at);
		const char *instead = sequence == 0 ? "\xef\xbf\xbd" : NULL; /* U+FFFD */
		if (sequence == 1)
			instead = json_escape((unsigned char)text[at], escape);
		if (instead != NULL) {
			buf_append(buf, text + plain, at - plain);
			buf_puts(buf, instead);
			plain = at + 1;
		}
		at += sequence > 0 ? sequence : 1;
	}
	buf_append(buf, text + plain, at - plain);
	buf_append(buf, "\"", 1);
}

void
buf_consume(struct buf *buf, size_t n)
{
	if (n == 0)
		return;
	buf->len -= n;
	memmove(buf->data, buf->data + n, buf->len + 1);
}

void
buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}
