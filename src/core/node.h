/*
 * node: what holds for children and supervisors alike: marks, the one writer of `state`, the
 * deadline, start and stop.
 */
#ifndef COPPICE_CORE_NODE_H
#define COPPICE_CORE_NODE_H

#include "core/tree.h"

struct node *node_touch(struct core *core, uint32_t id);
void node_mark(struct core *core, uint32_t id, uint32_t marks);
void node_unmark(struct core *core, uint32_t id, uint32_t marks);

/*
 * The only writer of `state`: also sets reason and since, disarms the deadline, keeps its
 * supervisor's counts, tells the record.
 */
void node_set_state(struct core *core, uint32_t id, enum core_state state, enum core_reason reason);
/*
 * Before the state that ends a run: marks it NODE_STABLE if the node has been ready for
 * stable_after.
 */
void node_note_stable(struct core *core, uint32_t id);
/* Its supervisor waits for its first readiness no more. */
void node_not_awaited(struct core *core, uint32_t id);
/* MONO_NEVER disarms. */
void node_set_deadline(struct core *core, uint32_t id, mono_ms deadline);

/* Hand CHILD_START, SUPER_START and the like to the right machine. */
void node_start(struct core *core, uint32_t id, enum core_reason reason);
/* `now`: KILL at once, for a supervisor everywhere below it. */
void node_stop(
    struct core *core, uint32_t id, enum node_goal goal, enum core_reason reason, bool now);

#endif
