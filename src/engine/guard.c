#include "engine/guard.h"

#include "engine/process.h"
#include "lib/fd.h"
#include "lib/must.h"
#include "lib/span.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PATIENCE_MS       50
#define THREAD_STACK_SIZE (256U * 1024U)

struct guard {
	pthread_mutex_t lock; /* over all below */
	pthread_t thread;
	int timer;
	/* the timer runs, also when a clone is over: most clones then need not set it */
	bool armed;
	const struct image_process *process; /* NULL: no clone */
	mono_ms begun;
	bool killed;
	bool ending;
};

/* With the lock held. */
static void
arm(struct guard *guard, span_ms span)
{
	const struct itimerspec in = { .it_value = { .tv_sec = span / 1000,
					   .tv_nsec = (span % 1000) * 1000000 + 1 } };

	must(timerfd_settime(guard->timer, 0, &in, NULL) == 0);
	guard->armed = true;
}

/*
 * STOP first and then the look: a child that was before exec with the STOP already pending takes it
 * before the first instruction of its program, so that the KILL certainly undoes a start that never
 * was. One that got through in time goes on.
 */
static void
undo_start(struct guard *guard)
{
	if (!process_is_before_exec(guard->process) ||
	    process_signal(guard->process, SIGSTOP, false) != 0)
		return;
	if (process_is_before_exec(guard->process))
		guard->killed = process_signal(guard->process, SIGKILL, false) == 0;
	else
		process_signal(guard->process, SIGCONT, false); /* ESRCH: gone, as good */
}

/* With the lock held. */
static void
look(struct guard *guard)
{
	span_ms age;

	guard->armed = false;
	if (guard->process == NULL)
		return;
	age = span_mono_now() - guard->begun;
	if (age >= PATIENCE_MS && !guard->killed)
		undo_start(guard);
	arm(guard, age < PATIENCE_MS ? PATIENCE_MS - age : PATIENCE_MS);
}

static void *
watch(void *argument)
{
	struct guard *guard = argument;
	bool ending = false;

	while (!ending) {
		uint64_t expirations;

		if (read(guard->timer, &expirations, sizeof(expirations)) == -1)
			must(errno == EINTR || errno == EAGAIN);
		must(pthread_mutex_lock(&guard->lock) == 0);
		ending = guard->ending;
		if (!ending)
			look(guard);
		must(pthread_mutex_unlock(&guard->lock) == 0);
	}
	return NULL;
}

static int
start_thread(struct guard *guard)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int result = pthread_attr_init(&attributes);

	if (result != 0)
		return -result;
	sigfillset(&all);
	must(pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE) == 0);
	must(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	result = pthread_create(&guard->thread, &attributes, watch, guard);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	pthread_attr_destroy(&attributes);
	return -result;
}

struct guard *
guard_new(void)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (guard == NULL)
		return NULL;
	must(pthread_mutex_init(&guard->lock, NULL) == 0);
	guard->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (guard->timer != -1 && start_thread(guard) == 0)
		return guard;
	fd_close(&guard->timer);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
	return NULL;
}

void
guard_free(struct guard **guard_at)
{
	struct guard *guard = *guard_at;

	*guard_at = NULL;
	if (guard == NULL)
		return;
	must(pthread_mutex_lock(&guard->lock) == 0);
	guard->ending = true;
	arm(guard, 0);
	must(pthread_mutex_unlock(&guard->lock) == 0);
	must(pthread_join(guard->thread, NULL) == 0);
	fd_close(&guard->timer);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}

void
guard_begin(struct guard *guard, const struct image_process *process)
{
	must(pthread_mutex_lock(&guard->lock) == 0);
	guard->process = process;
	guard->begun = span_mono_now();
	guard->killed = false;
	if (!guard->armed)
		arm(guard, PATIENCE_MS);
	must(pthread_mutex_unlock(&guard->lock) == 0);
}

bool
guard_end(struct guard *guard)
{
	bool killed;

	must(pthread_mutex_lock(&guard->lock) == 0);
	guard->process = NULL;
	killed = guard->killed;
	must(pthread_mutex_unlock(&guard->lock) == 0);
	return killed;
}
