#include "engine/notify_message.h"

#include "lib/str.h"

#include <string.h>

#define LONGEST_MS  INT64_C(864000000000) /* as long as any duration in the configuration */
#define US_PER_MS   1000
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define LAST_C1     0x9f
#define C1_LEAD     0xc2
#define DELETE      0x7f

/* Escape sequences begin with these: C0, DEL, and C1 in its two bytes of UTF-8. */
static bool
is_control(const char *sequence, size_t len)
{
	const unsigned char *byte = (const unsigned char *)sequence;

	return len == 1 ? byte[0] < ' ' || byte[0] == DELETE
			: len == 2 && byte[0] == C1_LEAD && byte[1] <= LAST_C1;
}

static void
clean(char out[NOTIFY_MESSAGE_STATUS_SIZE], const char *text, size_t len)
{
	size_t used = 0;

	while (len > 0) {
		size_t sequence = str_utf8_sequence(text, len);
		const char *from = sequence == 0 ? REPLACEMENT : text;
		size_t taken = sequence == 0 ? strlen(REPLACEMENT) : sequence;

		if (sequence > 0 && is_control(text, sequence)) {
			from = "?";
			taken = 1;
		}
		if (used + taken >= NOTIFY_MESSAGE_STATUS_SIZE)
			break;
		memcpy(out + used, from, taken);
		used += taken;
		text += sequence > 0 ? sequence : 1;
		len -= sequence > 0 ? sequence : 1;
	}
	out[used] = '\0';
}

/* A decimal number, at most `max`; 0 when it is none. More than `max` is `max`. */
static int64_t
number(const char *text, size_t len, int64_t max)
{
	int64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		value = value > (max - (text[i] - '0')) / 10 ? max : value * 10 + (text[i] - '0');
	}
	return value;
}

/* What follows the name, or NULL when the line is another's. */
static const char *
value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
	size_t name_len = strlen(name);

	if (len < name_len || memcmp(line, name, name_len) != 0)
		return NULL;
	*value_len = len - name_len;
	return line + name_len;
}

static bool
is_line(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

static void
read_line(struct notify_message *out, const char *line, size_t len)
{
	const char *value;
	size_t value_len;

	if (is_line(line, len, "READY=1")) {
		out->ready = true;
	} else if (is_line(line, len, "RELOADING=1")) {
		out->reloading = true;
	} else if (is_line(line, len, "STOPPING=1")) {
		out->stopping = true;
	} else if ((value = value_of(line, len, "STATUS=", &value_len)) != NULL) {
		out->has_status = true;
		clean(out->status, value, value_len);
	} else if ((value = value_of(line, len, "MAINPID=", &value_len)) != NULL) {
		int64_t pid = number(value, value_len, INT64_C(1) << 40);
		out->main_pid = pid <= INT32_MAX ? (int32_t)pid : 0;
	} else if ((value = value_of(line, len, "EXTEND_TIMEOUT_USEC=", &value_len)) != NULL) {
		int64_t us = number(value, value_len, LONGEST_MS * US_PER_MS);
		out->extend = (us + US_PER_MS - 1) / US_PER_MS;
	}
}

bool
notify_message_read(struct notify_message *out, const char *data, size_t len)
{
	const char *end;

	*out = (struct notify_message){ 0 };
	if (len > 0 && data[len - 1] == '\0') /* some send that of their string too */
		len--;
	if (len > 0 && memchr(data, '\0', len) != NULL)
		return false;
	end = data + len;
	while (data < end) {
		size_t line = 0;
		while (data + line < end && data[line] != '\n')
			line++;
		read_line(out, data, line);
		data += line + 1;
	}
	return true;
}
