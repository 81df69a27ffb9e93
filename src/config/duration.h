/*
 * duration: a value of TYPE_SPAN read from text.
 */
#ifndef COPPICE_CONFIG_DURATION_H
#define COPPICE_CONFIG_DURATION_H

#include "config/keys.h"
#include "core/spec.h"

/* NULL, or what is wrong, to be freed; also what people write for a duration elsewhere. */
char *duration_read(const struct keys_key *key, const char *text, span_ms *span);

#endif
