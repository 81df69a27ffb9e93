/* A scenario told to people: when, what happened, what the core did; at the end what is wrong. */
#include "judge.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEFT 44

static char left[256]; /* of the line to come */

static const char *
name_of(const struct sim *sim, uint32_t id, char out[32])
{
	if (id >= sim->count)
		snprintf(out, 32, "nobody");
	else if (id == CORE_ROOT)
		snprintf(out, 32, "root");
	else
		snprintf(out, 32, "%s %u",
		    sim->nodes[id].spec->kind == KIND_SUPERVISOR ? "sup" : "child",
		    sim->nodes[id].number);
	return out;
}

static const char *
end_text(int32_t status, char out[32])
{
	if (status == CORE_STATUS_UNKNOWN)
		snprintf(out, 32, "status lost");
	else if (status & 0x7f)
		snprintf(out, 32, "signal %d", status & 0x7f);
	else
		snprintf(out, 32, "exit %d", status >> 8 & 0xff);
	return out;
}

static void __attribute__((format(printf, 1, 2))) right(const char *format, ...)
{
	va_list args;

	printf("%-*s ", 11 + LEFT, left);
	left[0] = '\0';
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void
flush_left(void)
{
	if (left[0] != '\0')
		right("-");
}

void
table_tree(const struct sim *sim)
{
	if (!sim->told || sim->fickle)
		return;
	printf("The tree (what is not told is the default; no delay between restarts):\n");
	for (uint32_t i = 0; i < sim->story->place_count; i++) {
		uint32_t id = sim->by_number[sim->story->places[i].first];

		printf("  %*s", id == CORE_NONE ? 0 : 2 * (int)sim->nodes[id].depth, "");
		story_write_place(&sim->story->places[i], stdout);
	}
	printf("\n%10s %-*s %s\n", "time (ms)", LEFT, "what happened", "what the core did");
	left[0] = '\0';
}

static void
tell_event(const struct sim *sim, const struct core_event *event, const char *more)
{
	char name[32] = "", incarnation[16] = "";
	bool of_node = event->type != ON_BOOT && event->type != ON_TIMER &&
	    event->type != ON_RESUME && event->type != ON_HOLD && event->type != ON_RELEASE &&
	    event->type != ON_SHUTDOWN;

	if (of_node)
		name_of(sim, event->node, name);
	if (event->incarnation != 0)
		snprintf(incarnation, sizeof incarnation, " #%u", event->incarnation);
	snprintf(left, sizeof left, "%10lld %s%s%s%s%s", (long long)(sim->now - SIM_START_MS), name,
	    of_node ? " " : "", core_event_text(event->type), incarnation, more);
}

void
table_event(const struct sim *sim, const struct core_event *event)
{
	char end[32], more[64] = "";

	if (!sim->told)
		return;
	flush_left();
	if (event->type == ON_EXITED)
		snprintf(more, sizeof more, ": %s", end_text(event->status, end));
	else if (event->type == ON_SPAWN_FAILED)
		snprintf(more, sizeof more, ": errno %d", event->error);
	else if (event->type == ON_HOOK_DONE && event->error != 0)
		snprintf(
		    more, sizeof more, " %s: errno %d", core_hook_text(event->hook), event->error);
	else if (event->type == ON_HOOK_DONE)
		snprintf(more, sizeof more, " %s: %s", core_hook_text(event->hook),
		    end_text(event->status, end));
	else if (event->type == ON_EXTEND || event->type == ON_SHUTDOWN)
		snprintf(more, sizeof more, "%s, %lld ms", event->now ? " now" : "",
		    (long long)event->timeout);
	else
		snprintf(more, sizeof more, "%s%s%s", event->now ? " now" : "",
		    event->group ? " with its group" : "",
		    event->until_restart ? " until its next restart" : "");
	tell_event(sim, event, more);
}

void
table_note(const struct sim *sim, const char *what)
{
	if (!sim->told)
		return;
	flush_left();
	printf("%10lld [%s]\n", (long long)(sim->now - SIM_START_MS), what);
}

static void
tell_record(const struct sim *sim, const struct core_record *record)
{
	char name[32], other[32];

	name_of(sim, record->node, name);
	switch (record->type) {
	case RECORD_STATE:
	case RECORD_READY:
		right("%s: %s%s%s", name, core_state_text(record->state),
		    record->reason == REASON_NONE ? "" : ", ", core_reason_text(record->reason));
		break;
	case RECORD_RESTARTING:
		right("%s: restart in %lld ms, failure %d in a row", name, (long long)record->b,
		    record->a);
		break;
	case RECORD_GROUP_RESTARTING:
		right("%s: restarts its set because of %s", name,
		    name_of(sim, (uint32_t)record->a, other));
		break;
	case RECORD_LIMIT: right("%s: its limit is reached", name); break;
	case RECORD_ESCALATED: right("%s: fails", name); break;
	case RECORD_STARTED:
	case RECORD_START_FAILED:
	case RECORD_EXITED:
	case RECORD_OPERATOR:
	case RECORD_RECOVERED:
	case RECORD_HOOK:
	case RECORD_COUNT: break; /* says what is on the left */
	}
}

void
table_action(const struct sim *sim, const struct core_action *action, bool lost)
{
	const char *but = lost ? " (lost)" : "";
	char name[32];

	if (!sim->told)
		return;
	name_of(sim, action->node, name);
	switch (action->type) {
	case DO_SPAWN: right("spawn %s #%u%s", name, action->incarnation, but); break;
	case DO_SIGNAL:
		right("signal %d to %s #%u%s", action->signal, name, action->incarnation, but);
		break;
	case DO_KILL_TREE: break; /* always, and nothing follows from it */
	case DO_RECORD: tell_record(sim, &action->record); break;
	case DO_EXIT: right("the daemon leaves%s", but); break;
	case DO_HOOK:
		right(
		    "%s of %s #%u%s", core_hook_text(action->hook), name, action->incarnation, but);
		break;
	case DO_END_HOOK:
		right("end %s of %s #%u%s", core_hook_text(action->hook), name, action->incarnation,
		    but);
		break;
	case ACTION_COUNT: break;
	}
}

void
table_verdict(const struct sim *sim)
{
	char name[32], other[32];

	if (!sim->told)
		return;
	flush_left();
	if (sim->verdict.invariant == 0) {
		printf("\nAll invariants hold.\n");
		return;
	}
	printf("\nInvariant %d is broken: %s\n  %s: %s", sim->verdict.invariant,
	    judge_text(sim->verdict.invariant), name_of(sim, sim->verdict.node, name),
	    sim->verdict.what);
	if (sim->verdict.invariant == 3 || sim->verdict.invariant == 15)
		printf(" (%s)", name_of(sim, sim->because, other));
	putchar('\n');
}
