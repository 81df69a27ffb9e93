#include "ctl/xml.h"

#include "lib/str.h"

#include <string.h>

static const char *
xml_entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	default: return (unsigned char)c < 0x20 || c == 0x7f ? "?" : NULL;
	}
}

void
xml_put(struct buf *out, const char *text)
{
	size_t len = strlen(text), step;

	for (size_t i = 0; i < len; i += step) {
		const char *entity = xml_entity(text[i]);
		step = str_utf8_sequence(text + i, len - i);
		/* U+FFFE and U+FFFF are no characters. */
		bool bad = step == 0 ||
		    (step == 3 && memcmp(text + i, "\xef\xbf", 2) == 0 &&
			(unsigned char)text[i + 2] >= 0xbe);
		if (bad || entity != NULL)
			buf_puts(out, bad ? "?" : entity);
		else
			buf_append(out, text + i, step);
		step += step == 0;
	}
}
