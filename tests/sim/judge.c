#include "judge.h"

#include <signal.h>
#include <string.h>

static bool
is_in_between(enum core_state state)
{
	return state == STATE_STARTING || state == STATE_STOPPING || state == STATE_WAITING ||
	    state == STATE_RESTARTING;
}

/* --- events --- */

void
judge_note_alive(struct sim *sim, uint32_t id)
{
	struct sim_notes *notes = &sim->nodes[id].notes;
	bool alive = notes->spawned || notes->hook != HOOK_NONE;

	if (notes->alive == alive)
		return;
	notes->alive = alive;
	for (; id != CORE_NONE; id = sim->nodes[id].parent) {
		if (alive)
			sim->nodes[id].notes.known++;
		else
			sim->nodes[id].notes.known--;
	}
}

/* The core is about to learn that the process is gone. */
static void
note_gone(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;

	if (!notes->spawned || event->incarnation != notes->incarnation)
		return;
	notes->spawned = false;
	notes->tried = true;
	judge_note_alive(sim, event->node);
	judge_hook_gone(sim, event);
	judge_fate(sim, event);
	if (event->type == ON_EXITED && sim->nodes[event->node].spec->kill_mode != KILL_PROCESS)
		notes->tree_kills_due++;
}

static bool
is_refused(struct sim *sim, uint32_t id)
{
	return core_refusal(sim->core, id) != CORE_NONE;
}

static bool
is_limits_reason(enum core_reason reason)
{
	return reason == REASON_LIMIT || reason == REASON_GIVEN_UP || reason == REASON_INTENSITY;
}

static bool
is_limits_doing(const struct core_view *view)
{
	return view->state == STATE_FAILED ||
	    ((view->state == STATE_RESTARTING || view->state == STATE_STOPPING) &&
		is_limits_reason(view->reason));
}

/* Whether it has failed, or a limit holds it back, perhaps together with others. */
static bool
is_put_down(const struct sim *sim, uint32_t id)
{
	uint32_t parent = sim->nodes[id].parent;

	if (is_limits_doing(&sim->nodes[id].view))
		return true;
	if (parent == CORE_NONE || sim->nodes[parent].spec->strategy == STRATEGY_ONE_FOR_ONE)
		return false;
	for (uint32_t i = sim->nodes[parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (is_limits_doing(&sim->nodes[i].view))
			return true;
	}
	return false;
}

/* Its own failures in a row are forgotten at once; those below it perhaps, when it starts them. */
static void
note_own_streak(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;

	if (event->type == ON_STOP || core_is_holding(sim->core))
		return;
	notes->streak = 0;
	notes->streak_void = false;
}

/* Of what is not put down only what was counted is forgotten. */
static bool
note_mere_reset(struct sim *sim, const struct core_event *event)
{
	if (event->type != ON_RESET)
		return false;
	if (sim->nodes[event->node].spec->kind == KIND_SUPERVISOR && !core_is_holding(sim->core))
		judge_forget_window(sim, event->node);
	note_own_streak(sim, event);
	sim->mere_reset = core_is_holding(sim->core) || !is_put_down(sim, event->node);
	return sim->mere_reset;
}

/* A drain holds for all below, until one of the commands that wish something up is accepted. */
static void
note_drain(struct sim *sim, const struct core_event *event)
{
	if (event->type == ON_RESET || event->type == ON_STOP ||
	    (event->type != ON_DRAIN && core_is_holding(sim->core)))
		return;
	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim_is_below(sim, i, event->node))
			sim->nodes[i].notes.drained = event->type == ON_DRAIN;
	}
}

/* Nothing is under way among its siblings that would start it again. */
static bool
is_settled(const struct sim *sim, uint32_t id)
{
	uint32_t parent = sim->nodes[id].parent;

	if (is_in_between(sim->nodes[parent].view.state))
		return false;
	for (uint32_t i = sim->nodes[parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		if (is_in_between(sim->nodes[i].view.state))
			return false;
	}
	return true;
}

static void
note_wish(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;

	if (event->type == ON_RESET)
		notes->asked = true;
	if (event->type == ON_RESET || (event->type != ON_STOP && core_is_holding(sim->core)))
		return;
	notes->excused = event->type == ON_STOP && event->until_restart;
	if (notes->excused && event->node != CORE_ROOT)
		notes->parked = is_settled(sim, event->node);
	else
		notes->parked = false;
	if (notes->excused)
		return;
	notes->asked = notes->asked || event->type != ON_STOP;
	notes->held = event->type == ON_STOP && event->node != CORE_ROOT;
}

/* A start of what is up starts nothing. */
static bool
is_up_for_good(const struct sim *sim, const struct core_event *event, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];

	return event->type == ON_START && node->parent != CORE_NONE &&
	    (node->view.state == STATE_STARTING || node->view.state == STATE_RUNNING) &&
	    !judge_is_busy(sim, node->parent);
}

static bool
sibling_only(const struct sim *sim, const struct core_event *event, uint32_t id)
{
	return !sim_is_below(sim, id, event->node);
}

/* An operator's command reaches a whole subtree; each node keeps its own wish. */
static void
note_command(struct sim *sim, const struct core_event *event)
{
	bool refused = event->type != ON_STOP && is_refused(sim, event->node);
	uint32_t parent = sim->nodes[event->node].parent;

	if (refused)
		sim->mere_reset = event->type == ON_RESET;
	if (refused || note_mere_reset(sim, event))
		return;
	note_drain(sim, event);
	note_wish(sim, event);
	judge_set_command(sim, event);
	judge_gate_event(sim, event);
	note_own_streak(sim, event);
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_notes *notes = &sim->nodes[i].notes;
		bool sibling =
		    event->type != ON_STOP && parent != CORE_NONE && sim_is_below(sim, i, parent);

		if (event->type != ON_STOP && i != CORE_ROOT && sim_is_below(sim, i, event->node) &&
		    (sim->nodes[i].view.state == STATE_RESTARTING ||
			sim->nodes[i].view.state == STATE_FAILED || event->type == ON_RESET))
			judge_forget_limit(sim, sim->nodes[i].parent);
		if (sim_is_below(sim, i, event->node) || sibling) {
			notes->end_judged = false;
			notes->by_operator = notes->by_operator || event->type != ON_STOP;
			notes->told_now = notes->told_now || event->now || i == event->node ||
			    event->type == ON_RESTART;
			notes->streak_void = notes->streak_void ||
			    (event->type != ON_STOP && i != event->node &&
				(!sibling_only(sim, event, i) ||
				    sim->nodes[parent].notes.limit_hit ||
				    is_limits_doing(&sim->nodes[event->node].view)));
			notes->own_command = notes->own_command ||
			    (event->type != ON_STOP && sim_is_below(sim, i, event->node) &&
				!is_up_for_good(sim, event, i));
			if (event->type != ON_STOP && sibling)
				notes->parked = false; /* a whole set may be started */
			if (event->type != ON_STOP)
				notes->not_before = 0;
		}
	}
}

static mono_ms
later(mono_ms one, mono_ms other)
{
	return one > other ? one : other;
}

/* It was spawned: its start_timeout runs, unless it has asked for more already. */
static void
note_spawned(struct sim *sim, const struct core_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];

	if (!node->notes.spawned || event->incarnation != node->notes.incarnation)
		return;
	if (!node->notes.answered)
		node->notes.start_ends = later(node->notes.start_ends, judge_start_ends(sim, node));
	node->notes.answered = true;
	if (node->spec->ready == READY_SPAWN)
		node->notes.tried = node->notes.was_ready = true;
}

/* It asks for time: what runs ends later, never sooner; where there is no end there is none. */
static void
note_extend(struct sim *sim, const struct core_event *event)
{
	struct sim_node *node = &sim->nodes[event->node];
	struct sim_notes *notes = &node->notes;
	mono_ms until = sim_end(sim->now, event->timeout);

	if (sim->leave_by != 0)
		sim->leave_by = sim_end(sim->leave_by, event->timeout);
	if (!notes->spawned || event->incarnation != notes->incarnation)
		return;
	judge_hook_extend(notes, until);
	if (notes->stop_step > 0 && !notes->killed)
		notes->step_ends = later(notes->step_ends, until);
	else if (node->view.state == STATE_STARTING && notes->answered)
		notes->start_ends = later(notes->start_ends, until);
	else if (node->view.state == STATE_STARTING && node->spec->ready != READY_SPAWN)
		notes->start_ends =
		    later(notes->start_ends, later(until, judge_start_ends(sim, node)));
}

/* The first shutdown's time holds; KILL everywhere may come at once with a later one. */
static void
note_shutdown(struct sim *sim, const struct core_event *event)
{
	span_ms bound = judge_shutdown_bound(sim);
	mono_ms by;

	if (event->timeout > 0 && sim->hurry_at == MONO_NEVER)
		sim->hurry_at = sim_end(sim->now, event->timeout);
	by = sim_end(sim->now, bound);
	if (sim->hurry_at < MONO_NEVER - 10000 && sim->hurry_at + 10000 < by)
		by = sim->hurry_at + 10000;
	if (sim->leave_by == 0)
		sim->leave_by = by;
}

void
judge_event(struct sim *sim, const struct core_event *event)
{
	struct sim_notes *notes = &sim->nodes[event->node].notes;

	sim->mere_reset = false;
	if (!judge_awaits_end(notes))
		notes->end_judged = false;
	sim->revived = sim->connected = CORE_NONE;
	judge_auto_event(sim, event);
	judge_forecast(sim, event);
	judge_hook_event(sim, event);
	switch (event->type) {
	case ON_START:
	case ON_STOP:
	case ON_RESTART:
	case ON_RESET: note_command(sim, event); break;
	case ON_DRAIN: note_drain(sim, event); break;
	case ON_DEMAND: judge_gate_event(sim, event); break;
	case ON_EXTEND: note_extend(sim, event); break;
	case ON_SHUTDOWN:
		sim->leaving = true;
		note_shutdown(sim, event);
		for (uint32_t i = 0; event->now && i < sim->count; i++)
			sim->nodes[i].notes.told_now = true;
		break;
	case ON_SPAWNED: note_spawned(sim, event); break;
	case ON_READY:
		if (notes->spawned && event->incarnation == notes->incarnation)
			notes->tried = notes->was_ready = true;
		break;
	case ON_SPAWN_FAILED:
	case ON_EXITED: note_gone(sim, event); break;
	case ON_BOOT:
	case ON_RESUME:
	case ON_TIMER:
	case ON_HOLD:
	case ON_RELEASE:
	case ON_HOOK_DONE:
	case EVENT_COUNT: break;
	}
}

/* --- starts --- */

static void
judge_wish(struct sim *sim, uint32_t id)
{
	for (uint32_t above = id; above != CORE_NONE; above = sim->nodes[above].parent) {
		if (sim->nodes[above].notes.held)
			sim_break(sim, 7, id,
			    "started although an operator stopped it, or what it is below of");
		if (sim->nodes[above].notes.parked)
			sim_break(sim, 7, id,
			    "started by itself although an operator stopped it until a restart");
	}
	if (!sim->nodes[id].spec->autostart && !sim->nodes[id].notes.asked)
		sim_break(sim, 7, id, "started although nobody asked for it (autostart = no)");
	if (sim->leaving)
		sim_break(sim, 7, id, "started while the daemon leaves");
}

/* An operator's own start or restart goes beside what its supervisor does. */
static bool
is_commanded(const struct sim_node *node)
{
	return node->notes.by_operator || node->notes.commanded;
}

/* Those before it are ready, or are not to be; those after it are down when a group starts. */
static void
judge_start_order(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = &sim->nodes[id];
	const struct core_spec *parent = sim->nodes[node->parent].spec;
	bool group =
	    parent->strategy == STRATEGY_ONE_FOR_ALL || parent->strategy == STRATEGY_REST_FOR_ONE;

	if (parent->start_order == ORDER_PARALLEL || node->notes.by_operator ||
	    judge_has_gate(node)) /* it had its turn when it was held back */
		return;
	for (uint32_t i = sim->nodes[node->parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct sim_node *other = &sim->nodes[i];

		/* nobody waits for one that is held back, and it may start at any time */
		if (other->place == node->place || judge_has_gate(other))
			continue;
		sim->because = i;
		if (other->place > node->place) {
			if (group && other->notes.known > 0 && !is_commanded(other))
				sim_break(sim, 3, id, "started while one after it was alive");
		} else if (group && is_in_between(other->notes.state) && !other->notes.was_ready &&
		    !other->notes.unhandled && !other->notes.held && !other->notes.parked &&
		    !other->notes.excused && !judge_will_fail(&other->notes) &&
		    !is_commanded(other)) {
			sim_break(sim, 3, id, "started before one before it was ready");
		} else if (!group && !node->notes.tried && !other->notes.tried &&
		    other->notes.known > 0) {
			sim_break(sim, 3, id,
			    "first started before one before it was ready or had failed");
		}
	}
}

void
judge_begin(struct sim *sim, const struct core_action *action)
{
	struct sim_notes *notes = &sim->nodes[action->node].notes;

	if (action->incarnation != notes->incarnation + 1)
		sim_break(sim, 10, action->node, "incarnations do not count by one");
	if (notes->hook != HOOK_NONE || notes->post_due)
		sim_break(
		    sim, 19, action->node, "started before a hook of its former life is over");
	if (core_is_holding(sim->core))
		sim_break(sim, 7, action->node, "started during a hold");
	judge_wish(sim, action->node);
	if (sim->now < notes->not_before && !notes->by_operator)
		sim_break(sim, 9, action->node, "started before its delay was over");
	judge_start_order(sim, action->node);
	judge_left_alone(sim, action->node);
	notes->incarnation = action->incarnation;
	notes->starts++;
	notes->started_at = sim->now;
	notes->stop_step = 0;
	notes->start_ends = 0;
	notes->hooks_begun = 0;
	notes->prepared = notes->was_up = notes->hastened = notes->ran_out = false;
	notes->stable = notes->excused = false;
	notes->killed = false;
	notes->told_now = false;
	notes->by_operator = false;
	notes->not_before = 0;
}

static void
judge_spawn(struct sim *sim, const struct core_action *action)
{
	struct sim_node *node = &sim->nodes[action->node];
	struct sim_notes *notes = &node->notes;
	struct core_view view;

	sim_look(sim, action->node, &view);
	if (node->spec->kind != KIND_CHILD)
		sim_break(sim, 6, action->node, "spawns a supervisor");
	if (action->incarnation != view.incarnation)
		sim_break(
		    sim, 6, action->node, "spawns an incarnation that is not the present one");
	if (notes->spawned && action->incarnation == notes->incarnation) {
		if (!sim->resuming || notes->answered)
			sim_break(sim, 1, action->node, "spawned twice");
		return;
	}
	if (notes->spawned || node->process.phase != PHASE_NONE)
		sim_break(sim, 1, action->node, "spawned while its former incarnation is alive");
	judge_hook_spawn(sim, action->node, action->incarnation);
	if (!node->spec->pre_start)
		judge_begin(sim, action);
	notes->spawned = true;
	notes->answered = false;
	judge_note_alive(sim, action->node);
}

/* --- stops --- */

/* Those after it are down when its supervisor stops it in order. */
void
judge_stop_order(struct sim *sim, uint32_t id, const struct core_view *view)
{
	const struct sim_node *node = &sim->nodes[id];
	const struct core_spec *parent = sim->nodes[node->parent].spec;

	if (parent->stop_order == ORDER_PARALLEL || node->notes.told_now ||
	    sim->now >= sim->hurry_at || judge_was_slow(view->reason))
		return;
	for (uint32_t i = sim->nodes[node->parent].first; i != CORE_NONE; i = sim->nodes[i].next) {
		const struct sim_node *other = &sim->nodes[i];

		/* one that was held back and is let through now may be no member */
		if (judge_has_gate(other) &&
		    (other->notes.stop_step == 0 || judge_was_slow(other->view.reason)))
			continue;
		sim->because = i;
		if (other->place > node->place && other->notes.known > 0)
			sim_break(sim, 3, id, "stopped while one after it was still alive");
	}
}

static void
judge_signal(struct sim *sim, const struct core_action *action)
{
	struct sim_node *node = &sim->nodes[action->node];
	struct sim_notes *notes = &node->notes;
	const struct core_spec *spec = node->spec;
	struct core_view view;
	bool repeated;

	sim_look(sim, action->node, &view);
	if (!notes->spawned || action->incarnation != notes->incarnation)
		sim_break(sim, 6, action->node, "a signal for an incarnation that is gone");
	if (action->group != spec->stop_group)
		sim_break(sim, 2, action->node, "the signal goes to the wrong ones");
	repeated = sim->resuming && notes->stop_step > 0 &&
	    action->signal == (notes->killed ? SIGKILL : spec->stop[notes->stop_step - 1].signal);
	if (repeated || notes->killed)
		return;
	if (notes->stop_step == 0)
		judge_hook_signal(sim, action->node);
	if (notes->stop_step == 0 && !judge_asked_to_end(notes))
		judge_stop_order(sim, action->node, &view);
	if (action->signal == SIGKILL && (notes->told_now || sim->now >= sim->hurry_at)) {
		notes->killed = true;
		return;
	}
	if (notes->stop_step >= spec->stop_steps ||
	    action->signal != spec->stop[notes->stop_step].signal)
		sim_break(sim, 2, action->node, "this signal is not the next of its stop sequence");
	if (notes->stop_step > 0 && sim->now < notes->step_ends)
		sim_break(sim, 2, action->node, "the next signal comes before the wait is over");
	if (notes->stop_step == 0 && judge_was_slow(view.reason) && sim->now < notes->start_ends)
		sim_break(sim, 2, action->node, "its start is given up before its time is over");
	notes->step_ends = sim_end(sim->now, spec->stop[notes->stop_step++].wait);
}

void
judge_action(struct sim *sim, const struct core_action *action)
{
	struct sim_notes *notes = &sim->nodes[action->node].notes;

	if (sim->mere_reset && action->type != DO_RECORD && action->type != DO_EXIT)
		sim_break(sim, 7, action->node, "a reset of what needs none starts or stops it");
	if (sim->exited && !sim->resuming && action->type != DO_RECORD)
		sim_break(sim, 8, action->node, "does something after the end");
	switch (action->type) {
	case DO_SPAWN: judge_spawn(sim, action); break;
	case DO_SIGNAL: judge_signal(sim, action); break;
	case DO_KILL_TREE:
		if (action->incarnation != notes->incarnation)
			sim_break(sim, 6, action->node, "kills the group of another incarnation");
		if (notes->tree_kills_due > 0)
			notes->tree_kills_due--;
		break;
	case DO_RECORD:
		judge_record(sim, &action->record);
		judge_forecast_record(sim, &action->record);
		break;
	case DO_EXIT:
		if (sim->nodes[CORE_ROOT].notes.known > 0)
			sim_break(sim, 8, CORE_ROOT, "leaves while children are alive");
		judge_exit(sim, action);
		break;
	case DO_HOOK: judge_hook(sim, action); break;
	case DO_END_HOOK: judge_end_hook(sim, action); break;
	case ACTION_COUNT: break;
	}
}
