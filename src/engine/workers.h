/*
 * workers: the spawner threads. A thread that clones is suspended until its child is through exec
 * or gone, which may take for ever; so up to 64 threads serve one queue, one of them as long as all
 * goes well. One that has been busy for too long counts as slow, and when all are slow and somebody
 * waits others are made: a whole template on a dead mount must not hold up the starts of the rest.
 * One whose child cannot even be killed (a call to a file system that never answers) is left to it
 * and is none of the 64 until it comes back.
 */
#ifndef COPPICE_ENGINE_WORKERS_H
#define COPPICE_ENGINE_WORKERS_H

#include "engine/child_setup.h"
#include "lib/span.h"

#include <stddef.h>

#define WORKERS_MAX  64U
#define WORKERS_ROOM 256U /* with those that are left to their children */

/*
 * One start. From workers_submit until workers_collect gives it back it belongs to the workers, but
 * its process may be looked at.
 */
struct workers_job {
	struct workers_job *next;
	struct child_plan plan;
	int32_t clone_error; /* negative errno of the clone; 0 */
	mono_ms submitted;
	mono_ms begun; /* when a thread took it; 0: it waits */
};

struct workers;
/*
 * NULL when memory is gone. Whenever a job is over, 1 is written to the eventfd `wake`. Threads are
 * made when they are needed.
 */
struct workers *workers_new(int wake);
/*
 * Jobs not collected are lost. A thread that is suspended by its child keeps what it uses, for ever
 * if need be.
 */
void workers_free(struct workers **workers);
/*
 * 0, or a negative errno when there is no thread and none can be made: then the job is still the
 * caller's.
 */
int workers_submit(struct workers *workers, struct workers_job *job);
/* Takes the jobs that are over, in the order of their ends, linked by next. */
struct workers_job *workers_collect(struct workers *workers);
/*
 * Lists the jobs that a thread took at or before `before` and still has; returns their number.
 * Their threads count as slow from now on. The jobs stay valid until they are collected.
 */
size_t workers_slow(struct workers *workers, mono_ms before, struct workers_job *out[WORKERS_ROOM]);
/* The thread of this job, which workers_slow has listed, is not counted on any more. */
void workers_leave(struct workers *workers, const struct workers_job *job);
/*
 * Takes back a job that was submitted at or before `before` and that no thread has taken; NULL when
 * there is none.
 */
struct workers_job *workers_take_back(struct workers *workers, mono_ms before);

#endif
