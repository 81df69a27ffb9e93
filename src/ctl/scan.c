#include "ctl/scan.h"

#include "lib/buf.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_MAX_DEPTH 64U /* of skipped values: one bit each tells { from [ */

void
scan_begin(struct scan *scan, const char *text, size_t len)
{
	*scan = (struct scan){ .at = text, .end = text + len };
}

static bool
scan_fail(struct scan *scan, const char *problem)
{
	if (scan->problem == NULL)
		scan->problem = problem;
	scan->at = scan->end;
	return false;
}

/* The next character that is not white space, 0 at the end. */
static char
scan_peek(struct scan *scan)
{
	while (scan->at < scan->end) {
		if (*scan->at != ' ' && *scan->at != '\t' && *scan->at != '\n' && *scan->at != '\r')
			return *scan->at;
		scan->at++;
	}
	return 0;
}

static bool
scan_expect(struct scan *scan, char wanted, const char *problem)
{
	if (scan_peek(scan) != wanted)
		return scan_fail(scan, problem);
	scan->at++;
	return true;
}

static bool
scan_open(struct scan *scan, char bracket, const char *problem)
{
	if (!scan_expect(scan, bracket, problem))
		return false;
	scan->fresh = true;
	return true;
}

bool
scan_object(struct scan *scan)
{
	return scan_open(scan, '{', "an object was expected");
}

bool
scan_array(struct scan *scan)
{
	return scan_open(scan, '[', "an array was expected");
}

/* Steps to the next thing between brackets; false at the closing one or an error. */
static bool
scan_step(struct scan *scan, char closing)
{
	if (scan_peek(scan) == closing) {
		scan->at++;
		scan->fresh = false;
		return false;
	}
	if (!scan->fresh && !scan_expect(scan, ',', "a comma or a closing bracket was expected"))
		return false;
	scan->fresh = false;
	return true;
}

bool
scan_key(struct scan *scan, struct scan_text *key)
{
	if (!scan_step(scan, '}'))
		return false;
	if (scan_peek(scan) != '"')
		return scan_fail(scan, "the name of a member was expected");
	return scan_string(scan, key) && scan_expect(scan, ':', "a colon was expected");
}

bool
scan_item(struct scan *scan)
{
	return scan_step(scan, ']');
}

static bool
scan_word(struct scan *scan, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
		return false;
	scan->at += len;
	scan->fresh = false;
	return true;
}

bool
scan_string(struct scan *scan, struct scan_text *out)
{
	if (scan_peek(scan) == 'n' && scan_word(scan, "null")) {
		*out = (struct scan_text){ "", 0 };
		return true;
	}
	if (!scan_expect(scan, '"', "a string was expected"))
		return false;
	const char *start = scan->at;
	for (const char *at = start; at < scan->end; at++) {
		if (*at == '"') {
			*out = (struct scan_text){ start, (size_t)(at - start) };
			scan->at = at + 1;
			scan->fresh = false;
			return true;
		}
		if (*at == '\\' && ++at == scan->end)
			break;
		if ((unsigned char)*at < 0x20)
			return scan_fail(scan, "a control character in a string");
	}
	return scan_fail(scan, "a string without an end");
}

static bool
scan_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
scan_is_number_char(char c)
{
	return scan_is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

bool
scan_number(struct scan *scan, double *out)
{
	char copy[64];
	size_t len = 0;

	if (scan_peek(scan) == 'n' && scan_word(scan, "null")) {
		*out = 0;
		return true;
	}
	/* Nearly all are short and plain, and strtod is slow. */
	double digits = 0, scale = 1;
	const char *at = scan->at;
	bool fraction = false;
	for (; at < scan->end && at - scan->at < 15 &&
	     (scan_is_digit(*at) || (*at == '.' && !fraction));
	     at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		digits = digits * 10 + (*at - '0');
		scale = fraction ? scale * 10 : 1;
	}
	if (at > scan->at && scan_is_digit(*scan->at) && scan_is_digit(at[-1]) && at < scan->end &&
	    !scan_is_number_char(*at)) {
		*out = digits / scale;
		scan->at = at;
		scan->fresh = false;
		return true;
	}
	while (scan->at < scan->end && len < sizeof copy - 1 && scan_is_number_char(*scan->at))
		copy[len++] = *scan->at++;
	copy[len] = '\0';
	char *rest = copy;
	*out = strtod(copy, &rest);
	if (len == 0 || *rest != '\0')
		return scan_fail(scan, "a number was expected");
	scan->fresh = false;
	return true;
}

bool
scan_bool(struct scan *scan, bool *out)
{
	scan_peek(scan);
	*out = scan_word(scan, "true");
	return *out || scan_word(scan, "false") || scan_word(scan, "null") ||
	    scan_fail(scan, "true or false was expected");
}

/* From an opening bracket to behind the one that closes it. */
static bool
scan_skip_nested(struct scan *scan)
{
	uint64_t is_object = 0;
	uint32_t depth = 0;
	struct scan_text ignored;

	do {
		switch (scan_peek(scan)) {
		case 0: return scan_fail(scan, "it ends in the middle of a value");
		case '"':
			if (!scan_string(scan, &ignored))
				return false;
			continue;
		case '{':
		case '[':
			if (++depth >= SCAN_MAX_DEPTH)
				return scan_fail(scan, "it is nested too deeply");
			is_object = is_object << 1 | (*scan->at == '{');
			break;
		case '}':
		case ']':
			if ((*scan->at == '}') != ((is_object & 1) != 0))
				return scan_fail(scan, "brackets that do not match");
			is_object >>= 1;
			depth--;
			break;
		default: break;
		}
		scan->at++;
	} while (depth > 0);
	scan->fresh = false;
	return true;
}

static bool
scan_skip_number(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && scan_is_number_char(*scan->at))
		scan->at++;
	scan->fresh = false;
	return scan->at > start || scan_fail(scan, "a value was expected");
}

bool
scan_skip(struct scan *scan, struct scan_text *out)
{
	struct scan_text text;
	bool flag, ok;
	char first = scan_peek(scan);
	const char *start = scan->at;

	if (first == '{' || first == '[')
		ok = scan_skip_nested(scan);
	else if (first == '"')
		ok = scan_string(scan, &text);
	else if (first == 't' || first == 'f' || first == 'n')
		ok = scan_bool(scan, &flag);
	else
		ok = scan_skip_number(scan);
	if (ok && out != NULL)
		*out = (struct scan_text){ start, (size_t)(scan->at - start) };
	return ok;
}

bool
scan_text_is(const struct scan_text *text, const char *word)
{
	if (text->len == 0 || *text->at != *word)
		return text->len == 0 && *word == '\0';
	return strncmp(text->at, word, text->len) == 0 && word[text->len] == '\0';
}

/* The four digits of \uXXXX, or U+FFFD when they are none. */
static uint32_t
decode_hex(const char *at, const char *end)
{
	uint32_t code = 0;

	if (end - at < 4)
		return 0xfffd;
	for (int i = 0; i < 4; i++) {
		const char *digit = strchr("0123456789abcdef", at[i] | 0x20);
		if (digit == NULL || at[i] == '\0')
			return 0xfffd;
		code = code << 4 | (uint32_t)(digit - "0123456789abcdef");
	}
	return code;
}

static void
append_utf8(struct buf *out, uint32_t code)
{
	char bytes[4];
	size_t len = 0;

	if (code < 0x20 || code == 0x7f)
		code = '?';
	if (code < 0x80) {
		bytes[len++] = (char)code;
	} else if (code < 0x800) {
		bytes[len++] = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		bytes[len++] = (char)(0xe0 | code >> 12);
		bytes[len++] = (char)(0x80 | (code >> 6 & 0x3f));
	} else {
		bytes[len++] = (char)(0xf0 | code >> 18);
		bytes[len++] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[len++] = (char)(0x80 | (code >> 6 & 0x3f));
	}
	if (code >= 0x80)
		bytes[len++] = (char)(0x80 | (code & 0x3f));
	buf_append(out, bytes, len);
}

/* Behind "\u": appends the character (a pair of surrogates is one) and returns where it ends. */
static const char *
decode_unicode(struct buf *out, const char *at, const char *end)
{
	uint32_t code = decode_hex(at, end);

	at += end - at < 4 ? end - at : 4;
	if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
		uint32_t low = decode_hex(at + 2, end);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
	}
	append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
	return at;
}

char *
scan_text_decode(const struct scan_text *text)
{
	struct buf out = { 0 };
	const char *end = text->at + text->len;

	for (const char *at = text->at; at < end;) {
		char c = *at++;
		if (c == '\\' && at < end) {
			c = *at++;
			if (c == 'u') {
				at = decode_unicode(&out, at, end);
				continue;
			}
			c = strchr("\"\\/", c) != NULL ? c : c == 'n' || c == 't' ? ' ' : '?';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			c = '?';
		buf_append(&out, &c, 1);
	}
	char *decoded = mem_strndup(out.failed || out.data == NULL ? "" : out.data, out.len);
	buf_free(&out);
	return decoded;
}
