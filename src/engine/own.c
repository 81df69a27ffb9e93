#include "engine/own.h"

#include "config/cpus.h"
#include "config/limit.h"
#include "config/value.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static int64_t
limit_number(rlim64_t limit)
{
	return limit > INT64_MAX ? LIMIT_INFINITE : (int64_t)limit;
}

static void
put_limit(const struct keys_key *key, const struct rlimit *files, struct buf *out)
{
	struct rlimit64 limit;

	if (prlimit64(0, (enum __rlimit_resource)key->resource, NULL, &limit) != 0)
		return;
	if (key->resource == RLIMIT_NOFILE)
		limit.rlim_cur = files->rlim_cur;
	limit_print(key, limit_number(limit.rlim_cur), limit_number(limit.rlim_max), out);
}

static void
put_nice(struct buf *out)
{
	int nice;

	errno = 0;
	nice = getpriority(PRIO_PROCESS, 0);
	if (errno == 0)
		buf_printf(out, "%d", nice);
}

static void
put_oom_score(struct buf *out)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (size > 0 && memchr(text, '\n', (size_t)size) != NULL)
		buf_append(out, text, (size_t)((char *)memchr(text, '\n', (size_t)size) - text));
	if (fd >= 0)
		fd_close(&fd);
}

static void
put_cpus(struct buf *out)
{
	uint64_t cpus[CPUS_WORDS] = { 0 };
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return;
	for (unsigned i = 0; i <= KEYS_MAX_CPU; i++)
		if (CPU_ISSET(i, &set))
			cpus[i / 64] |= UINT64_C(1) << (i % 64);
	cpus_print(cpus, out);
}

void
own_put(enum keys_id id, const struct rlimit *files, struct buf *out)
{
	if (keys_table[id].type == TYPE_LIMIT)
		put_limit(&keys_table[id], files, out);
	else if (id == KEY_NICE)
		put_nice(out);
	else if (id == KEY_OOM_SCORE_ADJ)
		put_oom_score(out);
	else if (id == KEY_CPU_AFFINITY)
		put_cpus(out);
}
