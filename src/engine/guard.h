/*
 * guard: looks after the main thread while it clones. A start without identity, directory or files
 * of its own is cloned by the main thread, but its command may lie on a dead mount, or somebody
 * with our own rights may stop the half-made child: then the whole engine would stand still. So a
 * thread that sleeps on a timer kills a child that is not through exec after 50 ms, and says so;
 * the start is then made by a spawner thread, which may wait.
 */
#ifndef COPPICE_ENGINE_GUARD_H
#define COPPICE_ENGINE_GUARD_H

#include "wire/image.h"

#include <stdbool.h>

struct guard;
/* NULL when memory, descriptors or threads are gone. */
struct guard *guard_new(void);
void guard_free(struct guard **guard);
/*
 * Before and after a clone. guard_end tells whether the child was killed; if so, not one
 * instruction of its program was executed.
 */
void guard_begin(struct guard *guard, const struct image_process *process);
bool guard_end(struct guard *guard);

#endif
