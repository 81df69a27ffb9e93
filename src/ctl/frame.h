/*
 * frame: one picture of `status -w` or `tree -w`: a title, and as many nodes as the height allows,
 * those that need attention first.
 */
#ifndef COPPICE_CTL_FRAME_H
#define COPPICE_CTL_FRAME_H

#include "ctl/node.h"
#include "ctl/term.h"

/* `trouble`: what is to be said in place of the counts; NULL: nothing. */
void frame_put(struct buf *out, const struct term *term, const struct node_list *list, bool as_tree,
    const char *trouble);

#endif
