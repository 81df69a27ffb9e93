#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000

/* Durations are short, so that much happens before the steps run out, and sometimes extreme. */
static span_ms
some_span(struct sim *sim, uint32_t most)
{
	if (sim_once_in(sim, 8))
		return 0;
	if (sim_once_in(sim, 64))
		return (span_ms)10000 * DAY_MS;
	return 1 + sim_below(sim, sim_once_in(sim, 4) ? most : most / 10 + 1);
}

static void
grow_stop(struct sim *sim, struct core_spec *spec)
{
	static const int32_t gentle[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP };

	spec->stop_steps = 1 + sim_below(sim, sim_once_in(sim, 4) ? SPEC_MAX_STOP_STEPS : 3);
	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		spec->stop[i].signal = sim_once_in(sim, 16) ? 1 + (int32_t)sim_below(sim, 64)
							    : gentle[sim_below(sim, 4)];
		spec->stop[i].wait = sim_once_in(sim, 64) ? SPAN_INFINITE : some_span(sim, 5000);
	}
	if (!sim_once_in(sim, 16))
		spec->stop[spec->stop_steps - 1].signal = SIGKILL;
	spec->stop[spec->stop_steps - 1].wait = SPAN_INFINITE;
}

static void
grow_exits(struct sim *sim, struct core_exit_set *set)
{
	static const uint32_t codes[] = { 3, 4, 5, 255 };

	spec_exit_add_code(set, codes[sim_below(sim, 4)]);
	if (sim_once_in(sim, 4))
		spec_exit_add_signal(set, SIGSEGV);
	if (sim_once_in(sim, 16))
		set->signals = UINT64_MAX;
	if (sim_once_in(sim, 16))
		spec_exit_add_code(set, sim_below(sim, 256));
}

static void
grow_child(struct sim *sim, struct core_spec *spec)
{
	spec->ready = (enum core_ready)sim_below(sim, 3);
	spec->start_timeout = sim_once_in(sim, 10) ? SPAN_INFINITE : 1 + some_span(sim, 10000);
	grow_stop(sim, spec);
	spec->stop_group = sim_once_in(sim, 4);
	spec->kill_mode = (enum core_kill_mode)sim_below(sim, 3);
	if (sim_once_in(sim, 4))
		grow_exits(sim, &spec->success_exit);
	if (sim_once_in(sim, 8))
		grow_exits(sim, &spec->no_restart_exit);
	if (sim_once_in(sim, 8))
		grow_exits(sim, &spec->escalate_exit);
}

static void
grow_supervisor(struct sim *sim, struct core_spec *spec)
{
	spec->strategy = (enum core_strategy)sim_below(sim, sim_once_in(sim, 8) ? 4 : 3);
	spec->on_limit = (enum core_on_limit)sim_below(sim, 4);
	spec->intensity = sim_once_in(sim, 8) ? 0 : 1 + sim_below(sim, 6);
	if (sim_once_in(sim, 256))
		spec->intensity = sim_once_in(sim, 8) ? 65535 : sim_below(sim, 1000);
	spec->period = 1 + some_span(sim, 60000);
	spec->auto_shutdown =
	    sim_once_in(sim, 3) ? (enum core_auto_shutdown)sim_below(sim, 3) : AUTO_NEVER;
	spec->start_order = sim_once_in(sim, 3) ? ORDER_PARALLEL : ORDER_ORDERED;
	spec->stop_order = sim_once_in(sim, 3) ? ORDER_PARALLEL : ORDER_ORDERED;
	spec->max_starting = sim_once_in(sim, 3) ? 1 + sim_below(sim, 3) : 0;
	spec->start_queue_timeout = sim_once_in(sim, 3) ? 1 + some_span(sim, 5000) : SPAN_INFINITE;
	spec->on_start_failure = sim_once_in(sim, 4) ? START_FAILURE_ABORT : START_FAILURE_RETRY;
}

/* A root that gives up at once makes short stories. */
static void
grow_root(struct sim *sim, struct core_spec *spec)
{
	if (!sim_once_in(sim, 4))
		spec->on_limit = LIMIT_BACKOFF;
	if (spec->strategy == STRATEGY_ESCALATE && !sim_once_in(sim, 4))
		spec->strategy = STRATEGY_ONE_FOR_ONE;
	if (!sim_once_in(sim, 8))
		spec->on_start_failure = START_FAILURE_RETRY;
	spec->auto_shutdown = sim_once_in(sim, 8) ? spec->auto_shutdown : AUTO_NEVER;
}

static void
grow_spec(
    struct sim *sim, struct core_spec *spec, enum core_kind kind, const struct core_spec *parent)
{
	spec_defaults(spec, kind);
	spec->backoff = (enum core_backoff)sim_below(sim, 5);
	spec->backoff_delay = some_span(sim, 2000);
	spec->backoff_max = some_span(sim, 20000);
	spec->backoff_factor_milli =
	    1000 + sim_below(sim, sim_once_in(sim, 16) ? 4294966295U : 3000);
	spec->backoff_jitter_ppm = sim_once_in(sim, 3) ? sim_below(sim, 1000001) : 0;
	spec->stable_after = some_span(sim, 10000);
	if (kind == KIND_CHILD)
		grow_child(sim, spec);
	else
		grow_supervisor(sim, spec);
	if (parent == NULL) {
		grow_root(sim, spec);
		return;
	}
	spec->restart =
	    sim_once_in(sim, 2) ? RESTART_PERMANENT : (enum core_restart)sim_below(sim, 3);
	spec->autostart = !sim_once_in(sim, 10);
	spec->on_demand = kind == KIND_CHILD && sim_once_in(sim, 10);
	spec->significant = parent->auto_shutdown != AUTO_NEVER &&
	    spec->restart != RESTART_PERMANENT && sim_once_in(sim, 2);
}

static uint32_t
some_size(struct sim *sim)
{
	if (sim_once_in(sim, 2000))
		return 200 + sim_below(sim, 1801);
	if (sim_once_in(sim, 100))
		return 17 + sim_below(sim, 184);
	return 2 + sim_below(sim, 15);
}

/* Supervisors so far take the new place in turn of chance; in a deep tree most often the last. */
static uint32_t
some_supervisor(struct sim *sim, const uint32_t *supervisors, uint32_t count, bool deep)
{
	return deep && !sim_once_in(sim, 4) ? supervisors[count - 1]
					    : supervisors[sim_below(sim, count)];
}

/* --- what comes after what --- */

/* Of a place: that its turn to start has come, and that it is ready. */
enum moment {
	MOMENT_TURN,
	MOMENT_READY
};
struct web {
	const struct story *story;
	uint32_t of[STORY_MAX_NODES]; /* number of a node: its place; UINT32_MAX */
	uint8_t color[2 * STORY_MAX_NODES];
};

static bool find_circle(struct web *web, uint32_t place, enum moment moment);

static bool
circle_through_number(struct web *web, uint32_t number, enum moment moment)
{
	return number < STORY_MAX_NODES && web->of[number] != UINT32_MAX &&
	    find_circle(web, web->of[number], moment);
}

/* A turn waits for that of the supervisor, and for those before it if they start in order. */
static bool
circle_of_turn(struct web *web, uint32_t at)
{
	const struct story_place *places = web->story->places;
	uint32_t above;

	if (places[at].parent == UINT32_MAX)
		return false;
	if (circle_through_number(web, places[at].parent, MOMENT_TURN))
		return true;
	above = web->of[places[at].parent];
	if (above == UINT32_MAX || places[above].spec.start_order == ORDER_PARALLEL)
		return false;
	for (uint32_t i = at; i-- > 0;) {
		if (places[i].parent == places[at].parent && places[i].count > 0)
			return find_circle(web, i,
			    places[i].spec.kind == KIND_SUPERVISOR ? MOMENT_READY : MOMENT_TURN);
	}
	return false;
}

/* A child is ready behind those that it names, a supervisor behind all below it. */
static bool
circle_of_readiness(struct web *web, uint32_t at)
{
	const struct story_place *places = web->story->places;
	bool circle = find_circle(web, at, MOMENT_TURN);

	for (uint32_t i = 0; !circle && i < places[at].after_count; i++)
		circle = circle_through_number(web, places[at].after[i], MOMENT_READY);
	for (uint32_t i = at + 1;
	     !circle && places[at].spec.kind == KIND_SUPERVISOR && i < web->story->place_count; i++)
		circle = places[i].parent == places[at].first && find_circle(web, i, MOMENT_READY);
	return circle;
}

static bool
find_circle(struct web *web, uint32_t at, enum moment moment)
{
	uint8_t *color = &web->color[2 * at + moment];
	bool circle;

	if (*color != 0)
		return *color == 1; /* on the way here */
	*color = 1;
	circle = moment == MOMENT_TURN ? circle_of_turn(web, at) : circle_of_readiness(web, at);
	*color = 2;
	return circle;
}

static bool
has_circle_at(const struct story *story, uint32_t from, uint32_t to)
{
	static struct web web;

	web.story = story;
	memset(web.of, 0xff, sizeof web.of);
	memset(web.color, 0, sizeof web.color);
	for (uint32_t i = 0; i < story->place_count; i++) {
		for (uint32_t k = 0; k < story->places[i].count; k++)
			web.of[story->places[i].first + k] = i;
	}
	for (uint32_t i = from; i < to; i++) {
		if (find_circle(&web, i, MOMENT_READY))
			return true;
	}
	return false;
}

bool
grow_has_circle(const struct story *story)
{
	bool any = false;

	for (uint32_t i = 0; i < story->place_count; i++)
		any = any || story->places[i].after_count > 0;
	return any && has_circle_at(story, 0, story->place_count);
}

/* Children that come after others, near or far, before or behind them, but never in a circle. */
static void
grow_after(struct sim *sim)
{
	struct story *story = sim->story;
	uint32_t links = 1 + sim_below(sim, story->place_count / 4 + 1);

	for (uint32_t i = 0; i < links && i < 64; i++) {
		uint32_t from = sim_below(sim, story->place_count);
		uint32_t to = sim_below(sim, story->place_count);
		struct story_place *place = &story->places[from];

		if (place->spec.kind != KIND_CHILD || place->after_count == STORY_MAX_AFTER ||
		    from == to || story->places[to].count == 0)
			continue;
		place->after[place->after_count++] = story->places[to].first;
		if (has_circle_at(story, from, from + 1))
			place->after_count--;
	}
}

/* From hardly any time to for ever. */
static void
grow_hooks(struct sim *sim)
{
	struct story *story = sim->story;

	for (uint32_t i = 0; i < story->place_count; i++) {
		struct core_spec *spec = &story->places[i].spec;

		if (spec->kind != KIND_CHILD || sim_once_in(sim, 4))
			continue;
		spec->pre_start = sim_once_in(sim, 3);
		spec->stop_command = sim_once_in(sim, 3);
		spec->post_stop = sim_once_in(sim, 3);
		spec->hook_timeout =
		    sim_once_in(sim, 16) ? SPAN_INFINITE : 1 + some_span(sim, 10000);
		if (spec->pre_start) /* enough for a start that goes well */
			spec->start_timeout = sim_end(spec->start_timeout, 2);
	}
}

void
grow_tree(struct sim *sim, uint32_t limit)
{
	static uint32_t supervisors[SIM_MAX_NODES], depths[SIM_MAX_NODES];
	struct story *story = sim->story;
	uint32_t supers = 1, nodes = 1;
	bool deep = sim_once_in(sim, 8);

	limit = limit ? limit : some_size(sim);
	limit = limit > SIM_MAX_NODES ? SIM_MAX_NODES : limit;
	story->places[0] = (struct story_place){ .count = 1, .parent = UINT32_MAX };
	grow_spec(sim, &story->places[0].spec, KIND_SUPERVISOR, NULL);
	story->place_count = 1;
	supervisors[0] = depths[0] = 0;
	while (nodes < limit) {
		uint32_t at = some_supervisor(sim, supervisors, supers, deep);
		const struct story_place *parent = &story->places[at];
		struct story_place *place = &story->places[story->place_count];
		enum core_kind kind =
		    depths[at] + 1 < SIM_MAX_DEPTH && sim_once_in(sim, deep ? 2 : 4)
		    ? KIND_SUPERVISOR
		    : KIND_CHILD;
		uint32_t count = kind == KIND_CHILD && sim_once_in(sim, 8) ? sim_below(sim, 5) : 1;

		if (count > 1 && sim_once_in(sim, 32))
			count = sim_below(sim, 100);
		*place = (struct story_place){ .first = nodes,
			.count = count > limit - nodes ? limit - nodes : count,
			.parent = parent->first };
		grow_spec(sim, &place->spec, kind, &parent->spec);
		if (kind == KIND_SUPERVISOR) {
			depths[story->place_count] = depths[at] + 1;
			supervisors[supers++] = story->place_count;
		}
		nodes += place->count;
		if (++story->place_count == STORY_MAX_NODES)
			break;
	}
	if (sim_once_in(sim, 3))
		grow_after(sim);
	if (sim_once_in(sim, 2))
		grow_hooks(sim);
}

#define MANY_TREES 30000

/* Of a key with words each of them; of a number whether it is the plain one, less or more. */
static void
note_values(uint64_t *seen, const struct core_spec *spec)
{
	struct core_spec plain;

	story_plain_spec(&plain, spec->kind);
	for (uint32_t key = 0; key < story_spec_numbers(); key++) {
		int64_t value = story_spec_get(spec, key), usual = story_spec_get(&plain, key);

		seen[key] |= UINT64_C(1)
		    << (story_spec_words(key) ? value : (value >= usual) + (value > usual));
	}
}

static uint32_t
depth_of(const struct story *story, uint32_t place)
{
	uint32_t depth = 0;

	while (story->places[place].parent != UINT32_MAX) {
		uint32_t parent = story->places[place].parent;

		while (story->places[place].first != parent || story->places[place].count != 1)
			place--;
		depth++;
	}
	return depth;
}

int
grow_test(struct sim *sim)
{
	uint64_t seen[64] = { 0 }, steps = 0;
	uint32_t deepest = 0, largest = 0, missing = 0;

	for (sim->seed = 1; sim->seed <= MANY_TREES; sim->seed++) {
		const struct story_place *last;

		sim->rng = sim->seed;
		grow_tree(sim, 0);
		last = &sim->story->places[sim->story->place_count - 1];
		largest = last->first + last->count > largest ? last->first + last->count : largest;
		for (uint32_t i = 0; i < sim->story->place_count; i++) {
			uint32_t depth = sim->seed % 64 ? 0 : depth_of(sim->story, i);

			deepest = depth > deepest ? depth : deepest;
			steps |= UINT64_C(1) << sim->story->places[i].spec.stop_steps;
			note_values(seen, &sim->story->places[i].spec);
		}
	}
	for (uint32_t key = 0; key < story_spec_numbers(); key++) {
		uint32_t words = story_spec_words(key);
		bool all = words ? seen[key] == (UINT64_C(1) << words) - 1
				 : (seen[key] & (seen[key] - 1)) != 0;

		if (all)
			continue;
		printf("sim: %s never takes some value\n", story_spec_name(key));
		missing++;
	}
	printf("sim: random trees have up to %u nodes and %u levels; of %u keys, %u lack a value\n",
	    largest, deepest + 1, story_spec_numbers(), missing);
	return missing || largest < 1500 || deepest < 12 || (steps & 0x1fe) != 0x1fe;
}
