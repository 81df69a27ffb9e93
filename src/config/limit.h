/*
 * limit: resource limits, soft:hard, and others: numbers, sizes, durations or percentages, by the
 * key's unit.
 */
#ifndef COPPICE_CONFIG_LIMIT_H
#define COPPICE_CONFIG_LIMIT_H

#include "config/keys.h"
#include "lib/buf.h"

#include <stdint.h>

#define LIMIT_INFINITE INT64_MAX

/* Reads both, in what the kernel counts. NULL, or what is wrong, to be freed. */
char *limit_parse(const struct keys_key *key, const char *text, int64_t *soft, int64_t *hard);
/* Appends text that limit_parse reads as the same. */
void limit_print(const struct keys_key *key, int64_t soft, int64_t hard, struct buf *out);
/* The same for one value. */
char *limit_parse_most(const struct keys_key *key, const char *text, int64_t *most);
void limit_print_most(const struct keys_key *key, int64_t most, struct buf *out);

#endif
