#include "engine/usage.h"

#include "engine/cgroup_file.h"
#include "engine/cgroup_tree.h"
#include "engine/engine.h"
#include "lib/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_SIZE 512 /* of processes: more than these are not looked at one by one */
#define STAT_SIZE 512
#define CPU_FIRST 14 /* fields of /proc/PID/stat: utime stime cutime cstime … */
#define CPU_LAST  17
#define RESIDENT  24 /* … and pages */

static bool
add_process(int32_t pid, struct usage *usage)
{
	char file[32], text[STAT_SIZE], *at;
	uint64_t ticks = 0, second = (uint64_t)sysconf(_SC_CLK_TCK);

	snprintf(file, sizeof(file), "/proc/%d/stat", pid);
	if (cgroup_file_read(-1, file, text, sizeof(text)) <= 0)
		return false;
	at = strrchr(text, ')'); /* the name may hold anything */
	for (int field = 2; at != NULL && field <= RESIDENT; field++) {
		at = strchr(at + 1, ' ');
		if (at == NULL)
			break;
		if (field + 1 >= CPU_FIRST && field + 1 <= CPU_LAST)
			ticks += strtoull(at, NULL, 10); /* the kernel wrote it */
		if (field + 1 == RESIDENT)
			usage->memory_bytes +=
			    strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
	}
	usage->cpu_ms += ticks * 1000 / second;
	usage->processes++;
	return true;
}

static void
add_cgroup(int dir, struct usage *usage)
{
	char list[LIST_SIZE], *at = list, *end, text[32];

	if (cgroup_file_read(dir, "cgroup.procs", list, sizeof(list)) <= 0)
		return;
	for (;;) {
		long pid = strtol(at, &end, 10); /* the kernel wrote it */

		if (*end != '\n' || pid <= 0)
			break; /* the end, or a number that was cut */
		(void)add_process((int32_t)pid, usage);
		at = end + 1;
	}
	/* pages that they share are in it once, and what the kernel keeps for them too */
	if (usage->processes > 0 && cgroup_file_read(dir, "memory.current", text, sizeof(text)) > 0)
		usage->memory_bytes = strtoull(text, NULL, 10);
}

bool
usage_read(const struct engine *engine, uint32_t node, struct usage *out)
{
	const struct image_process *process = &engine->processes[node];
	int dir = engine->cgroups != NULL ? cgroup_tree_open(engine->cgroups, node) : -1;

	*out = (struct usage){ 0 };
	if (process->state == PROCESS_STARTED && dir >= 0)
		add_cgroup(dir, out);
	fd_close(&dir);
	if (process->state == PROCESS_STARTED && out->processes == 0)
		(void)add_process(process->pid, out);
	return out->processes > 0;
}
