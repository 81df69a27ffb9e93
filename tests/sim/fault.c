/* Cores that err: each is a true core whose orders or answers are bent on their way. */
#include "judge.h"

#include <signal.h>
#include <stdio.h>

#define SEEDS   3000
#define SECONDS 2.0
/* So small a story must become: nodes, lives and events. */
#define MOST_NODES 6
#define MOST_LINES 12

static const int invariants[] = {
#define X(name, invariant, text) invariant,
	FAULTS(X)
#undef X
};
static const char *const texts[] = {
#define X(name, invariant, text) text,
	FAULTS(X)
#undef X
};

static void
fault_hook_spec(const struct sim *sim, struct core_spec *spec)
{
	switch (sim->fault) {
	case FAULT_NO_PRE_START: spec->pre_start = false; break;
	case FAULT_NO_STOP_COMMAND: spec->stop_command = false; break;
	case FAULT_NO_POST_STOP: spec->post_stop = false; break;
	case FAULT_HOOK_SHORT: spec->hook_timeout -= spec->hook_timeout / 2; break;
	case FAULT_HOOK_ENDLESS: spec->hook_timeout = SPAN_INFINITE; break;
	default: break; /* a fault of something else */
	}
}

void
fault_spec(const struct sim *sim, struct core_spec *spec)
{
	bool child = spec->kind == KIND_CHILD;

	switch (sim->fault) {
	case FAULT_SHORT_WAIT:
		for (uint32_t i = 0; i < spec->stop_steps; i++)
			spec->stop[i].wait /= 2;
		break;
	case FAULT_NO_START_TIMEOUT: spec->start_timeout = SPAN_INFINITE; break;
	case FAULT_START_PARALLEL: spec->start_order = ORDER_PARALLEL; break;
	case FAULT_STOP_PARALLEL: spec->stop_order = ORDER_PARALLEL; break;
	case FAULT_FORECAST: spec->intensity += !child && spec->intensity < 65535; break;
	case FAULT_NEVER_STARTS: spec->autostart = false; break;
	case FAULT_MANUAL_STARTS: spec->autostart = true; break;
	case FAULT_LONG_DELAY:
	case FAULT_SET_LATE:
		spec->backoff_delay *= 2;
		spec->backoff_max *= 2;
		break;
	case FAULT_RESTARTS_NORMAL:
		if (child && spec->restart == RESTART_TRANSIENT && !spec->significant)
			spec->restart = RESTART_PERMANENT;
		break;
	case FAULT_IGNORES_LIST: spec->no_restart_exit = (struct core_exit_set){ 0 }; break;
	case FAULT_ONLY_ONE:
		if (spec->strategy != STRATEGY_ESCALATE)
			spec->strategy = STRATEGY_ONE_FOR_ONE;
		break;
	case FAULT_SET_EARLY:
		spec->backoff_delay /= 2;
		spec->backoff_max /= 2;
		break;
	case FAULT_NO_AUTO: spec->auto_shutdown = AUTO_NEVER; break;
	case FAULT_AUTO_ANY:
		if (spec->auto_shutdown == AUTO_ALL_SIGNIFICANT)
			spec->auto_shutdown = AUTO_ANY_SIGNIFICANT;
		break;
	case FAULT_NO_DEMAND: spec->on_demand = false; break;
	default: fault_hook_spec(sim, spec); break;
	}
}

bool
fault_after(const struct sim *sim, bool is)
{
	return is ? sim->fault != FAULT_NO_AFTER : sim->fault == FAULT_AFTER_TOO_MUCH;
}

static bool
fault_hook_event(const struct sim *sim, struct core_event *event)
{
	const struct core_view *view = &sim->nodes[event->node].view;

	switch (sim->fault) {
	case FAULT_PRE_START_FAILED:
		if (event->type == ON_HOOK_DONE && event->hook == HOOK_PRE_START)
			event->status = event->error = 0;
		return true;
	case FAULT_HOOK_IN_HASTE: event->now = false; return true;
	case FAULT_POST_STOP_CUT:
		if (event->type == ON_START && view->hook == HOOK_POST_STOP) {
			event->type = ON_HOOK_DONE;
			event->incarnation = view->incarnation;
			event->hook = view->hook;
		}
		return true;
	case FAULT_ANY_HOOK:
		if (event->type == ON_HOOK_DONE) {
			event->incarnation = view->incarnation;
			event->hook = view->hook;
		}
		return true;
	default: return true; /* a fault of something else */
	}
}

bool
fault_event(const struct sim *sim, struct core_event *event, mono_ms *now)
{
	switch (sim->fault) {
	case FAULT_DEAF_STOP: return event->type != ON_STOP;
	case FAULT_DEAF_SHUTDOWN: return event->type != ON_SHUTDOWN;
	case FAULT_DEAF_RESET: return event->type != ON_RESET;
	case FAULT_DEAF_DEMAND: return event->type != ON_DEMAND;
	case FAULT_DEAF_START:
		return event->type != ON_START ||
		    sim->nodes[event->node].view.state != STATE_RESTARTING;
	case FAULT_DRAINED_STARTS:
		if (event->type == ON_DEMAND && sim->nodes[event->node].view.drained)
			event->type = ON_START;
		return true;
	case FAULT_LATE_TIMER:
		if (event->type == ON_TIMER)
			--*now;
		return true;
	default: return fault_hook_event(sim, event);
	}
}

static uint32_t
fault_hook_action(const struct sim *sim, struct core_action *action)
{
	const struct sim_notes *notes = &sim->nodes[action->node].notes;
	bool record = action->type == DO_RECORD && action->record.type == RECORD_HOOK;

	switch (sim->fault) {
	case FAULT_PRE_START_FAILED: /* it tells the end as it was */
		if (record) {
			action->record.a = notes->done_status;
			action->record.b = notes->done_how;
		}
		return 1;
	case FAULT_HOOK_TWICE: return action->type == DO_HOOK ? 2 : 1;
	case FAULT_HOOK_GOES_ON: return action->type != DO_END_HOOK || sim->now >= notes->hook_ends;
	case FAULT_HOOK_LOST: return action->type != DO_HOOK || !sim->resuming;
	case FAULT_POST_STOP_CUT: /* the record of an end that was none */
		return !record || notes->done_due;
	default: return 1; /* a fault of something else */
	}
}

/* A row for each fault. */
uint32_t /* NOLINTNEXTLINE(readability-function-cognitive-complexity) */
fault_action(const struct sim *sim, struct core_action *action)
{
	bool record = action->type == DO_RECORD && action->record.type == RECORD_RESTARTING;
	bool group = action->type == DO_RECORD && action->record.type == RECORD_GROUP_RESTARTING;

	switch (sim->fault) {
	case FAULT_SPAWN_TWICE: return action->type == DO_SPAWN ? 2 : 1;
	case FAULT_KILL_FIRST:
		if (action->type == DO_SIGNAL)
			action->signal = SIGKILL;
		return 1;
	case FAULT_OLD_SIGNAL: action->incarnation -= action->type == DO_SIGNAL; return 1;
	case FAULT_STREAK:
		if (record && action->record.a > 1)
			action->record.a = 1;
		return 1;
	case FAULT_LOST_RECORD: return !record;
	case FAULT_SET_EARLY:
		if ((record || group) && action->record.reason != REASON_LIMIT)
			action->record.b *= 2;
		return 1;
	case FAULT_SET_LATE:
		if ((record || group) && action->record.reason != REASON_LIMIT)
			action->record.b /= 2;
		return 1;
	case FAULT_SET_SHORTER:
		if (group && action->record.b > sim->set_delay)
			action->record.b = sim->set_delay;
		return 1;
	case FAULT_AUTO_STATUS:
		if (action->type == DO_EXIT && action->automatic)
			action->status = 0;
		return 1;
	case FAULT_ESCALATED_STATUS:
		if (action->type == DO_EXIT && action->escalated)
			action->status = 0;
		return 1;
	case FAULT_NO_LIMIT:
		if (record && action->record.reason == REASON_LIMIT) {
			action->record.reason = REASON_EXITED;
			action->record.b = 0;
		}
		return 1;
	default: return fault_hook_action(sim, action);
	}
}

bool
fault_saves(const struct sim *sim, enum core_area area)
{
	return sim->fault != FAULT_NOT_SAVED || area != CORE_AREA_SUPERS;
}

void
fault_view(const struct sim *sim, uint32_t id, struct core_view *view)
{
	const struct sim_notes *notes = &sim->nodes[id].notes;

	if (sim->fault == FAULT_SIBLING_STREAK && notes->in_set &&
	    notes->state == STATE_RESTARTING && !notes->unhandled && notes->streak == 0)
		view->streak++;
	if (sim->fault == FAULT_START_KEEPS_STREAK && notes->commanded &&
	    notes->state == STATE_STARTING)
		view->streak++;
}

static bool
is_found(struct sim *sim)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		if (!play_seed(sim, seed, 0) && sim->verdict.invariant == invariants[sim->fault])
			return true;
	}
	return false;
}

static bool
is_small(struct sim *sim)
{
	const struct story *story = sim->story;
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < story->place_count; i++)
		nodes += story->places[i].count;
	return nodes <= MOST_NODES && story->life_count + story->event_count <= MOST_LINES;
}

int
fault_test(struct sim *sim)
{
	int failed = 0;

	for (sim->fault = 0; sim->fault < FAULT_COUNT; sim->fault++) {
		const char *said = "not found";

		if (is_found(sim)) {
			int invariant = sim->verdict.invariant;

			shrink_story(sim, SECONDS);
			said = !is_small(sim) ? "its story stays too large"
			    : play_story(sim) ? "its story cannot be played again"
			    : sim->verdict.invariant != invariant
			    ? "its story breaks something else"
			    : NULL;
		}
		printf("sim: a core that %s: invariant %d: %s: %u places, %u lives, %u events\n",
		    texts[sim->fault], invariants[sim->fault], said ? said : "found",
		    sim->story->place_count, sim->story->life_count, sim->story->event_count);
		failed += said != NULL;
	}
	sim->fault = -1;
	return failed ? 1 : 0;
}
