#include "engine/event_filter.h"

#include "engine/engine.h"
#include "lib/str.h"

#include <string.h>

void
event_filter_init(struct event_filter *filter)
{
	*filter = (struct event_filter){ .types = UINT32_MAX, .below = "" };
}

bool
event_filter_add_type(struct event_filter *filter, const char *name)
{
	size_t len = strlen(name);
	bool prefix = len > 0 && name[len - 1] == '*';
	bool found = false;

	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		const char *text = event_type_text((enum event_type)type);
		if (prefix ? strncmp(text, name, len - 1) != 0 : strcmp(text, name) != 0)
			continue;
		filter->types |= 1U << type;
		found = true;
	}
	return found;
}

bool
event_filter_set_severity(struct event_filter *filter, const char *name)
{
	unsigned least = 0;

	while (least < EVENT_SEVERITIES &&
	    strcmp(event_severity_text((enum event_severity)least), name) != 0)
		least++;
	if (least == EVENT_SEVERITIES)
		return false;
	filter->least = (enum event_severity)least;
	return true;
}

void
event_filter_set_nodes(
    struct event_filter *filter, const struct engine *engine, uint32_t first, uint32_t count)
{
	filter->first = first;
	filter->count = count;
	filter->below = NULL;
	if (count != 1 || core_spec_of(engine->core, first)->kind != KIND_SUPERVISOR)
		return;
	filter->below = first == CORE_ROOT ? "" : nodes_place(engine->nodes, first)->path;
}

/* Whether a path is "" or stands above the other: "shop" above "shop/db", not above "shopping". */
static bool
is_above(const char *path, const char *other)
{
	size_t len = strlen(path);

	return len == 0 || (strncmp(path, other, len) == 0 && other[len] == '/');
}

bool
event_filter_wants(
    const struct event_filter *filter, const struct engine *engine, const struct image_event *event)
{
	if (filter->types != UINT32_MAX && (filter->types >> event_type_of(event) & 1) == 0)
		return false;
	if (filter->least > EVENT_INFO && event_severity_of(event) < filter->least)
		return false;
	if (event->node - filter->first < filter->count)
		return true;
	if (filter->below == NULL)
		return false;
	if (filter->below[0] == '\0')
		return true;
	return event->node < core_count(engine->core) &&
	    is_above(filter->below, nodes_place(engine->nodes, event->node)->path);
}
