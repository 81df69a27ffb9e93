#include "spawning.h"

#include "reaped.h"

#include <ev.h>
#include <sys/mman.h>

struct spawning spawning;

static void
on_done(void *context, uint32_t node, uint32_t incarnation, int32_t step, int32_t error)
{
	check(context == &spawning);
	check(!spawning.done[node]);
	check(spawning.process[node].incarnation == incarnation);
	check(spawning.process[node].step == step && spawning.process[node].error == error);
	check(!spawn_is_pending(spawning.spawner, node));
	spawning.done[node] = true;
	spawning.done_count++;
}

void
spawning_open(void)
{
	spawning.loop = ev_loop_new(0);
	spawning.process = mmap(NULL, SPAWNING_NODES * sizeof(*spawning.process),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	spawning.spawner = spawner_new(spawning.loop, on_done, &spawning);
	check(spawning.loop != NULL && spawning.process != MAP_FAILED && spawning.spawner != NULL);
}

void
spawning_close(void)
{
	spawner_free(&spawning.spawner);
	ev_loop_destroy(spawning.loop);
	munmap(spawning.process, SPAWNING_NODES * sizeof(*spawning.process));
}

void
spawning_renew(void)
{
	spawning.spawner = spawner_new(spawning.loop, on_done, &spawning);
	check(spawning.spawner != NULL);
}

static const char *const no_environment[] = { NULL };

struct spawn_request
spawning_request(uint32_t node, const char *const *argv)
{
	return (struct spawn_request){ .node = node,
		.incarnation = 7,
		.argv = argv,
		.envp = no_environment,
		.search_path = "/usr/bin:/bin",
		.output = OUTPUT_INHERIT,
		.error_output = OUTPUT_INHERIT,
		.umask = 022,
		.start_timeout = 10000 };
}

void
spawning_run_until_done(uint32_t node)
{
	int budget = 20000;

	while (!spawning.done[node]) {
		ev_run(spawning.loop, EVRUN_NOWAIT);
		if (!spawning.done[node])
			reaped_pause(&budget);
	}
}

/* Starts, waits until the start is over, and returns its slot. */
struct image_process *
spawning_start(const struct spawn_request *request)
{
	struct image_process *process = &spawning.process[request->node];

	spawning.done[request->node] = false;
	if (!spawn_start(spawning.spawner, request, process)) {
		check(spawn_is_pending(spawning.spawner, request->node));
		spawning_run_until_done(request->node);
	}
	return process;
}
