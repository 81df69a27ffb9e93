/*
 * listen: the sockets that children are given (listen =). They are opened before anything starts,
 * kept by the reaper too, and closed by nobody while the daemon runs: what connects while a child is
 * down waits in the kernel's queue. For a child with on_demand they are watched while the core waits
 * for a connection, and not otherwise.
 */
#ifndef COPPICE_ENGINE_LISTEN_H
#define COPPICE_ENGINE_LISTEN_H

#include "engine/arguments.h"
#include "engine/spawn.h"

#include <stdint.h>

struct engine;
struct listen;

/*
 * For a core with all its nodes, in an engine with a loop: takes over what the reaper has kept, and
 * opens the rest; what cannot be opened is told in the log. NULL when memory is gone.
 */
struct listen *listen_new(struct engine *engine, const struct arguments *arguments);
void listen_free(struct listen **listen);
/* Everything is down for good: removes the files of UNIX sockets. */
void listen_leave(struct listen *listen);

/*
 * Before a start: puts the sockets into the request (they hold until the next call), having opened
 * those that could not be opened before. 0, or the negative errno of the first that still cannot.
 */
int listen_begin(struct listen *listen, struct spawn_request *request);
/* Something may have changed: with the next look it is decided anew which sockets are watched. */
void listen_touch(struct listen *listen);
/* Once a turn of the loop. */
void listen_look(struct listen *listen);
/* The first address of the node, for people; NULL: it has none. */
const char *listen_address(const struct listen *listen, uint32_t node);

#endif
