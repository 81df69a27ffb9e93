/*
 * What happens by chance: the life of each process, and what operators, clocks and strangers do. It
 * is written into the story, which then is played as any other. Where two random numbers are needed
 * they are drawn in two statements: compilers evaluate arguments and initializers in any order.
 */
#include "sim.h"

#include <signal.h>

#define ROUGH_STEPS 1500
#define CALM_STEPS  4000

static span_ms
soon(struct sim *sim, uint32_t most)
{
	return sim_once_in(sim, 2) ? 0 : sim_below(sim, most + 1);
}

static int32_t
some_status(struct sim *sim)
{
	static const int32_t statuses[] = { 0, 0, 1 << 8, 3 << 8, 4 << 8, 5 << 8, 255 << 8, SIGSEGV,
		SIGKILL, SIGSEGV | 0x80, CORE_STATUS_UNKNOWN };

	return statuses[sim_below(sim, sizeof statuses / sizeof statuses[0])];
}

/* Exactly then, or a millisecond before or after. */
static span_ms
at_about(struct sim *sim, span_ms when)
{
	if (when == SPAN_INFINITE || when < 2)
		return when;
	return when - 1 + sim_below(sim, 3);
}

/* The wait after one of its first signals, or some of them together. */
static span_ms
some_deadline_of_stop(struct sim *sim, const struct core_spec *spec)
{
	span_ms sum = 0;

	for (uint32_t i = 0; i + 1 < spec->stop_steps; i++) {
		sum = sim_end(sum, spec->stop[i].wait);
		if (sim_once_in(sim, 2))
			break;
	}
	return at_about(sim, sum);
}

/* How it answers when it is told to stop: at once, slowly, exactly at a deadline, or not at all. */
static int64_t
some_obedience(struct sim *sim, const struct core_spec *spec)
{
	switch (sim_below(sim, 8)) {
	case 0:
	case 1:
	case 2: return 0;
	case 3:
	case 4: return sim_below(sim, 6000);
	case 5: return some_deadline_of_stop(sim, spec);
	default: return INT64_MAX;
	}
}

/* For ever, hardly at all, for a while, or until something is due. */
static int64_t
some_length(struct sim *sim, const struct core_spec *spec)
{
	mono_ms deadline = core_next_deadline(sim->core);

	if (spec->ready == READY_EXIT)
		return sim_once_in(sim, 16) ? at_about(sim, spec->start_timeout) : soon(sim, 500);
	switch (sim_below(sim, 8)) {
	case 0:
	case 1: return soon(sim, 50);
	case 2:
	case 3: return soon(sim, 20000);
	case 4: return at_about(sim, spec->stable_after);
	case 5:
		return deadline == MONO_NEVER || deadline < sim->now
		    ? at_about(sim, spec->start_timeout)
		    : at_about(sim, deadline - sim->now);
	default: return INT64_MAX;
	}
}

/* At once, slowly, about when it has had its time, or it hangs. */
static int64_t
some_run(struct sim *sim, const struct core_spec *spec)
{
	switch (sim_below(sim, 8)) {
	case 0:
	case 1:
	case 2: return soon(sim, 50);
	case 3: return soon(sim, 10000);
	case 4:
	case 5: return at_about(sim, spec->hook_timeout);
	case 6: return at_about(sim, spec->start_timeout);
	default: return INT64_MAX;
	}
}

/* Most often well; else any end, or it cannot be run (EAGAIN, ENOENT, ETIMEDOUT). */
static int64_t
some_result(struct sim *sim)
{
	static const int32_t errors[] = { 11, 2, 110 };

	if (!sim_once_in(sim, 4))
		return 0;
	return sim_once_in(sim, 2) ? -errors[sim_below(sim, 3)] : some_status(sim);
}

static void
some_hooks(struct sim *sim, const struct core_spec *spec, int64_t *value)
{
	value[LIFE_PRE_START] = sim_once_in(sim, 2) ? soon(sim, 50) : some_run(sim, spec);
	value[LIFE_PRE_ENDS] = some_result(sim);
	value[LIFE_COMMAND] = some_run(sim, spec);
	value[LIFE_COMMAND_ENDS] = some_result(sim);
	if (sim_once_in(sim, 2))
		value[LIFE_COMMAND_WORKS] =
		    sim_once_in(sim, 4) ? value[LIFE_COMMAND] : some_run(sim, spec);
	value[LIFE_POST_STOP] = some_run(sim, spec);
	value[LIFE_POST_ENDS] = some_result(sim);
	value[LIFE_HOOK_TELL] = sim_once_in(sim, 16) ? sim_below(sim, 3000) : soon(sim, 20);
	value[LIFE_HOOK_ECHO] = sim_once_in(sim, 4) ? soon(sim, 2000) : -1;
}

void
chaos_life(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	static const int32_t errors[] = { 2, 11, 12, 13 };
	const struct core_spec *spec = sim->nodes[id].spec;
	int64_t *value = story_add_life(sim->story, sim->nodes[id].number, incarnation)->value;

	value[LIFE_RANK] = sim_below(sim, STORY_RANKS);
	value[LIFE_SPAWN] = soon(sim, 20);
	value[LIFE_HANGS] = sim_once_in(sim, 32);
	if (sim_once_in(sim, 8))
		value[LIFE_FAILS] = errors[sim_below(sim, 4)];
	value[LIFE_LIVES] = some_length(sim, spec);
	value[LIFE_STATUS] =
	    spec->ready == READY_EXIT && !sim_once_in(sim, 4) ? 0 : some_status(sim);
	if (spec->ready == READY_TOLD)
		value[LIFE_READY] = sim_once_in(sim, 16) ? INT64_MAX
		    : sim_once_in(sim, 16)               ? at_about(sim, spec->start_timeout)
							 : soon(sim, 200);
	value[LIFE_OBEYS] = some_obedience(sim, spec);
	value[LIFE_OBEYS_LATER] = some_obedience(sim, spec);
	value[LIFE_LEAVES] = sim_once_in(sim, 4) ? 1 << 8 : 0;
	value[LIFE_TELL] = sim_once_in(sim, 32) ? sim_below(sim, 3000) : soon(sim, 20);
	value[LIFE_ECHO] = sim_once_in(sim, 8) ? soon(sim, 100) : -1;
	value[LIFE_SWAPPED] = value[LIFE_LIVES] <= 50 && sim_once_in(sim, 4);
	if (spec->pre_start || spec->stop_command || spec->post_stop)
		some_hooks(sim, spec, value);
}

/*
 * At `after` from now; before or after what else is to come in that millisecond, and after what has
 * happened in it.
 */
static void
add(struct sim *sim, enum story_word word, uint32_t id, span_ms after, struct story_event *event)
{
	event->at = sim->now - SIM_START_MS + after;
	event->word = word;
	event->node = sim->nodes[id].number;
	event->value[DETAIL_RANK] = sim_below(sim, STORY_RANKS);
	if (after == 0 && event->value[DETAIL_RANK] <= sim->rank)
		event->value[DETAIL_RANK] = sim->rank + 1;
	story_add_event(sim->story, sim->next_event, event);
}

/* Now, in a little while, or when the next thing is due. */
static span_ms
some_moment(struct sim *sim)
{
	mono_ms deadline = core_next_deadline(sim->core);

	if (sim_once_in(sim, 4))
		return sim_below(sim, 2000);
	if (sim_once_in(sim, 3) && deadline >= sim->now && deadline - sim->now < 100000)
		return deadline - sim->now;
	return 0;
}

static void
some_command(struct sim *sim)
{
	static const enum story_word commands[] = { SAY_START, SAY_START, SAY_STOP, SAY_RESTART,
		SAY_START, SAY_RESET, SAY_RESET, SAY_DRAIN };
	enum story_word word = commands[sim_below(sim, 8)];
	uint32_t id = sim_below(sim, sim->count);
	struct story_event event = { 0 };

	/* an operator likes to look at the top, and a command there means much */
	if (sim->count > 100 && sim_once_in(sim, 2))
		id = sim_below(sim, 17);
	event.value[DETAIL_NOW] = sim_once_in(sim, 4);
	event.value[DETAIL_GROUP] = sim_once_in(sim, 2);
	event.value[DETAIL_UNTIL] = sim_once_in(sim, 8);
	add(sim, word, id, some_moment(sim), &event);
}

/* Several die at the same moment. */
static void
mass_death(struct sim *sim)
{
	uint32_t one_in = 1 + sim_below(sim, 4);
	uint32_t top = sim_once_in(sim, 4) ? CORE_ROOT : sim_below(sim, sim->count);

	for (uint32_t i = top; i < sim->count; i++) {
		struct story_event event = { .value = { [DETAIL_STATUS] = SIGKILL } };

		if (sim->nodes[i].process.phase == PHASE_UP && sim_is_below(sim, i, top) &&
		    sim_once_in(sim, one_in))
			add(sim, SAY_DIE, i, 0, &event);
	}
}

static void
nonsense(struct sim *sim)
{
	struct story_event event = { 0 };

	event.value[DETAIL_WHAT] = sim_below(sim, 7);
	event.value[DETAIL_OFFSET] = sim_once_in(sim, 2) ? 1 : -1;
	if (event.value[DETAIL_WHAT] > 3 && sim_once_in(sim, 2))
		event.value[DETAIL_OFFSET] = 0;
	add(sim, SAY_STALE, sim_below(sim, sim->count), 0, &event);
}

/* A child that starts or stops, or did so once, asks for time. */
static void
ask_for_time(struct sim *sim)
{
	struct story_event event = { 0 };
	uint32_t first = sim_below(sim, sim->count);

	event.value[DETAIL_MS] = sim_once_in(sim, 8) ? 0 : sim_below(sim, 8000);
	event.value[DETAIL_OFFSET] = sim_once_in(sim, 8) ? -1 : 0;
	for (uint32_t i = 0; i < sim->count && i < 64; i++) {
		uint32_t id = (first + i) % sim->count;
		enum core_state state = sim->nodes[id].view.state;

		if (sim->nodes[id].spec->kind == KIND_CHILD &&
		    (state == STATE_STARTING || state == STATE_STOPPING || sim_once_in(sim, 64))) {
			add(sim, SAY_EXTEND, id, 0, &event);
			return;
		}
	}
}

/* Where one is waited for, and sometimes where none is. */
static void
connect_to_one(struct sim *sim)
{
	struct story_event event = { 0 };
	uint32_t first = sim_below(sim, sim->count);

	for (uint32_t i = 0; i < sim->count && i < 64; i++) {
		uint32_t id = (first + i) % sim->count;

		if ((sim->nodes[id].spec->on_demand && !sim_once_in(sim, 4)) ||
		    sim_once_in(sim, 128)) {
			add(sim, SAY_DEMAND, id, some_moment(sim), &event);
			return;
		}
	}
}

static void
plainly(struct sim *sim, enum story_word word, enum story_detail detail, int64_t value)
{
	struct story_event event = { 0 };

	event.value[detail] = value;
	add(sim, word, CORE_ROOT, 0, &event);
}

/* Such a shutdown ends, also where a stop sequence does not. */
static void
shut_down(struct sim *sim)
{
	struct story_event event = { .value = { [DETAIL_NOW] = sim_once_in(sim, 4) } };
	bool endless = false;

	for (uint32_t i = 0; i < sim->count; i++) {
		const struct core_spec *spec = sim->nodes[i].spec;

		if (spec->kind != KIND_CHILD)
			continue;
		for (uint32_t k = 0; k + 1 < spec->stop_steps; k++)
			endless = endless || spec->stop[k].wait > 1000000;
		if (spec->stop_command || spec->post_stop)
			endless = endless || spec->hook_timeout > 1000000;
		endless = endless || spec->stop[spec->stop_steps - 1].signal != SIGKILL;
	}
	if (endless || sim_once_in(sim, 2))
		event.value[DETAIL_MS] = 1 + sim_below(sim, 10000);
	add(sim, SAY_SHUTDOWN, CORE_ROOT, 0, &event);
}

static void
strike(struct sim *sim)
{
	uint32_t what = sim_below(sim, 256);

	if (core_is_holding(sim->core) && sim_once_in(sim, 8))
		plainly(sim, SAY_HOLD, DETAIL_MS, 0);
	if (what < 8)
		some_command(sim);
	else if (what < 10)
		mass_death(sim);
	else if (what == 10)
		plainly(sim, SAY_JUMP, DETAIL_MS,
		    sim_below(sim, sim_once_in(sim, 8) ? 100000000 : 100000));
	else if (what == 11)
		plainly(sim, SAY_TIMER, DETAIL_MS, 0);
	else if (what < 14)
		nonsense(sim);
	else if (what == 14)
		plainly(sim, SAY_CRASH, DETAIL_COUNT, sim_below(sim, 6));
	else if (what == 15 && sim_once_in(sim, 16))
		plainly(sim, SAY_HOLD, DETAIL_MS, 0);
	else if (what < 24)
		ask_for_time(sim);
	else if (what < 30)
		connect_to_one(sim);
}

/* Rough, then perhaps calm, then the shutdown; nothing new is begun while something is to come. */
void
chaos_strikes(struct sim *sim)
{
	uint64_t rough = 100 + (sim->seed * 7919) % ROUGH_STEPS + 3 * sim->count;
	bool idle = fate_next(sim) == CORE_NONE && core_next_deadline(sim->core) == MONO_NEVER;

	if (sim->leave_by != 0) {
		uint32_t what = sim->calm ? 255 : sim_below(sim, 256);

		if (what < 8)
			ask_for_time(sim);
		else if (what == 8)
			plainly(sim, SAY_SHUTDOWN, DETAIL_NOW, 1);
	} else if (sim->calm) {
		if (idle || sim->step > sim->calm_step + CALM_STEPS + 10 * sim->count)
			shut_down(sim);
	} else if (sim->step < rough) {
		strike(sim);
		if (idle && sim->next_event == sim->story->event_count)
			some_command(sim);
	} else if (core_is_holding(sim->core)) {
		plainly(sim, SAY_HOLD, DETAIL_MS, 0);
	} else if (sim->next_event == sim->story->event_count) {
		if (sim_once_in(sim, 2))
			plainly(sim, SAY_CALM, DETAIL_MS, 0);
		else
			shut_down(sim);
	}
}
