#include "world_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void
world_start(struct world *world, const char *name)
{
	world_order(world, ON_START, name);
}

void
world_order_now(struct world *world, enum core_event_type type, const char *name)
{
	world_feed(world,
	    &(struct core_event){ .type = type, .node = world_id(world, name), .now = true });
	world_run(world);
}

void
world_stop(struct world *world, const char *name)
{
	world_order(world, ON_STOP, name);
}

void
world_restart(struct world *world, const char *name)
{
	world_order(world, ON_RESTART, name);
}

void
world_shutdown(struct world *world)
{
	world_order(world, ON_SHUTDOWN, NULL);
}

void
world_demand(struct world *world, const char *name)
{
	world_order(world, ON_DEMAND, name);
}

struct core *
world_core(struct world *world)
{
	return world->core;
}

mono_ms
world_now(const struct world *world)
{
	return world->now;
}

uint32_t
world_id(const struct world *world, const char *name)
{
	for (uint32_t i = 0; i < world->count; i++) {
		if (strcmp(world->names[i], name) == 0)
			return i;
	}
	fail_msg("no node %s", name);
	return CORE_NONE;
}

const char *
world_name(const struct world *world, uint32_t id)
{
	return id < world->count ? world->names[id] : "nobody";
}

struct core_view
world_view(const struct world *world, const char *name)
{
	struct core_view view;

	core_view(world->core, world_id(world, name), &view);
	return view;
}

const char *
world_trace(struct world *world)
{
	memcpy(world->told, world->trace, world->trace_len + 1);
	world->trace_len = 0;
	world->trace[0] = '\0';
	return world->told;
}

const char *
world_alive(struct world *world)
{
	size_t len = 0;

	world->told[0] = '\0';
	for (uint32_t i = 0; i < world->count; i++) {
		if (world->procs[i].alive)
			len += (size_t)snprintf(world->told + len, TEXT_SIZE - len, "%s%s",
			    len > 0 ? " " : "", world->names[i]);
	}
	return world->told;
}

uint32_t
world_signals(const struct world *world, const char *name)
{
	return world->procs[world_id(world, name)].signals;
}

int32_t
world_last_signal(const struct world *world, const char *name)
{
	return world->procs[world_id(world, name)].last_signal;
}

uint32_t
world_sweeps(const struct world *world, const char *name)
{
	return world->procs[world_id(world, name)].sweeps;
}

uint32_t
world_records(const struct world *world, enum core_record_type type, const char *name)
{
	uint32_t node = name == NULL ? CORE_NONE : world_id(world, name);
	uint32_t count = 0;

	for (size_t i = 0; i < world->record_count; i++) {
		if (world->records[i].type == type &&
		    (name == NULL || world->records[i].node == node))
			count++;
	}
	return count;
}

bool
world_last_record(const struct world *world, enum core_record_type type, const char *name,
    struct core_record *out)
{
	uint32_t node = world_id(world, name);

	for (size_t i = world->record_count; i-- > 0;) {
		if (world->records[i].type == type && world->records[i].node == node) {
			*out = world->records[i];
			return true;
		}
	}
	return false;
}

void
world_expect_text(const char *is, const char *should, const char *file, int line)
{
	if (strcmp(is, should) == 0)
		return;
	print_error("expected: %s\n   found: %s\n", should, is);
	_fail(file, line);
}

void
world_expect_state(const struct world *world, const char *name, enum core_state state,
    enum core_reason reason, const char *file, int line)
{
	struct core_view view = world_view(world, name);

	if (view.state == state && (reason == REASON_COUNT || view.reason == reason))
		return;
	print_error("expected: %s is %s%s%s\n   found: %s (%s)\n", name, core_state_text(state),
	    reason == REASON_COUNT ? "" : ", ",
	    reason == REASON_COUNT ? "" : core_reason_text(reason), core_state_text(view.state),
	    core_reason_text(view.reason));
	_fail(file, line);
}
