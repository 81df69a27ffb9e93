/*
 * raw: an INI file as sections with keys and values, all text, each with its line. inih drives it,
 * but sees only short stand-ins ("[s12]", "k345 = v345") for lines that are split and told apart
 * here: so no line is too long for it, no byte too odd, and any build of it works (FIELD 3).
 */
#ifndef COPPICE_CONFIG_RAW_H
#define COPPICE_CONFIG_RAW_H

#include "config/diag.h"

#include <stdbool.h>

struct keys_key;
struct value;

struct raw_entry {
	const struct raw_section *section;
	char *key;
	char *value;   /* trimmed; lines that continue it are joined with '\n' */
	uint32_t line; /* 0: of a command line (given.h) */
	bool reported; /* something is known to be wrong with it: one message is enough */

	/* What build finds out about it. */
	const struct keys_key *info; /* NULL: to be ignored */
	const char *suffix;          /* NAME of env.NAME */
	bool for_children;           /* "child." of a supervisor */
	bool varies;          /* %p, %n or %i in it: parsed anew for each child, else once, into: */
	struct value *parsed; /* NULL where that failed */
};

struct raw_section {
	const char *file;
	char *title; /* between the brackets */
	uint32_t line;
	uint32_t number; /* counts all that were read */
	bool broken;     /* its line is wrong and has been reported */
	struct raw_entry **entries;
	size_t count;
};

/* A file, or several taken together. */
struct raw_file {
	char *name;
	struct raw_section **sections;
	size_t count;
	char **others; /* names of further files that sections are of */
	size_t other_count;
	size_t size; /* in bytes */
};

/*
 * Never NULL: what could be read of the file, in its order; everything else has been told to diag.
 * because: as in source.h.
 */
struct raw_file *raw_read(const char *path, const char *because, struct diag *diag);
/* The same from memory; the bytes are changed, and text[len], which must be a NUL. */
struct raw_file *raw_parse(const char *name, char *text, size_t len, struct diag *diag);
/* An empty one, and what is added to it; titles, keys and values are taken over. Line 0: of no file. */
struct raw_file *raw_new(const char *name);
struct raw_section *raw_add_section(struct raw_file *file, char *title);
struct raw_entry *raw_add_entry(struct raw_section *section, char *key, char *value);
/* Moves everything behind what `all` has; *file is freed. */
void raw_append(struct raw_file *all, struct raw_file **file);
/* Frees all but what `parsed` points to. */
void raw_free(struct raw_file **file);

/* A message about a section's own line. */
void raw_section_error(struct raw_section *section, struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A message about an entry; nothing if one has been reported of it before. */
void raw_entry_error(struct raw_entry *entry, struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Another section's line, as a message about `section` names it: "line 7", "other.conf:7". */
char *raw_there(const struct raw_section *section, const struct raw_section *other, uint32_t line);
struct diag_where raw_where(const struct raw_entry *entry);

#endif
