/*
 * gate: what holds a start back though its turn has come: nodes that are to be ready before it
 * (`after`), and for a child with on_demand the first connection. A gate stops starts only: what
 * has been let through is never touched again. The dependencies are memory beside the state:
 * core_add_after lays them down again in every engine.
 */
#ifndef COPPICE_CORE_GATE_H
#define COPPICE_CORE_GATE_H

#include "core/tree.h"

/* See core_add_after, core_held_by. */
int gate_add(struct core *core, uint32_t waiter, uint32_t dependency);
uint32_t gate_closed_by(const struct core *core, uint32_t node);
/* Whether a start of the child must wait, and why (REASON_AFTER, REASON_DEMAND). */
bool gate_holds(const struct core *core, uint32_t id, enum core_reason *reason);
/* Every state is another now: whoever starts anew from what was saved begins with this. */
void gate_count(struct core *core);
bool gate_is_counted(const struct core *core);
/* A node's state was another: if it is ready now, whoever waited for it alone starts. */
void gate_note_state(struct core *core, uint32_t id, enum core_state from);
/* If it waits for nodes: starts it if all of them are ready now. */
void gate_try(struct core *core, uint32_t id);
/* A connection has come. */
void gate_demand(struct core *core, uint32_t id);
/* An operator starts it, which is as good as a connection, also when it does not wait for one. */
void gate_ask(struct core *core, uint32_t id);

#endif
