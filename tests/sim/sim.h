/*
 * sim: random trees, random faults, virtual time. One step is one event handed to the core; after
 * each the judge looks whether the invariants hold. The judge knows only the events that were fed,
 * the actions that were taken and core_view(): it shares no code with the core.
 *
 *   grow.c   makes a random tree         fate.c   what the virtual processes do, and when
 *   chaos.c  what else happens           judge.c  the invariants, by their numbers in judge.h
 *   judge_record.c, judge_forecast.c          sim.c    the loop and the command line
 */
#ifndef COPPICE_TESTS_SIM_H
#define COPPICE_TESTS_SIM_H

#include "core/core.h"
#include "core/forecast.h"

#include <setjmp.h>

#define SIM_MAX_NODES 256
#define SIM_MAX_DEPTH 6

/* The virtual process of a node. */
enum sim_phase {
	PHASE_NONE,     /* no process */
	PHASE_SPAWNING, /* DO_SPAWN was carried out, the answer comes at `next` */
	PHASE_UP,       /* lives; at `next` it ends by itself or says that it is ready */
	PHASE_DEAD,     /* ended; the core hears of it at `next` */
};

struct sim_process {
	enum sim_phase phase;
	uint32_t incarnation;
	mono_ms next; /* when something happens to it; MONO_NEVER: nothing */
	mono_ms dies_at, ready_at;
	bool will_fail;  /* exec does not succeed */
	bool hangs;      /* only a KILL brings an answer, or the engine's own patience */
	bool early_stop; /* told to stop before it was up */
	int32_t status;
	mono_ms echo_at; /* its end is told a second time; MONO_NEVER: not */
	uint32_t echo_incarnation;
};

/* What the judge has noted about a node. */
struct sim_notes {
	bool held;        /* an operator stopped it */
	bool by_operator; /* an operator's start or restart is on its way to it */
	bool commanded;   /* its present start is one of those: nobody waits for it */
	bool told_now;    /* an operator's stop or restart allows any signal at any time */
	bool tried;       /* since its supervisor began: has been ready or failed */
	bool unhandled;   /* a failure that waits for its supervisor */
	bool was_ready;   /* since its set, or its supervisor, was restarted */
	uint32_t known;   /* processes at or below it that the core must take for alive */
	bool spawned;     /* of a child: so is its own */
	bool answered;
	uint32_t incarnation; /* of its last DO_SPAWN */
	uint32_t spawns;      /* DO_SPAWNs, repetitions not counted */
	mono_ms spawned_at, ready_at;
	uint32_t stop_step;    /* signals of the sequence sent so far */
	mono_ms step_ends;     /* when the next may be sent and must be */
	mono_ms start_ends;    /* when it must have become ready; 0: not known yet */
	bool killed;           /* KILL was sent before its turn */
	enum core_state state; /* as the records tell it */
	uint32_t restart_records, group_records;
	mono_ms not_before;      /* no start by itself before that */
	uint32_t tree_kills_due; /* ends whose process group is still to be killed */
	mono_ms *stamps;         /* of a supervisor: its restarts, a ring of intensity + 1 */
	uint32_t stamp_at;
	bool limit_hit; /* since that ring was cleared */
	bool drained;
	bool foretold; /* before this step: what its failure would do */
	struct core_forecast forecast;
	bool
	    decided; /* of a supervisor: a failure was handled in this step, or its window changed */
};

struct sim_node {
	struct core_spec spec;
	uint32_t parent, place, depth;
	struct sim_process process;
	struct sim_notes notes;
	struct core_view view; /* after the last step */
};

struct sim {
	struct core *core;
	uint64_t seed, rng;
	uint64_t core_seed;
	uint64_t step; /* within this scenario */
	mono_ms now;
	uint32_t count;
	struct sim_node nodes[SIM_MAX_NODES];
	struct {
		uint32_t parent, first, count;
	} places[SIM_MAX_NODES]; /* as given to core_add */
	uint32_t place_count;
	uint8_t *saved[CORE_AREAS];
	bool trace;
	bool calm;        /* no faults from now on */
	bool leaving;     /* shutdown was asked for, or something made the root end */
	bool exited;      /* DO_EXIT has come */
	bool lossy;       /* the engine dies after this event: actions get lost */
	bool resuming;    /* what is asked for may have been done already */
	mono_ms hurry_at; /* shutdown_timeout: KILL everywhere */
	mono_ms leave_by;
	uint32_t because; /* the other node in a broken order, for the message */
	bool mere_reset;  /* this event may start and stop nothing */
	uint32_t failing; /* the child whose end this event may tell, or CORE_NONE */
	uint32_t judged;  /* a failure that came as forecast; its group's record is next */
	uint32_t grouped; /* the supervisor that restarts a group because of it, or CORE_NONE */
	bool would_take[SIM_MAX_NODES]; /* its forecast names them */
	jmp_buf broken;                 /* where sim_break goes */
};

/* Random numbers of the scenario. */
uint64_t sim_random(struct sim *sim);
/* In [0, bound). */
uint32_t sim_below(struct sim *sim, uint32_t bound);
/* True once in n times. */
bool sim_once_in(struct sim *sim, uint32_t n);

/* Reports a broken invariant and gives the scenario up. */
_Noreturn void sim_break(struct sim *sim, int invariant, uint32_t node, const char *what);
void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Feeds one event, carries out what the core answers, saves what changed, judges. */
void sim_feed(struct sim *sim, const struct core_event *event);
/* A core with the scenario's places. */
void sim_make_core(struct sim *sim);
/* The engine dies and a new one goes on from what was saved. */
void sim_resume(struct sim *sim);

/* grow.c: fills nodes and places; at most `limit` nodes (0: as chance will have it). */
void grow_tree(struct sim *sim, uint32_t limit);

/* fate.c: the processes. */
void fate_spawn(struct sim *sim, uint32_t node, uint32_t incarnation);
void fate_signal(struct sim *sim, uint32_t node, int32_t signal);
/* It ends now; the core hears of it a little later. */
void fate_kill(struct sim *sim, uint32_t node, int32_t status);
/* The node to which something happens next, or CORE_NONE. */
uint32_t fate_next(const struct sim *sim);
/* Lets that happen; the time has come. */
void fate_happen(struct sim *sim, uint32_t node);
/* From now on nothing fails, hangs or dies. */
void fate_calm(struct sim *sim);

/* chaos.c: perhaps does something unexpected; true if it fed an event. */
bool chaos_strikes(struct sim *sim);
/* The same, for what may also happen during a shutdown: a child asks for time. */
bool chaos_delays(struct sim *sim);

#endif
