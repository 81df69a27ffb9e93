/*
 * view: a node as JSON text: the only maker of it. Written straight into a buffer, without building
 * values: the status of 10,000 nodes must not hold the loop up.
 */
#ifndef COPPICE_ENGINE_VIEW_H
#define COPPICE_ENGINE_VIEW_H

#include "core/core.h"
#include "lib/buf.h"

struct engine;

#define VIEW_HOLDERS 16U

/* The clocks, read once for many nodes; and what is the same for many of them. */
struct view {
	const struct engine *engine;
	/* whom those wait for who wait below a supervisor, for the same reason */
	struct view_holder {
		uint32_t supervisor, node;
		enum core_reason reason; /* NONE: empty */
	} holders[VIEW_HOLDERS];
	mono_ms now;
	int64_t wall_offset_ms; /* to be added to a mono_ms */
	uint64_t ticks_now, ticks_per_s;
	bool with_usage; /* what each child uses now: takes several files of each */
};

void view_begin(struct view *view, const struct engine *engine);
/*
 * Appends the object of a node but for its closing brace, so that the caller may add members, and
 * tells what it is made from. Members whose value is unknown are left out.
 */
void view_open(struct view *view, uint32_t node, struct buf *out, struct core_view *facts);
/* The whole object. */
void view_node(struct view *view, uint32_t node, struct buf *out);

#endif
