/*
 * loop: the engine's turn of libev's loop. Before it sleeps it makes a few starts, writes the log
 * and arms the one timer for the core's next deadline. With nothing to do it sleeps for ever.
 */
#ifndef COPPICE_ENGINE_LOOP_H
#define COPPICE_ENGINE_LOOP_H

#include <stdint.h>

struct engine;
struct loop;

/* Watches begin with loop_run. NULL when memory is gone. */
struct loop *loop_new(struct engine *engine);
void loop_free(struct loop **loop);
/* Until the daemon leaves; tells the reaper once the loop runs. */
void loop_run(struct loop *loop);
/* How long the longest turn took, from waking up to sleeping again, since this was last asked. */
int64_t loop_take_longest_us(struct loop *loop);

#endif
