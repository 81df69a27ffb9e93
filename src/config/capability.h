/*
 * capability: names of capabilities(7) and their numbers.
 */
#ifndef COPPICE_CONFIG_CAPABILITY_H
#define COPPICE_CONFIG_CAPABILITY_H

#include "lib/buf.h"

#include <stdint.h>

/*
 * "net_bind_service, CAP_SYS_NICE" → bit n for capability n. NULL, or what is wrong, to be freed.
 */
char *capability_parse(const char *text, int64_t *set);
/* Appends their names. */
void capability_print(int64_t set, struct buf *out);

#endif
