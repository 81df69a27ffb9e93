/*
 * command: what an operator asks for (coppice-semantics(7), Operators). Nothing here counts as a
 * failure.
 */
#ifndef COPPICE_CORE_COMMAND_H
#define COPPICE_CORE_COMMAND_H

#include "core/tree.h"

void command_start(struct core *core, uint32_t id);
/* until_restart: what restarts its set or its supervisor starts it too. */
void command_stop(struct core *core, uint32_t id, bool now, bool until_restart);
void command_restart(struct core *core, uint32_t id, bool group);
/*
 * Forgets the streak and, of a supervisor, the window. What has failed or what a limit has put down
 * is started too, with its set, like by command_start.
 */
void command_reset(struct core *core, uint32_t id);
/* Of the node and all below it; until command_start or command_restart of it or of one above it. */
void command_drain(struct core *core, uint32_t id);
/* timeout: after that KILL everywhere; 0 or SPAN_INFINITE: never. */
void command_shutdown(struct core *core, bool now, span_ms timeout);
/* From a supervisor's queue: the command that waited for the end of an operation. */
void command_run(struct core *core, uint32_t id, uint32_t pending);

#endif
