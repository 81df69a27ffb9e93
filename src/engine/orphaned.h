/*
 * orphaned: what the engine does when the reaper is gone. The running children have become those of
 * whoever takes orphans here; they are watched through pidfds, and what their ends were is asked of
 * the kernel (Linux ≥ 6.15; else it stays unknown). New children are the engine's own; it waits for
 * them, and for the orphans that they leave. The signals that the reaper took come to the engine.
 * When that dies too nothing is recovered: whoever finds this state restarts the daemon when
 * convenient.
 */
#ifndef COPPICE_ENGINE_ORPHANED_H
#define COPPICE_ENGINE_ORPHANED_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct orphaned;

/* What `status` says of it. */
#define ORPHANED_NOTICE "reaper lost, restart when convenient"

/* Costs nothing until orphaned_begin. NULL when memory is gone. */
struct orphaned *orphaned_new(struct engine *engine);
void orphaned_free(struct orphaned **orphaned);

/*
 * The reaper has gone, and all that it had sent is handled. For good. The ends follow from the
 * loop.
 */
void orphaned_begin(struct orphaned *orphaned);
/* After that: the node has a process through exec, which may be anybody's child. */
void orphaned_track(struct orphaned *orphaned, uint32_t node);
/*
 * How the process of a readable pidfd has ended, or CORE_STATUS_UNKNOWN where the kernel does not
 * tell. False while nobody has waited for it, and so nothing is known yet.
 */
bool orphaned_status(int pidfd, int32_t *status);
/* After that: a start is over; the end that may have waited for it is handled soon. */
void orphaned_resume(struct orphaned *orphaned);

#endif
