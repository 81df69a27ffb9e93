#include "judge.h"

/* d · F(n) and so on, in floating point and without caring for speed. */
static double
formula(const struct core_spec *spec, uint32_t n)
{
	double d = (double)spec->backoff_delay, f = (double)spec->backoff_factor_milli / 1000;
	double most = (double)spec->backoff_max, last = 0, value = d;

	switch (spec->backoff) {
	case BACKOFF_NONE: return 0;
	case BACKOFF_FIXED: break;
	case BACKOFF_LINEAR: value = d * n; break;
	case BACKOFF_EXPONENTIAL:
		for (uint32_t i = 1; i < n && value < most; i++)
			value *= f;
		break;
	case BACKOFF_FIBONACCI:
		for (uint32_t i = 1; i < n && value < most; i++) {
			double next = last + value;

			last = value;
			value = next;
		}
		break;
	}
	return value < most ? value : most;
}

/* Until there is room in the window, and for backoff_max at least. */
static void
judge_limit_wait(struct sim *sim, const struct core_record *record)
{
	span_ms least = sim->nodes[record->node].spec->backoff_max;

	if (record->b < least)
		sim_break(sim, 9, record->node, "waits for room less than backoff_max");
	if (sim->room_at == MONO_NEVER)
		return;
	if (sim->room_at - sim->now > least)
		least = sim->room_at - sim->now;
	if (record->b != (least < 1 ? 1 : least))
		sim_break(sim, 9, record->node, "does not wait until there is room in the window");
}

/* The failures in a row, from their ends; what an operator has touched is not counted along. */
static void
judge_streak(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	uint32_t should = node->notes.stable ? 0 : node->notes.streak + 1;

	if (node->spec->kind == KIND_CHILD && !node->notes.streak_void &&
	    (uint32_t)record->a != should)
		sim_break(sim, 9, record->node, "the number of failures in a row is wrong");
	node->notes.streak = (uint32_t)record->a;
	/* a command that still has to run clears it */
	node->notes.streak_void = node->notes.own_command ||
	    (node->notes.by_operator && sim->nodes[node->parent].notes.limit_hit);
	node->notes.stable = false;
}

/* Whole milliseconds, rounded as the core likes. */
static void
judge_delay(struct sim *sim, const struct core_record *record)
{
	const struct core_spec *spec = sim->nodes[record->node].spec;
	uint32_t n = (uint32_t)record->a;
	double should = n == 0 ? 0 : formula(spec, n);
	double jitter = (double)spec->backoff_jitter_ppm / 1e6, is = (double)record->b;
	double slack = 2 + should / 1000;

	if (record->reason == REASON_LIMIT) {
		judge_limit_wait(sim, record);
		return;
	}
	if (is > should * (1 + jitter) + 1 || is < (should - slack) * (1 - jitter) - 1)
		sim_break(sim, 9, record->node, "the delay is not what the formula gives");
}

/* A ring of the supervisor's last intensity + 1 restarts: the oldest must have left the window. */
static void
judge_window(struct sim *sim, uint32_t id)
{
	struct sim_notes *notes = &sim->nodes[id].notes;
	const struct core_spec *spec = sim->nodes[id].spec;
	uint32_t room = spec->intensity + 1;

	notes->stamps[notes->stamp_at] = notes->stamped_at = sim->now;
	notes->stamp_at = (notes->stamp_at + 1) % room;
	if (sim->now - notes->stamps[notes->stamp_at] <= spec->period && room > 1)
		sim_break(sim, 4, id, "more restarts in one period than intensity allows");
}

void
judge_forget_window(struct sim *sim, uint32_t id)
{
	for (uint32_t i = 0; i <= sim->nodes[id].spec->intensity; i++)
		sim->nodes[id].notes.stamps[i] = INT64_MIN / 2;
}

/* An operator's start of what waits for room, or was given up, clears the window. */
void
judge_forget_limit(struct sim *sim, uint32_t supervisor)
{
	if (sim->nodes[supervisor].notes.limit_hit)
		judge_forget_window(sim, supervisor);
}

/* When the oldest restart of a full window leaves it; with intensity 0 in one period. */
static mono_ms
first_room(const struct sim *sim, uint32_t supervisor)
{
	const struct sim_node *node = &sim->nodes[supervisor];
	mono_ms oldest = MONO_NEVER;

	if (node->spec->intensity == 0)
		return sim->now + node->spec->period;
	for (uint32_t i = 0; i <= node->spec->intensity; i++) {
		mono_ms stamp = node->notes.stamps[i];

		if (sim->now - stamp <= node->spec->period && stamp < oldest)
			oldest = stamp;
	}
	return oldest == MONO_NEVER ? MONO_NEVER : oldest + node->spec->period + 1;
}

/*
 * A command that has waited for the end of an operation may clear the window in the same moment,
 * and forget the failures of all whom the limit has put down.
 */
static void
note_limit(struct sim *sim, uint32_t supervisor)
{
	struct sim_node *node = &sim->nodes[supervisor];
	bool command = false;

	sim->room_at = node->notes.limit_hit ? MONO_NEVER : first_room(sim, supervisor);
	node->notes.limit_hit = true;
	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next) {
		sim->nodes[i].notes.parked = false; /* whoever starts the set again starts it too */
		command = command || sim->nodes[i].notes.by_operator;
	}
	if (!command)
		return;
	judge_forget_window(sim, supervisor);
	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next)
		sim->nodes[i].notes.streak_void = true;
}

/* A failure that is not followed by a restart has been counted or not. */
static void
note_uncounted(struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (sim->nodes[i].notes.unhandled)
			sim->nodes[i].notes.streak_void = true;
	}
}

/* Children of a supervisor that begins have not been tried; its own streak its parent keeps. */
static void
note_begin(struct sim_notes *notes)
{
	notes->tried = notes->was_ready = notes->parked = notes->excused = notes->in_set = false;
	notes->streak = 0;
	notes->streak_void = notes->stable = false;
	judge_gate_begin(notes);
}

static void
note_state(struct sim *sim, const struct core_record *record)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;

	if (record->type == RECORD_STATE && (enum core_state)record->a != notes->state)
		sim_break(sim, 10, record->node,
		    "the record names another former state than the one before");
	if (notes->state == STATE_FAILED && notes->by_operator)
		sim->nodes[sim->nodes[record->node].parent].notes.limit_hit = true;
	judge_set_state(sim, record);
	judge_fate_record(sim, record);
	judge_gate_record(sim, record);
	notes->state = record->type == RECORD_READY ? STATE_RUNNING : record->state;
	if (notes->state == STATE_RUNNING || notes->state == STATE_FINISHED)
		notes->tried = notes->was_ready = true;
	notes->unhandled = notes->state == STATE_RESTARTING && record->reason != REASON_GROUP &&
	    record->reason != REASON_LIMIT; /* those would be its set's */
	if (notes->state == STATE_FAILED || notes->unhandled)
		notes->tried = true;
	if (notes->by_operator && record->node != CORE_ROOT &&
	    (notes->state == STATE_STARTING || notes->state == STATE_WAITING))
		judge_forget_limit(sim, sim->nodes[record->node].parent);
	if (notes->state == STATE_STARTING)
		notes->commanded = notes->by_operator;
	if (notes->state == STATE_STOPPED || notes->state == STATE_FAILED)
		notes->not_before = 0; /* whatever delay ran is void */
	if (sim->nodes[record->node].spec->kind != KIND_SUPERVISOR)
		return;
	if (notes->state != STATE_STARTING)
		return;
	judge_forget_window(sim, record->node);
	notes->limit_hit = false;
	for (uint32_t i = sim->nodes[record->node].first; i != CORE_NONE; i = sim->nodes[i].next)
		note_begin(&sim->nodes[i].notes);
}

/* Whoever belongs to the set is to be ready anew. */
static void
note_group(struct sim *sim, uint32_t supervisor, uint32_t failed)
{
	bool all = sim->nodes[supervisor].spec->strategy == STRATEGY_ONE_FOR_ALL;

	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		struct sim_node *node = &sim->nodes[i];
		bool after = node->place > sim->nodes[failed].place;

		if (!all && !after && i != failed)
			continue;
		node->notes.was_ready = false;
		if (node->spec->restart != RESTART_TEMPORARY) /* its own failure is void, too */
			node->notes.parked = node->notes.excused = node->notes.unhandled = false;
		node->notes.in_set = node->spec->restart != RESTART_TEMPORARY || i == failed ||
		    !node->notes.tried || node->notes.known > 0 ||
		    node->notes.state == STATE_STARTING || node->notes.state == STATE_RUNNING ||
		    node->notes.state == STATE_STOPPING;
		/* a temporary one that was given up, when an operator has its set started again */
		node->notes.in_set = node->notes.in_set ||
		    (node->notes.state == STATE_WAITING && node->view.reason == REASON_TURN);
		node->notes.alone = false;
		judge_auto_group(sim, i);
		node->notes.drawn_in =
		    node->notes.state == STATE_STARTING || node->notes.state == STATE_RUNNING;
	}
}

void
judge_record(struct sim *sim, const struct core_record *record)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;
	bool failed = sim->set_due != CORE_NONE;

	if (sim->set_due != CORE_NONE &&
	    (record->type != RECORD_GROUP_RESTARTING || (uint32_t)record->a != sim->set_due))
		sim_break(sim, 15, sim->set_due, "failed, and nobody else is restarted with it");
	sim->set_due = CORE_NONE;
	judge_hook_record(sim, record);
	judge_auto_record(sim, record);
	switch (record->type) {
	case RECORD_STATE:
	case RECORD_READY: note_state(sim, record); break;
	case RECORD_RESTARTING:
		notes->restart_records++;
		notes->unhandled = false;
		judge_streak(sim, record);
		judge_delay(sim, record);
		if (sim->nodes[sim->nodes[record->node].parent].spec->strategy !=
		    STRATEGY_ONE_FOR_ONE)
			sim->set_due = record->node;
		sim->set_delay = record->b;
		sim->set_limited = record->reason == REASON_LIMIT;
		notes->not_before = sim->now + record->b;
		if (record->reason != REASON_LIMIT)
			judge_window(sim, sim->nodes[record->node].parent);
		break;
	case RECORD_GROUP_RESTARTING:
		notes->group_records++;
		judge_set_begin(sim, record, failed, failed && sim->set_limited);
		note_group(sim, record->node, (uint32_t)record->a);
		break;
	case RECORD_STARTED:
	case RECORD_START_FAILED:
	case RECORD_EXITED: break;
	case RECORD_LIMIT:
		note_limit(sim, record->node);
		if (record->a == LIMIT_BACKOFF)
			break;
		judge_set_over(sim, record->node);
		note_uncounted(sim, record->node);
		break;
	case RECORD_ESCALATED: note_uncounted(sim, record->node); break;
	case RECORD_OPERATOR:
	case RECORD_RECOVERED:
	case RECORD_HOOK:
	case RECORD_COUNT: break;
	}
}
