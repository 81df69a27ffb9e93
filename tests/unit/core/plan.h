/*
 * plan: a supervision tree for a test, written as one line of text.
 *
 *   "/ all 3/5s { a; b transient slow=300ms; sub rest 1/5s { c; d fails=1 }; t *3 }"
 *
 * A node is a name, words, and for a supervisor a list in braces. What the words may be stands in
 * plan.c's tables: those of the specification (strategy, intensity/period, restart type, backoff …)
 * and those that say how the virtual process behaves.
 */
#ifndef COPPICE_TESTS_PLAN_H
#define COPPICE_TESTS_PLAN_H

#include "core/spec.h"
#include "core/types.h"

#define PLAN_NAME  64
#define PLAN_NODES 96

/* How a hook behaves. */
struct plan_hook {
	span_ms ms; /* how long it runs; SPAN_INFINITE: until it is ended */
	int status; /* the wait status it then has */
	int error;  /* not 0: it cannot be started */
};

/* How the processes of one node behave. Attempts are counted from 1, over the whole test. */
struct plan_habit {
	span_ms spawn_ms;     /* how long clone and exec take; SPAN_INFINITE: until killed */
	span_ms ready_ms;     /* ready = told: when it says so, after exec; SPAN_INFINITE: never */
	bool ignores;         /* every signal but KILL */
	bool crashes_on_stop; /* ends with status 1 when told to stop */
	span_ms stop_ms;      /* how long it takes to stop when told to */
	uint64_t fails;       /* bit n: attempt n fails in exec */
	uint32_t fails_from;  /* each attempt from this one on fails; 0: none */
	span_ms life_ms;      /* after exec; SPAN_INFINITE: until somebody ends it */
	int life_status;      /* the wait status it then has */
	/* at this attempt, before it is up, `crash_victim` crashes; 0: never */
	uint32_t crash_attempt;
	char crash_victim[PLAN_NAME];
	char stop_victim[PLAN_NAME]; /* crashes when this one is told to stop */
	struct plan_hook hooks[HOOK_COUNT];
	span_ms command_ms; /* how long after stop_command began it ends; 0: not by that */
};

struct plan_node {
	char name[PLAN_NAME];
	uint32_t parent; /* index in the plan; UINT32_MAX for the root */
	uint32_t count;  /* 0: no template */
	struct core_spec spec;
	struct plan_habit habit;
	char after[PLAN_NAME]; /* "b,t" */
};

struct plan {
	struct plan_node nodes[PLAN_NODES];
	uint32_t count;
};

/*
 * Reads the text; ends the test program when it is no plan. With `otp` each node starts from what
 * makes the core behave as Erlang's supervisor: no delay between restarts, a failed first start
 * fails the supervisor.
 */
void plan_read(struct plan *plan, const char *text, bool otp);

#endif
