/*
 * What the core forecasts is compared with what it then does. Each supervisor's first decision in a
 * step is looked at: those after it have seen another window than the forecast.
 */
#include "judge.h"

#include <string.h>

static bool
may_tell_an_end(enum core_event_type type)
{
	return type == ON_SPAWNED || type == ON_SPAWN_FAILED || type == ON_READY ||
	    type == ON_EXITED || type == ON_HOOK_DONE;
}

static void
foretell(struct sim *sim, uint32_t id)
{
	struct sim_notes *notes = &sim->nodes[id].notes;

	core_forecast(sim->core, sim->now, id, &notes->forecast);
	notes->foretold = sim->step;
}

/* Of those whose failures wait, and of whoever this event may end: itself, and who is above it. */
static void
foretell_waiting(struct sim *sim, uint32_t parent)
{
	for (uint32_t i = sim->nodes[parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].notes.unhandled)
			foretell(sim, i);
	}
}

/* A command in a queue may clear the window before the failure behind it. */
static void
note_commands(struct sim *sim)
{
	for (uint32_t i = 1; i < sim->count; i++) {
		if (sim->nodes[i].notes.by_operator)
			sim->nodes[sim->nodes[i].parent].notes.decided = sim->step;
	}
}

void
judge_forecast(struct sim *sim, const struct core_event *event)
{
	sim->failing = sim->grouped = sim->judged = CORE_NONE;
	if (!may_tell_an_end(event->type))
		return;
	note_commands(sim);
	for (uint32_t i = 0; sim->thorough && i < sim->count; i++)
		foretell_waiting(sim, i);
	for (uint32_t id = event->node; id != CORE_NONE; id = sim->nodes[id].parent) {
		foretell_waiting(sim, id);
		foretell(sim, id);
	}
	sim->failing = event->node;
	if (event->node == CORE_ROOT)
		return;
	for (uint32_t i = sim->nodes[sim->nodes[event->node].parent].first; i != CORE_NONE;
	     i = sim->nodes[i].next)
		sim->nodes[i].notes.would_take = core_forecast_takes(sim->core, sim->failing, i);
}

/* Where it stands, a failure without a waiting set can draw it in; and somebody wants it up. */
static bool
may_be_taken(const struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id], *failing = &sim->nodes[sim->failing];
	bool all = sim->nodes[failing->parent].spec->strategy == STRATEGY_ONE_FOR_ALL;

	return node->parent == failing->parent && (all || node->place > failing->place) &&
	    node->view.wanted && (node->view.state != STATE_FAILED || !node->notes.tried);
}

static bool
a_set_waits(const struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].view.state == STATE_RESTARTING)
			return true;
	}
	return false;
}

static void
judge_taken(struct sim *sim, const struct core_forecast *said)
{
	bool waits = a_set_waits(sim, said->supervisor);
	uint32_t count = 0;

	for (uint32_t i = sim->nodes[said->supervisor].first; i != CORE_NONE;
	     i = sim->nodes[i].next) {
		count += sim->nodes[i].notes.would_take;
		if (sim->nodes[i].notes.would_take && i != sim->failing && !waits &&
		    !may_be_taken(sim, i))
			sim_break(sim, 12, i, "forecast to be restarted with others wrongly");
	}
	if (count != said->set_count || !sim->nodes[said->set_first].notes.would_take)
		sim_break(
		    sim, 12, sim->failing, "the set of the forecast is not as large as it says");
}

static void
judge_range(struct sim *sim, const struct core_record *record, uint32_t failed)
{
	const struct core_forecast *said = &sim->nodes[failed].notes.forecast;

	if (record->b < said->delay_min || record->b > said->delay_max)
		sim_break(sim, 12, failed, "the delay is outside of what was forecast");
}

static void
judge_restart(struct sim *sim, const struct core_record *record)
{
	const struct sim_node *node = &sim->nodes[record->node];
	const struct core_forecast *said = &node->notes.forecast;
	bool limit = record->reason == REASON_LIMIT, stable = record->a == 0;

	if (said->supervisor != node->parent)
		sim_break(sim, 12, record->node, "the forecast names another supervisor");
	if (said->outcome != (limit ? OUTCOME_LIMIT : OUTCOME_RESTART))
		sim_break(sim, 12, record->node, "another outcome was forecast");
	if (limit && said->on_limit != LIMIT_BACKOFF)
		sim_break(sim, 12, record->node, "another action of the limit was forecast");
	if (!stable && said->streak != (uint32_t)record->a)
		sim_break(sim, 12, record->node, "another streak was forecast");
	if (sim->nodes[node->parent].spec->strategy == STRATEGY_ONE_FOR_ONE && (limit || !stable))
		judge_range(sim, record, record->node);
}

/* The group of the failure before this record. */
static void
judge_group(struct sim *sim, const struct core_record *record)
{
	uint32_t failed = (uint32_t)record->a;
	const struct core_forecast *said = &sim->nodes[failed].notes.forecast;
	struct core_view view;

	core_view(sim->core, failed, &view);
	if (view.streak > 0)
		judge_range(sim, record, failed);
	if (failed != sim->failing)
		return;
	sim->grouped = record->node;
	judge_taken(sim, said);
}

/* Its window is one for all, so whatever was said of any of its children must agree. */
static void
judge_limit(struct sim *sim, uint32_t supervisor, enum core_on_limit action)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct sim_node *node = &sim->nodes[i];

		if (node->notes.foretold != sim->step)
			continue;
		if (node->notes.forecast.outcome == OUTCOME_RESTART ||
		    (node->notes.forecast.outcome == OUTCOME_LIMIT &&
			node->notes.forecast.on_limit != action))
			sim_break(sim, 12, i, "it was not forecast that this limit is reached");
	}
}

static void
judge_escalation(struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct sim_node *node = &sim->nodes[i];

		if (node->notes.foretold == sim->step &&
		    node->notes.forecast.outcome != OUTCOME_ESCALATE &&
		    node->notes.forecast.outcome != OUTCOME_NOTHING)
			sim_break(sim, 12, i, "it was not forecast that its supervisor fails");
	}
}

/* Nobody is drawn into a restart who was not named, but for the temporary, who are only stopped. */
static void
judge_member(struct sim *sim, const struct core_record *record)
{
	const struct sim_node *node = &sim->nodes[record->node];
	bool drawn = record->state == STATE_RESTARTING || record->state == STATE_STOPPING;

	if (sim->grouped == CORE_NONE || node->parent != sim->grouped || !drawn ||
	    (record->reason != REASON_GROUP && record->reason != REASON_LIMIT))
		return;
	if (!node->notes.would_take && node->spec->restart != RESTART_TEMPORARY)
		sim_break(sim, 12, record->node, "restarted with others, but not forecast so");
}

static bool
is_first_decision(struct sim *sim, uint32_t supervisor)
{
	bool first = sim->nodes[supervisor].notes.decided != sim->step;

	sim->nodes[supervisor].notes.decided = sim->step;
	return first && sim->failing != CORE_NONE;
}

void
judge_forecast_record(struct sim *sim, const struct core_record *record)
{
	const struct sim_node *node = &sim->nodes[record->node];

	switch (record->type) {
	case RECORD_STATE:
		judge_member(sim, record);
		if (record->reason == REASON_ABORT) /* of a supervisor its intensity was meant */
			sim->nodes[record->node].notes.foretold = 0;
		if (record->state == STATE_STARTING)
			sim->nodes[record->node].notes.decided =
			    sim->step; /* its window is empty now */
		break;
	case RECORD_RESTARTING:
		sim->judged = CORE_NONE;
		if (is_first_decision(sim, node->parent) && node->notes.foretold == sim->step) {
			judge_restart(sim, record);
			sim->judged = record->node;
		}
		break;
	case RECORD_GROUP_RESTARTING: /* right after the other */
		if (sim->judged == (uint32_t)record->a)
			judge_group(sim, record);
		sim->judged = CORE_NONE;
		break;
	case RECORD_LIMIT:
		if (record->a != LIMIT_BACKOFF && is_first_decision(sim, record->node))
			judge_limit(sim, record->node, (enum core_on_limit)record->a);
		break;
	case RECORD_ESCALATED:
		if (!is_first_decision(sim, record->node))
			break;
		if (record->a == REASON_INTENSITY)
			judge_limit(sim, record->node, LIMIT_ESCALATE);
		else if (node->spec->strategy == STRATEGY_ESCALATE)
			judge_escalation(sim, record->node);
		break;
	case RECORD_STARTED:
	case RECORD_START_FAILED:
	case RECORD_READY:
	case RECORD_EXITED:
	case RECORD_OPERATOR:
	case RECORD_RECOVERED:
	case RECORD_HOOK:
	case RECORD_COUNT: break;
	}
}

void
judge_budget(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];
	mono_ms oldest = MONO_NEVER;
	struct core_budget budget;

	core_budget(sim->core, sim->now, id, &budget);
	if (budget.intensity != node->spec->intensity || budget.period != node->spec->period)
		sim_break(sim, 12, id, "the budget is another's");
	if (budget.used != node->view.restarts_in_window)
		sim_break(sim, 12, id, "the budget and the view count differently");
	if ((budget.used == 0) != (budget.next_free == MONO_NEVER) || budget.next_free <= sim->now)
		sim_break(sim, 12, id, "a place in the window is free and is not");
	if (node->notes.limit_hit || budget.used == 0)
		return;
	for (uint32_t i = 0; i <= node->spec->intensity; i++) {
		mono_ms stamp = node->notes.stamps[i];

		if (sim->now - stamp <= node->spec->period && stamp < oldest)
			oldest = stamp;
	}
	if (budget.next_free != oldest + node->spec->period + 1)
		sim_break(sim, 12, id, "the next place in the window comes free at another time");
}
