/*
 * spec: what a child or a supervisor is told to be: the part of its configuration that the core
 * decides by. A spec is shared by all instances of a template. Defaults are those of
 * coppice.conf(5); durations in milliseconds, SPAN_INFINITE allowed where it says so.
 */
#ifndef COPPICE_CORE_SPEC_H
#define COPPICE_CORE_SPEC_H

#include "lib/span.h"

#include <stdbool.h>
#include <stdint.h>

enum core_kind {
	KIND_CHILD,
	KIND_SUPERVISOR
};
enum core_restart {
	RESTART_PERMANENT,
	RESTART_TRANSIENT,
	RESTART_TEMPORARY
};
enum core_ready {
	READY_SPAWN,
	READY_EXIT,
	READY_TOLD
}; /* TOLD: ON_READY (notify, fd, health) */
enum core_backoff {
	BACKOFF_NONE,
	BACKOFF_FIXED,
	BACKOFF_LINEAR,
	BACKOFF_EXPONENTIAL,
	BACKOFF_FIBONACCI
};
enum core_strategy {
	STRATEGY_ONE_FOR_ONE,
	STRATEGY_ONE_FOR_ALL,
	STRATEGY_REST_FOR_ONE,
	STRATEGY_ESCALATE
};
enum core_on_limit {
	LIMIT_ESCALATE,
	LIMIT_BACKOFF,
	LIMIT_GIVE_UP,
	LIMIT_TERMINATE
};
enum core_auto_shutdown {
	AUTO_NEVER,
	AUTO_ANY_SIGNIFICANT,
	AUTO_ALL_SIGNIFICANT
};
enum core_order {
	ORDER_ORDERED,
	ORDER_PARALLEL
};
enum core_on_start_failure {
	START_FAILURE_RETRY,
	START_FAILURE_ABORT
};
enum core_kill_mode {
	KILL_TREE,
	KILL_GROUP,
	KILL_PROCESS
};

#define SPEC_MAX_STOP_STEPS 8

/*
 * A signal, then how long to wait for the end (SPAN_INFINITE: for ever; the last step's wait is
 * always so).
 */
struct core_stop_step {
	int32_t signal;
	span_ms wait;
};

/* Exit statuses 0–255 and signals 1–64, as bit sets. */
struct core_exit_set {
	uint64_t codes[4];
	uint64_t signals; /* bit n−1 is signal n */
};

struct core_spec {
	enum core_kind kind;

	/* a child or a supervisor, as a member of its supervisor */
	enum core_restart restart;
	bool significant;
	bool autostart; /* yes */
	enum core_backoff backoff;
	span_ms backoff_delay;         /* 100 */
	span_ms backoff_max;           /* 30,000 */
	uint32_t backoff_factor_milli; /* 2,000; at least 1,000 */
	uint32_t backoff_jitter_ppm;   /* 100,000; at most 1,000,000 */
	span_ms stable_after;          /* 10,000 */

	/* a child */
	enum core_ready ready;
	span_ms start_timeout; /* 10,000; SPAN_INFINITE allowed */
	struct core_stop_step stop[SPEC_MAX_STOP_STEPS];
	uint32_t stop_steps; /* at least 1 */
	bool stop_group;
	enum core_kill_mode kill_mode;
	struct core_exit_set success_exit, no_restart_exit, escalate_exit;
	bool on_demand; /* the first start is that of the first connection */
	bool pre_start, stop_command, post_stop; /* whether it has such a hook */
	span_ms hook_timeout;                    /* 10,000; of each */

	/* a supervisor */
	enum core_strategy strategy;
	enum core_on_limit on_limit;
	uint32_t intensity; /* 5; 0–65,535 */
	span_ms period;     /* 60,000; at least 1 */
	enum core_auto_shutdown auto_shutdown;
	enum core_order start_order, stop_order;
	uint32_t max_starting;       /* 0: no limit */
	span_ms start_queue_timeout; /* SPAN_INFINITE */
	enum core_on_start_failure on_start_failure;
};

/*
 * The defaults of a child or supervisor (on_limit: escalate; the root's own default is the caller's
 * to set).
 */
void spec_defaults(struct core_spec *spec, enum core_kind kind);
/* Whether the core can work with it; NULL, or what is wrong (static text). */
const char *spec_problem(const struct core_spec *spec);

bool spec_exit_has_code(const struct core_exit_set *set, uint32_t code);
bool spec_exit_has_signal(const struct core_exit_set *set, int signal);
void spec_exit_add_code(struct core_exit_set *set, uint32_t code);
void spec_exit_add_signal(struct core_exit_set *set, int signal);
/* Whether a wait status is in the set; an unknown one is in none. */
bool spec_exit_matches(const struct core_exit_set *set, int32_t status);
/* Whether an end by itself with that status is one that the restart type answers with a restart. */
bool spec_restarts_after(const struct core_spec *spec, int32_t status);

#endif
