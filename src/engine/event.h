/*
 * event: one event of the checkpoint's ring: its type, how grave it is, and its JSON object, the
 * only maker of which is here. The ring is memory that others could have damaged, so anything may
 * stand in it.
 */
#ifndef COPPICE_ENGINE_EVENT_H
#define COPPICE_ENGINE_EVENT_H

#include "lib/buf.h"
#include "wire/image.h"

#include <stdbool.h>
#include <sys/types.h>

struct engine;

#define X(name, text, severity, record, members) name,
enum event_type {
#include "engine/event_types.def"
	EVENT_TYPES
};
#undef X
_Static_assert(EVENT_TYPES < 32, "a filter has a bit for each, and one for the unknown");

enum event_severity {
	EVENT_INFO,
	EVENT_NOTICE,
	EVENT_WARNING,
	EVENT_ERROR,
	EVENT_SEVERITIES
};

/* EVENT_TYPES when it is none that we know. */
enum event_type event_type_of(const struct image_event *event);
const char *event_type_text(enum event_type type);
/* That of its type; a node that becomes failed is an error. */
enum event_severity event_severity_of(const struct image_event *event);
const char *event_severity_text(enum event_severity severity);

/* Appends the event as an object. */
void event_json(const struct engine *engine, const struct image_event *event, struct buf *out);

/*
 * Who asked, as it stands in `b` of an operator's event: uid and PID in one number; the PID is 0
 * when the kernel could not tell it.
 */
#define EVENT_NOBODY INT64_C(-1)
static inline int64_t
event_caller(uid_t uid, pid_t pid)
{
	return (int64_t)((uint64_t)uid << 32 | (uint32_t)pid);
}

#endif
