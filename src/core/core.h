/*
 * core: the supervision tree as a pure, deterministic machine: events in, actions out, time as an
 * argument. It alone decides what starts, stops, waits and escalates. No system calls, no clock, no
 * I/O, no globals. See child.h and super.h for the two state machines.
 *
 * Use: core_new, then core_add for every place, parents first, siblings in start order; then
 * core_handle(ON_BOOT). After each core_handle take all actions with core_next_action and carry
 * them out in order. Arm one timer for core_next_deadline and hand in ON_TIMER when it has come
 * (early or late is harmless).
 *
 * Memory grows only in core_add; nothing else allocates.
 */
#ifndef COPPICE_CORE_CORE_H
#define COPPICE_CORE_CORE_H

#include "core/spec.h"
#include "core/types.h"

#include <stddef.h>

struct core;

/* A new, empty tree whose jitter comes from the seed; NULL when memory is gone. */
struct core *core_new(uint64_t seed);
void core_free(struct core **core);

/*
 * Adds a place with `count` nodes below supervisor `parent` (CORE_NONE for the root, which comes
 * first) at the end of its order. count is 1, or any number (0 too) for a template, whose instances
 * stand at one place and get consecutive ids. The spec is copied. Sets *first (if not NULL) to the
 * id of the first. 0, -ENOMEM or -EINVAL (the spec or the parent is impossible).
 */
int core_add(struct core *core, uint32_t parent, const struct core_spec *spec, uint32_t count,
    uint32_t *first);
uint32_t core_count(const struct core *core);
/*
 * Once all is added: no start of a node of the child's place `waiter` (any of its ids) before every node of the place of
 * `dependency` is ready: running, or a one-shot that has finished. Whoever calls it makes sure that no circle comes of it.
 * 0 or -ENOMEM.
 */
int core_add_after(struct core *core, uint32_t waiter, uint32_t dependency);
/* The first node that holds back a start of this one because it is not ready; CORE_NONE: none. */
uint32_t core_held_by(const struct core *core, uint32_t node);

/*
 * Hands in one event. Whoever carries out DO_SPAWN answers within the shorter of 5 s and
 * start_timeout of the moment in which it began (a start may have to queue); from ON_SPAWNED on,
 * start_timeout is the core's. Time never goes back: an earlier `now` than before counts as before.
 */
void core_handle(struct core *core, mono_ms now, const struct core_event *event);
/* The next action that is still to be carried out; false when there is none. */
bool core_next_action(struct core *core, struct core_action *out);
/* When ON_TIMER is due; MONO_NEVER when nothing waits. */
mono_ms core_next_deadline(const struct core *core);

/*
 * Whether an operator's start or restart of the node would be refused, because a supervisor above
 * it is stopped, stopping, failed or finished, or the daemon shuts down: the topmost such
 * supervisor, else CORE_NONE. ON_START, ON_RESTART and ON_RESET that would be refused change
 * nothing.
 */
uint32_t core_refusal(const struct core *core, uint32_t node);

/* What is known of a node. Times are mono_ms, MONO_NEVER where there is none. */
struct core_view {
	enum core_kind kind;
	enum core_state state;
	enum core_reason reason;
	uint32_t parent, next, first_child; /* CORE_NONE */
	uint32_t incarnation;               /* starts so far */
	uint32_t restarts;                  /* failures of its own that led to a restart */
	uint32_t streak;                    /* failures in a row */
	bool wanted;                        /* an operator (or autostart) wants it up */
	bool drained;                       /* an operator wants nothing new for it */
	bool has_process;                   /* asked for by DO_SPAWN and not known to be gone */
	bool spawning;                      /* of these: not yet answered */
	enum core_hook hook;                /* that runs, or is about to */
	bool ended;                         /* status is that of its last end */
	int32_t status;
	mono_ms since;      /* of the state */
	mono_ms next_start; /* while a delay runs: of this node or of the set it waits in */
	/* supervisors */
	uint32_t restarts_in_window; /* at `now` of the last event */
	uint32_t group_restarts;
};
void core_view(const struct core *core, uint32_t id, struct core_view *out);
const struct core_spec *core_spec_of(const struct core *core, uint32_t node);
bool core_is_holding(const struct core *core);
/* Whether the daemon is on its way out (shutdown, escalation or automatic shutdown of the root). */
bool core_is_leaving(const struct core *core);

/*
 * The state as plain, position-independent memory, for the checkpoint. Areas are arrays of
 * core_area_count() items of core_area_size() bytes, fixed once all is added. core_next_dirty tells
 * which items have changed since it told last (each once; after core_add: none). To resume: the
 * same core_new and core_add calls, core_load for every item, core_load_end, then core_handle(ON_RESUME), which
 * asks again for whatever may not have been carried out (DO_SPAWN of those still unanswered,
 * DO_SIGNAL of those stopping, DO_EXIT): signals may repeat, and whoever carries out DO_SPAWN must
 * know if it has been done. CORE_LAYOUT changes whenever the meaning of the bytes does.
 */
#define CORE_LAYOUT 4U
enum core_area {
	CORE_AREA_HEAD,
	CORE_AREA_NODES,
	CORE_AREA_SUPERS,
	CORE_AREA_STAMPS,
	CORE_AREAS
};
uint32_t core_area_count(const struct core *core, enum core_area area);
uint32_t core_area_size(const struct core *core, enum core_area area);
const void *core_area_item(const struct core *core, enum core_area area, uint32_t index);
bool core_next_dirty(struct core *core, enum core_area *area, uint32_t *index);
/* False when no core has ever looked like that: the core must not be used any more. */
bool core_load(struct core *core, enum core_area area, uint32_t index, const void *item);
/* When all is loaded: NULL, or the invariant (core_check) that is broken. */
const char *core_load_end(struct core *core);

/*
 * Walks everything and returns the first broken invariant (static text), or NULL. For tests and the
 * simulator.
 */
const char *core_check(const struct core *core);

#endif
