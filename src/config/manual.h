/*
 * manual: the table of keys for people: as a list, and as a configuration with comments.
 */
#ifndef COPPICE_CONFIG_MANUAL_H
#define COPPICE_CONFIG_MANUAL_H

#include "lib/buf.h"

/* Appends every key with what it does, what it takes and what holds without it. */
void manual_keys(struct buf *out);
/* Appends etc/coppice.conf: every key, commented out, and a small tree to start with. */
void manual_example(struct buf *out);

#endif
