/*
 * Hooks: each in its time of a life, once, alone, and no longer than it may; what comes after it
 * waits for it. What they lengthen, the starts and stops, is judged with these.
 */
#include "judge.h"

static uint32_t
bit(enum core_hook hook)
{
	return UINT32_C(1) << hook;
}

static bool
has(const struct core_spec *spec, enum core_hook hook)
{
	return hook == HOOK_PRE_START ? spec->pre_start
	    : hook == HOOK_STOP       ? spec->stop_command
	    : hook == HOOK_POST_STOP  ? spec->post_stop
				      : false;
}

static bool
has_begun(const struct sim_notes *notes, enum core_hook hook)
{
	return (notes->hooks_begun & bit(hook)) != 0;
}

/* --- events --- */

/* Whoever is up is killed at once. */
static void
hasten(struct sim *sim, uint32_t top)
{
	for (uint32_t i = 0; i < sim->count; i++) {
		enum core_state state = sim->nodes[i].notes.state;

		if (!sim_is_below(sim, i, top) ||
		    (state != STATE_STARTING && state != STATE_RUNNING && state != STATE_STOPPING))
			continue;
		sim->nodes[i].notes.hastened = true;
		sim->nodes[i].notes.post_due = false;
	}
}

/* Whether anything of what an end has led to is still to come, when post_stop is over. */
bool
judge_awaits_end(const struct sim_notes *notes)
{
	return notes->hook == HOOK_POST_STOP || notes->post_due;
}

static void
note_done(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;
	bool good = event->status == 0 && event->error == 0;

	if (notes->hook == HOOK_NONE || event->hook != notes->hook ||
	    event->incarnation != notes->incarnation)
		return;
	notes->hook = HOOK_NONE;
	notes->hook_ending = false;
	notes->done_due = true;
	notes->done_status = event->status;
	notes->done_how = (int64_t)event->error * RECORD_HOOK_ERROR + (int64_t)event->hook;
	judge_note_alive(sim, event->node);
	if (event->hook != HOOK_PRE_START)
		return;
	notes->prepared = good && notes->state == STATE_STARTING;
	if (notes->prepared)
		return;
	notes->tried = true;
	judge_fate(sim, event);
}

void
judge_hook_event(struct sim *sim, const struct core_event *event)
{
	if ((event->type == ON_STOP || event->type == ON_SHUTDOWN) && event->now)
		hasten(sim, event->type == ON_STOP ? event->node : CORE_ROOT);
	if (event->type == ON_TIMER && sim->now >= sim->hurry_at)
		hasten(sim, CORE_ROOT);
	if (event->type == ON_HOOK_DONE)
		note_done(sim, event);
}

/* stop_command is part of a stop, and its process may ask for time for it. */
void
judge_hook_extend(struct sim_notes *notes, mono_ms until)
{
	if (notes->hook == HOOK_STOP && !notes->hook_ending && until > notes->hook_ends)
		notes->hook_ends = until;
}

/* start_timeout is that of pre_start and the process together. */
mono_ms
judge_start_ends(const struct sim *sim, const struct sim_node *node)
{
	mono_ms from = node->spec->pre_start ? node->notes.started_at : sim->now;
	mono_ms ends = sim_end(from, node->spec->start_timeout);

	return ends > sim->now ? ends : sim->now;
}

/* --- actions --- */

static void
judge_moment(struct sim *sim, uint32_t id, enum core_hook hook)
{
	struct sim_node *node = &sim->nodes[id];
	const struct sim_notes *notes = &node->notes;
	struct core_view view;

	switch (hook) {
	case HOOK_PRE_START:
		if (notes->state != STATE_STARTING || notes->spawned)
			sim_break(sim, 19, id, "pre_start of what is not about to be started");
		return;
	case HOOK_STOP:
		if (notes->state != STATE_STOPPING || !notes->spawned || !notes->was_up)
			sim_break(sim, 19, id, "stop_command for what is not ready, or not to end");
		if (notes->stop_step > 0 || notes->killed)
			sim_break(sim, 19, id, "stop_command after the first signal");
		sim_look(sim, id, &view);
		judge_stop_order(sim, id, &view);
		return;
	case HOOK_POST_STOP:
		if (!notes->post_due)
			sim_break(sim, 19, id, "post_stop of what has not ended");
		if (notes->state != STATE_STOPPING || notes->spawned)
			sim_break(sim, 19, id, "post_stop of what is not at its end");
		return;
	case HOOK_NONE:
	case HOOK_COUNT: sim_break(sim, 19, id, "a hook that is none");
	}
}

/* A start that begins with pre_start has been judged as one before. */
static void
begin_hook(struct sim *sim, const struct core_action *action)
{
	struct sim_node *node = &sim->nodes[action->node];
	struct sim_notes *notes = &node->notes;
	mono_ms most = sim_end(sim->now, node->spec->hook_timeout);

	if (action->hook == HOOK_PRE_START) {
		mono_ms start = sim_end(sim->now, node->spec->start_timeout);

		most = most < start ? most : start;
	}
	notes->hook = action->hook;
	notes->hook_ending = false;
	notes->hook_ends = most;
	notes->hooks_begun |= bit(action->hook);
	if (action->hook == HOOK_POST_STOP)
		notes->post_due = false;
	judge_note_alive(sim, action->node);
}

void
judge_hook(struct sim *sim, const struct core_action *action)
{
	struct sim_node *node = &sim->nodes[action->node];
	struct sim_notes *notes = &node->notes;

	if (node->spec->kind != KIND_CHILD || !has(node->spec, action->hook))
		sim_break(sim, 19, action->node, "a hook that it does not have");
	if (sim->resuming && action->hook == notes->hook &&
	    action->incarnation == notes->incarnation)
		return;
	if (notes->hook != HOOK_NONE || node->hook.hook != HOOK_NONE)
		sim_break(sim, 19, action->node, "a hook begins while one runs");
	if (action->hook == HOOK_PRE_START)
		judge_begin(sim, action);
	if (action->incarnation != notes->incarnation)
		sim_break(sim, 6, action->node, "a hook of an incarnation that is gone");
	if (has_begun(notes, action->hook))
		sim_break(sim, 19, action->node, "a hook is run twice in one life");
	if (notes->hastened)
		sim_break(sim, 19, action->node, "a hook begins though there is no time for any");
	judge_moment(sim, action->node, action->hook);
	begin_hook(sim, action);
}

/* Its time is over, or nobody needs it any more. */
static bool
may_end(struct sim *sim, uint32_t id)
{
	const struct sim_notes *notes = &sim->nodes[id].notes;
	struct core_view view;

	if (sim->now >= notes->hook_ends || notes->hastened)
		return true;
	sim_look(sim, id, &view);
	if (notes->hook == HOOK_PRE_START)
		return notes->state == STATE_STOPPING && !judge_was_slow(view.reason);
	return notes->hook == HOOK_STOP && !notes->spawned;
}

void
judge_end_hook(struct sim *sim, const struct core_action *action)
{
	struct sim_notes *notes = &sim->nodes[action->node].notes;
	struct core_view view;

	if (action->incarnation != notes->incarnation || action->hook != notes->hook)
		sim_break(sim, 6, action->node, "ends a hook that does not run");
	if (notes->hook_ending) {
		if (!sim->resuming)
			sim_break(sim, 19, action->node, "ends a hook twice");
		return;
	}
	if (!may_end(sim, action->node))
		sim_break(sim, 19, action->node, "a hook is ended before its time is over");
	sim_look(sim, action->node, &view);
	if (notes->hook == HOOK_PRE_START && sim->now < notes->hook_ends)
		judge_stop_order(sim, action->node, &view);
	notes->hook_ending = true;
}

/* The process begins. */
void
judge_hook_spawn(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	const struct sim_node *node = &sim->nodes[id];

	if (!node->spec->pre_start)
		return;
	if (incarnation != node->notes.incarnation || !node->notes.prepared)
		sim_break(sim, 19, id, "its process begins, and pre_start has not succeeded");
	if (node->notes.state != STATE_STARTING || node->notes.hook != HOOK_NONE)
		sim_break(sim, 19, id, "its process begins when it is not to any more");
}

/* The first signal of a stop. */
void
judge_hook_signal(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	if (node->notes.hastened)
		return;
	if (node->spec->stop_command && node->notes.was_up && !has_begun(&node->notes, HOOK_STOP))
		sim_break(sim, 19, id, "it is signalled without its stop_command");
	if (node->notes.hook != HOOK_NONE)
		sim_break(sim, 19, id, "it is signalled while a hook of it runs");
}

bool
judge_asked_to_end(const struct sim_notes *notes)
{
	return has_begun(notes, HOOK_STOP);
}

/* --- records --- */

/* The end of a process, and of what waits for post_stop. */
void
judge_hook_gone(struct sim *sim, const struct core_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];

	if (event->type != ON_EXITED)
		return;
	node->notes.post_due = node->spec->post_stop && !node->notes.hastened;
	node->notes.ran_out = node->notes.state == STATE_RUNNING;
}

/* Its end is no failure yet, so nobody waits for its restart. */
bool
judge_will_fail(const struct sim_notes *notes)
{
	return notes->ran_out && notes->state == STATE_STOPPING;
}

/* Its supervisor does something with all of them: what an end would lead to is void. */
static void
forget_ends(struct sim *sim, uint32_t supervisor, bool all)
{
	for (uint32_t i = sim->nodes[supervisor].first; i != CORE_NONE; i = sim->nodes[i].next) {
		struct sim_notes *notes = &sim->nodes[i].notes;

		if (judge_awaits_end(notes) && (all || notes->end_state != STATE_FAILED))
			notes->end_judged = false;
	}
}

/* What its supervisor does reached it during post_stop; a restart of its set not if it had failed. */
bool
judge_was_taken(const struct sim *sim, const struct core_record *record)
{
	const struct sim_node *node = &sim->nodes[record->node];
	const struct sim_notes *notes = &node->notes;

	if (notes->state != STATE_STOPPING)
		return false;
	if (sim->nodes[node->parent].notes.state == STATE_STOPPING)
		return record->state == STATE_STOPPED;
	if (notes->end_state == STATE_FAILED)
		return false;
	return record->reason == REASON_GIVEN_UP ||
	    (notes->in_set && (record->reason == REASON_GROUP || record->reason == REASON_LIMIT));
}

static void
note_told(struct sim *sim, const struct core_record *record)
{
	struct sim_notes *notes = &sim->nodes[record->node].notes;

	if (!notes->done_due || record->a != notes->done_status || record->b != notes->done_how)
		sim_break(sim, 10, record->node, "its hook has not ended as the record says");
	notes->done_due = false;
}

void
judge_hook_record(struct sim *sim, const struct core_record *record)
{
	struct sim_node *node = &sim->nodes[record->node];
	struct sim_notes *notes = &node->notes;

	if (record->type == RECORD_HOOK)
		note_told(sim, record);
	if (record->type == RECORD_GROUP_RESTARTING)
		forget_ends(sim, record->node, false);
	if (record->type == RECORD_LIMIT || record->type == RECORD_ESCALATED)
		forget_ends(sim, record->node, true);
	if (record->type != RECORD_STATE && record->type != RECORD_READY)
		return;
	if (node->spec->kind == KIND_SUPERVISOR) {
		if (record->state == STATE_STOPPING)
			forget_ends(sim, record->node, true);
		return;
	}
	if (record->state == STATE_STOPPING)
		notes->was_up = notes->state == STATE_RUNNING && notes->spawned && notes->answered;
	else if (notes->post_due)
		sim_break(sim, 19, record->node, "it has ended, and post_stop is left out");
	else if (notes->hook != HOOK_NONE && notes->state == STATE_STOPPING)
		sim_break(sim, 19, record->node, "its stop is over before its hook is");
}

/* --- after a step --- */

void
judge_hooks(struct sim *sim, uint32_t id, bool resumed)
{
	const struct sim_node *node = &sim->nodes[id];
	const struct sim_notes *notes = &node->notes;
	bool cut = notes->hastened ||
	    (notes->hook == HOOK_PRE_START && notes->state == STATE_STOPPING) ||
	    (notes->hook == HOOK_STOP && !notes->spawned);

	if (node->view.hook != notes->hook)
		sim_break(sim, 19, id, "the hook that it shows is not the one that runs");
	if (notes->done_due)
		sim_break(sim, 10, id, "its hook has ended, and no record says so");
	if (notes->post_due && notes->hook == HOOK_NONE)
		sim_break(sim, 19, id, "it has ended, and its post_stop does not begin");
	if (sim->exited)
		return;
	if (notes->hook != HOOK_NONE && !notes->hook_ending) {
		if (cut)
			sim_break(sim, 19, id, "nobody needs its hook any more, and it goes on");
		if (core_next_deadline(sim->core) > notes->hook_ends)
			sim_break(sim, 19, id, "its hook will not be ended in time");
	}
	if (resumed && node->hook.hook != notes->hook)
		sim_break(sim, 13, id, "the engine has died, and its hook is not asked for again");
	if (resumed && notes->hook_ending && !node->hook.gone)
		sim_break(sim, 13, id, "the engine has died, and its hook is not ended");
	if (notes->state == STATE_STOPPING && notes->spawned && notes->hook == HOOK_NONE &&
	    notes->stop_step == 0 && !notes->killed)
		sim_break(sim, 2, id, "it is to end, and nothing says so to it");
}

/* What they may add to a stop; hearing of each takes a while. */
span_ms
judge_hook_bound(const struct sim *sim, const struct sim_node *node)
{
	span_ms bound = 0;

	if (node->spec->stop_command)
		bound = sim_end(bound, sim_end(node->spec->hook_timeout, 3000));
	if (node->spec->post_stop)
		bound = sim_end(bound, sim_end(node->spec->hook_timeout, 3000));
	if (node->spec->pre_start)
		bound = sim_end(bound, 3000);
	if (node->notes.hook == HOOK_STOP && node->notes.hook_ends > sim->now)
		bound = sim_end(bound, node->notes.hook_ends - sim->now);
	return bound;
}
