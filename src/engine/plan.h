/*
 * plan: from a request to what the child needs in memory, and the clone itself.
 */
#ifndef COPPICE_ENGINE_PLAN_H
#define COPPICE_ENGINE_PLAN_H

#include "engine/child_setup.h"

#include <stddef.h>

/*
 * Fills the plan's request and commands. With `deep` everything that the request points to is
 * copied, else only the places where the command is looked for are made. What is made goes to
 * `memory`, aligned as malloc's; with NULL the plan is not touched. Returns how many bytes that
 * takes.
 */
size_t plan_lay_out(
    struct child_plan *plan, const struct spawn_request *request, bool deep, void *memory);

/*
 * Clones and waits until the child is through exec or gone; the process's PID, start times, step
 * and error are filled on the way. All signals of the thread are blocked meanwhile. 0 or the
 * negative errno of the clone.
 */
int plan_run(struct child_plan *plan, void *stack);

#endif
