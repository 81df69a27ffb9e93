/*
 * control: the JSON-RPC socket: listener, connections, framing, limits. A connection can cost the
 * engine a bounded amount of memory and of time per turn of the loop, whatever its peer does.
 */
#ifndef COPPICE_ENGINE_CONTROL_H
#define COPPICE_ENGINE_CONTROL_H

#include "core/types.h"

struct control;
struct engine;

/*
 * Serves on `listener` (a listening, non-blocking descriptor; ownership passes), or makes the
 * socket that the settings name when it is -1. NULL only when memory is gone: a socket that cannot
 * be made is a logged warning, and control_reopen tries again.
 */
struct control *control_new(struct engine *engine, int listener);
void control_free(struct control **control);
/* The listening descriptor, for the fd store; -1 when there is none. */
int control_listener(const struct control *control);
/* USR1: makes the socket anew when its path no longer leads to it. */
void control_reopen(struct control *control);
/* Every record of the core, as it is committed: answers those who wait for a node. */
void control_on_record(struct control *control, const struct core_record *record);
/* Before the loop sleeps: tells those who have subscribed what has happened. */
void control_look(struct control *control);

#endif
