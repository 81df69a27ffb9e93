/* Automatic shutdown: who brings it about and who does not; and with which status the daemon leaves. */
#include "judge.h"

#define CODE_ANY  (-1) /* not known */
#define CODE_NONE 70   /* it has none: as after an escalation */

static bool
is_down_for_good(enum core_state state)
{
	return state == STATE_STOPPED || state == STATE_FINISHED || state == STATE_FAILED;
}

/* By itself, or with all below it. */
static bool
is_own_end(const struct sim_node *node, const struct core_record *record)
{
	if (record->state != STATE_FINISHED && record->state != STATE_FAILED)
		return false;
	if (record->reason == REASON_INTENSITY)
		return !node->notes.terminated;
	/* else somebody else's doing */
	return record->reason != REASON_OPERATOR && record->reason != REASON_SUPERVISOR &&
	    record->reason != REASON_SHUTDOWN && record->reason != REASON_GROUP &&
	    record->reason != REASON_GIVEN_UP && record->reason != REASON_LIMIT;
}

/* As a shell would say it. */
void
judge_auto_event(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;

	if (event->type == ON_START || event->type == ON_STOP || event->type == ON_RESTART ||
	    event->type == ON_RESET) {
		for (uint32_t i = 0; i < sim->count; i++) {
			if (sim->nodes[i].notes.must_end_it && sim_is_below(sim, i, event->node))
				sim->nodes[i].notes.must_end_it = false;
		}
	}
	if (event->type == ON_STOP)
		notes->may_end_it = false;
	if (event->type != ON_EXITED || !notes->spawned || event->incarnation != notes->incarnation)
		return;
	notes->code = event->status == CORE_STATUS_UNKNOWN ? CODE_NONE
	    : event->status & 0x7f                         ? 128 + (event->status & 0x7f)
							   : event->status >> 8 & 0xff;
}

static bool
is_alive(const struct sim_node *node)
{
	return node->spec->significant && !is_down_for_good(node->notes.state) &&
	    node->notes.state != STATE_STOPPING;
}

/* It ends because of one of those that may end it, and is as that one was. */
static void
note_automatic_end(struct sim *sim, uint32_t id)
{
	struct sim_node *node = &sim->nodes[id];
	uint32_t causes = 0;

	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct sim_node *child = &sim->nodes[i];

		if (node->spec->auto_shutdown == AUTO_ALL_SIGNIFICANT && is_alive(child))
			sim_break(sim, 17, i, "significant, alive, and its supervisor ends");
		if (!child->notes.may_end_it)
			continue;
		node->notes.code = causes++ ? CODE_ANY : child->notes.code;
	}
	if (causes == 0 || node->spec->auto_shutdown == AUTO_NEVER)
		sim_break(sim, 17, id, "ends by itself though no significant child has");
}

/* One more is down, by somebody's doing: an end before that has been looked at, or has not. */
static void
forget_musts(struct sim *sim, uint32_t supervisor)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next)
		sim->nodes[i].notes.must_end_it = false;
}

static void
note_root(struct sim *sim, const struct core_record *record)
{
	if (record->node != CORE_ROOT || record->state != STATE_STOPPING)
		return;
	sim->root_end = record->reason;
}

void
judge_auto_record(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	struct sim_notes *notes = &node->notes;

	if (record->type == RECORD_LIMIT)
		notes->terminated = record->a == LIMIT_TERMINATE;
	if (record->type == RECORD_ESCALATED)
		notes->terminated = false;
	if (record->type != RECORD_STATE && record->type != RECORD_READY)
		return;
	if (node->spec->kind == KIND_SUPERVISOR && record->state == STATE_STOPPING) {
		notes->code = CODE_NONE;
		if (record->reason == REASON_AUTO_SHUTDOWN)
			note_automatic_end(sim, record->node);
		if (record->reason == REASON_ABORT)
			notes->terminated = false;
		note_root(sim, record);
	}
	if (record->state == STATE_WAITING || record->state == STATE_STARTING)
		notes->code = CODE_NONE;
	if (node->parent != CORE_NONE && node->spec->significant &&
	    is_down_for_good(record->state) && !is_own_end(node, record))
		forget_musts(sim, node->parent);
	notes->may_end_it = notes->must_end_it = node->parent != CORE_NONE &&
	    node->spec->significant && is_own_end(node, record) &&
	    sim->nodes[node->parent].spec->auto_shutdown != AUTO_NEVER;
	/* The restart of its set would have ended it, too: nobody looks whether it was the last. */
	if (notes->must_end_it && node->spec->restart == RESTART_TEMPORARY && notes->in_set) {
		notes->must_end_it = false;
		if (sim->nodes[node->parent].spec->auto_shutdown == AUTO_ALL_SIGNIFICANT)
			forget_musts(sim, node->parent);
	}
}

/*
 * One that is drawn into a restart together with others begins anew: perhaps in time. A temporary
 * one would have ended with it, and does not.
 */
void
judge_auto_group(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	if (node->notes.must_end_it && node->spec->restart == RESTART_TEMPORARY)
		forget_musts(sim, node->parent);
	sim->nodes[id].notes.must_end_it = false;
}

/* Whoever has nothing else to do ends when it must; else it goes on for good. */
void
judge_auto(struct sim *sim, uint32_t supervisor)
{
	const struct sim_node *node = &sim->nodes[supervisor];
	bool single = node->spec->strategy == STRATEGY_ONE_FOR_ONE, due = false, alive = false;

	if (node->spec->auto_shutdown == AUTO_NEVER)
		return;
	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next) {
		due = due || sim->nodes[i].notes.must_end_it;
		alive = alive ||
		    (sim->nodes[i].spec->significant &&
			!is_down_for_good(sim->nodes[i].view.state));
	}
	if (!due || judge_is_still(sim, supervisor) || (!single && judge_is_busy(sim, supervisor)))
		return;
	if (node->spec->auto_shutdown == AUTO_ANY_SIGNIFICANT || !alive)
		sim_break(sim, 17, supervisor,
		    "goes on though its significant children have ended for good");
	for (uint32_t i = node->first; i != CORE_NONE; i = sim->nodes[i].next)
		sim->nodes[i].notes.may_end_it = sim->nodes[i].notes.must_end_it = false;
}

void
judge_exit(struct sim *sim, const struct core_action *action)
{
	const struct sim_notes *root = &sim->nodes[CORE_ROOT].notes;
	bool automatic = sim->root_end == REASON_AUTO_SHUTDOWN;
	bool failed = sim->root_end == REASON_INTENSITY || sim->root_end == REASON_ESCALATE ||
	    sim->root_end == REASON_ABORT;
	int32_t status = failed ? CODE_NONE : automatic ? root->code : 0;

	if (!automatic && !failed && sim->leave_by == 0)
		sim_break(sim, 17, CORE_ROOT, "leaves for no reason");
	if (action->automatic != automatic || action->escalated != failed)
		sim_break(sim, 17, CORE_ROOT, "leaves for another reason than it says");
	if (status != CODE_ANY && action->status != status)
		sim_break(sim, 17, CORE_ROOT, "leaves with another status than it should");
}
