/*
 * A set that is restarted: it starts when its delay is over and all of it are down, no sooner and no
 * later, or when an operator says so; and whose failures in a row are forgotten.
 */
#include "judge.h"

/* Nothing is started here: a hold, or it is being stopped, or one above it is. */
bool
judge_is_still(const struct sim *sim, uint32_t id)
{
	if (core_is_holding(sim->core))
		return true;
	for (; id != CORE_NONE; id = sim->nodes[id].parent) {
		enum core_state state = sim->nodes[id].view.state;

		if (state != STATE_STARTING && state != STATE_RUNNING)
			return true;
	}
	return false;
}

/* Perhaps it is about to start or stop those below it. */
bool
judge_is_busy(const struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct core_view *view = &sim->nodes[i].view;

		if (view->state == STATE_STARTING || view->state == STATE_STOPPING ||
		    (view->state == STATE_WAITING && view->reason != REASON_AFTER &&
			view->reason != REASON_DEMAND))
			return true;
	}
	return false;
}

static bool
has_sets(const struct sim *sim, uint32_t supervisor)
{
	enum core_strategy strategy = sim->nodes[supervisor].spec->strategy;

	return strategy == STRATEGY_ONE_FOR_ALL || strategy == STRATEGY_REST_FOR_ONE;
}

static mono_ms
later(mono_ms one, mono_ms other)
{
	return one > other ? one : other;
}

/* A set that waits for room: whatever fills the window leaves it within one period. */
static mono_ms
latest_start(const struct sim *sim, uint32_t supervisor)
{
	const struct sim_node *node = &sim->nodes[supervisor];

	if (!node->notes.set_limited || node->spec->intensity == 0)
		return node->notes.set_by;
	return later(
	    node->notes.set_by, sim_end(sim_end(node->notes.stamped_at, node->spec->period), 1));
}

/* --- commands --- */

/* Whether the command starts all that was given up, or waits, together with this one; right now. */
static bool
starts_set(const struct sim *sim, const struct core_event *event)
{
	const struct sim_node *node = &sim->nodes[event->node];
	const struct sim_notes *above = &sim->nodes[node->parent].notes;

	if (node->view.state == STATE_FAILED)
		return node->view.reason == REASON_GIVEN_UP;
	return node->view.state == STATE_RESTARTING && node->notes.in_set && !node->notes.alone &&
	    above->set_waits &&
	    (event->type != ON_RESET || above->set_limited ||
		node->view.reason == REASON_INTENSITY);
}

/* Where it is not known when it will be heard, the set may start at any time. */
void
judge_set_command(struct sim *sim, const struct core_event *event)
{
	uint32_t parent = sim->nodes[event->node].parent;

	sim->revived = CORE_NONE;
	if (event->type == ON_STOP)
		return;
	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->nodes[i].spec->kind == KIND_SUPERVISOR &&
		    sim_is_below(sim, i, event->node))
			sim->nodes[i].notes.set_from = 0;
	}
	if (parent == CORE_NONE || !has_sets(sim, parent))
		return;
	if (judge_is_still(sim, parent) || judge_is_busy(sim, parent)) {
		sim->nodes[parent].notes.set_from = 0;
	} else if (starts_set(sim, event)) {
		sim->nodes[parent].notes.set_from = sim->nodes[parent].notes.set_by = sim->now;
		sim->nodes[parent].notes.set_limited = false;
		if (sim->nodes[event->node].view.state == STATE_FAILED)
			sim->revived = parent;
	}
}

/* --- records --- */

/* The longer of what is left and the new delay. */
static void
judge_set_delay(struct sim *sim, const struct core_record *record, bool failed)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;
	span_ms delay = failed ? sim->set_delay : 0, most = delay;

	if (notes->set_waits) {
		most = later(delay, latest_start(sim, record->node) - sim->now);
		delay = later(delay, notes->set_from - sim->now);
	}
	if (record->b < delay)
		sim_break(sim, 16, record->node, "the delay of its set is cut short");
	if (record->b > most)
		sim_break(
		    sim, 16, record->node, "its set is to wait longer than any of its delays");
}

void
judge_set_begin(struct sim *sim, const struct core_record *record, bool failed, bool limited)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;

	judge_set_delay(sim, record, failed);
	notes->set_limited = limited || (notes->set_waits && notes->set_limited);
	notes->set_waits = true;
	notes->set_from = notes->set_by = sim_end(sim->now, record->b);
	for (uint32_t i = sim->nodes[record->node].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].notes.own_command) /* in the queue */
			notes->set_from = 0;
	}
}

void
judge_set_over(struct sim *sim, uint32_t supervisor)
{
	sim->nodes[supervisor].notes.set_waits = false;
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next)
		sim->nodes[i].notes.in_set = false;
}

/* Of a supervisor: what it had in hand is void. Of a member: the set starts with it. */
void
judge_set_state(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	struct sim_notes *above;

	if (record->state != STATE_RUNNING && record->type != RECORD_READY)
		node->notes.set_waits = false;
	if (node->parent == CORE_NONE)
		return;
	if (record->state == STATE_WAITING && record->reason == REASON_DEMAND &&
	    node->spec->restart == RESTART_TEMPORARY) /* its set will not start it */
		node->notes.in_set = false;
	above = &sim->nodes[node->parent].notes;
	if ((record->state == STATE_STARTING ||
		(record->state == STATE_WAITING && node->notes.state == STATE_RESTARTING)) &&
	    above->set_waits && node->notes.in_set && !node->notes.alone &&
	    (!node->notes.own_command || node->notes.state == STATE_RESTARTING)) {
		if (sim->now < above->set_from && !node->notes.own_command)
			sim_break(
			    sim, 16, record->node, "started before the delay of its set was over");
		if (above->set_limited)
			above->stamped_at = sim->now;
		judge_set_over(sim, node->parent);
	}
	if (record->state == STATE_STARTING) {
		node->notes.alone = node->notes.alone || node->notes.own_command;
		node->notes.own_command = false;
		if (record->reason == REASON_OPERATOR) {
			node->notes.streak = 0;
			node->notes.streak_void = false;
		}
	}
}

/* --- after a step --- */

static bool
has_waiting_member(const struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].view.state == STATE_RESTARTING && sim->nodes[i].notes.in_set &&
		    !sim->nodes[i].notes.alone)
			return true;
	}
	return false;
}

/* Those that are restarted with it are stopped at once, whatever the delay. */
static void
judge_stop_of_set(struct sim *sim, uint32_t supervisor)
{
	uint32_t up = CORE_NONE;

	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].view.state == STATE_STOPPING)
			return;
		if (sim->nodes[i].notes.drawn_in)
			up = i;
	}
	if (up != CORE_NONE && !judge_is_still(sim, supervisor))
		sim_break(sim, 15, up, "its set is restarted, and nobody stops it");
}

/* All are down and the delay runs, or is over: the core must come back in time. */
void
judge_set(struct sim *sim, uint32_t supervisor)
{
	const struct sim_node *node = &sim->nodes[supervisor];

	if (node->notes.set_waits)
		judge_stop_of_set(sim, supervisor);
	if (node->notes.set_waits &&
	    core_next_deadline(sim->core) > latest_start(sim, supervisor) && !sim->exited &&
	    has_waiting_member(sim, supervisor) && !judge_is_still(sim, supervisor) &&
	    !judge_is_busy(sim, supervisor))
		sim_break(sim, 16, supervisor, "its set will start later than its delay is over");
	if (sim->revived != supervisor)
		return;
	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct core_view *view = &sim->nodes[i].view;

		if (view->state == STATE_FAILED && view->reason == REASON_GIVEN_UP && view->wanted)
			sim_break(sim, 16, i,
			    "an operator started one that was given up, and not those with it");
	}
	sim->revived = CORE_NONE;
}
