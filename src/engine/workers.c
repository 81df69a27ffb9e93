#include "engine/workers.h"

#include "engine/clone.h"
#include "engine/plan.h"
#include "lib/must.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FREE_PATIENCE_S 1

/* What glibc, sanitizers and clone_child need; children have stacks of their own. */
#define THREAD_STACK_SIZE (256U * 1024U)

struct worker {
	struct workers *workers;
	pthread_t thread;
	void *stack; /* for its children */
	struct workers_job *job;
	bool slow;
	bool left; /* to its child; not slow any more, nor one of those that are counted */
};

struct workers {
	/* over all below; held for a few instructions only, never during a clone */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct workers_job *queue, **queue_end;
	struct workers_job *over, **over_end;
	struct worker worker[WORKERS_ROOM];
	size_t count;
	bool ending;
	int wake;
};

static void
lock(struct workers *workers)
{
	must(pthread_mutex_lock(&workers->lock) == 0);
}

static void
unlock(struct workers *workers)
{
	must(pthread_mutex_unlock(&workers->lock) == 0);
}

/* The next job, with the lock held; NULL when the workers end. */
static struct workers_job *
take_job(struct worker *worker)
{
	struct workers *workers = worker->workers;

	while (workers->queue == NULL && !workers->ending)
		pthread_cond_wait(&workers->work, &workers->lock);
	if (workers->ending)
		return NULL;
	worker->job = workers->queue;
	workers->queue = worker->job->next;
	if (workers->queue == NULL)
		workers->queue_end = &workers->queue;
	worker->job->begun = span_mono_now();
	return worker->job;
}

static void
give_back(struct worker *worker)
{
	struct workers *workers = worker->workers;
	const uint64_t one = 1;

	worker->job->next = NULL;
	*workers->over_end = worker->job;
	workers->over_end = &worker->job->next;
	worker->job = NULL;
	worker->slow = false;
	worker->left = false;
	if (workers->ending)
		return; /* nobody listens, and the number of the eventfd may be another's by now */
	/*
	 * an eventfd fails only when its counter is full, and then whoever reads it is awake anyway
	 */
	if (write(workers->wake, &one, sizeof(one)) == -1)
		must(errno == EAGAIN);
}

static void *
work(void *argument)
{
	struct worker *worker = argument;
	struct workers_job *job;

	lock(worker->workers);
	while ((job = take_job(worker)) != NULL) {
		unlock(worker->workers);
		job->clone_error = plan_run(&job->plan, worker->stack);
		lock(worker->workers);
		give_back(worker);
	}
	unlock(worker->workers);
	return NULL;
}

/*
 * With the lock held. Signals are for the main thread: the new one begins, and stays, with all
 * blocked.
 */
static int
add_worker(struct workers *workers)
{
	struct worker *worker = &workers->worker[workers->count];
	pthread_attr_t attributes;
	sigset_t all, old;
	int result;

	worker->workers = workers;
	worker->stack = clone_stack_new();
	if (worker->stack == NULL)
		return -ENOMEM;
	sigfillset(&all);
	result = pthread_attr_init(&attributes);
	if (result != 0)
		goto out;
	must(pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE) == 0);
	must(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	result = pthread_create(&worker->thread, &attributes, work, worker);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	pthread_attr_destroy(&attributes);
out:
	if (result != 0) {
		clone_stack_free(&worker->stack);
		return -result;
	}
	workers->count++;
	return 0;
}

static bool
has_room(const struct workers *workers)
{
	size_t serving = 0;

	for (size_t i = 0; i < workers->count; i++)
		serving += !workers->worker[i].left;
	return serving < WORKERS_MAX && workers->count < WORKERS_ROOM;
}

/* Whether another thread would do some good and may be made. */
static bool
wants_worker(const struct workers *workers)
{
	for (size_t i = 0; i < workers->count; i++) {
		if (!workers->worker[i].slow && !workers->worker[i].left)
			return false;
	}
	return has_room(workers);
}

/*
 * With the lock held: one for each job that waits, at most twice as many as before, so that a short
 * stall makes few. Where none can be made the queue waits for those there are; the next look tries
 * again.
 */
static void
add_workers(struct workers *workers)
{
	const struct workers_job *waiting = workers->queue;
	size_t most = workers->count;

	if (!wants_worker(workers))
		return;
	for (; waiting != NULL && most > 0 && has_room(workers); most--) {
		if (add_worker(workers) != 0)
			return;
		waiting = waiting->next;
	}
}

struct workers *
workers_new(int wake)
{
	struct workers *workers = calloc(1, sizeof(*workers));

	if (workers == NULL)
		return NULL;
	must(pthread_mutex_init(&workers->lock, NULL) == 0);
	must(pthread_cond_init(&workers->work, NULL) == 0);
	workers->queue_end = &workers->queue;
	workers->over_end = &workers->over;
	workers->wake = wake;
	return workers;
}

void
workers_free(struct workers **workers_at)
{
	struct workers *workers = *workers_at;
	struct timespec until;
	bool stuck = false;

	*workers_at = NULL;
	if (workers == NULL)
		return;
	lock(workers);
	workers->ending = true;
	pthread_cond_broadcast(&workers->work);
	unlock(workers);
	must(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += FREE_PATIENCE_S;
	for (size_t i = 0; i < workers->count; i++) {
		if (pthread_timedjoin_np(workers->worker[i].thread, NULL, &until) == 0)
			clone_stack_free(&workers->worker[i].stack);
		else
			stuck = true;
	}
	if (stuck)
		return; /* its child still runs on its stack, and will write into its job */
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

int
workers_submit(struct workers *workers, struct workers_job *job)
{
	int result = 0;

	job->next = NULL;
	job->begun = 0;
	job->submitted = span_mono_now();
	lock(workers);
	if (wants_worker(workers))
		result = add_worker(workers);
	if (workers->count > 0) { /* a slow one may come back: then the job can wait for it */
		result = 0;
		*workers->queue_end = job;
		workers->queue_end = &job->next;
		pthread_cond_signal(&workers->work);
	}
	unlock(workers);
	return result;
}

struct workers_job *
workers_collect(struct workers *workers)
{
	struct workers_job *over;

	lock(workers);
	over = workers->over;
	workers->over = NULL;
	workers->over_end = &workers->over;
	unlock(workers);
	return over;
}

size_t
workers_slow(struct workers *workers, mono_ms before, struct workers_job *out[WORKERS_ROOM])
{
	size_t count = 0;

	lock(workers);
	for (size_t i = 0; i < workers->count; i++) {
		struct worker *worker = &workers->worker[i];

		if (worker->job == NULL || worker->left || worker->job->begun > before)
			continue;
		worker->slow = true;
		out[count++] = worker->job;
	}
	add_workers(workers);
	unlock(workers);
	return count;
}

void
workers_leave(struct workers *workers, const struct workers_job *job)
{
	lock(workers);
	for (size_t i = 0; i < workers->count; i++) {
		if (workers->worker[i].job == job)
			workers->worker[i].left = true;
	}
	unlock(workers);
}

struct workers_job *
workers_take_back(struct workers *workers, mono_ms before)
{
	struct workers_job *job;

	lock(workers);
	job = workers->queue; /* in the order of their submission */
	if (job != NULL && job->submitted > before)
		job = NULL;
	if (job != NULL)
		workers->queue = job->next;
	if (workers->queue == NULL)
		workers->queue_end = &workers->queue;
	unlock(workers);
	return job;
}
