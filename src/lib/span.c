#include "lib/span.h"

#include "lib/must.h"
#include "lib/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS   INT64_C(86400000)
#define LIMIT_MS (10000 * DAY_MS)

/* From the largest, so that the first that divides gives the shortest text. */
static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
	{ "d", DAY_MS },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

#define UNITS (sizeof units / sizeof units[0])

mono_ms
span_after(mono_ms now, span_ms span)
{
	mono_ms after;

	if (span == SPAN_INFINITE || __builtin_add_overflow(now, span, &after))
		return MONO_NEVER;
	return after;
}

static int64_t
unit_of(const char *text)
{
	if (*text == '\0')
		return 1000;
	for (size_t i = 0; i < UNITS; i++)
		if (str_equal(text, units[i].name))
			return units[i].ms;
	return 0;
}

/*
 * Reads digits, returns how many there were; the value stops growing beyond the limit, so that it
 * cannot overflow and is still seen to be too large.
 */
static size_t
parse_digits(const char **text, int64_t *value)
{
	const char *start = *text;

	for (*value = 0; **text >= '0' && **text <= '9'; (*text)++)
		if (*value <= LIMIT_MS)
			*value = *value * 10 + (**text - '0');
	return (size_t)(*text - start);
}

int
span_parse(const char *text, span_ms *out)
{
	int64_t whole, fraction = 0, scale = 1;

	if (str_equal(text, "infinity")) {
		*out = SPAN_INFINITE;
		return 0;
	}
	if (parse_digits(&text, &whole) == 0)
		return -EINVAL;
	if (*text == '.') {
		text++;
		size_t digits = parse_digits(&text, &fraction);
		if (digits == 0 || digits > 9)
			return -EINVAL;
		while (digits-- > 0)
			scale *= 10;
	}
	int64_t unit = unit_of(text);
	if (unit == 0 || fraction * unit % scale != 0)
		return -EINVAL;
	if (whole > LIMIT_MS / unit)
		return -ERANGE;
	int64_t span = whole * unit + fraction * unit / scale;
	if (span > LIMIT_MS)
		return -ERANGE;
	*out = span;
	return 0;
}

const char *
span_format(span_ms span, char out[SPAN_TEXT_SIZE])
{
	const struct unit *unit = units;

	must(span >= 0);
	if (span == SPAN_INFINITE)
		return strcpy(out, "infinity");
	if (span == 0)
		return strcpy(out, "0s");
	while (span % unit->ms != 0)
		unit++;
	snprintf(out, SPAN_TEXT_SIZE, "%" PRId64 "%s", span / unit->ms, unit->name);
	return out;
}

const char *
span_about(span_ms span, char out[SPAN_TEXT_SIZE])
{
	const struct unit *unit = units;

	if (span <= 0)
		return strcpy(out, "0s");
	while (span < unit->ms)
		unit++;
	int64_t whole = span / unit->ms, rest = span % unit->ms;
	if (unit->ms == 1000 && rest >= 100)
		snprintf(out, SPAN_TEXT_SIZE, "%" PRId64 ".%" PRId64 "s", whole, rest / 100);
	else if (unit->ms > 1000 && rest >= unit[1].ms)
		snprintf(out, SPAN_TEXT_SIZE, "%" PRId64 "%s%" PRId64 "%s", whole, unit->name,
		    rest / unit[1].ms, unit[1].name);
	else
		snprintf(out, SPAN_TEXT_SIZE, "%" PRId64 "%s", whole, unit->name);
	return out;
}
