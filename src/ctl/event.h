/*
 * event: an event of the API in the words of the daemon's log.
 */
#ifndef COPPICE_CTL_EVENT_H
#define COPPICE_CTL_EVENT_H

#include "ctl/term.h"

#include <jansson.h>

/* What happened: "killed by SIGKILL after 3.2s (start 2)". */
void event_put_words(struct buf *out, json_t *event);
/* A line: time (UTC), severity, path and what happened. */
void event_put_line(struct buf *out, const struct term *term, json_t *event);
/* info, notice, warning, error, by number; NULL behind the last. */
const char *event_severity(size_t number);
bool event_is_severity(const char *name);

#endif
