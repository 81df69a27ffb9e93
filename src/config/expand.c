#include "config/expand.h"

#include "config/diag.h"
#include "config/words.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_CHARS NAME_FIRST "0123456789"

struct expansion {
	const struct expand *expand;
	const char *at;
	struct buf out;
	bool in_default; /* of ${NAME:-default}, up to its '}' */
	char *problem;   /* all, one a line */
};

static void complain(struct expansion *expansion, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct expansion *expansion, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	expansion->problem = diag_join(expansion->problem, mem_vprintf(format, args));
	va_end(args);
}

static void
put_host(struct expansion *expansion)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof host - 1) != 0)
		strcpy(host, "localhost");
	buf_puts(&expansion->out, host);
}

static void
put_instance(struct expansion *expansion, const char *before)
{
	static const char mark = EXPAND_INSTANCE;

	buf_puts(&expansion->out, before);
	buf_append(&expansion->out, &mark, 1);
}

static void
put_place(struct expansion *expansion, char what)
{
	const struct expand *expand = expansion->expand;

	if (expand->path == NULL) {
		complain(expansion,
		    "%%%c has no meaning here, only for children (for a percent sign write %%%%)",
		    what);
	} else if (what == 'i' && !expand->is_template) {
		complain(expansion,
		    "%%i is the number of an instance, but \"%s\" is no template (instances = N makes it one)",
		    expand->path);
	} else if (what != 'i') {
		buf_puts(&expansion->out, what == 'p' ? expand->path : expand->name);
		if (expand->is_template)
			put_instance(expansion, "@");
	} else {
		put_instance(expansion, "");
	}
}

static int
digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	    : c >= 'a' && c <= 'f'  ? c - 'a' + 10
	    : c >= 'A' && c <= 'F'  ? c - 'A' + 10
				    : -1;
}

/* at stands at the 'x' of %xHH: what a line of a file cannot hold, or not there. */
static void
take_hex(struct expansion *expansion)
{
	int high = digit_of(expansion->at[1]);
	int low = high >= 0 ? digit_of(expansion->at[2]) : -1;
	char c = (char)(high * 16 + low);

	if (low < 0 || high > 7 || c == '\0' || c == EXPAND_INSTANCE) {
		complain(expansion,
		    "%%x is followed by two hexadecimal digits, from 02 to 7f (%%x0a is a line end)");
		return;
	}
	buf_append(&expansion->out, &c, 1);
	expansion->at += 2;
}

/* at stands behind the '%'. */
static void
take_percent(struct expansion *expansion)
{
	char what[8] = "";

	switch (*expansion->at) {
	case '%': buf_puts(&expansion->out, "%"); break;
	case 'h': put_host(expansion); break;
	case 'x': take_hex(expansion); break;
	case 'p':
	case 'n':
	case 'i': put_place(expansion, *expansion->at); break;
	default:
		/* A whole character, which may have several bytes. */
		memcpy(
		    what, expansion->at, str_utf8_sequence(expansion->at, strlen(expansion->at)));
		complain(expansion,
		    "\"%%%s\" means nothing: there are %%p %%n %%i %%h, and %%%% for a percent sign",
		    what);
		return;
	}
	expansion->at++;
}

static void
put_variable(struct expansion *expansion, const char *name, const char *value)
{
	if (!str_is_utf8(value, strlen(value)) || strchr(value, EXPAND_INSTANCE) != NULL) {
		complain(expansion,
		    "what the daemon's environment has in %s is not UTF-8 text: set that variable to something else, or write the value here",
		    name);
		return;
	}
	buf_puts(&expansion->out, value);
}

/* at stands behind the name: ":-default}". An empty variable counts as unset, as in a shell. */
static void
take_default(struct expansion *expansion, const char *name, const char *value)
{
	const char *end = strchr(expansion->at, '}');

	if (end == NULL && expansion->expand->in_word) {
		complain(expansion,
		    "\"${%s:-\" is not closed within its word: add \"}\", and where the default has blanks put quotes around it all (\"${%s:-…}\")",
		    name, name);
	} else if (end == NULL) {
		complain(expansion, "\"${%s:-\" is not closed: add \"}\"", name);
	} else if (value != NULL && *value != '\0') {
		put_variable(expansion, name, value);
		expansion->at = end + 1;
	} else {
		expansion->at += strlen(":-");
		expansion->in_default = true;
	}
}

/* at stands behind the '$', at "{". */
static void
take_variable(struct expansion *expansion)
{
	const char *start = expansion->at + 1;
	size_t len = strspn(start, NAME_FIRST) > 0 ? strspn(start, NAME_CHARS) : 0;
	const char *end = start + len;
	char clip[DIAG_CLIP_SIZE], *name = mem_strndup(start, len);
	const char *value = getenv(name);

	if (expansion->in_default) {
		complain(
		    expansion, "\"${…}\" cannot stand within another: write the inner value out");
	} else if (len > 0 && str_starts(end, ":-")) {
		expansion->at = end;
		take_default(expansion, name, value);
	} else if (len == 0 || *end != '}') {
		complain(expansion,
		    "\"${%s\" is neither ${NAME} nor ${NAME:-default}: write one of them",
		    diag_clip(start, clip));
	} else if (value == NULL) {
		complain(expansion,
		    "the daemon's environment has no %s (write ${%s:-default} if it may be missing)",
		    name, name);
	} else {
		put_variable(expansion, name, value);
		expansion->at = end + 1;
	}
	free(name);
}

static void
take_next(struct expansion *expansion)
{
	char c = *expansion->at++;

	if (c == '%' && !expansion->expand->no_percent) {
		take_percent(expansion);
	} else if (c == '$' && str_starts(expansion->at, "${")) {
		buf_puts(&expansion->out, "${");
		expansion->at += 2;
	} else if (c == '$' && *expansion->at == '{') {
		take_variable(expansion);
	} else if (c == '}' && expansion->in_default) {
		expansion->in_default = false;
	} else {
		if (c == WORDS_DOLLAR)
			c = '$';
		buf_append(&expansion->out, &c, 1);
	}
}

char *
expand_text(const struct expand *expand, const char *text, char **problem)
{
	struct expansion expansion = { .expand = expand, .at = text };

	buf_puts(&expansion.out, "");
	while (*expansion.at != '\0')
		take_next(&expansion);
	*problem = expansion.problem;
	if (expansion.problem != NULL) {
		buf_free(&expansion.out);
		return NULL;
	}
	if (expansion.out.failed)
		return mem_strdup(
		    ""); /* unreachable in practice: memory is gone and the next mem_ call ends us */
	return expansion.out.data;
}

bool
expand_varies(const char *text)
{
	for (const char *p = strchr(text, '%'); p != NULL; p = strchr(p, '%')) {
		if (p[1] == 'p' || p[1] == 'n' || p[1] == 'i')
			return true;
		p += p[1] == '%' ? 2 : 1;
	}
	return false;
}
