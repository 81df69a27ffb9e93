/*
 * command: what an operator asks for (coppice-semantics(7), Operators). Nothing here counts as a
 * failure.
 */
#ifndef COPPICE_CORE_COMMAND_H
#define COPPICE_CORE_COMMAND_H

#include "core/tree.h"

void command_start(struct core *core, uint32_t id);
void command_stop(struct core *core, uint32_t id, bool now);
void command_restart(struct core *core, uint32_t id, bool group);
/* timeout: after that KILL everywhere; 0 or SPAN_INFINITE: never. */
void command_shutdown(struct core *core, bool now, span_ms timeout);
/* From a supervisor's queue: the command that waited for the end of an operation. */
void command_run(struct core *core, uint32_t id, uint32_t pending);

#endif
