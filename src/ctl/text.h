/*
 * text: foreign text on a screen: made harmless, counted in columns, shortened. Columns are those
 * of a terminal that knows UTF-8: a combining character takes none, an ideograph two.
 */
#ifndef COPPICE_CTL_TEXT_H
#define COPPICE_CTL_TEXT_H

#include "ctl/scan.h"
#include "lib/buf.h"

enum text_cut {
	TEXT_CUT_END,
	TEXT_CUT_MIDDLE /* the end of a path tells more than its beginning: the larger part stays */
};

/*
 * Appends the inside of a JSON string as valid UTF-8 that moves no cursor: what could (control
 * characters, reversals of direction) and bytes that are no UTF-8 become '?'.
 */
void text_put(struct buf *out, const struct scan_text *text);
/* The columns of such text. */
size_t text_columns(const char *at, size_t len);
/*
 * Makes what stands in `out` from `start` no wider than `columns`, with an ellipsis for what is
 * left out; without `unicode`, of ASCII alone. Returns the columns that it takes then.
 */
size_t text_fit(struct buf *out, size_t start, size_t columns, enum text_cut cut, bool unicode);

#endif
