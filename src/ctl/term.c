#include "ctl/term.h"

#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

struct term
term_look(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *kind = getenv("TERM");
	bool terminal =
	    isatty(STDOUT_FILENO) && kind != NULL && *kind != '\0' && !str_equal(kind, "dumb");

	return (struct term){
		.colour = terminal && (no_colour == NULL || *no_colour == '\0'),
		.unicode = terminal && term_is_utf8(),
	};
}

static const struct {
	const char *state, *colour;
} state_colours[] = {
	{ "running", "\033[32m" },
	{ "finished", "\033[2m" },
	{ "stopped", "\033[2m" },
	{ "failed", "\033[1;31m" },
	{ "starting", "\033[33m" },
	{ "waiting", "\033[33m" },
	{ "stopping", "\033[33m" },
	{ "restarting", "\033[33m" },
};

void
term_put_blanks(struct buf *out, size_t count)
{
	static const char blanks[] =
	    "                                                                ";

	for (; count > sizeof blanks - 1; count -= sizeof blanks - 1)
		buf_append(out, blanks, sizeof blanks - 1);
	buf_append(out, blanks, count);
}

void
term_put_state(struct buf *out, const struct term *term, const struct node *node, size_t width)
{
	const char *colour = NULL;

	for (size_t i = 0; term->colour && i < sizeof state_colours / sizeof *state_colours; i++) {
		if (scan_text_is(&node->state, state_colours[i].state))
			colour = state_colours[i].colour;
	}
	if (colour != NULL)
		buf_puts(out, colour);
	buf_append(out, node->state.at, node->state.len);
	if (colour != NULL)
		buf_puts(out, "\033[0m");
	if (node->state.len < width)
		term_put_blanks(out, width - node->state.len);
}

void
term_trim(struct buf *out, size_t start)
{
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->len--;
}
