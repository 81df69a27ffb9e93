/*
 * diag: what is wrong with a configuration. Messages are collected while everything is read and
 * checked, and printed once, ordered by file and line: "file:line: [section] key: what is wrong".
 * Nothing here stops at the first.
 */
#ifndef COPPICE_CONFIG_DIAG_H
#define COPPICE_CONFIG_DIAG_H

#include "lib/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where it is written. line 0, section NULL and key NULL are left out of the message. Nothing of it
 * is kept.
 */
struct diag_where {
	const char *file;
	uint32_t line;
	const char *section; /* without its brackets */
	const char *key;
};

struct diag;

struct diag *diag_new(void);
void diag_free(struct diag **diag);

/*
 * The same message at the same place is kept once. A text with line ends in it is several messages;
 * bytes and characters that a terminal does not print are shown by their numbers.
 */
void diag_error(struct diag *diag, const struct diag_where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(struct diag *diag, const struct diag_where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_error_v(struct diag *diag, const struct diag_where *where, const char *format,
    va_list args) __attribute__((format(printf, 3, 0)));
size_t diag_errors(const struct diag *diag);
/* Appends all messages, one a line. */
void diag_print(struct diag *diag, struct buf *out);

/*
 * Two texts of what is wrong as one that makes two messages; takes both over, either may be NULL.
 * Of very many the last are left out.
 */
char *diag_join(char *one, char *other);

/*
 * Text from a file or the environment, made fit for a message: characters that nobody sees as
 * <U+200B>, bytes that are no UTF-8 as <0xFF>, line ends and tabs as spaces; cut with "…" when it is
 * longer than a message can bear. Writes and returns out.
 */
#define DIAG_CLIP_SIZE 96
const char *diag_clip(const char *text, char out[DIAG_CLIP_SIZE]);
/* The same whole, appended. */
void diag_put(struct buf *out, const char *text);

#endif
