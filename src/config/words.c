#include "config/words.h"

#include "lib/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\n"

struct splitter {
	const char *at;
	struct buf word;
	bool in_word;
	bool is_bare; /* quoted characters are not wanted */
	const char *problem;
	char **words;
	size_t count;
};

static void
put(struct splitter *splitter, char c)
{
	buf_append(&splitter->word, &c, 1);
}

static void
put_quoted(struct splitter *splitter, char c)
{
	put(splitter, splitter->is_bare ? WORDS_QUOTED : c == '$' ? WORDS_DOLLAR : c);
}

static void
end_word(struct splitter *splitter)
{
	if (!splitter->in_word)
		return;
	if ((splitter->count & (splitter->count + 1)) == 0)
		splitter->words =
		    mem_grow(splitter->words, splitter->count * 2 + 2, sizeof(char *));
	splitter->words[splitter->count++] = splitter->word.data;
	splitter->word = (struct buf){ 0 };
	splitter->in_word = false;
}

/* at stands behind the opening quote; afterwards behind the closing one. */
static void
take_single(struct splitter *splitter)
{
	for (; *splitter->at != '\''; splitter->at++) {
		if (*splitter->at == '\0') {
			splitter->problem =
			    "a single quote (') is not closed: close it, or write \\' for the character";
			return;
		}
		put_quoted(splitter, *splitter->at);
	}
	splitter->at++;
}

/* Within "…" a backslash is itself but before $ ` " \ and a line end (POSIX, XCU 2.2.3). */
static void
take_double(struct splitter *splitter)
{
	for (; *splitter->at != '"'; splitter->at++) {
		char c = *splitter->at;
		if (c == '\\' && splitter->at[1] != '\0' &&
		    strchr("$`\"\\\n", splitter->at[1]) != NULL) {
			c = *++splitter->at;
			if (c != '\n')
				put_quoted(splitter, c);
			continue;
		}
		if (c == '\0') {
			splitter->problem =
			    "a double quote (\") is not closed: close it, or write \\\" for the character";
			return;
		}
		/* of what a shell looks for, only $ and ` mean something here */
		if (splitter->is_bare && strchr("|&;<>*?[~", c) != NULL)
			put_quoted(splitter, c);
		else
			put(splitter, c);
	}
	splitter->at++;
}

static void
take_backslash(struct splitter *splitter)
{
	char c = *splitter->at;

	if (c == '\0') {
		splitter->problem =
		    "a backslash stands at the end with nothing to quote: write \\\\ for the character";
		return;
	}
	splitter->at++;
	if (c != '\n') /* else the line goes on */
		put_quoted(splitter, c);
}

static void
take_next(struct splitter *splitter)
{
	char c = *splitter->at++;

	if (strchr(BLANKS, c) != NULL) {
		end_word(splitter);
		return;
	}
	if (!splitter->in_word)
		buf_puts(&splitter->word, ""); /* "" is a word too */
	splitter->in_word = true;
	if (c == '\'')
		take_single(splitter);
	else if (c == '"')
		take_double(splitter);
	else if (c == '\\')
		take_backslash(splitter);
	else
		put(splitter, c);
}

static char **
split(const char *text, bool is_bare, size_t *count, const char **problem)
{
	struct splitter splitter = { .at = text, .is_bare = is_bare };

	splitter.words = mem_zalloc(2, sizeof(char *));
	while (*splitter.at != '\0' && splitter.problem == NULL)
		take_next(&splitter);
	if (splitter.problem == NULL)
		end_word(&splitter);
	buf_free(&splitter.word);
	splitter.words[splitter.count] = NULL;
	*count = splitter.count;
	*problem = splitter.problem;
	if (splitter.problem != NULL) {
		words_free(splitter.words);
		return NULL;
	}
	return splitter.words;
}

char **
words_split(const char *text, size_t *count, const char **problem)
{
	return split(text, false, count, problem);
}

char **
words_bare(const char *text, size_t *count)
{
	const char *problem;

	return split(text, true, count, &problem);
}

void
words_quote(const char *word, struct buf *out)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%@+=:,./_-";

	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		buf_puts(out, word);
		return;
	}
	buf_puts(out, "'");
	for (const char *p = word; *p != '\0'; p++) {
		if (*p == '\'')
			buf_puts(out, "'\\''");
		else
			buf_append(out, p, 1);
	}
	buf_puts(out, "'");
}

void
words_free(char **words)
{
	if (words == NULL)
		return;
	for (char **word = words; *word != NULL; word++)
		free(*word);
	free(words);
}
