#include "sim.h"

#include <signal.h>
#include <string.h>

/* How long the engine waits for a clone that hangs before it kills it by itself. */
#define PATIENCE_MS 5000

static void
schedule(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->phase == PHASE_UP)
		process->next =
		    process->dies_at < process->ready_at ? process->dies_at : process->ready_at;
	sim->due[id] = process->next < process->echo_at ? process->next : process->echo_at;
}

void
fate_spawn(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	struct sim_process *process = &sim->nodes[id].process;
	const struct story_life *life;

	if (sim->fickle && !sim->calm)
		chaos_life(sim, id, incarnation);
	life = sim->calm ? NULL : story_find_life(sim->story, sim->nodes[id].number, incarnation);
	memcpy(process->life, life ? life->value : story_plain_life, sizeof process->life);
	if (process->life[LIFE_HANGS])
		process->life[LIFE_SPAWN] = PATIENCE_MS;
	if (process->life[LIFE_HANGS] && process->life[LIFE_FAILS] == 0)
		process->life[LIFE_FAILS] = 110;
	process->phase = PHASE_SPAWNING;
	process->incarnation = incarnation;
	process->told = 0;
	process->unanswered = false;
	process->next = sim_end(sim->now, process->life[LIFE_SPAWN]);
	schedule(sim, id);
}

void
fate_kill(struct sim *sim, uint32_t id, int32_t status)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->phase != PHASE_UP)
		return;
	process->phase = PHASE_DEAD;
	process->status = status;
	process->next = sim_end(sim->now, sim->calm ? 0 : process->life[LIFE_TELL]);
	schedule(sim, id);
}

/* Told to stop: at once, a little later, or not at all. */
static void
obey(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	int64_t wait = process->life[process->told > 1 ? LIFE_OBEYS_LATER : LIFE_OBEYS];
	mono_ms at = sim_end(sim->now, sim->calm ? 0 : wait);

	if (at >= process->dies_at)
		return;
	process->dies_at = at;
	process->status = (int32_t)process->life[LIFE_LEAVES];
	if (at <= sim->now)
		fate_kill(sim, id, process->status);
	else
		schedule(sim, id);
}

void
fate_signal(struct sim *sim, uint32_t id, int32_t signal)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->phase == PHASE_SPAWNING && signal == SIGKILL) {
		process->life[LIFE_FAILS] = 4;
		if (process->next > sim->now + 1)
			process->next = sim->now + 1;
		schedule(sim, id);
	} else if (process->phase == PHASE_UP && signal == SIGKILL) {
		fate_kill(sim, id, SIGKILL);
	} else if (process->phase == PHASE_SPAWNING || process->phase == PHASE_UP) {
		process->told++;
		if (process->phase == PHASE_UP)
			obey(sim, id);
	}
}

static void
begin_life(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	const struct core_spec *spec = sim->nodes[id].spec;
	int64_t lives = process->life[LIFE_LIVES];

	process->phase = PHASE_UP;
	process->status = (int32_t)process->life[LIFE_STATUS];
	if (lives < 0)
		lives = spec->ready == READY_EXIT ? 1 : SPAN_INFINITE;
	process->unanswered = process->life[LIFE_SWAPPED] && lives < PATIENCE_MS;
	process->dies_at = sim_end(sim->now, lives);
	process->ready_at = MONO_NEVER;
	if (spec->ready == READY_TOLD && !process->unanswered)
		process->ready_at = sim_end(sim->now, process->life[LIFE_READY]);
	schedule(sim, id);
	if (process->told > 0)
		obey(sim, id);
}

static void
answer_spawn(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	struct core_event event = { .node = id, .incarnation = process->incarnation };

	if (process->life[LIFE_FAILS]) {
		process->phase = PHASE_NONE;
		process->next = MONO_NEVER;
		schedule(sim, id);
		event.type = ON_SPAWN_FAILED;
		event.step = 5;
		event.error = (int32_t)process->life[LIFE_FAILS];
		sim_feed(sim, &event);
		return;
	}
	begin_life(sim, id);
	event.type = ON_SPAWNED;
	event.pid = 1000 + (int32_t)id;
	if (!process->unanswered)
		sim_feed(sim, &event);
}

static void
tell_end(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	uint32_t incarnation = process->incarnation;
	bool unanswered = process->unanswered;

	process->phase = PHASE_NONE;
	process->next = MONO_NEVER;
	if (!sim->calm && process->life[LIFE_ECHO] >= 0) {
		process->echo_at = sim_end(sim->now, process->life[LIFE_ECHO]);
		process->echo_incarnation = incarnation;
	}
	schedule(sim, id);
	sim_feed(sim,
	    &(struct core_event){ .type = ON_EXITED,
		.node = id,
		.incarnation = incarnation,
		.status = process->status });
	if (unanswered)
		sim_feed(sim,
		    &(struct core_event){ .type = ON_SPAWNED,
			.node = id,
			.incarnation = incarnation,
			.pid = 1000 + (int32_t)id });
}

uint32_t
fate_next(const struct sim *sim)
{
	uint32_t best = CORE_NONE;

	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim->due[i] == MONO_NEVER)
			continue;
		if (best == CORE_NONE || sim->due[i] < sim->due[best] ||
		    (sim->due[i] == sim->due[best] &&
			sim->nodes[i].process.life[LIFE_RANK] <
			    sim->nodes[best].process.life[LIFE_RANK]))
			best = i;
	}
	return best;
}

static void
happen_up(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->ready_at >= process->dies_at) {
		fate_kill(sim, id, process->status);
		return;
	}
	process->ready_at = MONO_NEVER;
	schedule(sim, id);
	sim_feed(sim,
	    &(struct core_event){
		.type = ON_READY, .node = id, .incarnation = process->incarnation });
}

void
fate_happen(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->echo_at <= process->next) {
		process->echo_at = MONO_NEVER;
		schedule(sim, id);
		sim_feed(sim,
		    &(struct core_event){
			.type = ON_EXITED, .node = id, .incarnation = process->echo_incarnation });
		return;
	}
	switch (process->phase) {
	case PHASE_SPAWNING: answer_spawn(sim, id); break;
	case PHASE_UP: happen_up(sim, id); break;
	case PHASE_DEAD: tell_end(sim, id); break;
	case PHASE_NONE: break;
	}
}

void
fate_calm(struct sim *sim)
{
	sim->calm = true;
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_process *process = &sim->nodes[i].process;
		const struct core_spec *spec = sim->nodes[i].spec;

		process->life[LIFE_TELL] = 0;
		if (process->phase == PHASE_SPAWNING && !process->life[LIFE_HANGS] &&
		    process->life[LIFE_FAILS] == 11)
			process->life[LIFE_FAILS] = 0;
		if (process->phase == PHASE_SPAWNING) {
			process->life[LIFE_LIVES] = -1;
			process->life[LIFE_READY] = 1;
			process->life[LIFE_STATUS] = 0;
		}
		if (process->phase != PHASE_UP)
			continue;
		if (spec->ready == READY_EXIT)
			process->status = 0;
		if (process->told > 0 || spec->ready == READY_EXIT)
			process->dies_at = sim_end(sim->now, 1);
		else if (!process->unanswered)
			process->dies_at = MONO_NEVER;
		if (spec->ready == READY_TOLD && sim->nodes[i].view.state == STATE_STARTING &&
		    process->told == 0)
			process->ready_at = sim->now;
		schedule(sim, i);
	}
}
