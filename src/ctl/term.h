/*
 * term: what may be sent to stdout: colours and line-drawing characters only to a terminal that can
 * show them.
 */
#ifndef COPPICE_CTL_TERM_H
#define COPPICE_CTL_TERM_H

#include "ctl/node.h"

#include <stdbool.h>

struct term {
	bool colour, unicode;
};

/* Looks at stdout, NO_COLOR, TERM and the locale's variables. */
struct term term_look(void);
/* The node's state in its colour, filled up with blanks to `width` (0: not filled). */
void term_put_state(
    struct buf *out, const struct term *term, const struct node *node, size_t width);
void term_put_blanks(struct buf *out, size_t count);
/* Takes blanks from the end of what is there, but not from before `start`. */
void term_trim(struct buf *out, size_t start);

#endif
