#include "lib/env_file.h"

#include <errno.h>
#include <stdbool.h>

/* Between clone and exec the stack is not one that the sanitizers know. */
#define PLAIN_CODE      \
	__attribute__(( \
	    no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread"))) static

PLAIN_CODE bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

PLAIN_CODE bool
is_name(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (!first && c >= '0' && c <= '9');
}

/* The character there; a line end where the text ends. */
PLAIN_CODE char
look(const struct env_file *file)
{
	return file->at < file->end ? *file->at : '\n';
}

PLAIN_CODE void
skip_blanks(struct env_file *file)
{
	while (file->at < file->end && is_blank(*file->at))
		file->at++;
}

/* To the beginning of the next line that is neither empty nor a comment; false: there is none. */
PLAIN_CODE bool
find_line(struct env_file *file)
{
	while (file->at < file->end) {
		file->line++;
		skip_blanks(file);
		if (look(file) != '\n' && look(file) != '#' && look(file) != ';')
			return true;
		while (look(file) != '\n')
			file->at++;
		file->at++;
	}
	return false;
}

/* Between single quotes: all as it is. Between double ones a backslash may stand before \ " $ `. */
PLAIN_CODE bool
read_quoted(struct env_file *file, char **to)
{
	char quote = *file->at++;

	for (; file->at < file->end && *file->at != quote; file->at++) {
		char next = file->at + 1 < file->end ? file->at[1] : '\0';

		if (quote == '"' && *file->at == '\\' && next == '\n') {
			file->at++; /* the value goes on in the next line */
			file->line++;
			continue;
		}
		if (quote == '"' && *file->at == '\\' &&
		    (next == '\\' || next == '"' || next == '$' || next == '`'))
			file->at++;
		file->line += *file->at == '\n';
		if (*file->at == '\0')
			return false;
		*(*to)++ = *file->at;
	}
	if (file->at == file->end)
		return false;
	file->at++;
	skip_blanks(file);
	return look(file) == '\n';
}

/* A backslash takes what follows as it is, a line end away; blanks at the end do not count. */
PLAIN_CODE bool
read_plain(struct env_file *file, char **to)
{
	char *last = *to;

	for (; look(file) != '\n'; file->at++) {
		bool is_taken = *file->at == '\\' && file->at + 1 < file->end;

		file->at += is_taken;
		if (*file->at == '\0')
			return false;
		if (*file->at == '\n') {
			file->line++;
			continue;
		}
		*(*to)++ = *file->at;
		if (is_taken || !is_blank(*file->at))
			last = *to;
	}
	*to = last;
	return true;
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread"))) int
env_file_next(struct env_file *file, char **variable)
{
	uint32_t line;
	bool is_good;
	char *to;

	if (!find_line(file))
		return 0;
	line = file->line;
	*variable = to = file->at;
	while (is_name(look(file), to == file->at && to == *variable))
		to = ++file->at;
	skip_blanks(file);
	if (to == *variable || look(file) != '=')
		return -EBADMSG;
	file->at++;
	*to++ = '=';
	skip_blanks(file);
	is_good = look(file) == '"' || look(file) == '\'' ? read_quoted(file, &to)
							  : read_plain(file, &to);
	if (!is_good) {
		file->line = line; /* where it began */
		return -EBADMSG;
	}
	if (file->at < file->end)
		file->at++; /* the line end */
	*to = '\0';
	return 1;
}
