/* failed_start: whose failure it is, and when it is retried (OTP 16 to 21). */
#include "stage.h"

void
stage_feed_item(struct stage *stage, const struct item *item)
{
	stage->actors[item->node].spawning = false;
	stage_feed(stage,
	    &(struct core_event){ .type = item->what == EXIT ? ON_EXITED : ON_SPAWN_FAILED,
		.node = item->node,
		.incarnation = item->incarnation,
		.status = item->status });
}

static bool
is_failing(const struct stage *stage, uint32_t super)
{
	struct core_view view = stage_view(stage, super);

	return view.state == STATE_STARTING ||
	    (view.state == STATE_STOPPING && view.reason == REASON_ABORT);
}

/* Whether the supervisor is being stopped because one above it has failed to start. */
bool
stage_is_stopped_by_failure(const struct stage *stage, uint32_t super)
{
	while (super != CORE_NONE && stage_view(stage, super).state == STATE_STOPPING) {
		if (is_failing(stage, super))
			return true;
		super = stage->actors[super].parent;
	}
	return false;
}

bool
stage_is_below(const struct stage *stage, uint32_t node, uint32_t top)
{
	while (node != CORE_NONE && node != top)
		node = stage->actors[node].parent;
	return node == top;
}

/* Whether somebody else below the supervisor has a process. */
bool
stage_has_others(const struct stage *stage, uint32_t super, uint32_t node)
{
	for (uint32_t other = 0; other < stage->count; other++) {
		if (other != node && stage_view(stage, other).has_process &&
		    stage_is_below(stage, other, super))
			return true;
	}
	return false;
}

/*
 * A start has failed, or the last of what had been started is gone: who is it that could not be
 * started, by a supervisor that runs? CORE_NONE: that is not known before this has been told.
 */
static uint32_t
find_culprit(const struct stage *stage, uint32_t node)
{
	uint32_t culprit = node, super = stage->actors[node].parent;

	while (super != CORE_NONE &&
	    (is_failing(stage, super) || stage_is_stopped_by_failure(stage, super)) &&
	    !stage_has_others(stage, super, node)) {
		culprit = super;
		super = stage->actors[super].parent;
	}
	if (super == CORE_NONE || stage_view(stage, super).state != STATE_RUNNING)
		return CORE_NONE;
	return culprit;
}

bool
stage_has_mail(const struct stage *stage, uint32_t super)
{
	for (size_t i = 0; i < stage->mail.count; i++) {
		if (stage->mail.at[i].super == super)
			return true;
	}
	return false;
}

void
stage_stop_waiting(struct stage *stage, uint32_t super)
{
	if (core_spec_of(stage->core, super)->strategy == STRATEGY_ONE_FOR_ONE)
		return;
	for (uint32_t node = 0; node < stage->count; node++) {
		enum core_state state = stage_view(stage, node).state;

		if (stage->actors[node].parent == super &&
		    (state == STATE_WAITING || state == STATE_RESTARTING))
			stage_terminate(stage, node);
	}
}

/*
 * The core is to do something else before it retries a group: for it the child is stopped, and so are those after it, until
 * it fails to start once more, when its supervisor has come to that. Under one_for_one there is no need.
 */
static bool
park(struct stage *stage, uint32_t culprit, const struct item *item)
{
	uint32_t super = stage->actors[culprit].parent;

	if (core_spec_of(stage->core, super)->strategy == STRATEGY_ONE_FOR_ONE)
		return false;
	stage_stop_waiting(stage, super);
	stage_terminate(stage, culprit);
	stage_feed_item(stage, item);
	stage->actors[culprit].parked = true;
	stage_queue(&stage->mail,
	    (struct item){ .what = RETRY,
		.node = culprit,
		.super = super,
		.super_incarnation = stage_view(stage, super).incarnation,
		.culprit = culprit });
	return true;
}

void
stage_retry(struct stage *stage, uint32_t culprit)
{
	if (!stage->actors[culprit].parked)
		return;
	stage->actors[culprit].parked = false;
	if (!stage_is_up(stage, stage->actors[culprit].parent))
		return;
	stage->actors[culprit].silent = true;
	stage_order(stage, ON_START, culprit);
}

/* Tells the core of a failed start, or puts it at the end of the queue of who has to retry it. */
void
stage_fail(struct stage *stage, struct item item)
{
	uint32_t culprit = find_culprit(stage, item.node);

	if (culprit != CORE_NONE) {
		for (uint32_t up = stage->actors[item.node].parent;
		     up != stage->actors[culprit].parent; up = stage->actors[up].parent)
			stage->actors[up].failed = is_failing(stage, up);
		if (culprit == stage->call_node && stage->call_result == NULL) {
			calls_start_failed(stage, item);
			return;
		}
		if (stage_has_mail(stage, stage->actors[culprit].parent) &&
		    park(stage, culprit, &item))
			return;
		if (stage_has_mail(stage, stage->actors[culprit].parent)) {
			item.culprit = culprit;
			item.super = stage->actors[culprit].parent;
			item.super_incarnation = stage_view(stage, item.super).incarnation;
			stage->actors[culprit].parked = true;
			stage_queue(&stage->mail, item);
			return;
		}
	}
	stage_feed_item(stage, &item);
}

void
stage_unpark(struct stage *stage, uint32_t culprit)
{
	for (size_t i = 0; i < stage->mail.count; i++) {
		if (stage->mail.at[i].culprit == culprit && stage->mail.at[i].what == RETRY) {
			stage->actors[culprit].parked = false;
		} else if (stage->mail.at[i].culprit == culprit && stage->mail.at[i].what != CALL) {
			struct item item = stage_take(&stage->mail, i);

			stage->actors[culprit].parked = false;
			stage_feed_item(stage, &item);
			return;
		}
	}
}
