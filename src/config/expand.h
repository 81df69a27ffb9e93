/*
 * expand: %p path, %n name, %i instance, %h host name, %% and ${NAME}, ${NAME:-default} in a value;
 * %xHH is the character with that hexadecimal number, $${ is ${ as it is.
 */
#ifndef COPPICE_CONFIG_EXPAND_H
#define COPPICE_CONFIG_EXPAND_H

#include <stdbool.h>

/* Stands for the instance number in the product's strings (compile.h). */
#define EXPAND_INSTANCE '\x01'

/* Whose value it is. In a template, path and name are those of the place, without @N. */
struct expand {
	const char *path; /* NULL in [coppice], where %p, %n and %i mean nothing */
	const char *name;
	bool is_template;
	bool no_percent; /* a '%' is a character: a percentage */
	bool in_word;    /* the text is one word of a command */
};

/*
 * The expanded text, to be freed; NULL with all that is wrong in *problem, to be freed, one a line.
 */
char *expand_text(const struct expand *expand, const char *text, char **problem);
/* Whether its expansion depends on whose value it is. */
bool expand_varies(const char *text);

#endif
