/*
 * mail: the queues of supervisors: whose turn it is, and which messages make their supervisor end, before it has handled
 * them.
 */
#include "core/forecast.h"
#include "stage.h"

#include <string.h>

/* Whether another significant child of the supervisor runs, or waits for a retry (OTP 28). */
static bool
has_significant(const struct stage *stage, uint32_t super, uint32_t but, bool up)
{
	for (uint32_t node = 0; node < stage->count; node++) {
		if (node != but && stage->actors[node].parent == super &&
		    core_spec_of(stage->core, node)->significant &&
		    (stage_is_up(stage, node) || (!up && stage->actors[node].parked)))
			return true;
	}
	return false;
}

static bool
is_failure(const struct stage *stage, const struct item *item, uint32_t child)
{
	enum core_restart restart = core_spec_of(stage->core, child)->restart;

	if (item->culprit != CORE_NONE)
		return true;
	return restart == RESTART_PERMANENT || (restart == RESTART_TRANSIENT && item->status != 0);
}

/*
 * Whether a child's end would make the core end the supervisor, for it does not know of a significant one that waits for a
 * retry: while that is parked, it is stopped.
 */
static bool
is_held_up(const struct stage *stage, const struct item *item)
{
	return item->culprit == CORE_NONE && !is_failure(stage, item, item->node) &&
	    core_spec_of(stage->core, item->super)->auto_shutdown == AUTO_ALL_SIGNIFICANT &&
	    core_spec_of(stage->core, item->node)->significant &&
	    !has_significant(stage, item->super, item->node, true) &&
	    has_significant(stage, item->super, item->node, false);
}

const char *
mail_foresee_end(const struct stage *stage, const struct item *item)
{
	uint32_t child = item->culprit != CORE_NONE ? item->culprit : item->node;
	enum core_auto_shutdown automatic;
	struct core_forecast forecast;

	if (item->what == CALL)
		return NULL;
	if (is_failure(stage, item, child)) {
		core_forecast(stage->core, stage->now, child, &forecast);
		return forecast.outcome == OUTCOME_LIMIT ? "intensity" : NULL;
	}
	automatic = core_spec_of(stage->core, item->super)->auto_shutdown;
	if (!core_spec_of(stage->core, child)->significant || automatic == AUTO_NEVER ||
	    (automatic == AUTO_ALL_SIGNIFICANT &&
		has_significant(stage, item->super, child, false)))
		return NULL;
	return "auto_shutdown";
}

/* Whether a supervisor child ends by itself: its parent has not heard of it yet. */
bool
mail_ends_by_itself(const struct core_view *view)
{
	return view->kind == KIND_SUPERVISOR && view->state == STATE_STOPPING &&
	    (view->reason == REASON_INTENSITY || view->reason == REASON_AUTO_SHUTDOWN);
}

/* Whether a supervisor starts or stops somebody. */
static bool
is_busy(const struct stage *stage, uint32_t super)
{
	for (uint32_t node = 0; node < stage->count; node++) {
		struct core_view view = stage_view(stage, node);

		if (stage->actors[node].parent != super || stage->actors[node].parked)
			continue;
		if (view.state == STATE_STARTING ||
		    (view.state == STATE_STOPPING && !mail_ends_by_itself(&view)))
			return true;
	}
	return false;
}

static void
deliver(struct stage *stage, size_t index)
{
	struct item item = stage_take(&stage->mail, index);

	if (item.what == CALL) {
		calls_run(stage, item);
		return;
	}
	if (item.what == RETRY) {
		stage_retry(stage, item.culprit);
		return;
	}
	if (item.culprit != CORE_NONE)
		stage->actors[item.culprit].parked = false;
	if (is_held_up(stage, &item))
		stage_terminate(stage, item.node);
	stage_feed_item(stage, &item);
}

/* Whether the message can be handled, or is lost because its supervisor has ended (OTP 33). */
static bool
is_due(const struct stage *stage, const struct item *item)
{
	struct core_view super = stage_view(stage, item->super);

	if (super.incarnation != item->super_incarnation || !stage_is_up(stage, item->super))
		return item->what == CALL || item->culprit != CORE_NONE;
	return super.state == STATE_RUNNING && !is_busy(stage, item->super);
}

/*
 * Whether its supervisor ends with this message, and at once, for nobody is left to be stopped: then the parent hears of it
 * behind what is in its queue already.
 */
static bool
ends_at_once(const struct stage *stage, const struct item *item)
{
	return item->super != CORE_ROOT && mail_foresee_end(stage, item) != NULL &&
	    !stage_has_others(stage, item->super, item->node);
}

/* Whether its supervisor ends at once before that comes, or with it. */
static bool
is_behind_an_end(const struct stage *stage, const struct item *item)
{
	for (const struct item *first = stage->mail.at; first <= item; first++) {
		if (first->super == item->super && ends_at_once(stage, first))
			return true;
	}
	return false;
}

/*
 * Whether another message comes first. A supervisor handles its own before it hears of a stop; what ends it at once comes
 * after all that its parent, and who is below that, have.
 */
static bool
is_before(const struct stage *stage, const struct item *other, const struct item *item)
{
	uint32_t parent = stage->actors[item->super].parent;
	bool last = ends_at_once(stage, item);

	if (other->super == item->super)
		return other < item;
	if (last && other->super == parent)
		return true;
	if (!is_due(stage, other) || is_behind_an_end(stage, other))
		return false;
	return stage_is_below(stage, other->super, last ? parent : item->super);
}

static bool
is_parked(const struct stage *stage, uint32_t node)
{
	while (node != CORE_NONE && !stage->actors[node].parked)
		node = stage->actors[node].parent;
	return node != CORE_NONE;
}

/* Whether the message may make its supervisor stop that child. */
static bool
may_stop(const struct stage *stage, const struct item *item, uint32_t child)
{
	enum core_strategy strategy = core_spec_of(stage->core, item->super)->strategy;

	if (item->what == CALL || mail_foresee_end(stage, item) != NULL)
		return true;
	return strategy == STRATEGY_ONE_FOR_ALL ||
	    (strategy == STRATEGY_REST_FOR_ONE && child > item->node);
}

bool
mail_is_at_work(const struct stage *stage, uint32_t super, uint32_t but)
{
	for (uint32_t node = super; node < stage->count; node++) {
		if (stage->actors[node].supervisor && stage_is_below(stage, node, super) &&
		    !stage_is_below(stage, node, but) && !is_parked(stage, node) &&
		    stage_view(stage, node).state != STATE_STOPPING && is_busy(stage, node))
			return true;
	}
	return false;
}

/* A supervisor finishes what it has in hand before it hears of a stop. */
static bool
is_kept_waiting(const struct stage *stage, const struct item *item)
{
	for (uint32_t node = item->super + 1; node < stage->count; node++) {
		uint32_t child = node;

		if (!stage->actors[node].supervisor || !stage_is_below(stage, node, item->super) ||
		    is_parked(stage, node))
			continue;
		while (stage->actors[child].parent != item->super)
			child = stage->actors[child].parent;
		if (may_stop(stage, item, child) &&
		    stage_view(stage, node).state != STATE_STOPPING && is_busy(stage, node))
			return true;
	}
	return false;
}

bool
mail_would_wait(const struct stage *stage, uint32_t super)
{
	struct item end = { .what = EXIT,
		.node = super,
		.super = stage->actors[super].parent,
		.culprit = CORE_NONE };

	return is_kept_waiting(stage, &end);
}

static bool
is_next(const struct stage *stage, const struct item *item)
{
	for (size_t i = 0; i < stage->mail.count; i++) {
		if (is_before(stage, &stage->mail.at[i], item))
			return false;
	}
	if (ends_at_once(stage, item) &&
	    mail_is_at_work(stage, stage->actors[item->super].parent, item->super))
		return false;
	return is_due(stage, item) && !is_kept_waiting(stage, item);
}

/* Of a supervisor that has nothing in hand. */
bool
mail_next(struct stage *stage, bool all)
{
	for (size_t i = 0; i < stage->mail.count; i++) {
		const struct item *item = &stage->mail.at[i];

		if (is_next(stage, item) && (all || !ends_at_once(stage, item))) {
			deliver(stage, i);
			return true;
		}
	}
	return false;
}
