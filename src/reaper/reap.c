#include "reaper/reap.h"

#include "lib/sockmsg.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

void
reap_init(struct reap *reap)
{
	*reap = (struct reap){ .due = true };
	reap->batch.head.type = LINK_EXITS;
	reap->batch.first_number = 1;
}

static uint64_t
microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000U + (uint64_t)time.tv_usec;
}

bool
reap_gather(struct reap *reap, pid_t engine, int *status)
{
	struct rusage usage;
	bool engine_ended = false;
	int value;

	while (reap->due && reap->batch.head.count < LINK_MAX_EXITS) {
		pid_t pid = wait4(-1, &value, WNOHANG | __WALL, &usage);
		if (pid < 0 && errno == EINTR)
			continue;
		reap->due = pid > 0;
		reap->childless = pid < 0;
		if (pid > 0 && pid == engine) {
			engine_ended = true;
			*status = value;
		} else if (pid > 0) {
			reap->batch.exit[reap->batch.head.count++] = (struct link_exit){
				.pid = pid,
				.status = value,
				.user_us = microseconds(usage.ru_utime),
				.system_us = microseconds(usage.ru_stime),
				.max_rss_kb = (uint64_t)usage.ru_maxrss,
			};
		}
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
