/*
 * judge: the invariants of the core, checked from outside.
 *
 *   1  at most one live incarnation of a child
 *   2  every stop follows its sequence, in time; then nothing of the child is alive
 *   3  starts follow the start order, stops the reverse
 *   4  never more than `intensity` restarts in any window of `period` without the limit's action
 *   5  once faults end, every wanted child runs, or a supervisor above it has failed for a stated reason
 *   6  no action names an old incarnation
 *   7  what an operator stopped never starts by itself
 *   8  a shutdown ends in time
 *   9  the delay before a restart is what the formula gives, and is kept
 *  10  counters and states in the view equal those of the records
 *  11  (here) the core's own check and its must() are content, and no deadline stays in the past
 *  12  what was forecast just before a failure is what then comes of it
 *  13  what was saved is what is, and a new engine can go on from it
 *  14  an end is followed by what the restart type and the lists of exits say
 *  15  who is restarted with whom is what the strategy says
 *  16  a set starts when its delay is over and all of it are down, or when an operator says so
 *  17  automatic shutdown is brought about by whom it should; the daemon leaves with the right status
 *  18  nobody starts before what it comes after, or without a connection; then it does
 *  19  a hook runs in its time, once, alone, no longer than it may; what comes after it waits
 */
#ifndef COPPICE_TESTS_SIM_JUDGE_H
#define COPPICE_TESTS_SIM_JUDGE_H

#include "sim.h"

/* Before the event is handed in. */
void judge_event(struct sim *sim, const struct core_event *event);
/* Each action in order, before it is carried out or lost. */
void judge_action(struct sim *sim, const struct core_action *action);
/* One of them, a record: delays, windows, the states that it tells (judge_record.c). */
void judge_record(struct sim *sim, const struct core_record *record);
/* What it says of the failures that this event may bring, and whether that came (judge_forecast.c). */
void judge_forecast(struct sim *sim, const struct core_event *event);
void judge_forecast_record(struct sim *sim, const struct core_record *record);
void judge_budget(struct sim *sim, uint32_t supervisor);
/* After all actions. */
void judge_step(struct sim *sim, const struct core_event *event);
/* The supervisor begins with an empty window. */
void judge_forget_window(struct sim *sim, uint32_t supervisor);
/* An operator starts what its limit holds back, if it has ever been reached. */
void judge_forget_limit(struct sim *sim, uint32_t supervisor);
/* Its start has taken too long, or its pre_start has. */
static inline bool
judge_was_slow(enum core_reason reason)
{
	return reason == REASON_START_TIMEOUT || reason == REASON_HOOK_TIMEOUT;
}
/* When all is quiet after the faults have ended. */
void judge_peace(struct sim *sim);
/* Of a child that ends by itself: what comes (judge_end.c), which its next record must say. */
void judge_fate(struct sim *sim, const struct core_event *event);
void judge_fate_record(struct sim *sim, const struct core_record *record);
/* Somebody is started: nobody of its set is left alone. */
void judge_left_alone(struct sim *sim, uint32_t id);
/* Sets that wait (judge_group.c): a command; the record of a restart, whether of a failure, whether
 * for the limit; a state; the supervisor after a step. */
void judge_set_command(struct sim *sim, const struct core_event *event);
void judge_set_begin(struct sim *sim, const struct core_record *record, bool failed, bool limited);
void judge_set_state(struct sim *sim, const struct core_record *record);
/* It starts, or is given up. */
void judge_set_over(struct sim *sim, uint32_t supervisor);
void judge_set(struct sim *sim, uint32_t supervisor);
bool judge_is_still(const struct sim *sim, uint32_t id);
bool judge_is_busy(const struct sim *sim, uint32_t supervisor);
/* Automatic shutdown (judge_auto.c): before the event; a record; a member of a set; after a step. */
void judge_auto_event(struct sim *sim, const struct core_event *event);
void judge_auto_record(struct sim *sim, const struct core_record *record);
void judge_auto_group(struct sim *sim, uint32_t id);
void judge_auto(struct sim *sim, uint32_t supervisor);
void judge_exit(struct sim *sim, const struct core_action *action);
/* after, on_demand (judge_gate.c): before an event that is heard; a state; after a step; at the end. */
void judge_gate_event(struct sim *sim, const struct core_event *event);
void judge_gate_record(struct sim *sim, const struct core_record *record);
void judge_gate_begin(struct sim_notes *notes);
void judge_gate(struct sim *sim, uint32_t id);
bool judge_may_wait(const struct sim *sim, uint32_t id);
bool judge_has_gate(const struct sim_node *node);
/* A start, with the process or with its pre_start; whom a supervisor stops before others. */
void judge_begin(struct sim *sim, const struct core_action *action);
void judge_stop_order(struct sim *sim, uint32_t id, const struct core_view *view);
/* Whether it has a process or a hook may be another now. */
void judge_note_alive(struct sim *sim, uint32_t id);
/* Hooks (judge_hook.c): before an event; when its process asks for time; the end of its process. */
void judge_hook_event(struct sim *sim, const struct core_event *event);
void judge_hook_extend(struct sim_notes *notes, mono_ms until);
void judge_hook_gone(struct sim *sim, const struct core_event *event);
/* When it must have become ready, if it is there now. */
mono_ms judge_start_ends(const struct sim *sim, const struct sim_node *node);
/* The actions about them, about the process, and the first signal; whether it was asked before. */
void judge_hook(struct sim *sim, const struct core_action *action);
void judge_end_hook(struct sim *sim, const struct core_action *action);
void judge_hook_spawn(struct sim *sim, uint32_t id, uint32_t incarnation);
void judge_hook_signal(struct sim *sim, uint32_t id);
bool judge_asked_to_end(const struct sim_notes *notes);
/* A record, before the others have looked at it; whether what its end led to comes later. */
void judge_hook_record(struct sim *sim, const struct core_record *record);
bool judge_awaits_end(const struct sim_notes *notes);
bool judge_will_fail(const struct sim_notes *notes);
bool judge_was_taken(const struct sim *sim, const struct core_record *record);
/* A child after a step, and after an engine's death; what hooks add to its stop. */
void judge_hooks(struct sim *sim, uint32_t id, bool resumed);
span_ms judge_hook_bound(const struct sim *sim, const struct sim_node *node);
/* The end of a story. */
void judge_end(struct sim *sim);
/* What an invariant says; for people. */
const char *judge_text(int invariant);
/* The longest that a shutdown beginning now may take. */
span_ms judge_shutdown_bound(const struct sim *sim);

#endif
