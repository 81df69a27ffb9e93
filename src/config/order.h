/*
 * order: what comes after what: whether the nodes that `after` names are there, and whether
 * everything can start at all: after, the order of start and the tree together must make no circle.
 */
#ifndef COPPICE_CONFIG_ORDER_H
#define COPPICE_CONFIG_ORDER_H

#include "config/build.h"

/* After inherit_all. */
void order_check(const struct build *build);

#endif
