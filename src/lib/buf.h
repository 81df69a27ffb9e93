/*
 * buf: growable bytes. A failed allocation sets `failed` and leaves what is there; every later
 * append does nothing, so a caller checks once at the end. Always NUL-terminated when data is not
 * NULL (the NUL is not in len).
 */
#ifndef COPPICE_LIB_BUF_H
#define COPPICE_LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void buf_append(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void buf_json_string(struct buf *buf, const char *text);
/*
 * Makes room for at least n more bytes and returns where they go, or NULL; the caller adds to len
 * (and puts the NUL).
 */
char *buf_reserve(struct buf *buf, size_t n);
/* Forgets the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* Frees the memory and makes it an empty buffer again. */
void buf_free(struct buf *buf);

#endif
