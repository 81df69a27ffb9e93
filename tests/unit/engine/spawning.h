/*
 * spawning: the engine of a test of starts: a loop, a spawner, and what it was told. For bodies of
 * reaped_run.
 */
#ifndef TESTS_UNIT_ENGINE_SPAWNING_H
#define TESTS_UNIT_ENGINE_SPAWNING_H

#include "engine/spawn.h"

#define SPAWNING_STRANGER 54321 /* a user that nobody else tests with */
#define SPAWNING_NODES    2048U

extern struct spawning {
	struct ev_loop *loop;
	struct spawner *spawner;
	struct image_process *process; /* [node], shared */
	bool done[SPAWNING_NODES];
	unsigned done_count;
} spawning;

void spawning_open(void);
void spawning_close(void);
/* Another spawner of the same engine, for a process forked from it. */
void spawning_renew(void);
/* A start of incarnation 7 by the main thread, with nothing but 0, 1 and 2 of ours. */
struct spawn_request spawning_request(uint32_t node, const char *const *argv);
void spawning_run_until_done(uint32_t node);
/* Starts, waits until the start is over, and returns its slot. */
struct image_process *spawning_start(const struct spawn_request *request);

#endif
