/*
 * cpus: sets of CPUs: "0-3, 8".
 */
#ifndef COPPICE_CONFIG_CPUS_H
#define COPPICE_CONFIG_CPUS_H

#include "config/keys.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define CPUS_WORDS ((KEYS_MAX_CPU + 64) / 64)

/* Adds those of the text to the set, CPUS_WORDS words of bits. NULL, or what is wrong, to be freed. */
char *cpus_parse(const char *text, uint64_t *cpus);
/* Appends the set: numbers and ranges. */
void cpus_print(const uint64_t *cpus, struct buf *out);
/* Appends it as JSON: [[first, last], …]. */
void cpus_json(const uint64_t *cpus, struct buf *out);
bool cpus_has(const uint64_t *cpus, unsigned number);

#endif
