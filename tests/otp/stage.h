/*
 * stage: a core, the virtual processes of a scenario, and what is on its way between them. It lets
 * happen what Erlang does with nothing but the core's ordinary events: an Erlang supervisor
 * has one queue and handles one message after the other, so what is for a supervisor waits here
 * until that has nothing else in hand.
 */
#ifndef COPPICE_TESTS_OTP_STAGE_H
#define COPPICE_TESTS_OTP_STAGE_H

#include "core/core.h"

#include <jansson.h>

/* What is counted over the whole scenario, whoever bears the name. */
struct ident {
	const char *name;
	uint32_t attempts, starts;
};

/* Who plays the node of that number. */
struct actor {
	const json_t *spec;
	uint32_t ident;  /* index */
	uint32_t parent; /* node */
	/* and Erlang can start it; else it is played as a worker that never starts */
	bool supervisor;
	bool added;     /* by start_child: gone when its supervisor starts anew (OTP 26) */
	bool forgotten; /* not in its supervisor's list (OTP 4, 37) */
	bool parked; /* it could not be started, and that is in its supervisor's queue (OTP 16) */
	bool silent; /* it fails to start once more, for the core alone, which retries it then */
	/* a worker's process */
	bool spawning, alive, told, early;
	uint32_t incarnation;
	uint32_t n; /* how often it has started */
	/* a supervisor */
	bool failed;       /* its start */
	const char *cause; /* of its end */
};

enum what {
	SPAWN,
	EXIT,
	SLOW_STOP,
	RETRY,
	CALL
};

struct item {
	enum what what;
	mono_ms at; /* in hand: not before that */
	uint32_t node, incarnation;
	int32_t status;
	/* in the queue of a supervisor */
	uint32_t super, super_incarnation;
	/* a failed start: the child of `super` that could not start; or CORE_NONE */
	uint32_t culprit;
	const char *ends; /* why `super` would end with it; NULL: it would not */
};

struct items {
	struct item *at;
	size_t count, room;
};

struct stage {
	struct core *core;
	mono_ms now;
	bool over; /* the root has ended */
	struct actor *actors;
	uint32_t count, room;
	struct ident *idents;
	uint32_t ident_count, ident_room;
	struct items hand, mail; /* answers to what the core does; the supervisors' queues */
	uint32_t *to_stop;       /* nodes that the core starts, or gives up, and Erlang does not */
	uint32_t to_stop_count, to_stop_room;
	json_t *events; /* since the last step */
	/* the operator's call of this step */
	const json_t *call;
	const char *call_result; /* NULL: not answered */
	uint32_t call_node;      /* who is being started for it, or CORE_NONE */
	const char *broken;      /* what must not be has happened */
};

/* A tree below `parent` (CORE_NONE: the root). Returns its node; CORE_NONE: the core refuses it. */
uint32_t stage_add(struct stage *stage, uint32_t parent, const json_t *spec);
void stage_free(struct stage *stage);

void stage_feed(struct stage *stage, const struct core_event *event);
/* Tells the core of an end or of a failed start. */
void stage_feed_item(struct stage *stage, const struct item *item);
void stage_order(struct stage *stage, enum core_event_type type, uint32_t node);
/* A stop that the next group restart may undo, as Erlang's terminate_child. */
void stage_terminate(struct stage *stage, uint32_t node);
struct core_view stage_view(const struct stage *stage, uint32_t node);
bool stage_is_up(const struct stage *stage, uint32_t node);

/* A worker's process ends; its supervisor has that in its queue. False: it does not run. */
bool stage_kill(struct stage *stage, const char *id, bool crash);
void stage_queue(struct items *items, struct item item);
/* failed_start.c: tells the core of a failed start, or puts it into the queue of who retries it. */
void stage_fail(struct stage *stage, struct item item);
/* Whether the supervisor is being stopped because it, or one above it, has failed to start. */
bool stage_is_stopped_by_failure(const struct stage *stage, uint32_t super);
bool stage_has_mail(const struct stage *stage, uint32_t super);
/* Of a group: who was to be started after the one that could not be stays down until the retry. */
void stage_stop_waiting(struct stage *stage, uint32_t super);
/* Takes a failed start out of its supervisor's queue: it is told now. */
void stage_unpark(struct stage *stage, uint32_t culprit);
struct item stage_take(struct items *items, size_t index);
bool stage_is_below(const struct stage *stage, uint32_t node, uint32_t top);
/* Whether somebody below the supervisor, other than the node, has a process. */
bool stage_has_others(const struct stage *stage, uint32_t super, uint32_t node);
/* What has been parked fails to start once more, so that the core retries it. */
void stage_retry(struct stage *stage, uint32_t culprit);
/* All that follows. */
void stage_settle(struct stage *stage);

/* Whether the root has never come up; it may have ended later. */
bool stage_failed_to_start(const struct stage *stage);
/* Whether the node is in its supervisor's list. */
bool stage_is_present(const struct stage *stage, uint32_t node);
/* The supervisor of that name that runs, or CORE_NONE. */
uint32_t stage_find_super(const struct stage *stage, const char *id);
uint32_t stage_find_child(const struct stage *stage, uint32_t super, const char *id);

/*
 * mail.c: why the supervisor whose message that is will end when it handles it; NULL: it will not.
 */
const char *mail_foresee_end(const struct stage *stage, const struct item *item);
/* Whether a supervisor child ends by itself: its parent has not heard of it yet. */
bool mail_ends_by_itself(const struct core_view *view);
/* Whether the supervisor, or one below it and not below `but`, has something in hand. */
bool mail_is_at_work(const struct stage *stage, uint32_t super, uint32_t but);
/* Whether the parent would stop, when it hears of the end of that supervisor, one that has something in hand. */
bool mail_would_wait(const struct stage *stage, uint32_t super);
/*
 * Delivers the next message; false: there is none that can be handled. Unless all are meant, one whose supervisor would
 * end at once waits for what is in hand.
 */
bool mail_next(struct stage *stage, bool all);

/* calls.c: the step's call arrives at its supervisor; its turn has come. */
void calls_arrive(struct stage *stage, const json_t *call);
void calls_run(struct stage *stage, struct item call);
/* The child that was started for the call could not be; the core is still to be told, by `end`. */
void calls_start_failed(struct stage *stage, struct item end);

#endif
