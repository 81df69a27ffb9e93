#include "engine/pen.h"

#include "core/types.h"
#include "lib/must.h"
#include "lib/names.h"

#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

void
pen_text(struct pen *pen, const char *text)
{
	size_t len = strlen(text);

	must(len <= (size_t)(pen->end - pen->at));
	memcpy(pen->at, text, len);
	pen->at += len;
}

void
pen_number(struct pen *pen, const char *name, uint64_t value)
{
	char digits[24];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	pen_text(pen, name);
	pen_text(pen, digits + at);
}

void
pen_seconds(struct pen *pen, const char *name, int64_t ms)
{
	uint64_t positive = ms > 0 ? (uint64_t)ms : 0;
	uint64_t part = positive % 1000;
	char fraction[] = { '.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
		(char)('0' + part % 10), '\0' };

	pen_number(pen, name, positive / 1000);
	if (part != 0)
		pen_text(pen, fraction);
}

void
pen_string(struct pen *pen, const char *name, const char *text)
{
	pen_text(pen, name);
	pen_text(pen, "\"");
	char *from = pen->at;
	pen_text(pen, text);
	for (; from < pen->at; from++) {
		unsigned char c = (unsigned char)*from;
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			*from = '?';
	}
	pen_text(pen, "\"");
}

void
pen_quote(struct pen *pen, const char *name, const char *text)
{
	pen_text(pen, name);
	pen_text(pen, "\"");
	for (; *text != '\0'; text++) {
		const char letter[] = { *text, '\0' };

		if (*text == '"' || *text == '\\')
			pen_text(pen, "\\");
		pen_text(pen, letter);
	}
	pen_text(pen, "\"");
}

void
pen_exit(struct pen *pen, int32_t status)
{
	if (status == CORE_STATUS_UNKNOWN) {
		pen_text(pen, ",\"exit\":{\"unknown\":true}");
	} else if (WIFSIGNALED(status)) {
		pen_string(pen, ",\"exit\":{\"signal\":", names_signal_text(WTERMSIG(status)));
		pen_text(
		    pen, WCOREDUMP(status) ? ",\"core_dumped\":true}" : ",\"core_dumped\":false}");
	} else {
		pen_number(pen, ",\"exit\":{\"code\":", (uint64_t)WEXITSTATUS(status));
		pen_text(pen, ",\"core_dumped\":false}");
	}
}
