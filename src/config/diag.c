#include "config/diag.h"

#include "lib/mem.h"
#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR        16  /* so many messages back are looked at for the same one */
#define CLIP_BYTES  72  /* of a value */
#define TITLE_BYTES 280 /* of a section or key: the longest good ones are shown whole */

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

/* A character that nobody sees, or takes for a blank, as text; NULL: it is none. */
static const char *
unseen(const char *text, size_t sequence, char shown[16])
{
	static const char *const characters[] = { "\u00a0", "\u00ad", "\u200b", "\u200c", "\u200d",
		"\u200e", "\u200f", "\u2028", "\u202f", "\u2060", "\ufeff" };
	static const unsigned points[] = { 0xa0, 0xad, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f,
		0x2028, 0x202f, 0x2060, 0xfeff };

	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
		if (strlen(characters[i]) == sequence &&
		    strncmp(text, characters[i], sequence) == 0) {
			snprintf(shown, 16, "<U+%04X>", points[i]);
			return shown;
		}
	return NULL;
}

/* out has room for limit bytes and "…". */
static const char *
clip(const char *text, size_t limit, char *out)
{
	size_t len = strlen(text), at = 0, used = 0;
	char shown[16];

	while (at < len) {
		size_t sequence = str_utf8_sequence(text + at, len - at);
		if (sequence == 0)
			sequence = 1;
		const char *put = unseen(text + at, sequence, shown);
		size_t wide = put != NULL ? strlen(put) : sequence;
		if (used + wide > limit)
			break;
		for (size_t i = 0; i < wide; i++) {
			char c = put != NULL ? put[i] : text[at + i];
			if (c == '\n' || c == '\t')
				c = ' ';
			else if ((unsigned char)c < 0x20 || c == 0x7f)
				c = '?';
			out[used + i] = c;
		}
		used += wide;
		at += sequence;
	}
	strcpy(out + used, at < len ? "…" : "");
	return out;
}

const char *
diag_clip(const char *text, char out[DIAG_CLIP_SIZE])
{
	return clip(text, CLIP_BYTES, out);
}

static void
put_where(struct buf *line, const struct diag_where *where, const char *kind)
{
	char shown[TITLE_BYTES + sizeof "…"];

	buf_puts(line, where->file);
	if (where->line > 0)
		buf_printf(line, ":%u", where->line);
	buf_printf(line, ": %s", kind);
	if (where->section != NULL)
		buf_printf(line, "[%s]%s", clip(where->section, TITLE_BYTES, shown),
		    where->key != NULL ? " " : ": ");
	if (where->key != NULL)
		buf_printf(line, "%s: ", clip(where->key, TITLE_BYTES, shown));
}

static void put_text(struct buf *line, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
put_text(struct buf *line, const char *format, va_list args)
{
	char *text = mem_vprintf(format, args);

	buf_puts(line, text);
	free(text);
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

void
diag_error_v(struct diag *diag, const struct diag_where *where, const char *format, va_list args)
{
	struct buf line = { 0 };

	put_where(&line, where, "");
	put_text(&line, format, args);
	if (keep(diag, where, mem_strdup(line.failed ? "out of memory" : line.data)))
		diag->errors++;
	buf_free(&line);
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
	struct buf line = { 0 };
	va_list args;

	put_where(&line, where, "warning: ");
	va_start(args, format);
	put_text(&line, format, args);
	va_end(args);
	(void)keep(diag, where, mem_strdup(line.failed ? "out of memory" : line.data));
	buf_free(&line);
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
