#include "sim.h"

#include <signal.h>
#include <string.h>

/* How long the engine waits for a clone that hangs before it kills it by itself. */
#define PATIENCE_MS 5000

/* Of a start: where it fails. */
#define STEP_OF_EXEC 5

static mono_ms
earlier(mono_ms one, mono_ms other)
{
	return one < other ? one : other;
}

static void
schedule(struct sim *sim, uint32_t id)
{
	struct sim_process *process = &sim->nodes[id].process;
	const struct sim_hook *hook = &sim->nodes[id].hook;

	if (process->phase == PHASE_UP)
		process->next = earlier(process->dies_at, process->ready_at);
	sim->due[id] =
	    earlier(earlier(process->next, process->echo_at), earlier(hook->next, hook->echo_at));
}

/* It begins with pre_start, else with the process. */
static void
begin_life(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	struct sim_process *process = &sim->nodes[id].process;
	const struct story_life *life;

	if (process->life_of == incarnation && !sim->calm)
		return;
	if (sim->fickle && !sim->calm)
		chaos_life(sim, id, incarnation);
	life = sim->calm ? NULL : story_find_life(sim->story, sim->nodes[id].number, incarnation);
	memcpy(process->life, life ? life->value : story_plain_life, sizeof process->life);
	process->life_of = incarnation;
}

void
fate_spawn(struct sim *sim, uint32_t id, uint32_t incarnation)
{
	struct sim_process *process = &sim->nodes[id].process;

	begin_life(sim, id, incarnation);
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
come_up(struct sim *sim, uint32_t id)
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
		event.step = STEP_OF_EXEC;
		event.error = (int32_t)process->life[LIFE_FAILS];
		sim_feed(sim, &event);
		return;
	}
	come_up(sim, id);
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

/* --- hooks --- */

/* It asks the process to end, and that does, or does not. */
static void
command_works(struct sim *sim, uint32_t id, int64_t after)
{
	struct sim_process *process = &sim->nodes[id].process;
	mono_ms at = sim_end(sim->now, after);

	if (process->phase != PHASE_UP || after < 0 || at >= process->dies_at)
		return;
	process->dies_at = at;
	process->status = (int32_t)process->life[LIFE_LEAVES];
}

void
fate_hook(struct sim *sim, uint32_t id, uint32_t incarnation, enum core_hook which)
{
	static const enum story_life_key takes[HOOK_COUNT] = {
		[HOOK_PRE_START] = LIFE_PRE_START,
		[HOOK_STOP] = LIFE_COMMAND,
		[HOOK_POST_STOP] = LIFE_POST_STOP,
	};
	struct sim_hook *hook = &sim->nodes[id].hook;
	const int64_t *life;
	int64_t ends;

	if (hook->hook == which && hook->incarnation == incarnation)
		return; /* asked for again, and not lost */
	if (which == HOOK_PRE_START)
		begin_life(sim, id, incarnation);
	life = sim->calm ? story_plain_life : sim->nodes[id].process.life;
	ends = life[takes[which] + 1];
	hook->hook = which;
	hook->incarnation = incarnation;
	hook->gone = false;
	hook->next = sim_end(sim->now, life[takes[which]]);
	hook->error = ends < 0 && ends != CORE_STATUS_UNKNOWN ? (int32_t)-ends : 0;
	hook->status = hook->error ? STEP_OF_EXEC : (int32_t)ends;
	if (which == HOOK_STOP)
		command_works(sim, id, life[LIFE_COMMAND_WORKS]);
	schedule(sim, id);
}

static void
end_hook(struct sim *sim, uint32_t id)
{
	struct sim_hook *hook = &sim->nodes[id].hook;
	int64_t tell = sim->calm ? 0 : sim->nodes[id].process.life[LIFE_HOOK_TELL];

	hook->gone = true;
	hook->next = sim_end(sim->now, tell);
	schedule(sim, id);
}

/* What ends, or cannot be run, in the same moment does so. */
void
fate_end_hook(struct sim *sim, uint32_t id, enum core_hook which)
{
	struct sim_hook *hook = &sim->nodes[id].hook;

	if (hook->hook != which || hook->gone)
		return;
	if (hook->error == 0)
		hook->status = SIGKILL;
	end_hook(sim, id);
}

static void
tell_hook(struct sim *sim, uint32_t id)
{
	struct sim_hook *hook = &sim->nodes[id].hook;
	int64_t echo = sim->nodes[id].process.life[LIFE_HOOK_ECHO];
	struct core_event event = { .type = ON_HOOK_DONE,
		.node = id,
		.incarnation = hook->incarnation,
		.hook = hook->hook,
		.status = hook->status,
		.step = STEP_OF_EXEC,
		.error = hook->error };

	if (!sim->calm && echo >= 0) {
		hook->echo_at = sim_end(sim->now, echo);
		hook->echo = hook->hook;
		hook->echo_incarnation = hook->incarnation;
	}
	hook->hook = HOOK_NONE;
	hook->next = MONO_NEVER;
	schedule(sim, id);
	sim_feed(sim, &event);
}

static void
echo_hook(struct sim *sim, uint32_t id)
{
	struct sim_hook *hook = &sim->nodes[id].hook;

	hook->echo_at = MONO_NEVER;
	schedule(sim, id);
	sim_feed(sim,
	    &(struct core_event){ .type = ON_HOOK_DONE,
		.node = id,
		.incarnation = hook->echo_incarnation,
		.hook = hook->echo });
}

/* Whether that is next; where both are, it is by chance. */
static bool
is_hooks_turn(const struct sim *sim, uint32_t id)
{
	const struct sim_process *process = &sim->nodes[id].process;
	mono_ms of_process = earlier(process->next, process->echo_at);
	mono_ms of_hook = earlier(sim->nodes[id].hook.next, sim->nodes[id].hook.echo_at);

	return of_hook < of_process || (of_hook == of_process && process->life[LIFE_RANK] % 2 == 1);
}

/* --- in order of time --- */

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
	const struct sim_hook *hook = &sim->nodes[id].hook;

	if (is_hooks_turn(sim, id)) {
		if (hook->echo_at <= hook->next)
			echo_hook(sim, id);
		else if (hook->gone)
			tell_hook(sim, id);
		else
			end_hook(sim, id);
		return;
	}
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

/* What hangs ends, and well; what the core has still to hear of is as it was. */
static void
calm_hook(struct sim *sim, uint32_t id)
{
	struct sim_hook *hook = &sim->nodes[id].hook;

	if (hook->hook == HOOK_NONE || hook->gone)
		return;
	hook->next = sim_end(sim->now, 1);
	hook->status = hook->error = 0;
	schedule(sim, id);
}

void
fate_calm(struct sim *sim)
{
	sim->calm = true;
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_process *process = &sim->nodes[i].process;
		const struct core_spec *spec = sim->nodes[i].spec;

		calm_hook(sim, i);
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
