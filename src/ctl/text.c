#include "ctl/text.h"

#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

struct range {
	uint32_t first, last;
};

/* Marks that sit on the character before them, and what has no shape at all. */
static const struct range zero_wide[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x0610, 0x061a },
	{ 0x064b, 0x065f },
	{ 0x0e31, 0x0e31 },
	{ 0x0e34, 0x0e3a },
	{ 0x0e47, 0x0e4e },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x200b, 0x200d },
	{ 0x20d0, 0x20f0 },
	{ 0x302a, 0x302d },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
	{ 0xfeff, 0xfeff },
	{ 0xe0100, 0xe01ef },
};

/* Unicode's East Asian Width W and F, in few rows; what is unassigned in between does no harm. */
static const struct range two_wide[] = {
	{ 0x1100, 0x115f },
	{ 0x231a, 0x231b },
	{ 0x23e9, 0x23ec },
	{ 0x25fd, 0x25fe },
	{ 0x2614, 0x2615 },
	{ 0x26a1, 0x26a1 },
	{ 0x2705, 0x2705 },
	{ 0x274c, 0x274c },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0x4dbf },
	{ 0x4e00, 0xa4cf },
	{ 0xa960, 0xa97f },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1faff },
	{ 0x20000, 0x3fffd },
};

/* What must not reach a terminal: C1 controls, separators of lines, changes of direction. */
static const struct range unfit[] = {
	{ 0x0000, 0x001f },
	{ 0x007f, 0x009f },
	{ 0x00ad, 0x00ad },
	{ 0x061c, 0x061c },
	{ 0x200e, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2060, 0x206f },
	{ 0xfff9, 0xfffb },
	{ 0xe0000, 0xe007f },
};

static bool
text_in(const struct range *ranges, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count && code >= ranges[i].first; i++) {
		if (code <= ranges[i].last)
			return true;
	}
	return false;
}

#define IN(ranges, code) text_in(ranges, sizeof(ranges) / sizeof *(ranges), code)

/* The character of a valid sequence. */
static uint32_t
text_code(const char *at, size_t len)
{
	uint32_t code = (unsigned char)at[0];

	if (len == 1)
		return code;
	code &= 0xffU >> (len + 1);
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3fU);
	return code;
}

static size_t
text_width(uint32_t code)
{
	if (code < 0x300)
		return 1;
	return IN(zero_wide, code) ? 0 : IN(two_wide, code) ? 2 : 1;
}

static bool
text_is_plain(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] < 0x20 || at[i] == 0x7f || at[i] == '\\')
			return false;
	}
	return true;
}

void
text_put(struct buf *out, const struct scan_text *text)
{
	if (text_is_plain(text->at, text->len)) { /* nearly all */
		buf_append(out, text->at, text->len);
		return;
	}
	char *decoded = scan_text_decode(text);
	size_t len = strlen(decoded);
	for (size_t i = 0, step; i < len; i += step) {
		step = str_utf8_sequence(decoded + i, len - i);
		if (step == 0 || IN(unfit, text_code(decoded + i, step)))
			buf_puts(out, "?");
		else
			buf_append(out, decoded + i, step);
		step += step == 0;
	}
	free(decoded);
}

size_t
text_columns(const char *at, size_t len)
{
	size_t columns = 0;

	for (size_t i = 0, step; i < len; i += step) {
		if ((unsigned char)at[i] < 0x80) {
			columns++;
			step = 1;
			continue;
		}
		step = str_utf8_sequence(at + i, len - i);
		columns += step == 0 ? 1 : text_width(text_code(at + i, step));
		step += step == 0;
	}
	return columns;
}

/* How many bytes from `at` take at most so many columns. */
static size_t
text_head(const char *at, size_t len, size_t columns)
{
	size_t i = 0;

	while (i < len) {
		size_t step = str_utf8_sequence(at + i, len - i);
		step += step == 0;
		size_t width = text_columns(at + i, step);
		if (width > columns)
			break;
		columns -= width;
		i += step;
	}
	return i;
}

/* Each character that is not ASCII becomes one '?'. */
static void
text_to_ascii(struct buf *out, size_t start)
{
	size_t to = start;

	for (size_t i = start; i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];
		if (c >= 0x80 && c < 0xc0)
			continue; /* the rest of a character */
		out->data[to++] = c < 0x80 ? (char)c : '?';
	}
	out->len = to;
}

/* What is left of a text from which characters are taken at the front until it fits. */
static size_t
text_tail(const char *at, size_t len, size_t whole, size_t columns)
{
	size_t i = 0;

	while (whole > columns && i < len) {
		size_t step = str_utf8_sequence(at + i, len - i);
		step += step == 0;
		whole -= text_columns(at + i, step);
		i += step;
	}
	return i;
}

size_t
text_fit(struct buf *out, size_t start, size_t columns, enum text_cut cut, bool unicode)
{
	if (out->failed || out->len == start)
		return 0;
	if (!unicode)
		text_to_ascii(out, start);
	size_t len = out->len - start;
	size_t whole = text_columns(out->data + start, len);
	size_t dots = unicode ? 1 : 3;
	if (whole <= columns)
		return whole;
	if (columns < dots) {
		out->len = start;
		return 0;
	}
	char *copy = mem_strndup(out->data + start, len);
	size_t room = columns - dots;
	size_t head = cut == TEXT_CUT_MIDDLE ? room / 3 : room;
	size_t from = cut == TEXT_CUT_MIDDLE ? text_tail(copy, len, whole, room - head) : len;
	out->len = start;
	buf_append(out, copy, text_head(copy, len, head));
	buf_puts(out, unicode ? "…" : "...");
	buf_append(out, copy + from, len - from);
	free(copy);
	return text_columns(out->data + start, out->len - start);
}
