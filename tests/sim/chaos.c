#include "sim.h"

#include <signal.h>

static const enum core_event_type commands[] = { ON_START, ON_START, ON_STOP, ON_RESTART, ON_START,
	ON_RESET, ON_RESET, ON_DRAIN };

static void
some_command(struct sim *sim)
{
	struct core_event event = {
		.type = commands[sim_below(sim, sizeof commands / sizeof commands[0])],
		.node = sim_below(sim, sim->count),
		.now = sim_once_in(sim, 4),
		.group = sim_once_in(sim, 2),
	};

	sim_feed(sim, &event);
}

/* Several die at the same moment. */
static void
mass_death(struct sim *sim)
{
	uint32_t one_in = 1 + sim_below(sim, 4);

	for (uint32_t i = 0; i < sim->count; i++) {
		if (sim_once_in(sim, one_in))
			fate_kill(sim, i, SIGKILL);
	}
}

/* What nobody should send: an event about another incarnation, or one that makes no sense now. */
static void
nonsense(struct sim *sim)
{
	static const enum core_event_type types[] = { ON_SPAWNED, ON_SPAWN_FAILED, ON_READY,
		ON_EXITED };
	uint32_t id = sim_below(sim, sim->count);
	uint32_t incarnation = sim->nodes[id].notes.incarnation;
	struct core_event event = {
		.type = types[sim_below(sim, 4)],
		.node = id,
		.incarnation = sim_once_in(sim, 2) ? incarnation + 1 : incarnation - 1,
	};

	if (sim->nodes[id].spec.kind == KIND_CHILD)
		sim_feed(sim, &event);
}

/* A child that starts or stops, or did so once, asks for time. */
static void
ask_for_time(struct sim *sim, uint32_t id)
{
	struct core_event event = { .type = ON_EXTEND,
		.node = id,
		.incarnation = sim->nodes[id].notes.incarnation,
		.timeout = sim_once_in(sim, 8) ? 0 : sim_below(sim, 8000) };

	if (sim_once_in(sim, 8))
		event.incarnation--;
	if (sim->leave_by != 0)
		sim->leave_by += event.timeout;
	if (sim->hurry_at != MONO_NEVER && sim->leave_by > sim->hurry_at + 1000)
		sim->leave_by = sim->hurry_at + 1000;
	sim_feed(sim, &event);
}

bool
chaos_delays(struct sim *sim)
{
	uint32_t first = sim_below(sim, sim->count);

	if (sim->calm || !sim_once_in(sim, 32))
		return false;
	for (uint32_t i = 0; i < sim->count; i++) {
		uint32_t id = (first + i) % sim->count;
		enum core_state state = sim->nodes[id].view.state;

		if (sim->nodes[id].spec.kind == KIND_CHILD &&
		    (state == STATE_STARTING || state == STATE_STOPPING || sim_once_in(sim, 64))) {
			ask_for_time(sim, id);
			return true;
		}
	}
	return false;
}

static void
hold_for_a_while(struct sim *sim)
{
	sim_feed(
	    sim, &(struct core_event){ .type = core_is_holding(sim->core) ? ON_RELEASE : ON_HOLD });
}

bool
chaos_strikes(struct sim *sim)
{
	if (core_is_holding(sim->core) && sim_once_in(sim, 8)) {
		hold_for_a_while(sim);
		return true;
	}
	switch (sim_below(sim, 256)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7: some_command(sim); return true;
	case 8:
	case 9: mass_death(sim); return false;
	case 10: sim->now += sim_below(sim, sim_once_in(sim, 8) ? 100000000 : 100000); return false;
	case 11: sim_feed(sim, &(struct core_event){ .type = ON_TIMER }); return true;
	case 12:
	case 13: nonsense(sim); return true;
	case 14: sim->lossy = true; return false; /* the next event is this engine's last */
	case 15:
		if (!sim_once_in(sim, 16))
			return false;
		hold_for_a_while(sim);
		return true;
	default: return false;
	}
}
