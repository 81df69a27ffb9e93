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

/* Whole milliseconds, rounded as the core likes. */
static void
judge_delay(struct sim *sim, const struct core_record *record)
{
	const struct core_spec *spec = &sim->nodes[record->node].spec;
	uint32_t n = (uint32_t)record->a;
	double should = n == 0 ? 0 : formula(spec, n);
	double jitter = (double)spec->backoff_jitter_ppm / 1e6, is = (double)record->b;
	double slack = 2 + should / 1000;

	if (record->reason == REASON_LIMIT) {
		if (is < (double)spec->backoff_max)
			sim_break(sim, 9, record->node, "waits for room less than backoff_max");
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
	const struct core_spec *spec = &sim->nodes[id].spec;
	uint32_t room = spec->intensity + 1;

	notes->stamps[notes->stamp_at] = sim->now;
	notes->stamp_at = (notes->stamp_at + 1) % room;
	if (sim->now - notes->stamps[notes->stamp_at] <= spec->period && room > 1)
		sim_break(sim, 4, id, "more restarts in one period than intensity allows");
}

void
judge_forget_window(struct sim *sim, uint32_t id)
{
	for (uint32_t i = 0; i <= sim->nodes[id].spec.intensity; i++)
		sim->nodes[id].notes.stamps[i] = INT64_MIN / 2;
}

/* An operator's start of what waits for room, or was given up, clears the window. */
void
judge_forget_limit(struct sim *sim, uint32_t supervisor)
{
	if (sim->nodes[supervisor].notes.limit_hit)
		judge_forget_window(sim, supervisor);
}

/* A command that has waited for the end of an operation may clear the window in the same moment. */
static void
note_limit(struct sim *sim, uint32_t supervisor)
{
	sim->nodes[supervisor].notes.limit_hit = true;
	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->nodes[i].parent == supervisor && sim->nodes[i].notes.by_operator)
			judge_forget_window(sim, supervisor);
	}
}

/* Children of a supervisor that begins have not been tried. */
static void
note_state(struct sim *sim, const struct core_record *record)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;

	if (record->type == RECORD_STATE && (enum core_state)record->a != notes->state)
		sim_break(sim, 10, record->node,
		    "the record names another former state than the one before");
	if (notes->state == STATE_FAILED && notes->by_operator)
		sim->nodes[sim->nodes[record->node].parent].notes.limit_hit = true;
	notes->state = record->type == RECORD_READY ? STATE_RUNNING : record->state;
	if (notes->state == STATE_RUNNING || notes->state == STATE_FINISHED)
		notes->tried = notes->was_ready = true;
	if (notes->state == STATE_FAILED ||
	    (notes->state == STATE_RESTARTING && record->reason != REASON_GROUP))
		notes->tried = true;
	if (notes->by_operator && record->node != CORE_ROOT &&
	    (notes->state == STATE_STARTING || notes->state == STATE_WAITING))
		judge_forget_limit(sim, sim->nodes[record->node].parent);
	if (notes->state == STATE_STARTING)
		notes->commanded = notes->by_operator;
	notes->unhandled = notes->state == STATE_RESTARTING && record->reason != REASON_GROUP;
	if (notes->state == STATE_STOPPED || notes->state == STATE_FAILED)
		notes->not_before = 0; /* whatever delay ran is void */
	if (sim->nodes[record->node].spec.kind != KIND_SUPERVISOR)
		return;
	if (notes->state != STATE_STARTING)
		return;
	judge_forget_window(sim, record->node);
	notes->limit_hit = false;
	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->nodes[i].parent == record->node)
			sim->nodes[i].notes.tried = sim->nodes[i].notes.was_ready = false;
	}
}

/* Whoever belongs to the set is to be ready anew. */
static void
note_group(struct sim *sim, uint32_t supervisor, uint32_t failed)
{
	bool all = sim->nodes[supervisor].spec.strategy == STRATEGY_ONE_FOR_ALL;

	for (uint32_t i = 0; i < sim->count; i++) {
		const struct sim_node *node = &sim->nodes[i];

		if (node->parent == supervisor && (all || node->place >= sim->nodes[failed].place))
			sim->nodes[i].notes.was_ready = false;
	}
}

void
judge_record(struct sim *sim, const struct core_record *record)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;

	switch (record->type) {
	case RECORD_STATE:
	case RECORD_READY: note_state(sim, record); break;
	case RECORD_RESTARTING:
		notes->restart_records++;
		notes->unhandled = false;
		judge_delay(sim, record);
		notes->not_before = sim->now + record->b;
		if (record->reason != REASON_LIMIT)
			judge_window(sim, sim->nodes[record->node].parent);
		break;
	case RECORD_GROUP_RESTARTING:
		notes->group_records++;
		note_group(sim, record->node, (uint32_t)record->a);
		break;
	case RECORD_STARTED:
	case RECORD_START_FAILED:
	case RECORD_EXITED: break;
	case RECORD_LIMIT: note_limit(sim, record->node); break;
	case RECORD_ESCALATED:
	case RECORD_OPERATOR:
	case RECORD_RECOVERED:
	case RECORD_HOOK:
	case RECORD_COUNT: break;
	}
}
