/*
 * world_inside: what the two halves of world share: world.c lets things happen, world_ask.c takes a
 * test's commands and answers its questions.
 */
#ifndef COPPICE_TESTS_WORLD_INSIDE_H
#define COPPICE_TESTS_WORLD_INSIDE_H

#include "plan.h"
#include "world.h"

#define MAX_NODES   256
#define MAX_EVENTS  1024
#define MAX_RECORDS 8192
#define TEXT_SIZE   16384
#define SEED        7

/* The virtual process of a node, that of its newest incarnation. */
struct proc {
	uint32_t incarnation;
	uint32_t attempts;
	bool spawning;
	bool alive;
	bool told; /* a signal told it to stop */
	int early; /* a signal that came while it was spawned; 0: none */
	uint32_t signals, sweeps;
	int32_t last_signal;
	struct plan_habit habit;
	bool broken;           /* attempts fail */
	enum core_state state; /* as the records tell it */
	/* the last hook asked for */
	enum core_hook hook;
	uint32_t hook_incarnation;
	bool hook_runs;
};

enum what {
	SPAWN_DONE,
	SAYS_READY,
	LIFE_OVER,
	STOP_OVER,
	EXIT_SEEN,
	SPAWN_REFUSED,
	HOOK_OVER,
	HOOK_SEEN
};

struct happening {
	mono_ms at;
	uint64_t seq;
	enum what what;
	uint32_t node, incarnation;
	int32_t status, error;
	enum core_hook hook;
};

struct world {
	struct plan *plan;
	struct core *core;
	mono_ms now;
	bool timers_first;
	bool over; /* DO_EXIT has come */
	uint32_t count;
	char names[MAX_NODES][PLAN_NAME];
	struct proc procs[MAX_NODES];
	struct happening happenings[MAX_EVENTS];
	size_t pending;
	uint64_t seq;
	struct core_record records[MAX_RECORDS];
	size_t record_count;
	char trace[TEXT_SIZE], told[TEXT_SIZE];
	size_t trace_len;
	uint8_t *saved[CORE_AREAS]; /* what the checkpoint would hold */
};

#endif
