/* What must hold after a step, what must come of an end, and what must be so at the end of a story. */
#include "judge.h"

#include <signal.h>
#include <string.h>

const char *
judge_text(int invariant)
{
	static const char *const texts[] = {
		"", "At most one live incarnation of a child.",
		"Every stop follows its sequence, in time; then nothing of the child is alive.",
		"Starts follow the start order, stops the reverse.",
		"Never more than intensity restarts in any window of period without the limit's action.",
		"Once faults end, every wanted child runs, or a supervisor above it has failed for a stated reason.",
		"No action names an old incarnation.",
		"What an operator stopped, or nobody wants, never starts by itself.",
		"A shutdown ends in time.",
		"The delay before a restart is what the formula gives, and is kept.",
		"Counters and states in the view equal those of the records.",
		"The core's own check and its must() are content, and no deadline stays in the past.",
		"What was forecast just before a failure is what then comes of it.",
		"What was saved is what is, and a new engine can go on from it.",
		"An end is followed by what the restart type and the lists of exits say.",
		"Who is restarted with whom is what the strategy says.",
		"A set starts when its delay is over and all of it are down, or when an operator says so.",
		"Automatic shutdown is brought about by whom it should, and the daemon leaves with the right status.",
		"Nobody starts before what it comes after, or without a connection; then it does.",
		"A hook runs in its time, once, alone, no longer than it may; what comes after it waits."
	};

	return texts[invariant];
}

/* --- ends --- */

static bool
is_in(const struct core_exit_set *set, int32_t status)
{
	uint32_t code = (uint32_t)status >> 8 & 0xff, signal = (uint32_t)status & 0x7f;

	if (status == CORE_STATUS_UNKNOWN)
		return false;
	if (signal > 0)
		return signal <= 64 && (set->signals >> (signal - 1) & 1);
	return set->codes[code / 64] >> code % 64 & 1;
}

static enum core_state
state_after(const struct core_spec *spec, const struct core_event *event, bool was_ready)
{
	bool ended = event->type == ON_EXITED,
	     normal = ended && is_in(&spec->success_exit, event->status);

	if (normal && spec->on_demand && (was_ready || spec->ready == READY_EXIT))
		return STATE_WAITING;
	if (spec->ready == READY_EXIT && normal)
		return STATE_FINISHED;
	normal = normal && was_ready;
	if (ended && !normal && is_in(&spec->escalate_exit, event->status))
		return STATE_RESTARTING;
	if (spec->restart == RESTART_TEMPORARY)
		return was_ready ? STATE_FINISHED : STATE_FAILED;
	if (spec->restart == RESTART_TRANSIENT && normal)
		return STATE_FINISHED;
	if (ended && is_in(&spec->no_restart_exit, event->status))
		return STATE_FAILED;
	return STATE_RESTARTING;
}

/* One that is being stopped ends as it was told to. */
void
judge_fate(struct sim *sim, const struct core_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];
	struct sim_notes *notes = &node->notes;
	bool was_ready = node->view.state == STATE_RUNNING;

	if (!was_ready && node->view.state != STATE_STARTING)
		return;
	notes->stable = event->type == ON_EXITED && was_ready &&
	    sim->now - notes->ready_at >= node->spec->stable_after;
	notes->end_state = state_after(node->spec, event, was_ready);
	notes->end_judged = true;
	notes->ended_early = !was_ready;
	if (node->spec->ready == READY_EXIT && !was_ready &&
	    (notes->end_state == STATE_FINISHED || notes->end_state == STATE_WAITING)) {
		notes->streak = 0;
		notes->streak_void = false;
	}
}

/* A start that fails may make its supervisor's start fail: then it has failed, whatever it is. */
void
judge_fate_record(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	const struct core_spec *parent =
	    node->parent == CORE_NONE ? NULL : sim->nodes[node->parent].spec;
	bool aborts = parent && parent->on_start_failure == START_FAILURE_ABORT &&
	    record->state == STATE_FAILED && node->notes.ended_early;
	bool later = record->state == STATE_STOPPING && node->notes.post_due;

	if (node->notes.end_judged && record->state != node->notes.end_state && !aborts && !later &&
	    !judge_was_taken(sim, record))
		sim_break(sim, 14, record->node, "it ended, and is now what should not come of it");
	/* a command that still has to run decides instead */
	node->notes.end_judged = node->notes.end_judged && later && !node->notes.own_command;
	if (record->state == STATE_STOPPING && record->reason == REASON_GROUP &&
	    !node->notes.in_set)
		sim_break(
		    sim, 15, record->node, "stopped with others although it is not of their set");
	if (record->state == STATE_STARTING && record->reason == REASON_GROUP)
		node->notes.in_set = false;
	if (record->type != RECORD_READY && record->state != STATE_RUNNING)
		node->notes.drawn_in = false;
	if (record->type == RECORD_READY || record->state == STATE_RUNNING)
		node->notes.ready_at = sim->now;
	if (record->state == STATE_STOPPED || record->state == STATE_FAILED)
		node->notes.streak_void = true;
	if (record->reason == REASON_QUEUE_TIMEOUT) /* no end of a run */
		node->notes.stable = false;
}

void
judge_left_alone(struct sim *sim, uint32_t id)
{
	uint32_t parent = sim->nodes[id].parent;

	if (sim->nodes[id].notes.by_operator || judge_has_gate(&sim->nodes[id]))
		return;
	for (uint32_t i = sim->nodes[parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		sim->because = i;
		if (i != id && sim->nodes[i].notes.drawn_in)
			sim_break(sim, 15, id, "its set starts, and one of it was left alone");
	}
}

/* --- after a step --- */

/* As long as no operator has cleared it, the window holds what was restarted in the last period. */
static void
judge_count(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];
	uint32_t count = 0;

	for (uint32_t i = 0; i <= node->spec->intensity; i++)
		count += sim->now - node->notes.stamps[i] <= node->spec->period;
	if (node->view.restarts_in_window > node->spec->intensity)
		sim_break(sim, 4, id, "more restarts in the window than intensity allows");
	if (!node->notes.limit_hit && node->view.restarts_in_window != count)
		sim_break(sim, 10, id, "the window does not hold the restarts of the last period");
	judge_budget(sim, id);
}

/* The core must come back in time to send the next signal, or to give up a start. */
static void
judge_times(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];
	const struct sim_notes *notes = &node->notes;
	mono_ms deadline = core_next_deadline(sim->core);

	if (sim->exited)
		return;
	if (notes->spawned && !notes->killed && notes->stop_step > 0 &&
	    notes->stop_step < node->spec->stop_steps && deadline > notes->step_ends)
		sim_break(sim, 2, id, "its stop will not go on in time");
	if (notes->spawned && notes->stop_step == 0 && notes->start_ends != 0 &&
	    node->view.state == STATE_STARTING && deadline > notes->start_ends)
		sim_break(sim, 2, id, "its start will not be given up in time");
	if (node->view.state == STATE_WAITING && node->view.reason == REASON_SLOT &&
	    deadline > sim_end(sim->now, sim->nodes[node->parent].spec->start_queue_timeout))
		sim_break(sim, 2, id, "it will wait too long for a start slot");
}

/* A delay that runs is no longer than it was said to be; of a set: its supervisor knows. */
static void
judge_waiting(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	if (node->view.state == STATE_RESTARTING && node->notes.not_before > sim->now &&
	    sim->nodes[node->parent].spec->strategy == STRATEGY_ONE_FOR_ONE &&
	    core_next_deadline(sim->core) > node->notes.not_before)
		sim_break(sim, 9, id, "its delay will be longer than it was said to be");
}

static void
judge_node(struct sim *sim, uint32_t id, bool resumed)
{
	struct sim_node *node = &sim->nodes[id];
	struct sim_notes *notes = &node->notes;
	const struct core_view *view = &node->view;

	if (view->state != notes->state)
		sim_break(sim, 10, id, "its state is not the one that the records tell");
	if (view->restarts != notes->restart_records)
		sim_break(sim, 10, id, "restarts is not the number of its records");
	if (view->group_restarts != notes->group_records)
		sim_break(sim, 10, id, "group_restarts is not the number of its records");
	if (notes->drained != view->drained)
		sim_break(sim, 7, id, "drained is not what operators asked for last");
	if (notes->held && view->wanted)
		sim_break(sim, 7, id, "wanted although an operator stopped it");
	if (!notes->streak_void && view->streak != notes->streak)
		sim_break(
		    sim, 9, id, "the number of its failures in a row is not what it should be");
	if (id != CORE_ROOT)
		judge_waiting(sim, id);
	if (node->spec->kind == KIND_SUPERVISOR) {
		judge_count(sim, id);
		judge_set(sim, id);
		judge_auto(sim, id);
		return;
	}
	if (view->incarnation != notes->starts)
		sim_break(sim, 10, id, "its incarnation is not the number of its starts");
	if (view->has_process != notes->spawned)
		sim_break(sim, 1, id, "has_process is not what the events say");
	if (view->spawning != (notes->spawned && !notes->answered))
		sim_break(sim, 1, id, "spawning is not what the events say");
	if (notes->tree_kills_due > 0)
		sim_break(sim, 2, id, "it ended and its process group was not killed");
	judge_times(sim, id);
	judge_hooks(sim, id, resumed);
	judge_gate(sim, id);
}

/* A new engine would begin with that. */
static void
judge_saved(struct sim *sim)
{
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t size = core_area_size(sim->core, area);

		for (uint32_t k = 0; k < core_area_count(sim->core, area); k++) {
			if (memcmp(sim->saved[i] + (size_t)k * size,
				core_area_item(sim->core, area, k), size) != 0)
				sim_break(sim, 13, CORE_NONE,
				    "something has changed and was not to be saved");
		}
	}
}

static void
judge_touched(struct sim *sim, bool resumed)
{
	for (uint32_t i = 0; i < sim->touched_count; i++) {
		uint32_t id = sim->touched[i];

		sim->nodes[id].touched = false;
		sim_look(sim, id, &sim->nodes[id].view);
	}
	for (uint32_t i = 0; i < sim->touched_count; i++)
		judge_node(sim, sim->touched[i], resumed);
	sim->touched_count = 0;
}

static void
judge_all(struct sim *sim, bool resumed)
{
	const char *broken = core_check(sim->core);

	if (broken != NULL)
		sim_break(sim, 11, CORE_NONE, broken);
	judge_saved(sim);
	for (uint32_t i = 0; i < sim->count; i++)
		sim_look(sim, i, &sim->nodes[i].view);
	for (uint32_t i = 0; i < sim->count; i++)
		judge_node(sim, i, resumed);
}

void
judge_step(struct sim *sim, const struct core_event *event)
{
	if (sim->set_due != CORE_NONE)
		sim_break(sim, 15, sim->set_due, "failed, and nobody else is restarted with it");
	judge_touched(sim, event->type == ON_RESUME);
	if (sim->thorough)
		judge_all(sim, event->type == ON_RESUME);
	if (event->type == ON_TIMER && core_next_deadline(sim->core) <= sim->now)
		sim_break(sim, 11, CORE_NONE, "a deadline stays in the past");
	if (core_is_leaving(sim->core))
		sim->leaving = true;
	if (sim->exited)
		return;
	if (sim->leave_by != 0 && sim->now > sim->leave_by)
		sim_break(sim, 8, CORE_ROOT, "the shutdown takes longer than all stops together");
}

/* --- shutdown --- */

static span_ms
stop_bound(const struct sim *sim, const struct sim_node *node)
{
	const struct core_spec *spec = node->spec;
	span_ms bound = 10000; /* one that hangs in exec; a little for the message of its end */

	if (node->notes.spawned && node->notes.stop_step > 0 && node->notes.step_ends > sim->now &&
	    node->notes.step_ends != MONO_NEVER)
		bound = sim_end(bound, node->notes.step_ends - sim->now);
	for (uint32_t k = 0; k + 1 < spec->stop_steps; k++)
		bound = sim_end(bound, spec->stop[k].wait);
	bound = sim_end(bound, judge_hook_bound(sim, node));
	return spec->stop[spec->stop_steps - 1].signal == SIGKILL ? bound : SPAN_INFINITE;
}

/* All stops one after the other; infinite where one is. */
span_ms
judge_shutdown_bound(const struct sim *sim)
{
	span_ms bound = 1000;

	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->nodes[i].spec->kind == KIND_CHILD)
			bound = sim_end(bound, stop_bound(sim, &sim->nodes[i]));
	}
	return bound;
}

/* --- the end of a story --- */

/* Down with all that is above it up. */
static bool
is_orphaned(const struct sim *sim, uint32_t id)
{
	for (id = sim->nodes[id].parent; id != CORE_NONE; id = sim->nodes[id].parent) {
		const struct sim_node *node = &sim->nodes[id];

		if (node->view.state == STATE_FAILED || node->view.state == STATE_FINISHED ||
		    (node->view.state == STATE_STOPPED &&
			(!node->view.wanted || node->notes.excused)))
			return true;
	}
	return false;
}

static void
judge_rest(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	switch (node->view.state) {
	case STATE_RUNNING: break;
	case STATE_FINISHED:
	case STATE_FAILED:
		if (node->view.reason == REASON_NONE || node->view.reason == REASON_TURN)
			sim_break(sim, 5, id, "done or given up for no stated reason");
		break;
	case STATE_STOPPED:
		if ((node->view.wanted ||
			(node->spec->autostart && !node->notes.held && id != CORE_ROOT)) &&
		    !node->notes.excused && !is_orphaned(sim, id) && !judge_may_wait(sim, id))
			sim_break(sim, 5, id, "wanted, but it stays stopped");
		break;
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_STOPPING:
	case STATE_RESTARTING:
	case STATE_COUNT:
		if (!judge_may_wait(sim, id))
			sim_break(sim, 5, id, "nothing more will happen, and it is in between");
	}
}

void
judge_peace(struct sim *sim)
{
	if (!sim->calm || sim->at_peace || sim->leaving || sim->exited ||
	    core_is_holding(sim->core))
		return;
	sim->at_peace = true;
	for (uint32_t i = 0; i < sim->count; i++)
		sim_look(sim, i, &sim->nodes[i].view);
	for (uint32_t i = 0; i < sim->count; i++)
		judge_rest(sim, i);
}

void
judge_end(struct sim *sim)
{
	bool idle = fate_next(sim) == CORE_NONE && core_next_deadline(sim->core) == MONO_NEVER;

	if (sim->exited || sim->leave_by == 0)
		return;
	if (sim->leave_by != MONO_NEVER || (idle && sim->calm))
		sim_break(sim, 8, CORE_ROOT, "the shutdown does not end");
}
