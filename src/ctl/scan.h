/*
 * scan: a pull scanner over JSON text in memory. It builds nothing and allocates nothing, so that
 * the status of 10,000 nodes costs one pass (a tree of values costs ten times as much). Never reads
 * outside the text; the first thing that is no JSON sets `problem`, and from then on every function
 * answers false.
 *
 * It is as strict as its user: values that are skipped are only matched bracket for bracket.
 */
#ifndef COPPICE_CTL_SCAN_H
#define COPPICE_CTL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
	const char *at, *end;
	const char *problem; /* static text; NULL while all is well */
	bool fresh;          /* just behind an opening bracket: no comma comes */
};

/* The inside of a string, as it stands in the text: between the quotes, escapes undecoded. */
struct scan_text {
	const char *at;
	size_t len;
};

void scan_begin(struct scan *scan, const char *text, size_t len);
/*
 * Enters an object; then scan_key says true for each member, whose value must be read or skipped,
 * and false at its end.
 */
bool scan_object(struct scan *scan);
bool scan_key(struct scan *scan, struct scan_text *key);
/*
 * Enters an array; then scan_item says true for each element, which must be read or skipped, and
 * false at its end.
 */
bool scan_array(struct scan *scan);
bool scan_item(struct scan *scan);
/* Values. null is read as an empty text, as 0 and as false. */
bool scan_string(struct scan *scan, struct scan_text *out);
bool scan_number(struct scan *scan, double *out);
bool scan_bool(struct scan *scan, bool *out);
/* Any value; *out (may be NULL) is its text. */
bool scan_skip(struct scan *scan, struct scan_text *out);

bool scan_text_is(const struct scan_text *text, const char *word);
/*
 * The string with its escapes decoded, as memory of the caller's; control characters are shown as
 * '?'.
 */
char *scan_text_decode(const struct scan_text *text);

#endif
