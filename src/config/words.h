/*
 * words: a command line split like a shell would: blanks separate, '…' takes all as it is, "…" and
 * backslashes as in sh(1). Nothing else of a shell happens.
 */
#ifndef COPPICE_CONFIG_WORDS_H
#define COPPICE_CONFIG_WORDS_H

#include "lib/buf.h"

#include <stddef.h>

/* A '$' that quotes made literal ('$' in '…', and \$); expand_text makes a '$' of it. */
#define WORDS_DOLLAR '\x02'
#define WORDS_QUOTED '\x03'

/* The words, a NULL after them, and their count; NULL with a static text in *problem. */
char **words_split(const char *text, size_t *count, const char **problem);
/*
 * The same words, with WORDS_QUOTED for each character that quotes kept from a shell; NULL: as
 * words_split.
 */
char **words_bare(const char *text, size_t *count);
/* The opposite: appends one word, quoted where it must be. */
void words_quote(const char *word, struct buf *out);
void words_free(char **words);

#endif
