#include "core/heap.h"

static bool
before(const struct core *core, uint32_t a, uint32_t b)
{
	mono_ms at = core->nodes[a].deadline, bt = core->nodes[b].deadline;

	return at != bt ? at < bt : a < b;
}

static void
put(struct core *core, uint32_t position, uint32_t id)
{
	core->heap[position] = id;
	core->heap_at[id] = position + 1;
}

static void
sift_up(struct core *core, uint32_t position)
{
	uint32_t id = core->heap[position];

	while (position > 0) {
		uint32_t parent = (position - 1) / 2;

		if (!before(core, id, core->heap[parent]))
			break;
		put(core, position, core->heap[parent]);
		position = parent;
	}
	put(core, position, id);
}

static void
sift_down(struct core *core, uint32_t position)
{
	uint32_t id = core->heap[position];

	for (;;) {
		uint32_t child = 2 * position + 1;

		if (child >= core->heap_count)
			break;
		if (child + 1 < core->heap_count &&
		    before(core, core->heap[child + 1], core->heap[child]))
			child++;
		if (!before(core, core->heap[child], id))
			break;
		put(core, position, core->heap[child]);
		position = child;
	}
	put(core, position, id);
}

static void
take_out(struct core *core, uint32_t id)
{
	uint32_t position = core->heap_at[id] - 1;
	uint32_t moved = core->heap[--core->heap_count];

	core->heap_at[id] = 0;
	if (moved == id)
		return;
	put(core, position, moved);
	sift_up(core, position);
	sift_down(core, core->heap_at[moved] - 1);
}

void
heap_update(struct core *core, uint32_t id)
{
	bool due = core->nodes[id].deadline != MONO_NEVER;

	if (!core->heap_at[id]) {
		if (!due)
			return;
		put(core, core->heap_count++, id);
		sift_up(core, core->heap_count - 1);
	} else if (!due) {
		take_out(core, id);
	} else {
		sift_up(core, core->heap_at[id] - 1);
		sift_down(core, core->heap_at[id] - 1);
	}
}

uint32_t
heap_top(const struct core *core)
{
	return core->heap_count ? core->heap[0] : CORE_NONE;
}

void
heap_rebuild(struct core *core)
{
	for (uint32_t i = 0; i < core->heap_count; i++)
		core->heap_at[core->heap[i]] = 0;
	core->heap_count = 0;
	for (uint32_t id = 0; id < core->area_count[CORE_AREA_NODES]; id++)
		heap_update(core, id);
}
