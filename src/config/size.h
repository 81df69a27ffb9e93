/*
 * size: numbers of bytes: "64K", "10M", "2G", "1T", or bare.
 */
#ifndef COPPICE_CONFIG_SIZE_H
#define COPPICE_CONFIG_SIZE_H

#include "lib/buf.h"

#include <stdint.h>

/* Whole string or nothing: 0, -EINVAL (no size) or -ERANGE (negative, or too large for any machine). */
int size_parse(const char *text, int64_t *out);
/* Appends the shortest exact form that size_parse reads. */
void size_print(int64_t size, struct buf *out);
/*
 * "10MB", "10 mb", "10MiB" → "10M": what people write for a size elsewhere, in a buffer of that
 * size; NULL if it is none.
 */
#define SIZE_TEXT_SIZE 32
const char *size_meant(const char *text, char out[SIZE_TEXT_SIZE]);

#endif
