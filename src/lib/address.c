#include "lib/address.h"

#include "lib/str.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

/* The next part, up to a colon, into out; false when it does not fit. *text is set behind it. */
static bool
take_part(const char **text, char *out, size_t size)
{
	size_t len = strcspn(*text, ":");

	if (len >= size)
		return false;
	memcpy(out, *text, len);
	out[len] = '\0';
	*text += len + ((*text)[len] == ':');
	return true;
}

static bool
read_mode(const char *text, mode_t *mode)
{
	size_t len = strspn(text, "01234567");

	*mode = 0;
	for (size_t i = 0; i < len && i < 4; i++)
		*mode = *mode * 8 + (mode_t)(text[i] - '0');
	return (len == 3 || len == 4) && text[len] == '\0' && *mode <= 0777;
}

static const char *
read_path(const char *text, struct address *out)
{
	char mode[8];

	out->mode = ADDRESS_MODE;
	if (*text != '/')
		return "is no absolute path: write unix:/PATH";
	if (!take_part(&text, out->path, sizeof out->path))
		return "has more than the 107 bytes that fit into a socket's path: choose a shorter one";
	if (out->path[strlen(out->path) - 1] == '/')
		return "is a directory: add the name of the socket";
	for (const char *p = out->path; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
			return "has a quote, a backslash or a character that nobody sees in its path";
	if (!take_part(&text, mode, sizeof mode) || (*mode != '\0' && !read_mode(mode, &out->mode)))
		return "has no mode behind its path, three or four octal digits such as 0660";
	if (!take_part(&text, out->user, sizeof out->user) ||
	    !take_part(&text, out->group, sizeof out->group))
		return "has an owner with more than 33 letters";
	return *text == '\0' ? NULL : "has too many colons: write unix:/PATH:MODE:USER:GROUP";
}

static const char *
read_ip(const char *text, size_t len, struct address *out)
{
	char copy[INET6_ADDRSTRLEN];
	bool bracket = *text == '[';

	if (bracket && text[len - 1] != ']')
		return "has no bracket behind its IPv6 address: write tcp:[ADDRESS]:PORT";
	text += bracket;
	len -= bracket ? 2 : 0;
	memcpy(copy, text, len < sizeof copy ? len : 0);
	copy[len < sizeof copy ? len : 0] = '\0';
	if (bracket) {
		out->family = AF_INET6;
		return inet_pton(AF_INET6, copy, out->ip) == 1
		    ? NULL
		    : "has no IPv6 address in its brackets, such as ::1";
	}
	out->family = AF_INET;
	if (inet_pton(AF_INET, copy, out->ip) == 1)
		return NULL;
	if (strchr(copy, ':') != NULL)
		return "needs brackets around its IPv6 address: write tcp:[ADDRESS]:PORT";
	if (str_equal(copy, "*"))
		return "has a \"*\": for every address write tcp:PORT, for those of IPv4 0.0.0.0";
	return "names a host, and names are not looked up: write its number, such as 127.0.0.1 or [::1]";
}

/* What comes behind tcp: or udp: */
static const char *
read_port(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':'), *digits = colon != NULL ? colon + 1 : text;
	int64_t port;

	/* of [::1] the last colon is the address's */
	if (*text == '[' && strchr(text, ']') != NULL && digits < strchr(text, ']'))
		return "has no port: write tcp:[ADDRESS]:PORT";
	if (*digits < '0' || *digits > '9' || str_to_int64(digits, 1, 65535, &port) != 0)
		return "has no port from 1 to 65535 at its end: write tcp:PORT or tcp:ADDRESS:PORT";
	out->port = (uint16_t)port;
	out->family = AF_UNSPEC;
	return colon != NULL && colon > text ? read_ip(text, (size_t)(colon - text), out) : NULL;
}

const char *
address_read(const char *text, struct address *out)
{
	static const struct {
		const char *prefix;
		enum address_kind kind;
	} kinds[] = { { "tcp:", ADDRESS_TCP }, { "udp:", ADDRESS_UDP }, { "unix:", ADDRESS_UNIX } };

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!str_starts(text, kinds[i].prefix))
			continue;
		out->kind = kinds[i].kind;
		text += strlen(kinds[i].prefix);
		return out->kind == ADDRESS_UNIX ? read_path(text, out) : read_port(text, out);
	}
	return "is no address: write tcp:PORT, tcp:ADDRESS:PORT, the same with udp:, or unix:/PATH";
}

static bool
is_any(const struct address *address)
{
	static const uint8_t any[sizeof address->ip];

	return memcmp(address->ip, any, sizeof any) == 0;
}

bool
address_overlaps(const struct address *a, const struct address *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ADDRESS_UNIX)
		return str_equal(a->path, b->path);
	if (a->port != b->port)
		return false;
	if (a->family == AF_UNSPEC || b->family == AF_UNSPEC)
		return true;
	return a->family == b->family &&
	    (is_any(a) || is_any(b) || memcmp(a->ip, b->ip, sizeof a->ip) == 0);
}

static uint64_t
hash_more(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return hash;
}

uint64_t
address_hash(const struct address *address)
{
	const uint8_t head[] = { (uint8_t)address->kind, (uint8_t)address->family,
		(uint8_t)(address->port >> 8), (uint8_t)address->port };
	uint64_t hash = hash_more(UINT64_C(14695981039346656037), head, sizeof head);

	hash = hash_more(hash, address->ip, sizeof address->ip);
	hash = hash_more(hash, address->path, strlen(address->path));
	return hash != 0 ? hash : 1;
}
