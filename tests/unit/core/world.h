/*
 * world: a core and virtual processes in virtual time. It carries out the core's actions as the plan's habits say, feeds back
 * what then happens, and writes down a trace. After each event core_check() must be content, and the records must tell the same
 * states as core_view().
 *
 * The trace is a list of facts, separated by ", ":
 *   start NAME N             it is up, the N-th time
 *   fail NAME N              attempt N could not be started
 *   stop NAME N HOW          its process is gone: shutdown (told to, and did), killed, crash or normal
 *   up SUP, down SUP         (only supervisors below the root) it runs; all below it is down and it is so too
 *   hook NAME N WHICH        its pre_start, stop_command or post_stop runs; end NAME WHICH HOW: ok, failed, cut or error
 *   exit STATUS [escalated] [automatic]
 */
#ifndef COPPICE_TESTS_WORLD_H
#define COPPICE_TESTS_WORLD_H

#include "core/core.h"

struct world;

/* A tree, booted, and run as far as it goes without time passing. */
struct world *world_of(const char *plan);
/* The same with what makes the core behave as Erlang's supervisor (see plan_read). */
struct world *world_of_otp(const char *plan);
/* The same, not booted yet. */
struct world *world_unborn(const char *plan);
void world_boot(struct world *world);
void world_end(struct world *world);

struct core *world_core(struct world *world);
uint32_t world_id(const struct world *world, const char *name);
const char *world_name(const struct world *world, uint32_t id);
mono_ms world_now(const struct world *world);
struct core_view world_view(const struct world *world, const char *name);

/*
 * Processes end: "a, b:normal, c:3, d:SEGV" (no word: crash). All are dead, in this order, before
 * the core hears of any.
 */
void world_kill(struct world *world, const char *who);
/* The same, then all that follows from it without time passing. */
void world_exit(struct world *world, const char *who);
/* The child says that it is ready. */
void world_ready(struct world *world, const char *name);

/*
 * An operator's command, and all that follows without time passing. The last two are for every
 * other event.
 */
void world_start(struct world *world, const char *name);
void world_stop(struct world *world, const char *name);
/* ON_STOP or ON_RESTART with `now`. */
void world_order_now(struct world *world, enum core_event_type type, const char *name);
void world_restart(struct world *world, const char *name);
void world_shutdown(struct world *world);
void world_order(struct world *world, enum core_event_type type, const char *name);
void world_feed(struct world *world, const struct core_event *event);

/* What follows without time passing; what follows in the next `ms` milliseconds. */
void world_run(struct world *world);
void world_advance(struct world *world, span_ms ms);
/* A connection comes for it. */
void world_demand(struct world *world, const char *name);
/* From now on timers come before what happens in the same millisecond. */
void world_timers_first(struct world *world);
/* Makes the next attempts to start it fail, or not. */
void world_break(struct world *world, const char *name);
void world_mend(struct world *world, const char *name);
/* The engine dies; a new core goes on with what was saved after the last event. */
void world_resume(struct world *world);

/* What was traced since it was asked last; valid until the next call. */
const char *world_trace(struct world *world);
/* The children whose processes live, in order: "a b c". */
const char *world_alive(struct world *world);
/*
 * Signals sent to its present incarnation (0: none yet), the last of them, and how often what it
 * left behind was killed.
 */
uint32_t world_signals(const struct world *world, const char *name);
int32_t world_last_signal(const struct world *world, const char *name);
uint32_t world_sweeps(const struct world *world, const char *name);
/* How often this record was written since the beginning, for this node (NULL: any). */
uint32_t world_records(const struct world *world, enum core_record_type type, const char *name);
/* The last record of that type and node; false if none. */
bool world_last_record(const struct world *world, enum core_record_type type, const char *name,
    struct core_record *out);

/* These fail the test, printing both sides. */
#define expect_trace(world, text) world_expect_text(world_trace(world), text, __FILE__, __LINE__)
#define expect_alive(world, text) world_expect_text(world_alive(world), text, __FILE__, __LINE__)
#define expect_state(world, name, state) \
	world_expect_state(world, name, state, REASON_COUNT, __FILE__, __LINE__)
#define expect_why(world, name, state, reason) \
	world_expect_state(world, name, state, reason, __FILE__, __LINE__)
#define expect_hook(world, name, which)                                                        \
	world_expect_text(core_hook_text(world_view(world, name).hook), core_hook_text(which), \
	    __FILE__, __LINE__)
void world_expect_text(const char *is, const char *should, const char *file, int line);
void world_expect_state(const struct world *world, const char *name, enum core_state state,
    enum core_reason reason, const char *file, int line);

#endif
