/*
 * event_filter: which events somebody wants: by type, by severity, by place in the tree.
 */
#ifndef COPPICE_ENGINE_EVENT_FILTER_H
#define COPPICE_ENGINE_EVENT_FILTER_H

#include "engine/event.h"

struct event_filter {
	uint32_t types; /* bits of enum event_type; that of EVENT_TYPES stands for unknown ones */
	enum event_severity least; /* that grave or graver */
	uint32_t first, count;     /* these nodes */
	/* and what is below this path, "" for all, which lives as long as the nodes; NULL: none */
	const char *below;
};

/* One that wants everything. */
void event_filter_init(struct event_filter *filter);
/* Adds the types of that name, or, if it ends in "*", those that begin so; false when none does. */
bool event_filter_add_type(struct event_filter *filter, const char *name);
/* From now on only what is that grave or graver; false when there is no such severity. */
bool event_filter_set_severity(struct event_filter *filter, const char *name);
/* From now on only these nodes and, if it is one supervisor, all below it. */
void event_filter_set_nodes(
    struct event_filter *filter, const struct engine *engine, uint32_t first, uint32_t count);
bool event_filter_wants(const struct event_filter *filter, const struct engine *engine,
    const struct image_event *event);

#endif
