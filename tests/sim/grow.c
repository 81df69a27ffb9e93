#include "sim.h"

#include <signal.h>
#include <string.h>

/* Durations are short, so that much happens before the steps run out, and sometimes extreme. */
static span_ms
some_span(struct sim *sim, uint32_t most)
{
	if (sim_once_in(sim, 8))
		return 0;
	return 1 + sim_below(sim, sim_once_in(sim, 4) ? most : most / 10 + 1);
}

static void
grow_stop(struct sim *sim, struct core_spec *spec)
{
	static const int32_t gentle[] = { SIGTERM, SIGINT, SIGQUIT };

	spec->stop_steps = 1 + sim_below(sim, 4);
	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		spec->stop[i].signal = gentle[sim_below(sim, 3)];
		spec->stop[i].wait = 1 + some_span(sim, 5000);
	}
	spec->stop[spec->stop_steps - 1].signal = SIGKILL;
	spec->stop[spec->stop_steps - 1].wait = SPAN_INFINITE;
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
		spec_exit_add_code(&spec->success_exit, 3);
	if (sim_once_in(sim, 8))
		spec_exit_add_code(&spec->no_restart_exit, 4);
	if (sim_once_in(sim, 8))
		spec_exit_add_code(&spec->escalate_exit, 5);
	if (sim_once_in(sim, 8))
		spec_exit_add_signal(&spec->no_restart_exit, SIGSEGV);
}

static void
grow_supervisor(struct sim *sim, struct core_spec *spec)
{
	spec->strategy = (enum core_strategy)sim_below(sim, sim_once_in(sim, 8) ? 4 : 3);
	spec->on_limit = (enum core_on_limit)sim_below(sim, 4);
	spec->intensity = sim_once_in(sim, 8) ? 0 : 1 + sim_below(sim, 6);
	spec->period = 1 + some_span(sim, 60000);
	spec->auto_shutdown =
	    sim_once_in(sim, 3) ? (enum core_auto_shutdown)sim_below(sim, 3) : AUTO_NEVER;
	spec->start_order = sim_once_in(sim, 3) ? ORDER_PARALLEL : ORDER_ORDERED;
	spec->stop_order = sim_once_in(sim, 3) ? ORDER_PARALLEL : ORDER_ORDERED;
	spec->max_starting = sim_once_in(sim, 3) ? 1 + sim_below(sim, 3) : 0;
	spec->start_queue_timeout = sim_once_in(sim, 3) ? 1 + some_span(sim, 5000) : SPAN_INFINITE;
	spec->on_start_failure = sim_once_in(sim, 4) ? START_FAILURE_ABORT : START_FAILURE_RETRY;
}

static void
grow_spec(
    struct sim *sim, struct core_spec *spec, enum core_kind kind, const struct core_spec *parent)
{
	spec_defaults(spec, kind);
	spec->backoff = (enum core_backoff)sim_below(sim, 5);
	spec->backoff_delay = some_span(sim, 2000);
	spec->backoff_max = some_span(sim, 20000);
	spec->backoff_factor_milli = 1000 + sim_below(sim, 3000);
	spec->backoff_jitter_ppm = sim_once_in(sim, 3) ? sim_below(sim, 1000001) : 0;
	spec->stable_after = some_span(sim, 10000);
	if (kind == KIND_CHILD)
		grow_child(sim, spec);
	else
		grow_supervisor(sim, spec);
	if (parent == NULL) { /* a root that gives up at once makes short stories */
		if (!sim_once_in(sim, 4))
			spec->on_limit = LIMIT_BACKOFF;
		if (spec->strategy == STRATEGY_ESCALATE)
			spec->strategy = STRATEGY_ONE_FOR_ONE;
		if (!sim_once_in(sim, 8))
			spec->on_start_failure = START_FAILURE_RETRY;
		spec->auto_shutdown = sim_once_in(sim, 8) ? spec->auto_shutdown : AUTO_NEVER;
		return;
	}
	spec->restart =
	    sim_once_in(sim, 2) ? RESTART_PERMANENT : (enum core_restart)sim_below(sim, 3);
	spec->autostart = !sim_once_in(sim, 10);
	spec->significant = parent->auto_shutdown != AUTO_NEVER &&
	    spec->restart != RESTART_PERMANENT && sim_once_in(sim, 2);
}

static void
add_place(struct sim *sim, uint32_t parent, uint32_t count, const struct core_spec *spec)
{
	uint32_t place = sim->place_count++;

	sim->places[place].parent = parent;
	sim->places[place].first = sim->count;
	sim->places[place].count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct sim_node *node = &sim->nodes[sim->count++];

		memset(node, 0, sizeof *node);
		node->spec = *spec;
		node->parent = parent;
		node->place = place;
		node->depth = parent == CORE_NONE ? 0 : sim->nodes[parent].depth + 1;
		node->process.next = node->process.echo_at = MONO_NEVER;
	}
}

/* Supervisors so far, not too deep, take the new place in turn of chance. */
static uint32_t
some_supervisor(struct sim *sim)
{
	for (;;) {
		uint32_t node = sim_below(sim, sim->count);

		if (sim->nodes[node].spec.kind == KIND_SUPERVISOR)
			return node;
	}
}

void
grow_tree(struct sim *sim, uint32_t limit)
{
	struct core_spec spec;

	if (limit == 0)
		limit = sim_once_in(sim, 100) ? 17 + sim_below(sim, 184) : 2 + sim_below(sim, 15);
	if (limit > SIM_MAX_NODES)
		limit = SIM_MAX_NODES;
	sim->count = sim->place_count = 0;
	grow_spec(sim, &spec, KIND_SUPERVISOR, NULL);
	add_place(sim, CORE_NONE, 1, &spec);
	while (sim->count < limit) {
		uint32_t parent = some_supervisor(sim);
		bool deep = sim->nodes[parent].depth + 1 >= SIM_MAX_DEPTH;
		enum core_kind kind = !deep && sim_once_in(sim, 4) ? KIND_SUPERVISOR : KIND_CHILD;
		uint32_t count =
		    kind == KIND_CHILD && sim_once_in(sim, 8) ? 1 + sim_below(sim, 4) : 1;

		if (count > limit - sim->count)
			count = limit - sim->count;
		grow_spec(sim, &spec, kind, &sim->nodes[parent].spec);
		add_place(sim, parent, count, &spec);
	}
}
