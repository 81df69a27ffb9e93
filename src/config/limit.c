#include "config/limit.h"

#include "config/diag.h"
#include "config/size.h"
#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MS_PER_SECOND 1000
#define US_PER_MS     1000

/* --- one of the two ------------------------------------------------------------------------- */

static bool
is_endless(const char *text)
{
	static const char *const words[] = { "infinite", "inf", "unlimited", "max", "none", "-1",
		"∞" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return strcasecmp(text, "infinity") == 0;
}

/* 0, -EINVAL or -ERANGE. */
static int
read_time(const char *text, enum keys_unit unit, int64_t *out)
{
	span_ms span;
	int error = span_parse(text, &span);

	if (error != 0)
		return error;
	if (span == SPAN_INFINITE)
		*out = LIMIT_INFINITE;
	else if (unit == UNIT_MICROSECONDS)
		*out = span * US_PER_MS;
	else if (span % MS_PER_SECOND != 0)
		return -EINVAL;
	else
		*out = span / MS_PER_SECOND;
	return 0;
}

static int
read_percent(const struct keys_key *key, const char *text, int64_t *out)
{
	size_t len = strlen(text);
	char *digits = mem_strndup(text, len > 0 ? len - 1 : 0);
	int error = len < 2 || text[len - 1] != '%' ? -EINVAL
						    : str_to_int64(digits, key->min, key->max, out);

	free(digits);
	return error;
}

static int
read_size(const struct keys_key *key, const char *text, int64_t *out)
{
	int error = size_parse(text, out);

	return error == 0 && *out < key->min ? -ERANGE : error;
}

static int
read_one(const struct keys_key *key, const char *text, int64_t *out)
{
	switch (key->unit) {
	case UNIT_COUNT: return str_to_int64(text, key->min, key->max, out);
	case UNIT_BYTES: return read_size(key, text, out);
	case UNIT_PERCENT: return read_percent(key, text, out);
	case UNIT_SECONDS:
	case UNIT_MICROSECONDS: return read_time(text, key->unit, out);
	}
	return -EINVAL;
}

static const char *
kind_of(enum keys_unit unit)
{
	switch (unit) {
	case UNIT_COUNT: return "number";
	case UNIT_BYTES: return "size such as 64K, 10M or 2G";
	case UNIT_SECONDS: return "duration in whole seconds";
	case UNIT_MICROSECONDS: return "duration such as 250ms";
	case UNIT_PERCENT: return "percentage such as 150%";
	}
	return "";
}

static char *
parse_one(const struct keys_key *key, const char *text, int64_t *out)
{
	char clip[DIAG_CLIP_SIZE], meant[SIZE_TEXT_SIZE];
	int error;

	*out = LIMIT_INFINITE;
	if (str_equal(text, "infinity"))
		return NULL;
	diag_clip(text, clip);
	if (is_endless(text))
		return mem_printf("\"%s\" is no limit (did you mean \"infinity\"?)", clip);
	error = read_one(key, text, out);
	if (error == -ERANGE && key->max < KEYS_MAX_LIMIT)
		return mem_printf("%s is out of range (%" PRId64 "%s to %" PRId64
				  "%s, or infinity)",
		    clip, key->min, key->unit == UNIT_PERCENT ? "%" : "", key->max,
		    key->unit == UNIT_PERCENT ? "%" : "");
	if (error == -ERANGE)
		return mem_printf(
		    "%s is out of range (a %s, or infinity)", clip, kind_of(key->unit));
	if (error != 0 && key->unit == UNIT_BYTES && size_meant(text, meant) != NULL)
		return mem_printf("\"%s\" is no size (did you mean \"%s\"?)", clip, meant);
	if (error != 0)
		return mem_printf(
		    "\"%s\" is no limit: write a %s, or infinity", clip, kind_of(key->unit));
	return NULL;
}

static void
print_one(const struct keys_key *key, int64_t number, struct buf *out)
{
	char span[SPAN_TEXT_SIZE];

	if (number == LIMIT_INFINITE)
		buf_puts(out, "infinity");
	else if (key->unit == UNIT_BYTES)
		size_print(number, out);
	else if (key->unit == UNIT_SECONDS)
		buf_puts(out, span_format(number * MS_PER_SECOND, span));
	else if (key->unit == UNIT_MICROSECONDS)
		buf_puts(out, span_format(number / US_PER_MS, span));
	else
		buf_printf(out, "%" PRId64 "%s", number, key->unit == UNIT_PERCENT ? "%" : "");
}

/* --- both ----------------------------------------------------------------------------------- */

static char *
higher(const struct keys_key *key, int64_t soft, int64_t hard)
{
	struct buf one = { 0 }, other = { 0 };
	char *problem;

	print_one(key, soft, &one);
	print_one(key, hard, &other);
	problem = mem_printf(
	    "the soft limit, %s, is higher than the hard one, %s: the lower of them comes first, as in %s:%s",
	    one.data, other.data, other.data, one.data);
	buf_free(&one);
	buf_free(&other);
	return problem;
}

char *
limit_parse(const struct keys_key *key, const char *text, int64_t *soft, int64_t *hard)
{
	size_t len = strcspn(text, ":");
	char *first = mem_strndup(text, len), *problem, clip[DIAG_CLIP_SIZE];
	const char *second = text[len] == ':' ? text + len + 1 : first;

	if (len == 0 || *second == '\0' || (second != first && strchr(second, ':') != NULL))
		problem = mem_printf("\"%s\" is no limit: write SOFT:HARD, or one value for both",
		    diag_clip(text, clip));
	else
		problem = parse_one(key, first, soft);
	if (problem == NULL)
		problem = parse_one(key, second, hard);
	if (problem == NULL && *soft > *hard)
		problem = higher(key, *soft, *hard);
	free(first);
	return problem;
}

void
limit_print(const struct keys_key *key, int64_t soft, int64_t hard, struct buf *out)
{
	print_one(key, soft, out);
	if (soft == hard)
		return;
	buf_puts(out, ":");
	print_one(key, hard, out);
}

char *
limit_parse_most(const struct keys_key *key, const char *text, int64_t *most)
{
	char clip[DIAG_CLIP_SIZE];

	if (strchr(text, ':') != NULL)
		return mem_printf("\"%s\" is not one limit: this one is neither soft nor hard",
		    diag_clip(text, clip));
	return parse_one(key, text, most);
}

void
limit_print_most(const struct keys_key *key, int64_t most, struct buf *out)
{
	print_one(key, most, out);
}
