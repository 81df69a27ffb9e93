/*
 * member: members of an answer, by name, with something harmless for those that are missing or of
 * another type, so that a newer or older daemon is still understood.
 */
#ifndef COPPICE_CTL_MEMBER_H
#define COPPICE_CTL_MEMBER_H

#include "lib/buf.h"
#include "lib/span.h"

#include <jansson.h>
#include <stdbool.h>

/* The text, "" for none; belongs to the object. */
const char *member_text(const json_t *object, const char *name);
double member_number(const json_t *object, const char *name, double none);
/* Seconds as a span, rounded; -1 for none, or for one that makes no sense. */
span_ms member_span(const json_t *object, const char *name);
bool member_is_true(const json_t *object, const char *name);
/* Appends a text for people: control characters, which a terminal would obey, as '?'. */
void member_put(struct buf *out, const char *text);

#endif
