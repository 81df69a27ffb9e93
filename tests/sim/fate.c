#include "sim.h"

#include <signal.h>

/* How long the engine waits for a clone that hangs before it kills it by itself. */
#define PATIENCE_MS 5000

static mono_ms
soon(struct sim *sim, uint32_t most)
{
	return sim->now + (sim_once_in(sim, 2) ? 0 : sim_below(sim, most + 1));
}

static void
schedule(struct sim_process *process)
{
	process->next = process->dies_at < process->ready_at ? process->dies_at : process->ready_at;
}

static int32_t
some_status(struct sim *sim)
{
	static const int32_t statuses[] = { 0, 0, 1 << 8, 3 << 8, 4 << 8, 5 << 8, SIGSEGV, SIGKILL,
		SIGSEGV | 0x80, CORE_STATUS_UNKNOWN };

	return statuses[sim_below(sim, sizeof statuses / sizeof statuses[0])];
}

void
fate_spawn(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	struct sim_process *process = &sim->nodes[id].process;

	process->phase = PHASE_SPAWNING;
	process->incarnation = incarnation;
	process->early_stop = false;
	process->will_fail = !sim->calm && sim_once_in(sim, 8);
	process->hangs = !sim->calm && sim_once_in(sim, 32);
	process->next = process->hangs ? sim->now + PATIENCE_MS : soon(sim, 20);
	process->will_fail = process->will_fail || process->hangs;
}

void
fate_kill(struct sim *sim, uint32_t id, int32_t status)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->phase != PHASE_UP)
		return;
	process->phase = PHASE_DEAD;
	process->status = status;
	process->next = soon(sim, sim->calm ? 0 : 20);
	sim_trace(sim, "        %u dies (%d)", id, status);
}

/* Told to stop: at once, a little later, exactly when the core would go on, or not at all. */
static void
obey(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	uint32_t how = sim->calm ? 0 : sim_below(sim, 8);

	process->status = sim_once_in(sim, 4) ? 1 << 8 : 0;
	if (how < 4) {
		fate_kill(sim, id, process->status);
	} else if (how < 6) {
		process->dies_at = sim->now + sim_below(sim, 6000);
		schedule(process);
	} else if (how == 6) {
		process->dies_at = core_next_deadline(sim->core);
		schedule(process);
	}
}

void
fate_signal(struct sim *sim, uint32_t id, int32_t signal)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->phase == PHASE_SPAWNING) {
		process->early_stop = true;
		if (signal == SIGKILL) {
			process->will_fail = true;
			process->next = soon(sim, 5);
		}
	} else if (process->phase == PHASE_UP) {
		if (signal == SIGKILL)
			fate_kill(sim, id, SIGKILL);
		else
			obey(sim, id);
	}
}

/* How it will live: for ever, for a while, until the core's next deadline, or hardly at all. */
static void
begin_life(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	const struct core_spec *spec = &sim->nodes[id].spec;

	process->phase = PHASE_UP;
	process->dies_at = process->ready_at = MONO_NEVER;
	process->status = sim->calm ? 0 : some_status(sim);
	if (spec->ready == READY_TOLD && (sim->calm || !sim_once_in(sim, 16)))
		process->ready_at = soon(sim, 200);
	if (spec->ready == READY_EXIT) {
		process->dies_at = soon(sim, 500);
		if (!sim_once_in(sim, 4))
			process->status = 0;
	} else if (!sim->calm) {
		uint32_t how = sim_below(sim, 8);

		if (how < 2)
			process->dies_at = soon(sim, 50);
		else if (how < 5)
			process->dies_at = soon(sim, 20000);
		else if (how == 5)
			process->dies_at = core_next_deadline(sim->core);
	}
	schedule(process);
}

static void
answer_spawn(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	struct core_event event = { .node = id, .incarnation = process->incarnation };

	if (process->will_fail) {
		process->phase = PHASE_NONE;
		process->next = MONO_NEVER;
		event.type = ON_SPAWN_FAILED;
		event.step = 5;
		event.error = 2;
		sim_feed(sim, &event);
		return;
	}
	begin_life(sim, id);
	event.type = ON_SPAWNED;
	event.pid = 1000 + (int32_t)id;
	if (process->early_stop)
		obey(sim, id);
	sim_feed(sim, &event);
}

static void
tell_end(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	struct core_event event = { .type = ON_EXITED,
		.node = id,
		.incarnation = process->incarnation,
		.status = process->status };

	process->phase = PHASE_NONE;
	process->next = MONO_NEVER;
	if (!sim->calm && sim_once_in(sim, 8)) {
		process->echo_at = soon(sim, 100);
		process->echo_incarnation = process->incarnation;
	}
	sim_feed(sim, &event);
}

uint32_t
fate_next(const struct sim *sim)
{
	uint32_t best = CORE_NONE;
	mono_ms at = MONO_NEVER;

	for (uint32_t i = 0; i < sim->count; i++) {
		const struct sim_process *process = &sim->nodes[i].process;
		mono_ms its = process->next < process->echo_at ? process->next : process->echo_at;

		if (its < at) {
			at = its;
			best = i;
		}
	}
	return best;
}

void
fate_happen(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;

	if (process->echo_at <= process->next) {
		process->echo_at = MONO_NEVER;
		sim_feed(sim,
		    &(struct core_event){ .type = ON_EXITED,
			.node = id,
			.incarnation = process->echo_incarnation,
			.status = 0 });
		return;
	}
	switch (process->phase) {
	case PHASE_SPAWNING: answer_spawn(sim, id); break;
	case PHASE_UP:
		if (process->ready_at < process->dies_at) {
			process->ready_at = MONO_NEVER;
			schedule(process);
			sim_feed(sim,
			    &(struct core_event){ .type = ON_READY,
				.node = id,
				.incarnation = process->incarnation });
		} else {
			fate_kill(sim, id, process->status);
		}
		break;
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

		process->will_fail = false;
		if (process->phase == PHASE_SPAWNING && process->hangs)
			process->will_fail = true;
		if (process->phase != PHASE_UP)
			continue;
		if (sim->nodes[i].spec.ready == READY_TOLD &&
		    sim->nodes[i].view.state == STATE_STARTING)
			process->ready_at = sim->now;
		if (sim->nodes[i].spec.ready == READY_EXIT)
			process->status = 0;
		else if (sim->nodes[i].view.state != STATE_STOPPING)
			process->dies_at = MONO_NEVER;
		schedule(process);
	}
}
