/* Plays a story in virtual time: whatever comes first is handed to the core, then judged. */
#include "sim.h"

#include "judge.h"
#include "lib/must.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* So many steps per node may follow when nothing new is told: some trees never rest. */
#define QUIET_STEPS 3000

uint64_t
sim_random(struct sim *sim)
{
	/* splitmix64 (Steele, Lea, Flood 2014) */
	uint64_t z = (sim->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint32_t
sim_below(struct sim *sim, uint32_t bound)
{
	return (uint32_t)((sim_random(sim) >> 32) * bound >> 32);
}

bool
sim_once_in(struct sim *sim, uint32_t n)
{
	return sim_below(sim, n) == 0;
}

mono_ms
sim_end(mono_ms from, span_ms span)
{
	return span < MONO_NEVER - from ? from + span : MONO_NEVER;
}

bool
sim_is_below(const struct sim *sim, uint32_t id, uint32_t top)
{
	for (; id != CORE_NONE; id = sim->nodes[id].parent) {
		if (id == top)
			return true;
	}
	return false;
}

void
sim_touch(struct sim *sim, uint32_t id)
{
	if (sim->nodes[id].touched)
		return;
	sim->nodes[id].touched = true;
	sim->touched[sim->touched_count++] = id;
}

void
sim_look(const struct sim *sim, uint32_t id, struct core_view *view)
{
	core_view(sim->core, id, view);
	fault_view(sim, id, view);
}

void
sim_break(struct sim *sim, int invariant, uint32_t node, const char *what)
{
	sim->verdict.invariant = invariant;
	sim->verdict.what = what;
	sim->verdict.node = node;
	sim->verdict.step = sim->step;
	sim->verdict.at = sim->now;
	siglongjmp(sim->broken, 1);
}

static struct sim *playing;

/* A must() of the core, or worse: told and made small like any other fault. */
static void
on_crash(int signal)
{
	(void)signal;
	sim_break(playing, 11, CORE_NONE, "the core has stopped the program: must(), or a crash");
}

void
play_catch_crashes(void)
{
	struct sigaction action = { .sa_handler = on_crash };

	sigaction(SIGABRT, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* --- the tree and the core --- */

static void
add_node(struct sim *sim, const struct story_place *place, uint32_t index, uint32_t number)
{
	uint32_t id = sim->count++;
	uint32_t parent = place->parent < SIM_MAX_NODES ? sim->by_number[place->parent] : CORE_NONE;
	struct sim_node *node = &sim->nodes[id];

	memset(node, 0, sizeof *node);
	node->spec = &place->spec;
	node->from = place;
	node->number = number;
	node->parent = parent;
	node->place = index;
	node->first = node->next = CORE_NONE;
	node->process.next = node->process.echo_at = sim->due[id] = MONO_NEVER;
	node->hook.next = node->hook.echo_at = MONO_NEVER;
	sim->by_number[number] = id;
	if (parent == CORE_NONE)
		return;
	node->depth = sim->nodes[parent].depth + 1;
	for (uint32_t *link = &sim->nodes[parent].first;; link = &sim->nodes[*link].next) {
		if (*link == CORE_NONE) {
			*link = id;
			return;
		}
	}
}

static void
plant(struct sim *sim)
{
	uint32_t supers = 0;

	sim->count = 0;
	memset(sim->by_number, 0xff, sizeof sim->by_number);
	for (uint32_t i = 0; i < sim->story->place_count; i++) {
		const struct story_place *place = &sim->story->places[i];

		for (uint32_t k = 0; k < place->count; k++)
			add_node(sim, place, i, place->first + k);
	}
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (node->spec->kind != KIND_SUPERVISOR)
			continue;
		sim->supers[supers++] = i;
		node->notes.stamps = calloc(node->spec->intensity + 1U, sizeof(mono_ms));
		must(node->notes.stamps != NULL);
		judge_forget_window(sim, i);
	}
}

/* Any node of a place stands for it. */
static void
lay_after(struct sim *sim, const struct story_place *place)
{
	for (uint32_t i = 0; place->count > 0 && i < place->after_count; i++) {
		uint32_t id = sim->by_number[place->after[i]];

		if (id != CORE_NONE && fault_after(sim, true) &&
		    core_add_after(sim->core, sim->by_number[place->first + place->count - 1], id))
			sim_break(sim, 11, CORE_NONE, "core_add_after refuses good nodes");
	}
	if (place->count > 0 && place->spec.kind == KIND_CHILD && fault_after(sim, false))
		core_add_after(sim->core, sim->by_number[place->first], sim->count - 1);
}

static void
make_core(struct sim *sim)
{
	sim->core = core_new(sim->story->core_seed);
	must(sim->core != NULL);
	for (uint32_t i = 0; i < sim->story->place_count; i++) {
		const struct story_place *place = &sim->story->places[i];
		struct core_spec spec = place->spec;
		uint32_t parent =
		    place->parent < SIM_MAX_NODES ? sim->by_number[place->parent] : CORE_NONE;

		fault_spec(sim, &spec);
		if (core_add(sim->core, parent, &spec, place->count, NULL) != 0)
			sim_break(sim, 11, CORE_NONE, "core_add refuses a good node");
	}
	for (uint32_t i = 0; i < sim->story->place_count; i++)
		lay_after(sim, &sim->story->places[i]);
}

static void
save(struct sim *sim, enum core_area area, uint32_t index)
{
	uint32_t size = core_area_size(sim->core, area);

	if (fault_saves(sim, area))
		memcpy(sim->saved[area] + (size_t)index * size,
		    core_area_item(sim->core, area, index), size);
	if (area == CORE_AREA_NODES)
		sim_touch(sim, index);
	else if (area == CORE_AREA_SUPERS)
		sim_touch(sim, sim->supers[index]);
}

static void
save_all(struct sim *sim)
{
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t count = core_area_count(sim->core, area);
		uint32_t size = core_area_size(sim->core, area);

		sim->saved[i] = calloc((size_t)count + 1, size);
		must(sim->saved[i] != NULL);
		for (uint32_t k = 0; k < count; k++)
			memcpy(sim->saved[i] + (size_t)k * size, core_area_item(sim->core, area, k),
			    size);
	}
}

/* The engine dies and a new one goes on from what was saved. */
static void
resume(struct sim *sim)
{
	table_note(sim, "the engine dies; a new one goes on");
	sim->crash = -1;
	core_free(&sim->core);
	make_core(sim);
	for (int i = 0; i < CORE_AREAS; i++) {
		enum core_area area = (enum core_area)i;
		uint32_t size = core_area_size(sim->core, area);

		for (uint32_t k = 0; k < core_area_count(sim->core, area); k++) {
			if (!core_load(sim->core, area, k, sim->saved[i] + (size_t)k * size))
				sim_break(sim, 13, CORE_NONE, "what was saved is not taken back");
		}
	}
	if (core_load_end(sim->core) != NULL)
		sim_break(sim, 13, CORE_NONE, "what was saved is no tree");
	sim->resuming = true;
	sim_feed(sim, &(struct core_event){ .type = ON_RESUME });
	sim->resuming = false;
}

/* --- one step --- */

/* FNV-1a over numbers, so that it is the same wherever the trace is. */
static void
mix(struct sim *sim, int64_t number)
{
	for (int i = 0; i < 8; i++) {
		sim->digest ^= (uint64_t)number >> (8 * i) & 0xff;
		sim->digest *= 0x100000001b3ULL;
	}
}

static void
mix_event(struct sim *sim, const struct core_event *event)
{
	mix(sim, sim->now);
	mix(sim, event->type);
	mix(sim, event->node);
	mix(sim, event->incarnation);
	mix(sim, event->status);
	mix(sim, event->timeout);
	mix(sim, (event->now ? 1 : 0) + (event->group ? 2 : 0) + (event->until_restart ? 4 : 0));
	if (event->type == ON_HOOK_DONE)
		mix(sim, (int64_t)event->hook + 256 * (int64_t)event->error);
}

static void
mix_action(struct sim *sim, const struct core_action *action)
{
	const struct core_record *record = &action->record;

	mix(sim, action->type);
	mix(sim, action->node);
	mix(sim, action->incarnation);
	mix(sim, action->signal + (action->group ? 256 : 0) + 512 * (int64_t)action->hook);
	mix(sim, action->status + (action->escalated ? 256 : 0) + (action->automatic ? 512 : 0));
	if (action->type != DO_RECORD)
		return;
	mix(sim, record->type + 256 * record->state + 65536 * record->reason);
	mix(sim, record->a);
	mix(sim, record->b);
}

static void
carry_out(struct sim *sim, const struct core_action *action)
{
	const struct sim_process *process = &sim->nodes[action->node].process;

	switch (action->type) {
	case DO_SPAWN: /* asked for again: done already, unless it was lost */
		if (process->incarnation != action->incarnation)
			fate_spawn(sim, action->node, action->incarnation);
		break;
	case DO_SIGNAL:
		if (process->incarnation == action->incarnation)
			fate_signal(sim, action->node, action->signal);
		break;
	case DO_HOOK: fate_hook(sim, action->node, action->incarnation, action->hook); break;
	case DO_END_HOOK: fate_end_hook(sim, action->node, action->hook); break;
	case DO_EXIT: sim->exited = true; break;
	case DO_KILL_TREE:
	case DO_RECORD:
	case ACTION_COUNT: break;
	}
}

static void
take_actions(struct sim *sim, int64_t done_before_death)
{
	struct core_action action;

	while (core_next_action(sim->core, &action)) {
		bool counts = action.type != DO_RECORD, lost = counts && done_before_death <= 0;

		done_before_death -= counts;
		mix_action(sim, &action);
		for (uint32_t times = fault_action(sim, &action); times > 0; times--) {
			table_action(sim, &action, lost);
			sim_touch(sim, action.node);
			judge_action(sim, &action);
			if (!lost)
				carry_out(sim, &action);
		}
	}
}

void
sim_feed(struct sim *sim, const struct core_event *event)
{
	bool dies = sim->crash >= 0 && event->type != ON_RESUME;
	struct core_event heard = *event;
	mono_ms now = sim->now;
	enum core_area area;
	uint32_t index;

	sim->step++;
	sim->thorough = sim->count <= SIM_SMALL || sim->step % 64 == 0;
	mix_event(sim, event);
	table_event(sim, event);
	judge_event(sim, event);
	sim_touch(sim, event->node);
	if (fault_event(sim, &heard, &now))
		core_handle(sim->core, now, &heard);
	while (core_next_dirty(sim->core, &area, &index))
		save(sim, area, index);
	take_actions(sim, dies ? sim->crash : INT64_MAX);
	judge_step(sim, event);
	if (dies)
		resume(sim);
}

/* --- the story's events --- */

static void
tell(struct sim *sim, const struct story_event *story, uint32_t id)
{
	static const enum core_event_type types[SAY_WORDS] = { [SAY_START] = ON_START,
		[SAY_STOP] = ON_STOP,
		[SAY_RESTART] = ON_RESTART,
		[SAY_RESET] = ON_RESET,
		[SAY_DRAIN] = ON_DRAIN,
		[SAY_DEMAND] = ON_DEMAND,
		[SAY_EXTEND] = ON_EXTEND,
		[SAY_TIMER] = ON_TIMER,
		[SAY_SHUTDOWN] = ON_SHUTDOWN };
	struct core_event event = { .type = types[story->word],
		.node = id,
		.incarnation =
		    sim->nodes[id].notes.incarnation + (uint32_t)story->value[DETAIL_OFFSET],
		.now = story->value[DETAIL_NOW],
		.group = story->value[DETAIL_GROUP],
		.until_restart = story->value[DETAIL_UNTIL],
		.timeout = story->value[DETAIL_MS] };

	if (story->word == SAY_EXTEND && sim->nodes[id].spec->kind != KIND_CHILD)
		return;
	sim_feed(sim, &event);
}

static void
tell_nonsense(struct sim *sim, const struct story_event *story, uint32_t id)
{
	static const enum core_event_type types[] = { ON_SPAWNED, ON_SPAWN_FAILED, ON_READY,
		ON_EXITED };
	int64_t offset = story->value[DETAIL_OFFSET], what = story->value[DETAIL_WHAT];
	const struct sim_hook *hook = &sim->nodes[id].hook;
	struct core_event event = { .type = what < 4 ? types[what & 3] : ON_HOOK_DONE,
		.node = id,
		.incarnation = sim->nodes[id].notes.incarnation + (uint32_t)offset };

	if (what > 3)
		event.hook = (enum core_hook)(1 + (what - 4) % (HOOK_COUNT - 1));
	if (sim->nodes[id].spec->kind != KIND_CHILD || (what < 4 && offset == 0))
		return;
	if (what > 3 && hook->hook == event.hook && hook->incarnation == event.incarnation)
		return; /* that would be a lie: it runs */
	sim_feed(sim, &event);
}

static void
jump(struct sim *sim, span_ms span)
{
	sim->now = sim_end(sim->now, span);
	if (sim->leave_by != 0)
		sim->leave_by = sim_end(sim->leave_by, span);
	table_note(sim, "the clock has jumped here");
}

static void
begin_calm(struct sim *sim)
{
	table_note(sim, "from now on nothing fails");
	if (!sim->calm)
		sim->calm_step = sim->step;
	fate_calm(sim);
}

/* Of a node that is left out in this story: nothing. */
static void
say(struct sim *sim, const struct story_event *story)
{
	uint32_t id = sim->by_number[story->node];

	if (id == CORE_NONE)
		return;
	sim->last_step = sim->step + QUIET_STEPS + 20 * sim->count;
	switch (story->word) {
	case SAY_START:
	case SAY_STOP:
	case SAY_RESTART:
	case SAY_RESET:
	case SAY_DRAIN:
	case SAY_DEMAND:
	case SAY_EXTEND:
	case SAY_TIMER:
	case SAY_SHUTDOWN: tell(sim, story, id); break;
	case SAY_DIE: fate_kill(sim, id, (int32_t)story->value[DETAIL_STATUS]); break;
	case SAY_STALE: tell_nonsense(sim, story, id); break;
	case SAY_HOLD:
		sim_feed(sim,
		    &(struct core_event){
			.type = core_is_holding(sim->core) ? ON_RELEASE : ON_HOLD });
		break;
	case SAY_JUMP: jump(sim, story->value[DETAIL_MS]); break;
	case SAY_CRASH: sim->crash = story->value[DETAIL_COUNT]; break;
	case SAY_CALM: begin_calm(sim); break;
	case SAY_WORDS: break;
	}
}

/* --- the loop --- */

static void
come_to(struct sim *sim, mono_ms at, int64_t rank)
{
	if (at > sim->now) {
		sim->now = at;
		sim->rank = rank;
	} else if (rank > sim->rank) {
		sim->rank = rank;
	}
}

/* What comes next; in the same millisecond by rank: the timer has its own, others are told. */
static bool
go_on(struct sim *sim)
{
	const struct story *story = sim->story;
	uint32_t node = fate_next(sim);
	mono_ms timer = core_next_deadline(sim->core);
	mono_ms due = node == CORE_NONE ? MONO_NEVER : sim->due[node];
	mono_ms at = MONO_NEVER;
	int64_t due_rank = node == CORE_NONE ? 0 : sim->nodes[node].process.life[LIFE_RANK];
	int64_t at_rank = 0;

	if (due == MONO_NEVER && timer == MONO_NEVER)
		judge_peace(sim);
	if (sim->next_event < story->event_count) {
		at = sim_end(SIM_START_MS, story->events[sim->next_event].at);
		at_rank = story->events[sim->next_event].value[DETAIL_RANK];
	}
	if (at < MONO_NEVER && (at < due || (at == due && at_rank <= due_rank)) &&
	    (at < timer || (at == timer && at_rank <= STORY_TIMER_RANK))) {
		come_to(sim, at, at_rank);
		say(sim, &story->events[sim->next_event++]);
		return true;
	}
	if (due < timer || (due == timer && due < MONO_NEVER && due_rank <= STORY_TIMER_RANK)) {
		come_to(sim, due, due_rank);
		fate_happen(sim, node);
		return true;
	}
	if (timer == MONO_NEVER)
		return false;
	come_to(sim, timer, STORY_TIMER_RANK);
	sim_feed(sim, &(struct core_event){ .type = ON_TIMER });
	return true;
}

static void
live(struct sim *sim)
{
	sim->last_step = QUIET_STEPS + 20 * sim->count;
	sim_feed(sim, &(struct core_event){ .type = ON_BOOT });
	while (!sim->exited) {
		if (sim->fickle)
			chaos_strikes(sim);
		if (sim->step >= sim->last_step || !go_on(sim))
			break;
	}
	judge_end(sim);
}

static void
begin(struct sim *sim)
{
	sim->now = SIM_START_MS;
	sim->step = sim->calm_step = 0;
	sim->next_event = sim->touched_count = 0;
	sim->rank = -1;
	sim->calm = sim->at_peace = sim->leaving = sim->exited = sim->resuming = false;
	sim->crash = -1;
	sim->leave_by = 0;
	sim->hurry_at = MONO_NEVER;
	sim->set_due = sim->revived = CORE_NONE;
	sim->root_end = REASON_NONE;
	memset(&sim->verdict, 0, sizeof sim->verdict);
	plant(sim);
}

static void
clean_up(struct sim *sim)
{
	core_free(&sim->core);
	for (int i = 0; i < CORE_AREAS; i++) {
		free(sim->saved[i]);
		sim->saved[i] = NULL;
	}
	for (uint32_t i = 0; i < sim->count; i++)
		free(sim->nodes[i].notes.stamps);
	sim->count = 0;
}

bool
play_story(struct sim *sim)
{
	begin(sim);
	playing = sim;
	if (sigsetjmp(sim->broken, 1) == 0) {
		table_tree(sim);
		make_core(sim);
		save_all(sim);
		live(sim);
	}
	table_verdict(sim);
	clean_up(sim);
	return sim->verdict.invariant == 0;
}

bool
play_seed(struct sim *sim, uint64_t seed, uint32_t nodes)
{
	bool held;

	sim->seed = seed;
	sim->rng = seed * 0x2545f4914f6cdd1dULL + 1;
	story_clear(sim->story);
	sim->story->core_seed = sim_random(sim);
	grow_tree(sim, nodes);
	sim->fickle = true;
	held = play_story(sim);
	sim->fickle = false;
	return held;
}
