/*
 * own: what the daemon has itself, and a child has where nothing is set, as a file would have it.
 */
#ifndef COPPICE_ENGINE_OWN_H
#define COPPICE_ENGINE_OWN_H

#include "config/keys.h"
#include "lib/buf.h"

#include <sys/resource.h>

/*
 * Appends the value of that key; nothing where it is none of those, or cannot be told. `files` is
 * what RLIMIT_NOFILE was before we raised it.
 */
void own_put(enum keys_id id, const struct rlimit *files, struct buf *out);

#endif
