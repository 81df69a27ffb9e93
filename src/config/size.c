#include "config/size.h"

#include "lib/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGT"; /* each 1024 times the one before */

int
size_parse(const char *text, int64_t *out)
{
	char digits[SIZE_TEXT_SIZE];
	size_t len = strspn(text, "0123456789");
	const char *unit = text[len] != '\0' ? strchr(units, text[len]) : NULL;
	int64_t number;

	if (*text == '-' && text[1] >= '0' && text[1] <= '9')
		return -ERANGE;
	if (len == 0 || (text[len] != '\0' && (unit == NULL || text[len + 1] != '\0')))
		return -EINVAL;
	if (len >= sizeof digits)
		return -ERANGE;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (str_to_int64(digits, 0, INT64_MAX - 1, &number) != 0)
		return -ERANGE;
	for (ptrdiff_t i = unit != NULL ? unit - units : -1; i >= 0; i--) {
		if (number > (INT64_MAX - 1) / 1024)
			return -ERANGE;
		number *= 1024;
	}
	*out = number;
	return 0;
}

void
size_print(int64_t size, struct buf *out)
{
	size_t unit = 0;

	while (size != 0 && size % 1024 == 0 && units[unit] != '\0') {
		size /= 1024;
		unit++;
	}
	buf_printf(out, "%" PRId64, size);
	if (unit > 0)
		buf_append(out, &units[unit - 1], 1);
}

const char *
size_meant(const char *text, char out[SIZE_TEXT_SIZE])
{
	static const char *const endings[] = { "", "B", "iB", "byte", "bytes" };
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");

	if (digits == 0 || digits > 12 || *unit == '\0')
		return NULL;
	for (size_t u = 0; u < sizeof units; u++)
		for (size_t e = 0; e < sizeof endings / sizeof endings[0]; e++) {
			size_t len = units[u] != '\0';
			if ((len > 0 && strncasecmp(unit, &units[u], 1) != 0) ||
			    strcasecmp(unit + len, endings[e]) != 0)
				continue;
			memcpy(out, text, digits);
			out[digits] = units[u];
			out[digits + len] = '\0';
			return out;
		}
	return NULL;
}
