/* The other half of value.c: values as text and as JSON. */
#include "config/capability.h"
#include "config/cpus.h"
#include "config/limit.h"
#include "config/sequence.h"
#include "config/value.h"
#include "config/words.h"
#include "lib/mem.h"
#include "lib/names.h"
#include "lib/span.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Values are printed in several lines where they are long: files have lines of 64 KiB at most. */
#define LONG_LINE  16384U
#define LONG_PIECE 8192U

/*
 * Whether a line end at p can stand as it is, or for the space that is there: lines that continue a
 * value lose blanks around them, and must look like neither comments nor lines of their own.
 */
static bool
can_stand(const char *text, const char *p)
{
	size_t len = strcspn(p + 1, "= \t\n");

	return p > text && strchr(" \t\n", p[-1]) == NULL && p[1] != '\0' &&
	    strchr(" \t\n#;[", p[1]) == NULL && p[1 + len + strspn(p + 1 + len, " \t")] != '=';
}

/*
 * Text that expand_text makes the same text of. In words of a command quotes will do the rest.
 */
static void
print_escaped(const char *text, bool is_word, struct buf *out)
{
	size_t start = out->len;

	for (const char *p = text; *p != '\0'; p++) {
		/* Around a value blanks are not part of it. */
		bool is_outer = *p == ' ' && (p == text || p[1] == '\0');

		if (*p == '%')
			buf_puts(out, "%%");
		else if (*p == EXPAND_INSTANCE)
			buf_puts(out, "%i");
		else if (*p == '\n' && is_word && can_stand(text, p))
			buf_puts(out, "\n");
		else if (*p == ' ' && !is_word && out->len - start > LONG_LINE &&
		    can_stand(text, p)) {
			buf_puts(out, "\n");
			start = out->len;
		} else if (iscntrl((unsigned char)*p) || (is_outer && !is_word))
			buf_printf(out, "%%x%02x", (unsigned)(unsigned char)*p);
		else if (*p == '$' && p[1] == '{' && !is_word)
			buf_puts(out, "$$");
		else
			buf_append(out, p, 1);
	}
}

/* How much follows the last line end. */
static size_t
line_length(const struct buf *out)
{
	const char *end = out->len > 0 ? memrchr(out->data, '\n', out->len) : NULL;

	return end != NULL ? (size_t)(out->data + out->len - end - 1) : out->len;
}

/* A word of a command; a long one in pieces, each on a line of its own. */
static void
print_word(const char *word, struct buf *out)
{
	struct buf text = { 0 };
	size_t at = 0;

	buf_puts(&text, "");
	print_escaped(word, true, &text);
	for (; !text.failed && text.len - at > LONG_PIECE; buf_puts(out, "\\\n")) {
		size_t len = LONG_PIECE;
		while ((text.data[at + len] & 0xc0) == 0x80) /* within a character of UTF-8 */
			len--;
		char *piece = mem_strndup(text.data + at, len);
		words_quote(piece, out);
		free(piece);
		at += len;
	}
	words_quote(text.failed ? "" : text.data + at, out);
	out->failed = out->failed || text.failed;
	buf_free(&text);
}

static void
print_words(const struct keys_key *key, const struct value *value, struct buf *out)
{
	for (size_t i = 0; i < value->word_count; i++) {
		bool is_long = line_length(out) > LONG_LINE;
		if (i > 0 && key->type != TYPE_COMMAND)
			buf_puts(out, is_long ? ",\n" : ", ");
		else if (i > 0)
			buf_puts(out, is_long ? "\n" : " ");
		if (key->type == TYPE_COMMAND) {
			print_word(value->words[i], out);
		} else {
			print_escaped(value->words[i], false, out);
		}
	}
}

/* thousandths and the like, without needless zeros */
static void
print_decimal(int64_t number, int64_t scale, int decimals, struct buf *out)
{
	buf_printf(out, "%" PRId64, number / scale);
	if (number % scale == 0)
		return;
	buf_printf(out, ".%0*" PRId64, decimals, number % scale);
	while (!out->failed && out->data[out->len - 1] == '0')
		out->data[--out->len] = '\0';
}

static void
print_choice(const struct keys_key *key, int64_t index, struct buf *out)
{
	const char *word = key->choices;

	for (; index > 0; index--)
		word += strcspn(word, " ") + 1;
	buf_append(out, word, strcspn(word, " "));
}

/* The members: statuses, then signals. */
static void
print_exits(
    const struct core_exit_set *exits, const char *separator, const char *quote, struct buf *out)
{
	const char *between = "";

	for (uint32_t code = 0; code <= 255; code++) {
		if (!spec_exit_has_code(exits, code))
			continue;
		buf_printf(out, "%s%u", between, code);
		between = separator;
	}
	for (int signal = 1; signal <= 64; signal++) {
		if (!spec_exit_has_signal(exits, signal))
			continue;
		buf_printf(out, "%s%s%s%s", between, quote, names_signal_text(signal), quote);
		between = separator;
	}
}

void
value_print(const struct keys_key *key, const struct value *value, struct buf *out)
{
	char span[SPAN_TEXT_SIZE];

	switch (key->type) {
	case TYPE_TEXT:
	case TYPE_PATH:
	case TYPE_DIRECTORY:
	case TYPE_INPUT:
	case TYPE_OUTPUT:
	case TYPE_ENV_FILE:
	case TYPE_CGROUP:
	case TYPE_READY:
	case TYPE_NAME: print_escaped(value->text, false, out); break;
	case TYPE_COMMAND:
	case TYPE_ADDRESSES:
	case TYPE_NAMES: print_words(key, value, out); break;
	case TYPE_BOOL: buf_puts(out, value->number != 0 ? "yes" : "no"); break;
	case TYPE_NUMBER: buf_printf(out, "%" PRId64, value->number); break;
	case TYPE_OCTAL: buf_printf(out, "%03" PRIo64, (uint64_t)value->number); break;
	case TYPE_SPAN: buf_puts(out, span_format(value->number, span)); break;
	case TYPE_FACTOR: print_decimal(value->number, 1000, 3, out); break;
	case TYPE_PERCENT:
		print_decimal(value->number, 10000, 4, out);
		buf_puts(out, "%");
		break;
	case TYPE_CHOICE: print_choice(key, value->number, out); break;
	case TYPE_STOP: sequence_print(value->steps, value->step_count, out); break;
	case TYPE_EXITS: print_exits(value->exits, " ", "", out); break;
	case TYPE_LIMIT: limit_print(key, value->number, value->hard, out); break;
	case TYPE_MOST: limit_print_most(key, value->number, out); break;
	case TYPE_CPUS: cpus_print(value->cpus, out); break;
	case TYPE_CAPABILITIES: capability_print(value->number, out); break;
	}
}

static void
json_span(span_ms span, struct buf *out)
{
	if (span == SPAN_INFINITE)
		buf_puts(out, "null");
	else
		buf_printf(out, "%" PRId64, span);
}

static void
json_words(const struct value *value, struct buf *out)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < value->word_count; i++) {
		buf_puts(out, i > 0 ? ", " : "");
		buf_json_string(out, value->words[i]);
	}
	buf_puts(out, "]");
}

static void
json_steps(const struct value *value, struct buf *out)
{
	buf_puts(out, "[");
	for (uint32_t i = 0; i < value->step_count; i++) {
		buf_printf(out, "%s[\"%s\", ", i > 0 ? ", " : "",
		    names_signal_text(value->steps[i].signal));
		json_span(value->steps[i].wait, out);
		buf_puts(out, "]");
	}
	buf_puts(out, "]");
}

/* [soft, hard] in what the kernel counts */
static void
json_limit(const struct value *value, struct buf *out)
{
	buf_puts(out, "[");
	json_span(value->number, out);
	buf_puts(out, ", ");
	json_span(value->hard, out);
	buf_puts(out, "]");
}
_Static_assert(LIMIT_INFINITE == SPAN_INFINITE, "json_limit");

void
value_json(const struct keys_key *key, const struct value *value, struct buf *out)
{
	switch (key->type) {
	case TYPE_TEXT:
	case TYPE_PATH:
	case TYPE_DIRECTORY:
	case TYPE_INPUT:
	case TYPE_OUTPUT:
	case TYPE_ENV_FILE:
	case TYPE_CGROUP:
	case TYPE_READY:
	case TYPE_NAME: buf_json_string(out, value->text); break;
	case TYPE_COMMAND:
	case TYPE_ADDRESSES:
	case TYPE_NAMES: json_words(value, out); break;
	case TYPE_BOOL: buf_puts(out, value->number != 0 ? "true" : "false"); break;
	case TYPE_NUMBER:
	case TYPE_OCTAL:
	case TYPE_FACTOR:
	case TYPE_CAPABILITIES:
	case TYPE_PERCENT: buf_printf(out, "%" PRId64, value->number); break;
	case TYPE_MOST:
	case TYPE_SPAN: json_span(value->number, out); break;
	case TYPE_CHOICE:
		buf_puts(out, "\"");
		print_choice(key, value->number, out);
		buf_puts(out, "\"");
		break;
	case TYPE_STOP: json_steps(value, out); break;
	case TYPE_EXITS:
		buf_puts(out, "[");
		print_exits(value->exits, ", ", "\"", out);
		buf_puts(out, "]");
		break;
	case TYPE_LIMIT: json_limit(value, out); break;
	case TYPE_CPUS: cpus_json(value->cpus, out); break;
	}
}
