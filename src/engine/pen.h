/*
 * pen: JSON text written into memory that the caller knows to be large enough, without printf: for
 * what is written ten thousand times in an answer. Texts given as `name` stand as they are and
 * bring their comma, quotes and colon: pen_number(pen, ",\"pid\":", 17).
 */
#ifndef COPPICE_ENGINE_PEN_H
#define COPPICE_ENGINE_PEN_H

#include <stdint.h>

struct pen {
	char *at, *end;
};

void pen_text(struct pen *pen, const char *text);
void pen_number(struct pen *pen, const char *name, uint64_t value);
/* Milliseconds as seconds, exactly; less than nothing is 0. */
void pen_seconds(struct pen *pen, const char *name, int64_t ms);
/*
 * A text of our own or a path: letters that JSON would have escaped do not occur in them, and are
 * replaced if they do.
 */
void pen_string(struct pen *pen, const char *name, const char *text);
/* A text in valid UTF-8 without control characters, as the JSON string that it is. */
void pen_quote(struct pen *pen, const char *name, const char *text);
/* ,"exit":{…} of a wait status or CORE_STATUS_UNKNOWN. */
void pen_exit(struct pen *pen, int32_t status);

#endif
