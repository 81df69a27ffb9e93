/*
 * table: nodes as a table for people, fitted to the terminal. Elsewhere nothing is shortened, and
 * the columns stand where they always stand.
 */
#ifndef COPPICE_CTL_TABLE_H
#define COPPICE_CTL_TABLE_H

#include "ctl/node.h"
#include "ctl/term.h"

/* A heading and a row a node. */
void table_put(struct buf *out, const struct term *term, const struct node_list *list);
/* "24 nodes: 20 running, 3 finished, 1 failed", without a newline. */
void table_put_summary(struct buf *out, const struct term *term, const struct node_list *list);

#endif
