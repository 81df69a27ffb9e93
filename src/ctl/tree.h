/*
 * tree: nodes as a drawing of who supervises whom, fitted to the terminal as the table is.
 */
#ifndef COPPICE_CTL_TREE_H
#define COPPICE_CTL_TREE_H

#include "ctl/node.h"
#include "ctl/term.h"

/* A row a node; `list` has parents before children. */
void tree_put(struct buf *out, const struct term *term, const struct node_list *list);
/* How far below the root: 0 for "/", 2 for "shop/db". */
unsigned tree_depth(const struct scan_text *path);

#endif
