/*
 * sim: trees, faults, virtual time. One step is one event handed to the core; after each the judge
 * looks whether the invariants hold. The judge knows only the events that were fed, the actions that
 * were taken and core_view(): it shares no code with the core.
 *
 * A scenario is a story (story.h). A random one is written down while it is played: grow makes the
 * tree, chaos adds lives and events just before they are needed. So whatever fails can be played
 * again, made smaller (shrink), told (table) and kept as a file.
 *
 *   sim.c    the command line        play.c   plays a story, new or old
 *   grow.c   makes a random tree     fate.c   what the virtual processes do, and when
 *   chaos.c  random lives and events judge.c  the invariants, by their numbers in judge.h
 *   shrink.c makes a story small     judge_*.c: more of it
 *   table.c  tells it to people      fault.c  a core that errs, to see that the judge notices
 */
#ifndef COPPICE_TESTS_SIM_H
#define COPPICE_TESTS_SIM_H

#include "core/core.h"
#include "core/forecast.h"
#include "story.h"

#include <setjmp.h>

#define SIM_MAX_NODES STORY_MAX_NODES
#define SIM_MAX_DEPTH 16
#define SIM_START_MS  1000000
/* Looked at as a whole after each step; larger ones every 64th time, else where something changed. */
#define SIM_SMALL 16

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
	int64_t life[LIFE_KEYS];
	uint32_t life_of; /* that incarnation, which may have got no further than pre_start */
	mono_ms next;     /* when something happens to it; MONO_NEVER: nothing */
	mono_ms dies_at, ready_at;
	uint32_t told;   /* gentle signals so far */
	bool unanswered; /* its end will be told before the answer to its spawn */
	int32_t status;
	mono_ms echo_at; /* its end is told a second time; MONO_NEVER: not */
	uint32_t echo_incarnation;
};

/* The virtual hook of a node. */
struct sim_hook {
	enum core_hook hook; /* that runs, or whose end the core has not heard of; HOOK_NONE */
	uint32_t incarnation;
	bool gone;             /* it has ended; the core hears of it at `next` */
	mono_ms next;          /* when it ends by itself, or that; MONO_NEVER: it hangs */
	int32_t status, error; /* as ON_HOOK_DONE will tell it */
	mono_ms echo_at;       /* it is told a second time; MONO_NEVER: not */
	enum core_hook echo;
	uint32_t echo_incarnation;
};

/* What the judge has noted about a node. */
struct sim_notes {
	bool held;    /* an operator stopped it */
	bool asked;   /* an operator has started it once */
	bool parked;  /* an operator stopped it until it is restarted with others */
	bool excused; /* the same, while it was perhaps about to be restarted: it may stay down */
	bool by_operator; /* an operator's start or restart is on its way to it */
	bool commanded;   /* its present start is one of those: nobody waits for it */
	bool told_now;    /* an operator's stop or restart allows any signal at any time */
	bool tried;       /* since its supervisor began: has been ready or failed */
	bool unhandled;   /* a failure that waits for its supervisor */
	bool was_ready;   /* since its set, or its supervisor, was restarted */
	uint32_t known;   /* how many at or below it have a process or a hook, to the core */
	bool alive;       /* of a child: whether it is one of these */
	bool spawned;     /* it has a process */
	bool answered;
	uint32_t incarnation; /* of its last start: with pre_start, else with DO_SPAWN */
	uint32_t starts;      /* repetitions not counted */
	mono_ms started_at;
	mono_ms ready_at;
	uint32_t stop_step;    /* signals of the sequence sent so far */
	mono_ms step_ends;     /* when the next may be sent and must be */
	mono_ms start_ends;    /* when it must have become ready; 0: not known yet */
	bool killed;           /* KILL was sent before its turn */
	enum core_state state; /* as the records tell it */
	uint32_t restart_records, group_records;
	uint32_t streak;  /* failures in a row, as the last record of a restart says */
	bool streak_void; /* something since then may have cleared it */
	bool stable;      /* its last end was of a run of stable_after at least */
	bool ended_early; /* its last end, before it was ready */
	bool end_judged;  /* the next state is what is_end_state says */
	enum core_state end_state;
	mono_ms not_before;      /* no start by itself before that */
	uint32_t tree_kills_due; /* ends whose process group is still to be killed */
	mono_ms *stamps;         /* of a supervisor: its restarts, a ring of intensity + 1 */
	uint32_t stamp_at;
	bool in_set;    /* it is restarted with its group, once that starts */
	bool alone;     /* an operator has started it meanwhile, perhaps apart from that */
	bool drawn_in;  /* its group is restarted, and it was alive then */
	bool limit_hit; /* since that ring was cleared */
	bool drained;
	uint64_t foretold; /* the step before which `forecast` was made */
	struct core_forecast forecast;
	uint64_t decided; /* of a supervisor: the step in which a failure was handled, or its window
			     changed */
	bool would_take;  /* the forecast of the child that may fail now names it */
	/* of a supervisor: its set waits (judge_group.c) */
	bool set_waits, set_limited; /* of these: for room in the window */
	mono_ms set_from, set_by;    /* it starts not before, not after */
	mono_ms stamped_at;          /* its window was filled last then */
	bool own_command;            /* an operator's start or restart names it, or one above it */
	/* an end of a significant child: its supervisor may, must end too (judge_auto.c) */
	bool may_end_it, must_end_it;
	bool terminated; /* of a supervisor: its last limit was that */
	int32_t code;    /* that its last end makes the daemon's; -1: not known */
	bool demanded;   /* on_demand: it may be started (judge_gate.c) */
	bool by_hand;    /* because an operator said so, which its stop does not undo */
	/* judge_hook.c */
	enum core_hook hook;  /* that was asked for, and is not known to be over */
	bool hook_ending;     /* and was told to end */
	mono_ms hook_ends;    /* when it is to be told to, and not before */
	uint32_t hooks_begun; /* in this life, a bit for each */
	bool prepared;        /* pre_start has succeeded */
	bool was_up;          /* when it was told to stop */
	bool ran_out;         /* it was ready, and has ended by itself */
	bool post_due;        /* its process has ended, and post_stop has not begun */
	bool hastened;        /* KILL at once: no hook begins any more */
	bool done_due;        /* its hook has ended: the record of it */
	int32_t done_status;
	int64_t done_how;
};

struct sim_node {
	const struct core_spec *spec;
	const struct story_place *from;
	uint32_t number;              /* in the story */
	uint32_t parent, first, next; /* its children, the next of its parent's; CORE_NONE */
	uint32_t place, depth;
	struct sim_process process;
	struct sim_hook hook;
	struct sim_notes notes;
	struct core_view view; /* after the last step */
	bool touched;
};

struct sim {
	struct core *core;
	struct story *story;
	uint32_t next_event; /* of the story */
	uint64_t seed, rng;
	uint64_t step;   /* within this scenario */
	uint64_t digest; /* of the trace of all so far */
	mono_ms now;
	int64_t rank; /* the highest of what has happened in this millisecond */
	uint32_t count;
	struct sim_node nodes[SIM_MAX_NODES];
	mono_ms due[SIM_MAX_NODES];        /* when something happens to each process or hook */
	uint32_t by_number[SIM_MAX_NODES]; /* CORE_NONE */
	uint32_t supers[SIM_MAX_NODES];    /* in the order in which the core numbers them */
	uint32_t touched[SIM_MAX_NODES], touched_count;
	uint8_t *saved[CORE_AREAS];
	int fault;     /* of the core, enum fault; -1: none */
	bool told;     /* as a table */
	bool thorough; /* everything is looked at in this step */
	bool fickle;   /* lives and events are made up while it is played, by chaos */
	bool calm;     /* no faults from now on */
	bool at_peace; /* and all was quiet once since then */
	uint64_t calm_step;
	bool leaving;       /* shutdown was asked for, or something made the root end */
	bool exited;        /* DO_EXIT has come */
	int64_t crash;      /* the engine dies after that many actions for the next event; -1 */
	bool resuming;      /* what is asked for may have been done already */
	mono_ms hurry_at;   /* shutdown_timeout: KILL everywhere */
	mono_ms leave_by;   /* 0: no shutdown yet */
	uint64_t last_step; /* so many may follow a shutdown, or the last event */
	uint32_t because;   /* the other node in a broken order, for the message */
	bool mere_reset;    /* this event may start and stop nothing */
	uint32_t failing;   /* the child whose end this event may tell, or CORE_NONE */
	uint32_t judged;    /* a failure that came as forecast; its group's record is next */
	uint32_t set_due;   /* failed just now, and its set is larger: a record must say so next */
	span_ms set_delay;  /* of that failure */
	bool set_limited;   /* and whether it waits for room */
	uint32_t revived;   /* a supervisor whose given up set an operator starts, or CORE_NONE */
	enum core_reason root_end; /* why the root ends, if it does so by itself */
	uint32_t connected; /* who waits for a connection no longer after this step, or CORE_NONE */
	mono_ms room_at;    /* of the limit just reached; MONO_NEVER: not known */
	uint32_t grouped;   /* the supervisor that restarts a group because of it, or CORE_NONE */
	struct {
		int invariant; /* 0: none is broken */
		const char *what;
		uint32_t node;
		uint64_t step;
		mono_ms at;
	} verdict;
	sigjmp_buf broken; /* where sim_break goes, and what the core stops with (must) */
};

/* Random numbers of the scenario. */
uint64_t sim_random(struct sim *sim);
/* In [0, bound). */
uint32_t sim_below(struct sim *sim, uint32_t bound);
/* True once in n times. */
bool sim_once_in(struct sim *sim, uint32_t n);

/* play.c: plays the story; true if no invariant was broken, else see verdict. */
bool play_story(struct sim *sim);
/* Makes up the story of a seed while it is played; nodes: how many at most, 0: by chance. */
bool play_seed(struct sim *sim, uint64_t seed, uint32_t nodes);
/* What the core dies of is a broken invariant from now on. */
void play_catch_crashes(void);
/* Reports a broken invariant and gives the scenario up. */
_Noreturn void sim_break(struct sim *sim, int invariant, uint32_t node, const char *what);
/* Feeds one event, carries out what the core answers, saves what changed, judges. */
void sim_feed(struct sim *sim, const struct core_event *event);
/* from + span, where that is ever. */
mono_ms sim_end(mono_ms from, span_ms span);
/* Whether it is in the subtree of top. */
bool sim_is_below(const struct sim *sim, uint32_t id, uint32_t top);
/* Its view was or will be another after this step. */
void sim_touch(struct sim *sim, uint32_t id);
/* core_view(), as the judge gets to see it. */
void sim_look(const struct sim *sim, uint32_t id, struct core_view *view);

/* grow.c: fills the places of the story; at most `limit` nodes (0: as chance will have it). */
void grow_tree(struct sim *sim, uint32_t limit);

/* Whether something waits for itself there, so that it can never start: no configuration does. */
bool grow_has_circle(const struct story *story);

/* Whether chance makes each value of each key, and trees as deep and as large as they may be. */
int grow_test(struct sim *sim);

/* fate.c: the processes. */
void fate_spawn(struct sim *sim, uint32_t node, uint32_t incarnation);
/* Its hook begins. */
void fate_hook(struct sim *sim, uint32_t node, uint32_t incarnation, enum core_hook hook);
/* That hook is killed; the core hears of it a little later. */
void fate_end_hook(struct sim *sim, uint32_t node, enum core_hook hook);
void fate_signal(struct sim *sim, uint32_t node, int32_t signal);
/* It ends now; the core hears of it a little later. */
void fate_kill(struct sim *sim, uint32_t node, int32_t status);
/* The node to which something happens next, or CORE_NONE. */
uint32_t fate_next(const struct sim *sim);
/* Lets that happen; the time has come. */
void fate_happen(struct sim *sim, uint32_t node);
/* From now on nothing fails, hangs or dies. */
void fate_calm(struct sim *sim);

/* chaos.c: a life for the incarnation that is started now. */
void chaos_life(struct sim *sim, uint32_t node, uint32_t incarnation);
/* Perhaps adds events that come before anything else, or soon. */
void chaos_strikes(struct sim *sim);

/* table.c */
void table_tree(const struct sim *sim);
void table_event(const struct sim *sim, const struct core_event *event);
void table_note(const struct sim *sim, const char *what);
void table_action(const struct sim *sim, const struct core_action *action, bool lost);
void table_verdict(const struct sim *sim);

/* shrink.c: a smaller story that breaks the same invariant in the same words; for so long at most. */
void shrink_story(struct sim *sim, double seconds);

/* fault.c: what makes a core err, by name; the judge must notice. */
#define FAULTS(X)                                                                         \
	X(FAULT_SPAWN_TWICE, 1, "spawns twice")                                           \
	X(FAULT_KILL_FIRST, 2, "begins every stop with KILL")                             \
	X(FAULT_SHORT_WAIT, 2, "waits half as long between the signals of a stop")        \
	X(FAULT_NO_START_TIMEOUT, 2, "knows no start_timeout")                            \
	X(FAULT_START_PARALLEL, 3, "starts all at once, whatever start_order says")       \
	X(FAULT_STOP_PARALLEL, 3, "stops all at once, whatever stop_order says")          \
	X(FAULT_NO_LIMIT, 4, "restarts at once where the limit is reached")               \
	X(FAULT_NEVER_STARTS, 5, "does not start what is to start by itself")             \
	X(FAULT_OLD_SIGNAL, 6, "signals an old incarnation")                              \
	X(FAULT_DEAF_STOP, 7, "does not hear an operator's stop")                         \
	X(FAULT_MANUAL_STARTS, 7, "starts what nobody wants")                             \
	X(FAULT_DEAF_SHUTDOWN, 8, "does not hear the shutdown")                           \
	X(FAULT_LONG_DELAY, 9, "waits twice as long as backoff says")                     \
	X(FAULT_STREAK, 9, "takes every failure for the first in a row")                  \
	X(FAULT_LOST_RECORD, 10, "forgets to tell of a restart")                          \
	X(FAULT_LATE_TIMER, 11, "takes a timer for earlier than it is")                   \
	X(FAULT_FORECAST, 12, "forecasts by another intensity than it was told")          \
	X(FAULT_NOT_SAVED, 13, "leaves something out of the checkpoint")                  \
	X(FAULT_RESTARTS_NORMAL, 14, "restarts what is transient after a normal end")     \
	X(FAULT_IGNORES_LIST, 14, "has never heard of no_restart_exit")                   \
	X(FAULT_ONLY_ONE, 15, "restarts only the failed child where its set is more")     \
	X(FAULT_SIBLING_STREAK, 9, "counts a group restart as a failure of every member") \
	X(FAULT_DEAF_RESET, 9, "does not hear an operator's reset")                       \
	X(FAULT_START_KEEPS_STREAK, 9, "counts on after an operator's start")             \
	X(FAULT_SET_EARLY, 16, "starts a set when half of its delay is over")             \
	X(FAULT_SET_LATE, 16, "starts a set when twice its delay is over")                \
	X(FAULT_SET_SHORTER, 16, "lets the delay of the last failure hold for its set")   \
	X(FAULT_DEAF_START, 16, "does not hear a start during a delay")                   \
	X(FAULT_NO_AUTO, 17, "knows no automatic shutdown")                               \
	X(FAULT_AUTO_ANY, 17, "takes all_significant for any_significant")                \
	X(FAULT_AUTO_STATUS, 17, "leaves with 0 after an automatic shutdown")             \
	X(FAULT_ESCALATED_STATUS, 17, "leaves with 0 after an escalation")                \
	X(FAULT_NO_AFTER, 18, "has never heard of after")                                 \
	X(FAULT_AFTER_TOO_MUCH, 18, "waits for others than those named by after")         \
	X(FAULT_NO_DEMAND, 18, "starts without a connection what is on_demand")           \
	X(FAULT_DEAF_DEMAND, 18, "hears no connections")                                  \
	X(FAULT_DRAINED_STARTS, 18, "starts on a connection what is drained")             \
	X(FAULT_NO_PRE_START, 19, "has never heard of pre_start")                         \
	X(FAULT_PRE_START_FAILED, 19, "starts a program though its pre_start has failed") \
	X(FAULT_NO_STOP_COMMAND, 19, "has never heard of stop_command")                   \
	X(FAULT_NO_POST_STOP, 19, "has never heard of post_stop")                         \
	X(FAULT_HOOK_SHORT, 19, "ends hooks when half of their time is over")             \
	X(FAULT_HOOK_ENDLESS, 19, "knows no hook_timeout")                                \
	X(FAULT_HOOK_TWICE, 19, "runs each hook twice")                                   \
	X(FAULT_HOOK_GOES_ON, 19, "lets a hook go on that nobody needs any more")         \
	X(FAULT_HOOK_IN_HASTE, 19, "has time for hooks when it is to stop at once")       \
	X(FAULT_POST_STOP_CUT, 19, "does not let an operator wait for post_stop")         \
	X(FAULT_ANY_HOOK, 10, "takes the end of any hook for that of the one that runs")  \
	X(FAULT_HOOK_LOST, 13, "does not ask for a hook again after an engine's death")

enum fault {
#define X(name, invariant, text) name,
	FAULTS(X) FAULT_COUNT
#undef X
};
void fault_spec(const struct sim *sim, struct core_spec *spec);
/* Whether the core hears of it. */
bool fault_event(const struct sim *sim, struct core_event *event, mono_ms *now);
/* How often it is done. */
uint32_t fault_action(const struct sim *sim, struct core_action *action);
bool fault_saves(const struct sim *sim, enum core_area area);
/* How it shows itself. */
void fault_view(const struct sim *sim, uint32_t id, struct core_view *view);
/* Whether what may be a dependency is one. */
bool fault_after(const struct sim *sim, bool is);
/* Each of them is found, by the right invariant, and told in a few lines. */
int fault_test(struct sim *sim);

#endif
