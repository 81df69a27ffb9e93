/*
 * notify: what children say by themselves: that they are ready (a newline on a pipe, or READY=1 of
 * sd_notify(3)), how they are, which process is their main one, that they need time. Each start has
 * a pipe or a socket of its own, which says whose message it is. The reaper keeps a copy, and what
 * is read is taken off only when what it led to is committed: neither the death of an engine nor
 * the lack of one loses a message.
 */
#ifndef COPPICE_ENGINE_NOTIFY_H
#define COPPICE_ENGINE_NOTIFY_H

#include "engine/spawn.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct notify;
struct place;

/* For a core with all its nodes; NULL when memory is gone. */
struct notify *notify_new(struct engine *engine);
void notify_free(struct notify **notify);
/*
 * In a new engine, before any exit is looked at: the descriptors that the reaper has kept, as a
 * file of struct link_kept, which is closed.
 */
void notify_resume(struct notify *notify, int kept);

/*
 * Before a start: makes what the child will speak into, if its place asks for it, and puts it into
 * the request (what that points to holds until the next call). 0, or a negative errno when there is
 * none to be had.
 */
int notify_begin(struct notify *notify, const struct place *place, struct spawn_request *request);
/* The child is through exec: from now on it is listened to. */
void notify_spawned(struct notify *notify, uint32_t node);
/*
 * Before the end of its process is handled: handles and commits what it had said until then.
 */
void notify_hear(struct notify *notify, uint32_t node);
/* The start has failed or its process has ended: nobody listens any more. */
void notify_end(struct notify *notify, uint32_t node);

/* The last STATUS= of the process that the node has; NULL: none. Clean, as notify_message says. */
const char *notify_status(const struct notify *notify, uint32_t node);
/* Between RELOADING=1 and the READY=1 after it. */
bool notify_is_reloading(const struct notify *notify, uint32_t node);

#endif
