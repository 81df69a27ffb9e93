#include "config/diag.h"

#include "lib/mem.h"
#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR        16  /* so many messages back are looked at for the same one */
#define CLIP_BYTES  72  /* of a value */
#define TITLE_BYTES 280 /* of a section or key: the longest good ones are shown whole */
#define SHOWN_SIZE  16  /* of one character */

#define JOINED_BYTES 4096 /* of what is wrong with one value */

struct message {
	char *file;
	char *text; /* the whole line */
	size_t number;
	uint32_t line;
};

struct diag {
	struct message *messages;
	size_t count, cap;
	size_t errors;
};

struct diag *
diag_new(void)
{
	return mem_zalloc(1, sizeof(struct diag));
}

void
diag_free(struct diag **diag)
{
	if (*diag == NULL)
		return;
	for (size_t i = 0; i < (*diag)->count; i++) {
		free((*diag)->messages[i].file);
		free((*diag)->messages[i].text);
	}
	free((*diag)->messages);
	free(*diag);
	*diag = NULL;
}

/* --- characters ----------------------------------------------------------------------------- */

/*
 * What nobody sees or takes for a blank, and what changes how other text is shown: controls, changes
 * of direction, blanks that are none, characters without width, those of private use.
 */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x001f },
	{ 0x007f, 0x00a0 },
	{ 0x00ad, 0x00ad },
	{ 0x034f, 0x034f },
	{ 0x061c, 0x061c },
	{ 0x115f, 0x1160 },
	{ 0x1680, 0x1680 },
	{ 0x17b4, 0x17b5 },
	{ 0x180b, 0x180f },
	{ 0x2000, 0x200f },
	{ 0x2028, 0x202f },
	{ 0x205f, 0x206f },
	{ 0x2800, 0x2800 },
	{ 0x3000, 0x3000 },
	{ 0x3164, 0x3164 },
	{ 0xe000, 0xf8ff },
	{ 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb },
	{ 0xe0000, 0xe0fff },
	{ 0xf0000, 0x10ffff },
};

static bool
is_unseen(uint32_t code)
{
	if ((code & 0xfffe) == 0xfffe) /* no character at all */
		return true;
	for (size_t i = 0; i < sizeof unseen / sizeof unseen[0] && code >= unseen[i].first; i++)
		if (code <= unseen[i].last)
			return true;
	return false;
}

/* The character of a valid sequence. */
static uint32_t
code_of(const char *at, size_t len)
{
	uint32_t code = (unsigned char)at[0];

	if (len == 1)
		return code;
	code &= 0xffU >> (len + 1);
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3fU);
	return code;
}

/* How the first character of a text that is not empty is shown; the number of its bytes. */
static size_t
show_next(const char *at, char shown[SHOWN_SIZE])
{
	size_t len = str_utf8_sequence(at, strnlen(at, 4));
	uint32_t code = len > 0 ? code_of(at, len) : 0;

	if (*at == '\n' || *at == '\t') {
		strcpy(shown, " ");
	} else if (len == 0) {
		snprintf(shown, SHOWN_SIZE, "<0x%02X>", (unsigned)(unsigned char)*at);
		len = 1;
	} else if (is_unseen(code)) {
		snprintf(shown, SHOWN_SIZE, "<U+%04X>", code);
	} else {
		memcpy(shown, at, len);
		shown[len] = '\0';
	}
	return len;
}

/* out has room for limit bytes and "…". */
static const char *
clip(const char *text, size_t limit, char *out)
{
	size_t used = 0;
	char shown[SHOWN_SIZE];

	while (*text != '\0') {
		size_t len = show_next(text, shown), wide = strlen(shown);
		if (used + wide > limit)
			break;
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): that comes below */
		memcpy(out + used, shown, wide);
		used += wide;
		text += len;
	}
	strcpy(out + used, *text != '\0' ? "…" : "");
	return out;
}

void
diag_put(struct buf *out, const char *text)
{
	char shown[SHOWN_SIZE];

	while (*text != '\0') {
		text += show_next(text, shown);
		buf_puts(out, shown);
	}
}

const char *
diag_clip(const char *text, char out[DIAG_CLIP_SIZE])
{
	return clip(text, CLIP_BYTES, out);
}

/* --- messages ------------------------------------------------------------------------------- */

static void
put_where(struct buf *line, const struct diag_where *where, const char *kind)
{
	char shown[TITLE_BYTES + sizeof "…"];

	diag_put(line, where->file);
	if (where->line > 0)
		buf_printf(line, ":%u", where->line);
	buf_printf(line, ": %s", kind);
	if (where->section != NULL)
		buf_printf(line, "[%s]%s", clip(where->section, TITLE_BYTES, shown),
		    where->key != NULL ? " " : ": ");
	if (where->key != NULL)
		buf_printf(line, "%s: ", clip(where->key, TITLE_BYTES, shown));
}

/* Takes the text over. Returns whether it is new. */
static bool
keep(struct diag *diag, const struct diag_where *where, char *text)
{
	/* Repetitions come from values that many children inherit, hence nearly in a row. */
	for (size_t i = diag->count; i > 0 && diag->count - i < NEAR; i--)
		if (str_equal(diag->messages[i - 1].text, text)) {
			free(text);
			return false;
		}
	if (diag->count == diag->cap) {
		diag->cap = diag->cap > 0 ? diag->cap * 2 : 16;
		diag->messages = mem_grow(diag->messages, diag->cap, sizeof *diag->messages);
	}
	diag->messages[diag->count] = (struct message){
		.file = mem_strdup(where->file),
		.text = text,
		.number = diag->count,
		.line = where->line,
	};
	diag->count++;
	return true;
}

/* Each line of the text as a message; returns how many are new. */
static size_t
add(struct diag *diag, const struct diag_where *where, const char *kind, char *text)
{
	size_t count = 0;
	char *save;

	for (char *part = strtok_r(text, "\n", &save); part != NULL;
	     part = strtok_r(NULL, "\n", &save)) {
		struct buf line = { 0 };
		put_where(&line, where, kind);
		diag_put(&line, part);
		count += keep(diag, where, mem_strdup(line.failed ? "out of memory" : line.data));
		buf_free(&line);
	}
	free(text);
	return count;
}

void
diag_error_v(struct diag *diag, const struct diag_where *where, const char *format, va_list args)
{
	diag->errors += add(diag, where, "", mem_vprintf(format, args));
}

void
diag_error(struct diag *diag, const struct diag_where *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_error_v(diag, where, format, args);
	va_end(args);
}

void
diag_warning(struct diag *diag, const struct diag_where *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)add(diag, where, "warning: ", mem_vprintf(format, args));
	va_end(args);
}

char *
diag_join(char *one, char *other)
{
	char *both;

	if (one == NULL)
		return other;
	if (other == NULL || strlen(one) > JOINED_BYTES) {
		free(other);
		return one;
	}
	both = mem_printf("%s\n%s", one, other);
	free(one);
	free(other);
	return both;
}

size_t
diag_errors(const struct diag *diag)
{
	return diag->errors;
}

static int
compare(const void *a, const void *b)
{
	const struct message *one = a, *other = b;
	int order = strcmp(one->file, other->file);

	if (order != 0)
		return order;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->number < other->number ? -1 : 1;
}

void
diag_print(struct diag *diag, struct buf *out)
{
	if (diag->count > 0)
		qsort(diag->messages, diag->count, sizeof *diag->messages, compare);
	for (size_t i = 0; i < diag->count; i++) {
		buf_puts(out, diag->messages[i].text);
		buf_puts(out, "\n");
	}
}
