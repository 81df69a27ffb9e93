/*
 * wait: somebody waits until nodes are up, or down, or until the first attempt to start one has
 * failed. Fed with every record of the core, so that a state that lasts no longer than one turn of
 * the loop is seen too.
 */
#ifndef COPPICE_ENGINE_WAIT_H
#define COPPICE_ENGINE_WAIT_H

#include "core/core.h"
#include "lib/buf.h"

struct engine;

enum wait_kind {
	WAIT_UP,
	WAIT_DOWN
};

enum wait_failure {
	WAIT_NO_FAILURE,
	WAIT_START_FAILED, /* a: step, b: errno */
	WAIT_ENDED,        /* a: wait status: it ended before it was ready */
	WAIT_GAVE_UP,      /* a: enum core_reason */
	WAIT_INTERRUPTED,  /* it was stopped meanwhile */
};

struct wait {
	struct wait *prev, *next; /* in its list */
	const struct core *core;
	enum wait_kind kind;
	uint32_t first, count;
	/*
	 * Per node the lowest incarnation that counts; 0: it is where it should be. NULL: this wait
	 * is not in use.
	 */
	uint32_t *need;
	uint32_t remaining;
	enum wait_failure failure; /* the first one */
	uint32_t failed_node;
	int64_t a, b;
	void (*wake)(void *context); /* called when the wait is over; must only take note */
	void *context;
};

struct wait_list {
	struct wait *head;
};

/*
 * Fills a zeroed wait for nodes first … first+count−1 and adds it. wake and context are the
 * caller's to set. 0 or -ENOMEM.
 */
int wait_begin(struct wait *wait, struct wait_list *list, const struct core *core,
    enum wait_kind kind, uint32_t first, uint32_t count);
/*
 * Before the command is handed to the core: says what the node has to reach. A restart has to bring
 * a new incarnation.
 */
void wait_expect(struct wait *wait, uint32_t node, bool restart);
/* After that: the node may be there already. */
void wait_look(struct wait *wait, uint32_t node);
/* Nothing in use stays so. */
void wait_end(struct wait *wait, struct wait_list *list);
static inline bool
wait_is_over(const struct wait *wait)
{
	return wait->remaining == 0 || wait->failure != WAIT_NO_FAILURE;
}
/* One of the core's records, to all. */
void wait_on_record(struct wait_list *list, const struct core_record *record);
/*
 * Says in words why it failed: "executing the command /bin/x: No such file or directory (ENOENT)".
 */
void wait_describe(const struct wait *wait, const struct engine *engine, struct buf *out);

#endif
