#include "lib/str.h"

#include <errno.h>
#include <string.h>

#define NEAREST_MAX 64 /* bytes; nobody mistypes longer names */

bool
str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Edits that make b of a: insert, delete, replace, or swap two neighbours (optimal string
 * alignment, Damerau 1964). Three rows are enough, since a swap looks back two.
 */
static size_t
distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t rows[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= blen; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= alen; i++) {
		const size_t *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
		size_t *row = rows[i % 3];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			row[j] = smallest(
			    last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[alen % 3][blen];
}

const char *
str_nearest(const char *text, const char *const *candidates, size_t count)
{
	size_t len = strlen(text);
	size_t limit = len < 3 ? 1 : len / 3;
	const char *nearest = NULL;

	if (len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]);
		if (other > NEAREST_MAX || other > len + limit || len > other + limit)
			continue;
		size_t edits = distance(text, len, candidates[i], other);
		if (edits > limit || (nearest != NULL && edits == limit))
			continue;
		nearest = candidates[i];
		limit = edits;
	}
	return nearest;
}

int
str_to_int64(const char *text, int64_t min, int64_t max, int64_t *out)
{
	const char *p = text;
	bool negative = *p == '-', overflow = false;
	int64_t value = 0;

	if (*p == '-' || *p == '+')
		p++;
	if (*p == '\0')
		return -EINVAL;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		int64_t digit = *p - '0';
		/* Counted downwards when negative, for INT64_MIN has no positive twin. */
		overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, negative ? -digit : digit, &value);
	}
	if (overflow || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

/*
 * The length that a first byte announces, and the least second byte and greatest that keep to RFC
 * 3629.
 */
static size_t
sequence_start(unsigned char first, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	if (first == 0xe0)
		*low = 0xa0; /* no overlong forms */
	if (first == 0xed)
		*high = 0x9f; /* no surrogates */
	if (first == 0xf0)
		*low = 0x90;
	if (first == 0xf4)
		*high = 0x8f; /* nothing beyond U+10FFFF */
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t
str_utf8_sequence(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned char low, high;

	if (len == 0)
		return 0;
	size_t need = sequence_start(bytes[0], &low, &high);
	if (need == 0 || need > len)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if (bytes[i] < low || bytes[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return need;
}

bool
str_is_utf8(const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t sequence = str_utf8_sequence(text + at, len - at);
		if (sequence == 0 || text[at] == '\0')
			return false;
		at += sequence;
	}
	return true;
}
