/* The sentences of why: one fact each, short, in the words of coppice-semantics(7). */
#include "engine/engine.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "engine/subject.h"
#include "engine/why_words.h"
#include "lib/names.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE  1024U
#define TEXT_NAMES 3U /* so many nodes are named, the others counted */

struct text {
	const struct why *why;
	struct buf *out;
	unsigned count;
};

static void __attribute__((format(printf, 2, 3))) say(struct text *text, const char *format, ...)
{
	char sentence[TEXT_SIZE];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof sentence, format, list);
	va_end(list);
	/* the root's name is "the root", also where a sentence begins with it */
	if (strncmp(sentence, "the ", 4) == 0)
		sentence[0] = 'T';
	buf_puts(text->out, text->count++ > 0 ? "," : "");
	buf_json_string(text->out, sentence);
}

/* --- the state --- */

/* Those below that should be up and are not. */
static void
say_below(struct text *text)
{
	struct core_view child;
	struct buf list = { 0 };
	char of[WHY_NAME_SIZE];
	unsigned found = 0;

	for (uint32_t id = text->why->facts.first_child; id != CORE_NONE; id = child.next) {
		core_view(text->why->engine->core, id, &child);
		if (child.state == STATE_RUNNING || child.state == STATE_FINISHED || !child.wanted)
			continue;
		if (found++ < TEXT_NAMES)
			buf_printf(&list, "%s%s is %s", found > 1 ? ", " : "",
			    why_name(text->why, id, of), core_state_text(child.state));
	}
	if (text->why->facts.first_child == CORE_NONE)
		say(text, "It has no children.");
	else if (list.data == NULL)
		say(text, "All that is wanted below it is up or done.");
	else if (found <= TEXT_NAMES)
		say(text, "Below it %s.", list.data);
	else
		say(text, "Below it %s, and %u more are not up.", list.data, found - TEXT_NAMES);
	buf_free(&list);
}

static void
say_running(struct text *text)
{
	const struct why *why = text->why;
	const struct image_process *process = &why->engine->processes[why->node];
	char span[SPAN_TEXT_SIZE], of[WHY_NAME_SIZE];

	if (why->facts.kind == KIND_SUPERVISOR) {
		say(text, "%s has been running for %s.", why_name(text->why, why->node, of),
		    why_since(text->why, span));
		say_below(text);
		return;
	}
	say(text, "%s has been running for %s (pid %d, start %u).", why->path,
	    why_since(text->why, span), (int)process->pid, (unsigned)why->facts.incarnation);
	if (why->facts.restarts == 0 && why->end == NULL && !why->facts.ended)
		say(text, "It has never failed.");
	else if (why->facts.restarts > 0)
		say(text, "%u of its failures led to a restart.", (unsigned)why->facts.restarts);
	if (why->facts.streak > 0 && !why->stable)
		say(text,
		    "%u in a row are remembered until it has been ready for %s (stable_after).",
		    (unsigned)why->facts.streak, span_about(why->spec->stable_after, span));
}

/* By which word of its own it is ready. */
static void
say_word(struct text *text, const struct place *place)
{
	if (place->ready_notify)
		say(text, "It is ready when it says READY=1 (ready = notify).");
	else
		say(text, "It is ready when it writes a line to its descriptor %d (ready = fd:%d).",
		    place->ready_fd, place->ready_fd);
}

/* Which of its hooks runs. */
static void
say_hook(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE];

	if (why->facts.hook == HOOK_NONE)
		return;
	if (why->spec->hook_timeout == SPAN_INFINITE)
		say(text, "Its %s is running.", core_hook_text(why->facts.hook));
	else
		say(text, "Its %s is running; it has %s (hook_timeout).",
		    core_hook_text(why->facts.hook), span_about(why->spec->hook_timeout, span));
}

static void
say_starting(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE], of[WHY_NAME_SIZE];

	say(text, "%s has been starting for %s.", why_name(text->why, why->node, of),
	    why_since(text->why, span));
	if (why->facts.kind == KIND_SUPERVISOR) {
		say_below(text);
		return;
	}
	say_hook(text);
	if (why->spec->ready == READY_EXIT)
		say(text, "It is ready when it has ended well (ready = exit).");
	else if (why->spec->ready == READY_TOLD)
		say_word(text, nodes_place(why->engine->nodes, why->node));
	if (why->spec->start_timeout != SPAN_INFINITE)
		say(text, "Not being ready within %s is a failed start (start_timeout).",
		    span_about(why->spec->start_timeout, span));
}

static void
say_sequence(struct text *text)
{
	const struct core_spec *spec = text->why->spec;
	struct buf list = { 0 };
	char span[SPAN_TEXT_SIZE];

	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		buf_printf(
		    &list, "%s%s", i > 0 ? " " : "", names_signal_text(spec->stop[i].signal));
		if (i + 1 < spec->stop_steps || spec->stop[i].signal != SIGKILL)
			buf_printf(&list, " %s", span_format(spec->stop[i].wait, span));
	}
	if (list.data != NULL)
		say(text, "Its stop sequence is %s.", list.data);
	buf_free(&list);
}

static void
say_finished(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE], reason[WHY_PHRASE_SIZE], of[WHY_NAME_SIZE];

	say(text, "%s finished %s ago: %s.", why_name(text->why, why->node, of),
	    why_since(text->why, span), why_because(text->why, reason));
	if (why->spec->restart == RESTART_TEMPORARY)
		say(text, "Whatever its end, it is not restarted (restart = temporary).");
	else if (why->facts.kind == KIND_CHILD && why->spec->ready == READY_EXIT)
		say(text, "It is a one-shot that is done (ready = exit).");
	else if (why->spec->restart == RESTART_TRANSIENT)
		say(text, "After a normal end it is not restarted (restart = transient).");
}

static void
say_failed(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE], reason[WHY_PHRASE_SIZE], of[WHY_NAME_SIZE];

	say(text, "%s failed %s ago: %s.", why_name(text->why, why->node, of),
	    why_since(text->why, span), why_because(text->why, reason));
	if (why->spec->restart == RESTART_TEMPORARY)
		say(text, "A start that fails is not tried again (restart = temporary).");
	else if (why->facts.kind == KIND_SUPERVISOR && why->spec->on_limit == LIMIT_ESCALATE &&
	    why->spec->restart == RESTART_TRANSIENT)
		say(text, "A supervisor that ends so is not restarted (restart = transient).");
}

static const char *
waits_for_what(enum core_reason reason)
{
	return reason == REASON_SLOT  ? "a start slot"
	    : reason == REASON_AFTER  ? "what it comes after"
	    : reason == REASON_DEMAND ? "a connection"
				      : "its turn to start";
}

static void
say_state(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE], reason[WHY_PHRASE_SIZE], of[WHY_NAME_SIZE];
	const char *subject = why_name(text->why, why->node, of);

	switch (why->facts.state) {
	case STATE_RUNNING: say_running(text); break;
	case STATE_STARTING: say_starting(text); break;
	case STATE_FINISHED: say_finished(text); break;
	case STATE_FAILED: say_failed(text); break;
	case STATE_STOPPED:
		if (why->facts.incarnation == 0 && why->facts.reason != REASON_OPERATOR)
			say(text, "%s is stopped: %s.", subject, why_because(text->why, reason));
		else
			say(text, "%s has been stopped for %s: %s.", subject,
			    why_since(text->why, span), why_because(text->why, reason));
		break;
	case STATE_WAITING:
		say(text, "%s has been waiting for %s for %s: %s.", subject,
		    waits_for_what(why->facts.reason), why_since(text->why, span),
		    why_because(text->why, reason));
		break;
	case STATE_STOPPING:
		say(text, "%s has been stopping for %s: %s.", subject, why_since(text->why, span),
		    why_because(text->why, reason));
		if (why->facts.hook == HOOK_NONE && why->facts.kind == KIND_CHILD)
			say_sequence(text);
		say_hook(text);
		break;
	case STATE_RESTARTING:
		say(text, "%s has been waiting to be restarted for %s: %s.", subject,
		    why_since(text->why, span), why_because(text->why, reason));
		break;
	case STATE_COUNT: break;
	}
}

/* --- the last end, and what was decided then --- */

/* Whether the sentence about the state has told the end already. */
static bool
is_told(const struct why *why)
{
	enum core_reason is = why->facts.reason;

	return why->facts.state != STATE_STARTING &&
	    (is == REASON_EXITED || is == REASON_ENDED_EARLY || is == REASON_OOM ||
		is == REASON_LOST || is == REASON_NO_RESTART || is == REASON_START_FAILED);
}

static void
say_failed_start(struct text *text, const char *ago)
{
	const struct image_event *end = text->why->end;
	char failure[SPAWN_FAILURE_SIZE];

	if (is_told(text->why))
		say(text, "That was start %u, %s ago.", (unsigned)end->incarnation, ago);
	else
		say(text, "Start %u came to nothing %s ago: %s.", (unsigned)end->incarnation, ago,
		    subject_failure(
			text->why->engine, end->node, HOOK_NONE, end->a, end->b, failure));
}

static void
say_end(struct text *text)
{
	const struct image_event *end = text->why->end;
	char ago[SPAN_TEXT_SIZE], up[SPAN_TEXT_SIZE], how[PROCESS_END_SIZE];

	if (end == NULL && text->why->facts.kind == KIND_CHILD && text->why->facts.ended)
		say(text, "The last time it %s; the events do not go back so far.",
		    process_end_text(text->why->facts.status, how));
	if (end == NULL)
		return;
	span_about(engine_wall_ms(text->why->now) - end->wall_ms, ago);
	span_about(end->b, up);
	if (end->type == RECORD_START_FAILED)
		say_failed_start(text, ago);
	else if (is_told(text->why))
		say(text, "That was start %u, %s ago, after %s.", (unsigned)end->incarnation, ago,
		    up);
	else
		say(text, "Start %u ended %s ago, after %s: it %s.", (unsigned)end->incarnation,
		    ago, up, process_end_text(end->a, how));
}

static void
say_decision(struct text *text)
{
	const struct why *why = text->why;
	const struct image_event *delay = why->delay;
	char span[SPAN_TEXT_SIZE];

	if (why->facts.state != STATE_RESTARTING || delay == NULL)
		return;
	if (why->facts.reason == REASON_LIMIT)
		say(text, "So it waits %s: until there is room again, and at least backoff_max.",
		    span_about(delay->b, span));
	else if (why->facts.reason == REASON_GROUP || why->facts.reason == REASON_OPERATOR)
		return;
	else if (delay->a <= 0)
		say(text, "It had been ready for %s (stable_after), so there is no delay.",
		    span_about(why->spec->stable_after, span));
	else if (delay->b > 0)
		say(text, "That makes %d failure%s in a row, so it waits %s (backoff = %s).",
		    delay->a, delay->a == 1 ? "" : "s", span_about(delay->b, span),
		    nodes_backoff_text(why->spec->backoff));
}

/* --- what is left, and what comes --- */

static void
say_budget(struct text *text, uint32_t supervisor, bool always)
{
	struct core_budget budget;
	char of[WHY_NAME_SIZE], period[SPAN_TEXT_SIZE], free[SPAN_TEXT_SIZE];

	core_budget(text->why->engine->core, text->why->now, supervisor, &budget);
	/* with no allowance at all that has been said as the reason */
	if (budget.used == 0 &&
	    (!always || (budget.intensity == 0 && text->why->facts.reason == REASON_LIMIT)))
		return;
	why_name(text->why, supervisor, of);
	span_about(budget.period, period);
	if (budget.intensity == 0)
		say(text, "%s allows no restart (intensity = 0).", of);
	else if (budget.used == 0)
		say(text, "%s has all of its %u restarts within %s left.", of,
		    (unsigned)budget.intensity, period);
	else
		say(text, "%s has used %u of its %u restarts within %s; the next is free in %s.",
		    of, (unsigned)budget.used, (unsigned)budget.intensity, period,
		    span_about(budget.next_free - text->why->now, free));
}

/* The own one of a supervisor, the nearest above, and those farther up that are not whole. */
static void
say_budgets(struct text *text)
{
	const struct why *why = text->why;
	struct core_view facts = why->facts;

	if (!why->has_next)
		return;
	/* a start empties its window */
	if (why->facts.kind == KIND_SUPERVISOR && why->facts.state != STATE_RESTARTING)
		say_budget(text, why->node, true);
	for (uint32_t id = facts.parent; id != CORE_NONE; id = facts.parent) {
		if (core_spec_of(why->engine->core, id)->strategy != STRATEGY_ESCALATE)
			say_budget(text, id, id == why->facts.parent);
		core_view(why->engine->core, id, &facts);
	}
}

/* "after 100ms", "after 90ms to 110ms", "at once" */
static const char *
after(const struct core_forecast *next, char out[96])
{
	char least[SPAN_TEXT_SIZE], most[SPAN_TEXT_SIZE];

	span_about(next->delay_min, least);
	span_about(next->delay_max, most);
	if (next->delay_max == 0)
		snprintf(out, 96, "at once");
	else if (strcmp(least, most) == 0)
		snprintf(out, 96, "after %s", most);
	else
		snprintf(out, 96, "after %s to %s", least, most);
	return out;
}

/* " together with a, b and 3 more"; nothing where it is alone */
static const char *
company(const struct text *text, char out[WHY_PHRASE_SIZE * 2])
{
	const struct core_forecast *next = &text->why->next;
	unsigned named = 0;
	struct core_view facts;
	char of[WHY_NAME_SIZE];
	size_t len = 0;

	out[0] = '\0';
	for (uint32_t id = next->set_first; id != CORE_NONE && named < TEXT_NAMES;
	     id = facts.next) {
		core_view(text->why->engine->core, id, &facts);
		if (id == text->why->node ||
		    !core_forecast_takes(text->why->engine->core, text->why->node, id))
			continue;
		len += (size_t)snprintf(out + len, WHY_PHRASE_SIZE * 2 - len, "%s%s",
		    named++ == 0 ? " together with " : ", ", why_name(text->why, id, of));
	}
	if (next->set_count > named + 1)
		snprintf(out + len, WHY_PHRASE_SIZE * 2 - len, " and %u more",
		    (unsigned)(next->set_count - named - 1));
	return out;
}

/* What becomes of a supervisor that its limit has ended. */
static const char *
fate(const struct text *text, uint32_t supervisor, char out[WHY_PHRASE_SIZE])
{
	const struct engine *engine = text->why->engine;
	struct core_forecast next;
	char of[WHY_NAME_SIZE];

	core_forecast(engine->core, text->why->now, supervisor, &next);
	if (supervisor == CORE_ROOT) {
		snprintf(out, WHY_PHRASE_SIZE, "and so would %s",
		    engine->mode == MODE_MACHINE ? "this run of the machine, which would reboot"
						 : "the daemon, with status 70");
		return out;
	}
	why_name(text->why, next.supervisor, of);
	switch (next.outcome) {
	case OUTCOME_NOTHING: snprintf(out, WHY_PHRASE_SIZE, "for good"); break;
	case OUTCOME_RESTART: snprintf(out, WHY_PHRASE_SIZE, "and %s would restart it", of); break;
	case OUTCOME_LIMIT:
		snprintf(
		    out, WHY_PHRASE_SIZE, "which would be one restart too many for %s too", of);
		break;
	case OUTCOME_ESCALATE: snprintf(out, WHY_PHRASE_SIZE, "and %s with it", of); break;
	}
	return out;
}

static void
say_limit(struct text *text, const char *event)
{
	const struct core_forecast *next = &text->why->next;
	char of[WHY_NAME_SIZE], span[96], more[WHY_PHRASE_SIZE * 2];

	why_name(text->why, next->supervisor, of);
	say(text, "%s, that would be one restart too many for %s (on_limit = %s).", event, of,
	    nodes_limit_text(next->on_limit));
	switch (next->on_limit) {
	case LIMIT_ESCALATE:
		say(text, "Then %s would stop all below it and end, %s.", of,
		    fate(text, next->supervisor, more));
		break;
	case LIMIT_BACKOFF:
		say(text, "Then it would wait, and start again %s%s.", after(next, span),
		    company(text, more));
		break;
	case LIMIT_GIVE_UP: say(text, "Then it would be given up%s.", company(text, more)); break;
	case LIMIT_TERMINATE:
		say(text, "Then %s would stop all below it and stay down.", of);
		break;
	}
}

/* The failure that is foretold, as the beginning of a sentence. */
static const char *
supposition(const struct why *why)
{
	bool up = why->facts.state == STATE_RUNNING || why->facts.state == STATE_STARTING;

	if (why->facts.kind == KIND_SUPERVISOR)
		return up ? "If its own limit ended it now" : "If it failed again";
	if (up)
		return why->facts.state == STATE_RUNNING ? "If it failed now"
							 : "If this start failed";
	return "If its next start failed";
}

static void
say_next(struct text *text)
{
	const char *event = supposition(text->why);
	const struct why *why = text->why;
	char span[96], of[WHY_NAME_SIZE], others[WHY_PHRASE_SIZE * 2], stable[SPAN_TEXT_SIZE];

	if (!why->has_next || why->node == CORE_ROOT ||
	    (why->facts.kind == KIND_SUPERVISOR && why->spec->on_limit != LIMIT_ESCALATE))
		return;
	switch (why->next.outcome) {
	case OUTCOME_NOTHING: say(text, "%s, it would not be restarted.", event); break;
	case OUTCOME_RESTART:
		say(text, "%s, it would be restarted %s%s%s%s%s.", event, after(&why->next, span),
		    company(text, others), why->stable ? ", having been ready for " : "",
		    why->stable ? span_about(why->spec->stable_after, stable) : "",
		    why->stable ? " (stable_after)" : "");
		break;
	case OUTCOME_LIMIT: say_limit(text, event); break;
	case OUTCOME_ESCALATE:
		say(text, "%s, %s would fail with it.", event,
		    why_name(why, why->next.supervisor, of));
		break;
	}
}

/* --- who has to act --- */

/* ", with its group": whom an operator's start of one of them starts too */
static const char *
with_group(const struct why *why, const char *words)
{
	enum core_strategy strategy = core_spec_of(why->engine->core, why->facts.parent)->strategy;

	return strategy == STRATEGY_ONE_FOR_ALL || strategy == STRATEGY_REST_FOR_ONE ? words : "";
}

static void
say_restarting_act(struct text *text)
{
	const struct why *why = text->why;
	char span[SPAN_TEXT_SIZE];

	if (why->facts.next_start == MONO_NEVER || why->facts.next_start <= why->now)
		say(text, "It starts by itself as soon as its supervisor comes to it.");
	else
		say(text, "It starts by itself in %s; coppicectl start %s starts it now%s.",
		    span_about(why->facts.next_start - why->now, span), why->path,
		    with_group(why, ", with its group"));
}

static void
say_stopped_act(struct text *text)
{
	const struct why *why = text->why;
	struct core_view above;
	char of[WHY_NAME_SIZE], path[NODES_PATH_SIZE];

	if (why->above == CORE_NONE) {
		if (why->facts.reason == REASON_OPERATOR || why->facts.reason == REASON_AUTOSTART)
			say(text, "coppicectl start %s starts it.", why->path);
		return;
	}
	core_view(why->engine->core, why->above, &above);
	if (!why->facts.wanted)
		say(text, "When %s is up again, coppicectl start %s starts it.",
		    why_name(text->why, why->above, of), why->path);
	else if (above.state == STATE_STOPPED || above.state == STATE_FAILED ||
	    above.state == STATE_FINISHED)
		say(text, "coppicectl start %s starts it with all that is wanted there.",
		    nodes_path(why->engine->nodes, why->above, path));
	else
		say(text, "It starts by itself with %s.", why_name(text->why, why->above, of));
}

static void
say_act(struct text *text)
{
	const struct why *why = text->why;

	if (core_is_leaving(why->engine->core)) {
		say(text, "The daemon is shutting down: nothing is started any more.");
		return;
	}
	if (core_is_holding(why->engine->core)) {
		say(text,
		    "The daemon holds: it starts and stops nothing by itself. coppicectl start / ends that.");
		return;
	}
	switch (why->facts.state) {
	case STATE_FINISHED: say(text, "coppicectl start %s runs it once more.", why->path); break;
	case STATE_FAILED:
		if (why->above == CORE_NONE)
			say(text,
			    "It is not tried again by itself; coppicectl start %s starts it%s.",
			    why->path,
			    why->facts.reason == REASON_GIVEN_UP
				? with_group(why, ", and those given up with it")
				: "");
		else
			say_stopped_act(text);
		break;
	case STATE_STOPPED: say_stopped_act(text); break;
	case STATE_RESTARTING: say_restarting_act(text); break;
	case STATE_WAITING:
		if (why->facts.reason != REASON_DEMAND)
			say(text, "It starts by itself when that is over.");
		else if (!why->facts.drained)
			say(text, "coppicectl start %s starts it without one.", why->path);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_STOPPING:
	case STATE_COUNT: break;
	}
}

void
why_text(const struct why *why, struct buf *out)
{
	struct text text = { .why = why, .out = out };

	buf_puts(out, "[");
	say_state(&text);
	say_end(&text);
	say_decision(&text);
	if (why->facts.drained)
		say(&text,
		    "It is drained: it gets nothing new to do until it is started or restarted.");
	say_budgets(&text);
	say_next(&text);
	say_act(&text);
	buf_puts(out, "]");
}
