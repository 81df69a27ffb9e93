#include "engine/resume.h"

#include "engine/act.h"
#include "engine/cgroup_tree.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "engine/exits.h"
#include "engine/hooks.h"
#include "lib/log.h"

/* Every process through exec whose end is not committed: it lives, or its exit is in the link. */
static uint32_t
track_started(struct engine *engine)
{
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < hooks_slots(engine->hooks); slot++) {
		const struct image_process *process = &engine->processes[slot];
		if (process->state != PROCESS_STARTED || process->pid <= 0)
			continue;
		exits_track(engine->exits, process->pid, slot);
		count++;
	}
	return count;
}

void
resume_tree(struct engine *engine)
{
	struct core_event resume = { .type = ON_RESUME };
	struct core_event hold = { .type = ON_HOLD };
	struct core_record recovered = {
		.type = RECORD_RECOVERED, .node = CORE_ROOT, .a = (int32_t)engine->generation
	};
	uint32_t count = track_started(engine);

	cgroup_tree_act_kills(engine);
	if (engine->hold_requested)
		engine_feed(engine, &hold);
	events_add(engine, &recovered);
	engine_feed(engine, &resume);
	engine_commit(engine);
	act_answer_made_starts(engine->act);
	log_line(NULL, "engine recovered: number %u, %u process%s taken over%s", engine->generation,
	    count, count == 1 ? "" : "es",
	    core_is_holding(engine->core) ? "; holding: nothing is started or stopped by itself"
					  : "");
}
