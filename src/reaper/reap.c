#include "reaper/reap.h"

#include "lib/sockmsg.h"
#include "lib/span.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#define CHEAP_US 25 /* a sweep that costs no more is made at once */
#define PAUSE \
	8 /* before others, in terms of their cost: at most a ninth of the time goes into them */
#define MOST_US 20000 /* however long the last one took */

void
reap_init(struct reap *reap)
{
	*reap = (struct reap){ .sweep_at_us = 0 };
	reap->batch.head.type = LINK_EXITS;
	reap->batch.first_number = 1;
}

void
reap_noticed(struct reap *reap, pid_t pid)
{
	int64_t pause = reap->sweep_cost_us <= CHEAP_US ? 0 : reap->sweep_cost_us * PAUSE;

	reap->named = pid;
	if (reap->sweep_at_us == REAP_NEVER)
		reap->sweep_at_us = span_mono_now_us() + (pause < MOST_US ? pause : MOST_US);
}

static uint64_t
microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000U + (uint64_t)time.tv_usec;
}

/*
 * wait4 and its result; what is not the engine goes into the batch, which has room. The look before
 * it is for the time: as long as the dead one is there nobody else can have been given its PID.
 */
static pid_t
take(struct reap *reap, pid_t which, pid_t engine, int *engine_status)
{
	struct rusage usage;
	siginfo_t dead = { .si_pid = 0 };
	int64_t seen;
	int status;
	pid_t pid;

	if (waitid(which > 0 ? P_PID : P_ALL, which > 0 ? (id_t)which : 0, &dead,
		WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return -1;
	if (dead.si_pid == 0)
		return 0;
	seen = span_mono_now_us();
	pid = wait4(dead.si_pid, &status, WNOHANG | __WALL, &usage);
	if (pid > 0 && pid == engine)
		*engine_status = status;
	else if (pid > 0)
		reap->batch.exit[reap->batch.head.count++] = (struct link_exit){
			.pid = pid,
			.status = status,
			.user_us = microseconds(usage.ru_utime),
			.system_us = microseconds(usage.ru_stime),
			.max_rss_kb = (uint64_t)usage.ru_maxrss,
			.seen_us = seen,
		};
	return pid;
}

bool
reap_named(struct reap *reap, pid_t engine, int *status)
{
	pid_t pid = reap->named;

	reap->named = 0; /* whatever this gives, the sweep will see */
	if (pid <= 0 || reap->batch.head.count == LINK_MAX_EXITS)
		return false;
	return take(reap, pid, engine, status) == engine && pid == engine;
}

bool
reap_sweep(struct reap *reap, pid_t engine, int *status)
{
	bool engine_ended = false;
	int64_t cost, most;

	while (reap->sweep_at_us != REAP_NEVER && reap->batch.head.count < LINK_MAX_EXITS) {
		int64_t now = span_mono_now_us();
		if (now < reap->sweep_at_us)
			break;
		pid_t pid = take(reap, -1, engine, status);
		if (pid > 0) {
			engine_ended |= pid == engine;
			continue;
		}
		reap->sweep_at_us = REAP_NEVER;
		cost = span_mono_now_us() - now;
		/* Grows slowly: a busy machine may have stopped us in the middle of it. */
		most = 2 * reap->sweep_cost_us + CHEAP_US;
		reap->sweep_cost_us = cost < most ? cost : most;
		reap->childless = pid < 0;
	}
	return engine_ended;
}

bool
reap_engine(pid_t engine, int *status)
{
	return engine > 0 && wait4(engine, status, WNOHANG | __WALL, NULL) == engine;
}

int
reap_send(struct reap *reap, int link)
{
	size_t count = reap->batch.head.count;
	int error = 0;

	if (count == 0)
		return 0;
	error = sockmsg_send(link, &reap->batch,
	    sizeof(struct link_exits) - (LINK_MAX_EXITS - count) * sizeof(struct link_exit), NULL,
	    0);
	if (error == 0)
		reap_discard(reap);
	return error;
}

void
reap_discard(struct reap *reap)
{
	reap->batch.first_number += reap->batch.head.count;
	reap->batch.head.count = 0;
}
