#include "config/cpus.h"

#include "config/diag.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t"

bool
cpus_has(const uint64_t *cpus, unsigned number)
{
	return number <= KEYS_MAX_CPU && (cpus[number / 64] >> (number % 64) & 1) != 0;
}

/* "3" or "0-3". */
static char *
add_range(const char *word, uint64_t *cpus)
{
	size_t len = strcspn(word, "-");
	char *first = mem_strndup(word, len), clip[DIAG_CLIP_SIZE];
	const char *last = word[len] == '-' ? word + len + 1 : first;
	int64_t from = 0, to = 0;
	int error = str_to_int64(first, 0, KEYS_MAX_CPU, &from);

	if (error == 0)
		error = str_to_int64(last, 0, KEYS_MAX_CPU, &to);
	free(first);
	diag_clip(word, clip);
	if (error == -ERANGE)
		return mem_printf("%s is out of range (0 to %d)", clip, KEYS_MAX_CPU);
	if (error != 0)
		return mem_printf(
		    "\"%s\" is no CPU: write numbers and ranges, such as 0-3, 8", clip);
	if (from > to)
		return mem_printf(
		    "\"%s\" is no range (did you mean \"%d-%d\"?)", clip, (int)to, (int)from);
	for (; from <= to; from++)
		cpus[from / 64] |= UINT64_C(1) << (from % 64);
	return NULL;
}

char *
cpus_parse(const char *text, uint64_t *cpus)
{
	char *save, *copy = mem_strdup(text), *problem = NULL;
	bool any = false;

	for (char *word = strtok_r(copy, SEPARATORS, &save); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save)) {
		problem = diag_join(problem, add_range(word, cpus));
		any = true;
	}
	if (!any)
		problem = mem_strdup("no CPU is named: write numbers and ranges, such as 0-3, 8");
	free(copy);
	return problem;
}

/* The next range that begins at `from` or later; false if there is none. */
static bool
next_range(const uint64_t *cpus, unsigned from, unsigned *first, unsigned *last)
{
	while (from <= KEYS_MAX_CPU && !cpus_has(cpus, from))
		from++;
	*first = *last = from;
	while (cpus_has(cpus, *last + 1))
		(*last)++;
	return from <= KEYS_MAX_CPU;
}

void
cpus_print(const uint64_t *cpus, struct buf *out)
{
	const char *between = "";

	for (unsigned at = 0, first, last; next_range(cpus, at, &first, &last); at = last + 1) {
		buf_printf(out, "%s%u", between, first);
		if (last > first)
			buf_printf(out, "-%u", last);
		between = ", ";
	}
}

void
cpus_json(const uint64_t *cpus, struct buf *out)
{
	const char *between = "";

	buf_puts(out, "[");
	for (unsigned at = 0, first, last; next_range(cpus, at, &first, &last); at = last + 1) {
		buf_printf(out, "%s[%u, %u]", between, first, last);
		between = ", ";
	}
	buf_puts(out, "]");
}
