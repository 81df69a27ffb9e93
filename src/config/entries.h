/*
 * entries: each key = value of a section checked by itself: is there such a key, here, once, and is
 * that a value for it.
 */
#ifndef COPPICE_CONFIG_ENTRIES_H
#define COPPICE_CONFIG_ENTRIES_H

#include "config/diag.h"
#include "config/raw.h"
#include "config/titles.h"

/* path: what the title has after its colon, or NULL. Fills in what raw.h says build does. */
void entries_check(
    struct raw_section *section, enum titles_kind kind, const char *path, struct diag *diag);

#endif
