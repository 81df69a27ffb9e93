#include "stage.h"

#include "scenario.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MOST_EVENTS 1000000
#define CRASHED     (1 << 8)

/* Room for one more; the program ends when memory is gone. */
static void *
more(void *array, size_t count, void *room, size_t size)
{
	uint32_t had;

	memcpy(&had, room, sizeof had);
	if (count < had)
		return array;
	had = had == 0 ? 64 : had * 2;
	memcpy(room, &had, sizeof had);
	array = realloc(array, had * size);
	if (array == NULL)
		abort();
	return array;
}

void
stage_queue(struct items *items, struct item item)
{
	uint32_t room = (uint32_t)items->room;

	items->at = more(items->at, items->count, &room, sizeof *items->at);
	items->room = room;
	items->at[items->count++] = item;
}

struct item
stage_take(struct items *items, size_t index)
{
	struct item item = items->at[index];

	items->count--;
	memmove(
	    &items->at[index], &items->at[index + 1], (items->count - index) * sizeof *items->at);
	return item;
}

struct core_view
stage_view(const struct stage *stage, uint32_t node)
{
	struct core_view view;

	core_view(stage->core, node, &view);
	return view;
}

bool
stage_is_up(const struct stage *stage, uint32_t node)
{
	enum core_state state = stage_view(stage, node).state;

	return state == STATE_STARTING || state == STATE_RUNNING;
}

static struct ident *
ident_of(const struct stage *stage, uint32_t node)
{
	return &stage->idents[stage->actors[node].ident];
}

static uint32_t
find_ident(struct stage *stage, const char *name)
{
	for (uint32_t i = 0; i < stage->ident_count; i++) {
		if (strcmp(stage->idents[i].name, name) == 0)
			return i;
	}
	stage->idents =
	    more(stage->idents, stage->ident_count, &stage->ident_room, sizeof *stage->idents);
	stage->idents[stage->ident_count] = (struct ident){ .name = name };
	return stage->ident_count++;
}

/* Whether Erlang takes the specs of a supervisor's children; else it never starts. */
static bool
children_are_good(const json_t *supervisor)
{
	const json_t *children = json_object_get(supervisor, "children"), *one;
	size_t i;

	json_array_foreach(children, i, one)
	{
		if (scenario_problem(one, supervisor) != NULL)
			return false;
	}
	return true;
}

uint32_t
stage_add(struct stage *stage, uint32_t parent, const json_t *spec)
{
	bool supervisor = scenario_is_supervisor(spec) && children_are_good(spec);
	struct core_spec core_spec;
	uint32_t node;
	const json_t *child;
	size_t i;

	scenario_spec(spec, &core_spec);
	if (!supervisor && scenario_is_supervisor(spec)) {
		struct core_spec worker;

		spec_defaults(&worker, KIND_CHILD);
		worker.restart = core_spec.restart;
		worker.significant = core_spec.significant;
		worker.backoff = BACKOFF_NONE;
		core_spec = worker;
	}
	if (parent == CORE_NONE)
		core_spec.significant = false;
	if (core_add(stage->core, parent, &core_spec, 1, &node) != 0)
		return CORE_NONE;
	stage->actors = more(stage->actors, node, &stage->room, sizeof *stage->actors);
	stage->actors[node] = (struct actor){ .spec = spec,
		.ident = find_ident(stage, scenario_id(spec)),
		.parent = parent,
		.supervisor = supervisor };
	stage->count = node + 1;
	json_array_foreach(json_object_get(spec, "children"), i, child)
	{
		if (supervisor && stage_add(stage, node, child) == CORE_NONE)
			return CORE_NONE;
	}
	return node;
}

void
stage_free(struct stage *stage)
{
	core_free(&stage->core);
	free(stage->actors);
	free(stage->idents);
	free(stage->hand.at);
	free(stage->mail.at);
	free(stage->to_stop);
	json_decref(stage->events);
}

static void
note(struct stage *stage, json_t *event)
{
	json_array_append_new(stage->events, event);
}

static bool
is_hidden(const struct stage *stage, uint32_t node)
{
	for (; node != CORE_NONE; node = stage->actors[node].parent) {
		if (stage->actors[node].forgotten)
			return true;
	}
	return false;
}

static bool
is_silent(const struct stage *stage, uint32_t node)
{
	while (node != CORE_NONE && !stage->actors[node].silent)
		node = stage->actors[node].parent;
	return node != CORE_NONE;
}

/* Temporary ones are forgotten as soon as they have no process (OTP 4). */
bool
stage_is_present(const struct stage *stage, uint32_t node)
{
	const struct actor *actor = &stage->actors[node];

	if (actor->forgotten)
		return false;
	if (!scenario_is_temporary(actor->spec) || actor->parent == CORE_NONE)
		return true;
	return stage_is_up(stage, node) || stage_view(stage, node).state == STATE_STOPPING;
}

uint32_t
stage_find_super(const struct stage *stage, const char *id)
{
	for (uint32_t node = 0; node < stage->count; node++) {
		if (stage->actors[node].supervisor &&
		    strcmp(ident_of(stage, node)->name, id) == 0 && !is_hidden(stage, node) &&
		    stage_is_up(stage, node))
			return node;
	}
	return CORE_NONE;
}

uint32_t
stage_find_child(const struct stage *stage, uint32_t super, const char *id)
{
	for (uint32_t node = 0; node < stage->count; node++) {
		if (stage->actors[node].parent == super &&
		    strcmp(ident_of(stage, node)->name, id) == 0 && stage_is_present(stage, node))
			return node;
	}
	return CORE_NONE;
}

/* --- processes ---------------------------------------------------------------------------------- */

static void
die(struct stage *stage, uint32_t node, int32_t status, const char *reason)
{
	struct actor *actor = &stage->actors[node];
	bool stopping = stage_view(stage, node).state == STATE_STOPPING;
	struct item item = { .what = EXIT,
		.at = stage->now,
		.node = node,
		.incarnation = actor->incarnation,
		.status = status,
		.super = actor->parent,
		.super_incarnation = stage_view(stage, actor->parent).incarnation,
		.culprit = CORE_NONE };

	actor->alive = false;
	note(stage, json_pack("[s,s,i,s]", "stop", ident_of(stage, node)->name, actor->n, reason));
	stage_queue(stopping ? &stage->hand : &stage->mail, item);
}

bool
stage_kill(struct stage *stage, const char *id, bool crash)
{
	for (uint32_t node = 0; node < stage->count; node++) {
		if (stage->actors[node].alive && strcmp(ident_of(stage, node)->name, id) == 0) {
			die(stage, node, crash ? CRASHED : 0, crash ? "crash" : "normal");
			return true;
		}
	}
	return false;
}

static void
kill_all(struct stage *stage, const json_t *ids)
{
	const json_t *id;
	size_t i;

	json_array_foreach(ids, i, id) stage_kill(stage, json_string_value(id), true);
}

/* A worker's end after n ms, unless it has ended before. */
static void
stop_slowly(struct stage *stage, uint32_t node, span_ms ms)
{
	stage_queue(&stage->hand,
	    (struct item){ .what = SLOW_STOP,
		.at = stage->now + ms,
		.culprit = CORE_NONE,
		.node = node,
		.incarnation = stage->actors[node].incarnation });
}

static void
obey(struct stage *stage, uint32_t node, int signal)
{
	struct actor *actor = &stage->actors[node];

	if (signal == SIGKILL) {
		die(stage, node, SIGKILL, "killed");
		return;
	}
	if (actor->told || scenario_stop_is(actor->spec, "ignore_term"))
		return;
	actor->told = true;
	kill_all(stage, scenario_stop_crashes(actor->spec));
	if (scenario_stop_ms(actor->spec) > 0)
		stop_slowly(stage, node, scenario_stop_ms(actor->spec));
	else if (scenario_stop_is(actor->spec, "crash"))
		die(stage, node, CRASHED, "crash");
	else
		die(stage, node, 0, "shutdown");
}

/* One that is dead already: its end belongs to this stop. */
static void
signal_one(struct stage *stage, uint32_t node, int signal)
{
	struct actor *actor = &stage->actors[node];

	if (actor->alive) {
		obey(stage, node, signal);
		return;
	}
	if (actor->spawning)
		actor->early = true;
	for (size_t i = 0; i < stage->mail.count; i++) {
		const struct item *item = &stage->mail.at[i];

		if ((item->what == EXIT || item->what == SPAWN) && item->node == node) {
			if (item->culprit != CORE_NONE)
				stage->actors[item->culprit].parked = false;
			stage_queue(&stage->hand, stage_take(&stage->mail, i));
			return;
		}
	}
}

/* --- what the core says ------------------------------------------------------------------------- */

static void
will_stop(struct stage *stage, uint32_t node)
{
	stage->to_stop = more(
	    stage->to_stop, stage->to_stop_count, &stage->to_stop_room, sizeof *stage->to_stop);
	stage->to_stop[stage->to_stop_count++] = node;
}

/* It starts from its spec: what was added is gone, what was deleted is back (OTP 26). */
static void
supervisor_begins(struct stage *stage, uint32_t node)
{
	struct actor *actor = &stage->actors[node];

	for (uint32_t child = 0; child < stage->count; child++) {
		if (stage->actors[child].parent != node)
			continue;
		stage->actors[child].forgotten = stage->actors[child].added;
		stage->actors[child].parked = false; /* what was in the queue is lost (OTP 33) */
	}
	if (is_hidden(stage, node)) {
		will_stop(stage, node);
		return;
	}
	if (is_silent(stage, node))
		return;
	actor->cause = NULL;
	actor->failed = false;
	actor->n = ++ident_of(stage, node)->starts;
	note(
	    stage, json_pack("[s,s,i]", "supervisor_start", ident_of(stage, node)->name, actor->n));
}

/* What is in its queue it handles before it hears of a stop. */
static const char *
cause_of(const struct stage *stage, const struct core_record *record)
{
	if (record->reason == REASON_INTENSITY)
		return "intensity";
	if (record->reason == REASON_AUTO_SHUTDOWN)
		return "auto_shutdown";
	if (record->reason == REASON_ABORT)
		return "start_failed";
	for (size_t i = 0; i < stage->mail.count; i++) {
		const struct item *item = &stage->mail.at[i];

		if (item->super == record->node && item->ends != NULL)
			return item->ends;
	}
	return "stopped";
}

static void
supervisor_ended(struct stage *stage, uint32_t node, const struct core_record *record)
{
	struct actor *actor = &stage->actors[node];
	bool failed = actor->failed || strcmp(actor->cause, "start_failed") == 0;

	if (!is_hidden(stage, node) && !is_silent(stage, node))
		note(stage,
		    json_pack("[s,s,i,s,s]", "supervisor_exit", ident_of(stage, node)->name,
			actor->n, failed ? "start_failed" : "shutdown",
			failed ? "start_failed" : actor->cause));
	/* in Erlang it is stopped like any other, and a group restart starts it again (OTP 24, 12) */
	if (record->state == STATE_FAILED && record->reason == REASON_INTENSITY &&
	    actor->parent != CORE_NONE)
		will_stop(stage, node);
}

bool
stage_failed_to_start(const struct stage *stage)
{
	const struct actor *root = &stage->actors[CORE_ROOT];

	return !root->supervisor ||
	    (root->cause != NULL && strcmp(root->cause, "start_failed") == 0);
}

/* Of those that a group restart stops none waits for a retry of its own any more (OTP 20). */
static void
group_restarts(struct stage *stage, uint32_t super, uint32_t failed)
{
	bool all = core_spec_of(stage->core, super)->strategy == STRATEGY_ONE_FOR_ALL;

	for (uint32_t node = 0; node < stage->count; node++) {
		if (stage->actors[node].parent == super && (all || node >= failed))
			stage->actors[node].parked = false;
	}
}

static void
record(struct stage *stage, const struct core_record *record)
{
	enum core_state from = (enum core_state)record->a;
	struct actor *actor = &stage->actors[record->node];

	if (record->type == RECORD_GROUP_RESTARTING)
		group_restarts(stage, record->node, (uint32_t)record->a);
	if (record->type != RECORD_STATE || !actor->supervisor)
		return;
	if (record->state == STATE_STARTING) {
		actor->parked = false;
		supervisor_begins(stage, record->node);
	} else if (record->state == STATE_STOPPING) {
		actor->cause = cause_of(stage, record);
		if (record->reason == REASON_INTENSITY && scenario_has_more_intensity(actor->spec))
			stage->broken =
			    "more than 65535 restarts in a period: coppice counts no more";
	} else if (record->state != STATE_RUNNING && from == STATE_STOPPING)
		supervisor_ended(stage, record->node, record);
	if (record->state != STATE_STARTING && record->state != STATE_STOPPING)
		actor->silent = false;
}

static void
carry_out(struct stage *stage, const struct core_action *action)
{
	switch (action->type) {
	case DO_SPAWN:
		stage->actors[action->node].spawning = true;
		stage->actors[action->node].early = false;
		stage->actors[action->node].incarnation = action->incarnation;
		stage_queue(&stage->hand,
		    (struct item){ .what = SPAWN,
			.at = stage->now,
			.culprit = CORE_NONE,
			.node = action->node,
			.incarnation = action->incarnation });
		return;
	case DO_SIGNAL: signal_one(stage, action->node, action->signal); return;
	case DO_RECORD: record(stage, &action->record); return;
	case DO_EXIT: stage->over = true; return;
	case DO_KILL_TREE:
	case DO_HOOK:
	case DO_END_HOOK:
	case ACTION_COUNT: return;
	}
}

static void
hand_in(struct stage *stage, const struct core_event *event)
{
	struct core_action action;
	const char *broken;

	for (size_t i = 0; i < stage->mail.count; i++)
		stage->mail.at[i].ends = mail_foresee_end(stage, &stage->mail.at[i]);
	core_handle(stage->core, stage->now, event);
	while (core_next_action(stage->core, &action))
		carry_out(stage, &action);
	broken = core_check(stage->core);
	if (broken != NULL)
		stage->broken = broken;
	if (stage->call_node != CORE_NONE && stage->call_result == NULL &&
	    stage_view(stage, stage->call_node).state == STATE_RUNNING)
		stage->call_result = "ok";
}

void
stage_feed(struct stage *stage, const struct core_event *event)
{
	hand_in(stage, event);
	while (stage->to_stop_count > 0) {
		uint32_t node = stage->to_stop[--stage->to_stop_count];

		/* perhaps it has been started again at once, with its supervisor */
		if (is_hidden(stage, node) || !stage_is_up(stage, node))
			stage_terminate(stage, node);
	}
}

void
stage_order(struct stage *stage, enum core_event_type type, uint32_t node)
{
	stage_feed(stage, &(struct core_event){ .type = type, .node = node });
}

void
stage_terminate(struct stage *stage, uint32_t node)
{
	const struct actor *actor = &stage->actors[node];

	/* what was only deleted is back when its supervisor starts anew; what was added is not */
	hand_in(stage,
	    &(struct core_event){ .type = ON_STOP,
		.node = node,
		.until_restart = !(actor->added && actor->forgotten) });
}

/* --- what happens ------------------------------------------------------------------------------- */

static void
spawned(struct stage *stage, uint32_t node)
{
	struct actor *actor = &stage->actors[node];

	actor->spawning = false;
	actor->alive = true;
	actor->told = false;
	actor->n = ++ident_of(stage, node)->starts;
	note(stage, json_pack("[s,s,i]", "start", ident_of(stage, node)->name, actor->n));
	stage_feed(stage,
	    &(struct core_event){
		.type = ON_SPAWNED, .node = node, .incarnation = actor->incarnation });
	if (stage->actors[node].early && stage->actors[node].alive)
		obey(stage, node, SIGTERM);
}

/* The core starts what Erlang has forgotten: it is stopped before it is up. */
static void
stop_hidden(struct stage *stage, uint32_t node)
{
	while (!stage->actors[node].forgotten)
		node = stage->actors[node].parent;
	if (stage_view(stage, node).state != STATE_STOPPING)
		stage_terminate(stage, node);
}

static void
spawn(struct stage *stage, struct item item)
{
	const struct actor *actor = &stage->actors[item.node];
	uint32_t attempt;

	if (is_silent(stage, item.node)) {
		stage->actors[item.node].silent = false;
		stage_feed_item(stage, &item);
		return;
	}
	stage->actors[item.node].parked = false;
	if (is_hidden(stage, item.node)) {
		stop_hidden(stage, item.node);
		stage_feed_item(stage, &item);
		return;
	}
	if (scenario_is_supervisor(actor->spec)) {
		stage_fail(stage, item);
		return;
	}
	attempt = ++ident_of(stage, item.node)->attempts;
	kill_all(stage, scenario_start_crashes(actor->spec, attempt));
	if (!scenario_start_fails(actor->spec, attempt)) {
		spawned(stage, item.node);
		return;
	}
	note(
	    stage, json_pack("[s,s,i]", "start_failed", ident_of(stage, item.node)->name, attempt));
	stage_fail(stage, item);
}

static void
handle(struct stage *stage, struct item item)
{
	switch (item.what) {
	case SPAWN:
		if (item.culprit == CORE_NONE)
			spawn(stage, item);
		else
			stage_feed_item(stage, &item);
		return;
	case EXIT:
		if (item.culprit == CORE_NONE &&
		    stage_is_stopped_by_failure(stage, stage->actors[item.node].parent))
			stage_fail(stage, item);
		else
			stage_feed_item(stage, &item);
		return;
	case SLOW_STOP:
		if (stage->actors[item.node].alive &&
		    stage->actors[item.node].incarnation == item.incarnation)
			die(stage, item.node, 0, "shutdown");
		return;
	case RETRY:
	case CALL: return; /* only in the queues of supervisors */
	}
}

enum haste {
	IN_TURN,
	SOON, /* not behind what others have in hand, but for what is to be stopped with it */
	NOW
};

/* The last of a supervisor that ends by itself is gone: its parent hears of that behind what is in its queue. */
static bool
is_held_back(const struct stage *stage, const struct item *item, enum haste haste)
{
	uint32_t super = stage->actors[item->node].parent;

	if (item->what != EXIT || haste == NOW)
		return false;
	while (super != CORE_ROOT && !stage_has_others(stage, super, item->node)) {
		struct core_view view = stage_view(stage, super);
		uint32_t parent = stage->actors[super].parent;

		if (mail_ends_by_itself(&view) &&
		    (mail_would_wait(stage, super) ||
			(haste == IN_TURN &&
			    (stage_has_mail(stage, parent) ||
				mail_is_at_work(stage, parent, super)))))
			return true;
		if (view.state != STATE_STOPPING)
			return false;
		super = parent;
	}
	return false;
}

/* The first in hand that is due; or the next time at which something is. */
static bool
next_in_hand(struct stage *stage, mono_ms *next, enum haste haste)
{
	size_t first = 0;

	*next = MONO_NEVER;
	for (size_t i = 0; i < stage->hand.count; i++) {
		const struct item *item = &stage->hand.at[i];

		if (item->at < *next && !is_held_back(stage, item, haste)) {
			first = i;
			*next = item->at;
		}
	}
	if (*next > stage->now)
		return false;
	handle(stage, stage_take(&stage->hand, first));
	return true;
}

void
stage_settle(struct stage *stage)
{
	mono_ms next;

	for (int guard = 0; guard < MOST_EVENTS && stage->broken == NULL; guard++) {
		mono_ms deadline = core_next_deadline(stage->core);

		if (deadline <= stage->now) {
			stage_order(stage, ON_TIMER, CORE_ROOT);
			continue;
		}
		if (mail_next(stage, false) || next_in_hand(stage, &next, IN_TURN) ||
		    mail_next(stage, true) || next_in_hand(stage, &next, SOON))
			continue;
		next = next < deadline ? next : deadline;
		if (next == MONO_NEVER && next_in_hand(stage, &next, NOW))
			continue;
		if (next == MONO_NEVER)
			break;
		stage->now = next;
	}
	if (stage->broken == NULL && (stage->hand.count > 0 || stage->mail.count > 0))
		stage->broken = "it never becomes quiet";
	for (uint32_t node = 0; node < stage->count && stage->broken == NULL; node++) {
		if (stage_view(stage, node).state == STATE_STOPPING)
			stage->broken = "a stop never ends";
	}
}
