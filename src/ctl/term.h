/*
 * term: what may be sent to stdout: colours and line-drawing characters only to a terminal that can
 * show them.
 */
#ifndef COPPICE_CTL_TERM_H
#define COPPICE_CTL_TERM_H

#include "ctl/node.h"

#include <stdbool.h>

struct term {
	bool terminal; /* one that moves its cursor: not TERM=dumb */
	bool colour, unicode;
	bool stale;             /* nodes are shown as they were when it was last known */
	unsigned width, height; /* in characters; UINT_MAX where lines may be of any length */
};

/* Looks at stdout, NO_COLOR, TERM, COLUMNS and the locale's variables. */
struct term term_look(void);
/* The size that stdout has now; left alone when it is no terminal. */
void term_measure(struct term *term);
/* A colour, or its end with TERM_PLAIN; nothing where there are none. */
#define TERM_PLAIN "\033[0m"
#define TERM_BOLD  "\033[1m"
#define TERM_DIM   "\033[2m"
void term_put_colour(struct buf *out, const struct term *term, const char *colour);
/* The state's colour, NULL for none. */
const char *term_state_colour(const struct scan_text *state);
/* The node's state in its colour, filled up with blanks to `width` (0: not filled). */
void term_put_state(
    struct buf *out, const struct term *term, const struct node *node, size_t width);
/* The same behind a sign for the state, TERM_SIGN columns more, where there are such signs. */
#define TERM_SIGN 2
void term_put_signed_state(
    struct buf *out, const struct term *term, const struct node *node, size_t width);
void term_put_blanks(struct buf *out, size_t count);
/* What stands from `start`, ASCII, moved to the right end of a column. */
void term_to_right(struct buf *out, size_t start, size_t width);
/* The columns of what stands from `start`, colours not counted. */
size_t term_columns(const struct buf *out, size_t start);
/* Ends a line that begins at `start`: no blanks at its end, and nothing that would be wrapped. */
void term_end_row(struct buf *out, const struct term *term, size_t start);
/*
 * Ends a line that begins at `start` and is to be read to its end: on a terminal what does not fit
 * goes on in further lines that begin with `indent` blanks, broken at blanks after `from`.
 */
void term_end_folded(
    struct buf *out, const struct term *term, size_t start, size_t from, size_t indent);
/* Takes blanks from the end of what is there, but not from before `start`. */
void term_trim(struct buf *out, size_t start);

#endif
