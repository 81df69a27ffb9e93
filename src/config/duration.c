#include "config/duration.h"

#include "config/diag.h"
#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* "10 sec", "5 minutes" → "10s", "5m": what people write for a duration elsewhere. */
static const char *
span_meant(const char *text, char out[SPAN_TEXT_SIZE])
{
	static const char *const units[][2] = { { "ms", "ms" }, { "msec", "ms" },
		{ "millisecond", "ms" }, { "s", "s" }, { "sec", "s" }, { "second", "s" },
		{ "m", "m" }, { "min", "m" }, { "minute", "m" }, { "h", "h" }, { "hr", "h" },
		{ "hour", "h" }, { "d", "d" }, { "day", "d" } };
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits + strspn(text + digits, " ");
	size_t len = strlen(unit);

	if (digits == 0 || digits > 12)
		return NULL;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t ours = strlen(units[i][0]);
		bool plural = len == ours + 1 && (unit[ours] == 's' || unit[ours] == 'S');
		if ((len == ours || plural) && strncasecmp(unit, units[i][0], ours) == 0) {
			span_ms span;
			memcpy(out, text, digits);
			strcpy(out + digits, units[i][1]);
			return span_parse(out, &span) == 0 ? out : NULL;
		}
	}
	return NULL;
}

static bool
is_endless(const char *text)
{
	static const char *const words[] = { "infinity", "infinite", "inf", "forever", "never",
		"none", "unlimited", "∞" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

char *
duration_read(const struct keys_key *key, const char *text, span_ms *span)
{
	char clip[DIAG_CLIP_SIZE], meant[SPAN_TEXT_SIZE], low[SPAN_TEXT_SIZE], high[SPAN_TEXT_SIZE];
	const char *or_infinity = key->infinite ? ", or infinity" : "";
	int error = span_parse(text, span);

	diag_clip(text, clip);
	if (*text == '-' && isdigit((unsigned char)text[1]) && span_parse(text + 1, span) == 0)
		error = -ERANGE;
	if (error == -EINVAL && key->infinite && is_endless(text))
		return mem_printf("\"%s\" is no duration (did you mean \"infinity\"?)", clip);
	if (error == -EINVAL && span_meant(text, meant) != NULL)
		return mem_printf("\"%s\" is no duration (did you mean \"%s\"?)", clip, meant);
	if (error == -EINVAL)
		return mem_printf(
		    "\"%s\" is no duration: write a number and a unit, such as 250ms, 5s, 2m, 1h, 1d%s",
		    clip, key->infinite ? ", or infinity" : "");
	if (error == 0 && *span == SPAN_INFINITE && !key->infinite)
		return mem_printf("this cannot be infinity: write a duration of up to %s",
		    span_format(key->max, high));
	if (error != 0 || (*span != SPAN_INFINITE && (*span < key->min || *span > key->max)))
		return mem_printf("%s is out of range (%s to %s%s)", clip,
		    span_format(key->min, low), span_format(key->max, high), or_infinity);
	return NULL;
}
