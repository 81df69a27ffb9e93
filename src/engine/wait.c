#include "engine/wait.h"

#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
wait_begin(struct wait *wait, struct wait_list *list, const struct core *core, enum wait_kind kind,
    uint32_t first, uint32_t count)
{
	wait->need = calloc(count > 0 ? count : 1, sizeof *wait->need);
	if (wait->need == NULL)
		return -ENOMEM;
	wait->core = core;
	wait->kind = kind;
	wait->first = first;
	wait->count = wait->remaining = count;
	/* Until the command reaches them no incarnation counts. */
	memset(wait->need, 0xff, count * sizeof *wait->need);
	wait->prev = NULL;
	wait->next = list->head;
	if (list->head != NULL)
		list->head->prev = wait;
	list->head = wait;
	return 0;
}

void
wait_end(struct wait *wait, struct wait_list *list)
{
	if (wait->need == NULL)
		return;
	if (wait->prev != NULL)
		wait->prev->next = wait->next;
	else
		list->head = wait->next;
	if (wait->next != NULL)
		wait->next->prev = wait->prev;
	free(wait->need);
	*wait = (struct wait){ 0 };
}

static void
wait_satisfy(struct wait *wait, uint32_t *need)
{
	*need = 0;
	if (--wait->remaining == 0)
		wait->wake(wait->context);
}

static void
wait_fail(struct wait *wait, uint32_t node, enum wait_failure failure, int64_t a, int64_t b)
{
	if (wait_is_over(wait))
		return;
	wait->failure = failure;
	wait->failed_node = node;
	wait->a = a;
	wait->b = b;
	wait->wake(wait->context);
}

void
wait_expect(struct wait *wait, uint32_t node, bool restart)
{
	struct core_view view;
	uint32_t *need = &wait->need[node - wait->first];

	core_view(wait->core, node, &view);
	bool under_way = view.state == STATE_STARTING || view.state == STATE_RUNNING;
	*need = view.incarnation + (under_way && !restart && view.incarnation > 0 ? 0 : 1);
}

static bool
wait_is_one_shot(const struct wait *wait, uint32_t node)
{
	const struct core_spec *spec = core_spec_of(wait->core, node);

	return spec->kind == KIND_CHILD && spec->ready == READY_EXIT;
}

void
wait_look(struct wait *wait, uint32_t node)
{
	struct core_view view;
	uint32_t *need = &wait->need[node - wait->first];

	if (*need == 0)
		return;
	core_view(wait->core, node, &view);
	bool there;
	if (wait->kind == WAIT_DOWN)
		there = !view.has_process &&
		    (view.state == STATE_STOPPED || view.state == STATE_FINISHED ||
			view.state == STATE_FAILED);
	else
		there = view.incarnation >= *need &&
		    (view.state == STATE_RUNNING ||
			(view.state == STATE_FINISHED && wait_is_one_shot(wait, node)));
	if (there)
		wait_satisfy(wait, need);
}

/* A node that is stopped while somebody waits for it to come up: whether that is how it stays. */
static bool
wait_stays_down(const struct wait *wait, uint32_t node)
{
	struct core_view view;

	core_view(wait->core, node, &view);
	return view.state == STATE_STOPPED &&
	    (!view.wanted || core_is_leaving(wait->core) ||
		core_refusal(wait->core, node) != CORE_NONE);
}

/* The node has come into a new state while it is waited for to come up. */
static void
wait_up_state(struct wait *wait, uint32_t *need, const struct core_record *record)
{
	uint32_t node = record->node;

	switch (record->state) {
	case STATE_RUNNING:
		if (record->incarnation >= *need)
			wait_satisfy(wait, need);
		break;
	case STATE_FINISHED:
		if (record->incarnation < *need)
			break;
		if (wait_is_one_shot(wait, node))
			wait_satisfy(wait, need);
		else
			wait_fail(wait, node, WAIT_GAVE_UP, record->reason, 0);
		break;
	case STATE_FAILED: wait_fail(wait, node, WAIT_GAVE_UP, record->reason, 0); break;
	case STATE_STOPPING:
		if (record->reason == REASON_START_TIMEOUT || record->reason == REASON_HOOK_TIMEOUT)
			wait_fail(wait, node, WAIT_GAVE_UP, record->reason, 0);
		break;
	case STATE_STOPPED:
		if (wait_stays_down(wait, node))
			wait_fail(wait, node, WAIT_INTERRUPTED, 0, 0);
		break;
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RESTARTING:
	case STATE_COUNT: break;
	}
}

/*
 * The end of the awaited incarnation. One that somebody has told to stop is judged by the state
 * that follows.
 */
static void
wait_up_exited(struct wait *wait, const uint32_t *need, const struct core_record *record)
{
	if (record->incarnation < *need || record->state == STATE_STOPPING ||
	    record->state == STATE_STOPPED)
		return;
	if (wait_is_one_shot(wait, record->node) &&
	    spec_exit_matches(&core_spec_of(wait->core, record->node)->success_exit, record->a))
		return;
	wait_fail(wait, record->node, WAIT_ENDED, record->a, 0);
}

static void
wait_one(struct wait *wait, const struct core_record *record)
{
	if (record->node < wait->first || record->node - wait->first >= wait->count)
		return;
	uint32_t *need = &wait->need[record->node - wait->first];
	if (*need == 0 || wait_is_over(wait))
		return;
	if (wait->kind == WAIT_DOWN) {
		/*
		 * What is told to stop leaves `stopping` only by being down, also when another
		 * start is waiting for that.
		 */
		if (record->type == RECORD_STATE && record->state != STATE_STOPPING &&
		    *need != UINT32_MAX)
			wait_satisfy(wait, need);
		return;
	}
	if (*need == UINT32_MAX)
		return;
	if (record->type == RECORD_STATE || record->type == RECORD_READY)
		wait_up_state(wait, need, record);
	else if (record->type == RECORD_START_FAILED && record->incarnation >= *need)
		wait_fail(wait, record->node, WAIT_START_FAILED, record->a, record->b);
	else if (record->type == RECORD_EXITED)
		wait_up_exited(wait, need, record);
	else if (record->type == RECORD_RESTARTING &&
	    (record->incarnation >= *need || record->reason == REASON_QUEUE_TIMEOUT))
		wait_fail(wait, record->node, WAIT_GAVE_UP, record->reason, 0);
}

void
wait_on_record(struct wait_list *list, const struct core_record *record)
{
	for (struct wait *wait = list->head; wait != NULL; wait = wait->next)
		wait_one(wait, record);
}

void
wait_describe(const struct wait *wait, const struct engine *engine, struct buf *out)
{
	char failure[SPAWN_FAILURE_SIZE], end[PROCESS_END_SIZE];

	switch (wait->failure) {
	case WAIT_START_FAILED:
		buf_puts(out,
		    subject_failure(
			engine, wait->failed_node, HOOK_NONE, (int32_t)wait->a, wait->b, failure));
		break;
	case WAIT_ENDED:
		buf_printf(
		    out, "it %s before it was ready", process_end_text((int32_t)wait->a, end));
		break;
	case WAIT_GAVE_UP:
		if (wait->a == REASON_START_TIMEOUT)
			buf_puts(out, "it was not ready in time (start_timeout)");
		else if (wait->a == REASON_HOOK_TIMEOUT)
			buf_puts(out, "its pre_start took too long (hook_timeout)");
		else
			buf_printf(
			    out, "it failed (%s)", core_reason_text((enum core_reason)wait->a));
		break;
	case WAIT_INTERRUPTED: buf_puts(out, "it was stopped meanwhile"); break;
	case WAIT_NO_FAILURE: break;
	}
}
