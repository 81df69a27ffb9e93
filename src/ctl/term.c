#include "ctl/term.h"

#include "ctl/text.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool
term_is_utf8(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const char *value = getenv(variables[i]);
		if (value != NULL && *value != '\0')
			return strcasestr(value, "utf-8") != NULL ||
			    strcasestr(value, "utf8") != NULL;
	}
	return false;
}

void
term_measure(struct term *term)
{
	struct winsize size = { 0 };
	int64_t columns = 0;
	const char *wanted = getenv("COLUMNS");

	if (!isatty(STDOUT_FILENO))
		return;
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (size.ws_col == 0 && wanted != NULL && str_to_int64(wanted, 1, 10000, &columns) != 0)
		columns = 0;
	term->width = size.ws_col > 0 ? size.ws_col : columns > 0 ? (unsigned)columns : 80;
	term->height = size.ws_row > 0 ? size.ws_row : 24;
}

struct term
term_look(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *kind = getenv("TERM");
	struct term term = { .width = UINT_MAX, .height = UINT_MAX };

	term.terminal =
	    isatty(STDOUT_FILENO) && kind != NULL && *kind != '\0' && !str_equal(kind, "dumb");
	term.colour = term.terminal && (no_colour == NULL || *no_colour == '\0');
	term.unicode = term.terminal && term_is_utf8();
	term_measure(&term);
	return term;
}

static const struct {
	const char *state, *colour, *sign;
} state_looks[] = {
	{ "running", "\033[32m", "● " },
	{ "finished", TERM_DIM, "✓ " },
	{ "stopped", TERM_DIM, "○ " },
	{ "failed", "\033[1;31m", "× " },
	{ "starting", "\033[33m", "↑ " },
	{ "waiting", "\033[33m", "· " },
	{ "stopping", "\033[33m", "↓ " },
	{ "restarting", "\033[33m", "↻ " },
};

const char *
term_state_colour(const struct scan_text *state)
{
	for (size_t i = 0; i < sizeof state_looks / sizeof *state_looks; i++) {
		if (scan_text_is(state, state_looks[i].state))
			return state_looks[i].colour;
	}
	return NULL;
}

void
term_put_colour(struct buf *out, const struct term *term, const char *colour)
{
	if (term->colour && colour != NULL)
		buf_puts(out, colour);
}

void
term_put_blanks(struct buf *out, size_t count)
{
	static const char blanks[] =
	    "                                                                ";

	for (; count > sizeof blanks - 1; count -= sizeof blanks - 1)
		buf_append(out, blanks, sizeof blanks - 1);
	buf_append(out, blanks, count);
}

static void
term_put_look(struct buf *out, const struct term *term, const struct node *node, const char *sign,
    size_t width)
{
	const char *colour = term->stale ? TERM_DIM : term_state_colour(&node->state);

	term_put_colour(out, term, colour);
	buf_puts(out, sign);
	size_t start = out->len;
	text_put(out, &node->state);
	size_t columns = text_columns(out->data + start, out->len - start);
	term_put_colour(out, term, colour != NULL ? TERM_PLAIN : NULL);
	if (columns < width)
		term_put_blanks(out, width - columns);
}

void
term_put_state(struct buf *out, const struct term *term, const struct node *node, size_t width)
{
	term_put_look(out, term, node, "", width);
}

void
term_put_signed_state(
    struct buf *out, const struct term *term, const struct node *node, size_t width)
{
	const char *sign = term->unicode ? "? " : "";

	for (size_t i = 0;
	     term->unicode && !term->stale && i < sizeof state_looks / sizeof *state_looks; i++) {
		if (scan_text_is(&node->state, state_looks[i].state))
			sign = state_looks[i].sign;
	}
	term_put_look(out, term, node, sign, width);
}

void
term_trim(struct buf *out, size_t start)
{
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->len--;
}

void
term_to_right(struct buf *out, size_t start, size_t width)
{
	size_t len = out->len - start;

	if (len >= width)
		return;
	term_put_blanks(out, width - len);
	if (out->failed)
		return;
	memmove(out->data + start + (width - len), out->data + start, len);
	memset(out->data + start, ' ', width - len);
}

/* Where the columns from `start` are used up, colours not counted; *width is what is left of it. */
static size_t
term_find_edge(const struct buf *out, size_t start, size_t *width)
{
	size_t at = start;

	while (at < out->len) {
		size_t step = 1, columns = 0;
		if (out->data[at] == '\033') {
			const char *end = memchr(out->data + at, 'm', out->len - at);
			step = end != NULL ? (size_t)(end + 1 - (out->data + at)) : 1;
		} else {
			size_t sequence = str_utf8_sequence(out->data + at, out->len - at);
			step = sequence > 0 ? sequence : 1;
			columns = text_columns(out->data + at, step);
		}
		if (columns > *width)
			break;
		*width -= columns;
		at += step;
	}
	return at;
}

size_t
term_columns(const struct buf *out, size_t start)
{
	size_t left = SIZE_MAX;

	term_find_edge(out, start, &left);
	return SIZE_MAX - left;
}

void
term_end_row(struct buf *out, const struct term *term, size_t start)
{
	if (term->width != UINT_MAX && !out->failed) {
		size_t width = term->width;
		size_t edge = term_find_edge(out, start, &width);
		if (edge < out->len) {
			out->len = edge;
			term_put_colour(out, term, TERM_PLAIN);
		}
	}
	term_trim(out, start);
	buf_puts(out, "\n");
}

void
term_end_folded(struct buf *out, const struct term *term, size_t start, size_t from, size_t indent)
{
	size_t column = term_columns(out, start) - term_columns(out, from), width;

	if (!out->failed && column + term_columns(out, from) > term->width) {
		char *copy = mem_strndup(out->data + from, out->len - from), *rest = copy;
		out->len = from;
		for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
			width = text_columns(word, strlen(word));
			if (out->len > from && column + 1 + width > term->width) {
				buf_puts(out, "\n");
				term_put_blanks(out, indent);
				column = indent;
			} else if (out->len > from) {
				buf_puts(out, " ");
				column++;
			}
			buf_puts(out, word);
			column += width;
		}
		free(copy);
	}
	buf_puts(out, "\n");
}
