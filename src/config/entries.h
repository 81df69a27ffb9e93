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
/* Moves the entries of a section behind those of another. */
void entries_move(struct raw_section *to, struct raw_section *from);
/* Tells diag of keys that stand twice, after entries of several files have been moved there. */
void entries_check_shared(struct raw_section *section, struct diag *diag);

#endif
