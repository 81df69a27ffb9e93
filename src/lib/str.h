/*
 * str: small work on strings.
 */
#ifndef COPPICE_LIB_STR_H
#define COPPICE_LIB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_starts(const char *text, const char *prefix);
bool str_equal(const char *a, const char *b);
/*
 * The candidate nearest to text by edit distance, if near enough to be a likely typo (at most a
 * third of its length, at least 1), else NULL.
 */
const char *str_nearest(const char *text, const char *const *candidates, size_t count);
/* A whole decimal number in [min, max]: 0, -EINVAL or -ERANGE. */
int str_to_int64(const char *text, int64_t min, int64_t max, int64_t *out);
/* Whether the bytes are valid UTF-8 without NUL. */
bool str_is_utf8(const char *text, size_t len);
/* Length of the valid UTF-8 sequence at text (at most len bytes), 0 if it is none. */
size_t str_utf8_sequence(const char *text, size_t len);

#endif
