/*
 * tree: the core's memory: nodes linked by index, supervisors' extra state, restart stamps, queues
 * between them. Everything that outlives an engine is plain data in four areas (core.h); whoever
 * changes an item gets it through a *_touch function, which notes it as dirty. Nothing here decides
 * anything.
 */
#ifndef COPPICE_CORE_TREE_H
#define COPPICE_CORE_TREE_H

#include "core/core.h"
#include "core/intensity.h"
#include "lib/rng.h"

/*
 * Besides `state` (what is) and NODE_WANTED (what somebody wishes) a node carries these marks. They
 * are facts that no state can stand for, because they hold across states:
 */
enum node_mark {
	NODE_WANTED = 1 << 0,   /* the wish: an operator, or autostart, wants it up */
	NODE_PROCESS = 1 << 1,  /* DO_SPAWN was asked for and its process is not known to be gone */
	NODE_SPAWNING = 1 << 2, /* of these: not answered yet */
	NODE_ENDED = 1 << 3,    /* `status` is that of its last end */
	NODE_STABLE = 1 << 4,   /* that end came after it had been ready for stable_after */
	NODE_AWAITED = 1 << 5,  /* its supervisor is not `running` before it has been ready */
	NODE_IN_SET = 1 << 6,   /* its supervisor's operation is to (stop and) start it */
	NODE_IN_TURN = 1 << 7,  /* that operation waits for it right now */
	NODE_FIRST = 1 << 8,    /* not tried yet since its supervisor began */
	NODE_DRAINED = 1 << 9,  /* an operator wants nothing new for it, until a start or restart */
	NODE_DEMANDED =
	    1 << 10, /* on_demand: a connection has come, and it has not ended well since */
	NODE_HOOK_ENDING = 1 << 11, /* DO_END_HOOK was asked for */
};

/* What waits in a supervisor's queue for a node; several may. */
enum node_pending {
	PENDING_FAILURE = 1 << 0,     /* a failure to be handled */
	PENDING_SIGNIFICANT = 1 << 1, /* an end that may mean automatic shutdown */
	PENDING_START = 1 << 2,       /* operator's commands */
	PENDING_RESTART = 1 << 3,
	PENDING_RESTART_GROUP = 1 << 4,
};

/* What a node that is being stopped becomes when it is down. */
enum node_goal {
	GOAL_NONE,
	GOAL_STOPPED,      /* stopped */
	GOAL_RESTARTING,   /* restarting: a member of a set that will be started */
	GOAL_FINISHED,     /* finished: a temporary member of such a set */
	GOAL_GIVEN_UP,     /* failed: a member of a set that is given up */
	GOAL_FAILED_START, /* its start has failed (start_timeout): a failure */
	GOAL_START,        /* started again (operator's restart) */
	GOAL_ENDED,        /* it has ended by itself, as `end_kind` says; post_stop runs */
	/* supervisors only */
	GOAL_ESCALATE,  /* ends; to its parent an end with reason `shutdown` */
	GOAL_AUTO,      /* the same by automatic shutdown */
	GOAL_TERMINATE, /* failed; its parent sees nothing */
	GOAL_ABORT,     /* its own start has failed */
	GOAL_LEAVE,     /* the root: the daemon leaves */
	GOAL_COUNT
};

struct node {
	uint32_t parent, prev, next, first, last; /* CORE_NONE where there is none */
	uint32_t spec, super;                     /* indices; super is CORE_NONE for a child */
	uint32_t place; /* number of its place; instances of a template share it */
	uint32_t incarnation, restarts, streak;
	/* in its parent's queue (pending != 0) or slot queue (waiting for a slot) */
	uint32_t queue_prev, queue_next;
	int32_t status;
	mono_ms since, ready_at;
	mono_ms started_at; /* of the last process: when it was there, or asked for */
	/* of the state; of a supervisor that is up: of the set that waits. MONO_NEVER: none */
	mono_ms deadline;
	uint16_t marks;
	uint8_t kind, state, reason, goal;
	uint8_t pending, stop_step;
	uint8_t hook;     /* enum core_hook that runs */
	uint8_t end_kind; /* enum end_kind, with GOAL_ENDED */
	uint8_t reserved[4];
};
_Static_assert(sizeof(struct node) <= 128, "at most 128 bytes of core state a child");

/*
 * What a supervisor is doing; the only one at a time (one_for_one: beside it each child is its own
 * operation).
 */
enum operation {
	OPERATION_NONE,
	OPERATION_START,    /* starts the set, in order */
	OPERATION_STOP_SET, /* stops the set, in reverse */
	OPERATION_STOP_ALL, /* stops everything: the supervisor ends */
};
/* What the set waits for between being stopped and started. */
enum set_wait {
	WAIT_NONE,
	WAIT_DELAY, /* its deadline */
	WAIT_LIMIT, /* the same, and the start is stamped (on_limit = backoff) */
};

struct list {
	uint32_t head, tail;
};

struct super {
	uint32_t node;
	uint32_t cursor;   /* next child the operation looks at */
	uint32_t turn;     /* place whose nodes the operation waits for */
	uint32_t in_turn;  /* how many of them */
	uint32_t set_low;  /* lowest place of the set */
	uint32_t awaited;  /* children with NODE_AWAITED */
	uint32_t starting; /* children in `starting` */
	uint32_t group_restarts;
	uint32_t stamps; /* index of its first stamp */
	struct intensity window;
	struct list queue; /* pending, in order of arrival */
	struct list slots; /* waiting for a start slot */
	uint8_t operation, wait, set_goal;
	uint8_t immediate; /* stop and start of the set are one operation (no delay, as OTP) */
	uint8_t first_start;
	uint8_t end_reason;
	uint16_t reserved;
};

struct head {
	mono_ms now;
	struct rng rng;
	uint8_t hold, booted;
	uint8_t left, escalated, automatic; /* DO_EXIT was asked for, and how */
	uint8_t hurried; /* KILL was sent everywhere: the shutdown's last stage */
	uint8_t reserved[2];
	int32_t exit_status;
};

/*
 * A core_action as it waits to be taken: packed, since a boot asks for some 20,000 at once and
 * their memory stays.
 */
struct action {
	uint8_t type;
	uint8_t record, node_state, node_reason; /* RECORD */
	uint32_t node, incarnation;
	union {
		int32_t signal; /* SIGNAL */
		int32_t a;      /* RECORD */
	};
	union {
		bool group;   /* SIGNAL */
		uint8_t hook; /* HOOK END_HOOK */
		int64_t b;    /* RECORD */
	};
};
_Static_assert(sizeof(struct action) == 24, "packed");

struct core {
	struct head head;
	struct node *nodes;
	struct super *supers;
	mono_ms *stamps;
	uint32_t area_count[CORE_AREAS];
	struct core_spec *specs;
	uint32_t spec_count;
	uint32_t *heap, *heap_at, heap_count; /* nodes by deadline; node → position + 1 */
	uint32_t *dirty[CORE_AREAS], dirty_count[CORE_AREAS];
	uint8_t *is_dirty[CORE_AREAS];
	struct action *actions;
	uint32_t action_head, action_tail, action_capacity;
	struct gate *gates; /* gate.c; memory of `after`, no part of the state */
	uint32_t gate_count;
	uint32_t *gates_of,
	    *gates_on; /* [node] its first as the one that waits, as the one waited for */
	/* supervisors to be stepped, a queue through their indices; own index: not in it */
	uint32_t *wake_next;
	struct list wake;
};

static inline const struct node *
node_get(const struct core *core, uint32_t id)
{
	return &core->nodes[id];
}

static inline const struct core_spec *
node_spec(const struct core *core, uint32_t id)
{
	return &core->specs[core->nodes[id].spec];
}

/* Whether the node is neither starting, nor up, nor stopping. */
static inline bool
node_is_down(const struct core *core, uint32_t id)
{
	enum core_state state = core->nodes[id].state;

	return state != STATE_STARTING && state != STATE_RUNNING && state != STATE_STOPPING;
}

static inline bool
node_has(const struct core *core, uint32_t id, uint32_t marks)
{
	return (core->nodes[id].marks & marks) == marks;
}

/* Notes an item as changed. */
void tree_touch(struct core *core, enum core_area area, uint32_t index);
struct head *tree_head_touch(struct core *core);
void tree_stamp_touch(struct core *core, uint32_t index);

/* The node after `id` in a walk of the subtree of `top`, parents first; CORE_NONE at its end. */
uint32_t tree_walk(const struct core *core, uint32_t top, uint32_t id);

/* Whether nothing may be started by itself here: a hold, or a supervisor above is ending. */
bool tree_is_still(const struct core *core, uint32_t id);

/* Has SUPER_STEP handed to this supervisor before core_handle returns. */
void tree_wake(struct core *core, uint32_t supervisor);

/* Appends an action. */
struct action *tree_action(struct core *core, enum core_action_type type, uint32_t id);
/* Appends a record of the node. */
void tree_record(struct core *core, enum core_record_type type, uint32_t id, int32_t a, int64_t b);

#endif
