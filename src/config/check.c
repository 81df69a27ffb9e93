#include "config/check.h"

#include "config/daemon.h"
#include "config/inherit.h"
#include "config/order.h"
#include "config/shell.h"
#include "config/sockets.h"
#include "core/backoff.h"
#include "lib/mem.h"
#include "lib/names.h"
#include "lib/str.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Indices into .choices of keys.def where the core has no enumeration. */
enum {
	LOG_INHERIT,
	LOG_NULL,
	LOG_TO_FILE
};

#define BUILT_IN   UINT32_MAX
#define MAX_NODES  100000U   /* coppice.conf(5) */
#define MAX_STAMPS 10000000U /* of the restarts that are remembered */

static int64_t
number(const struct build_place *place, enum keys_id id)
{
	return place->settings[id].value->number;
}

static bool
is_set(const struct build_place *place, enum keys_id id)
{
	return place->settings[id].entry != NULL;
}

/* How far off a value is set: 0 in the place's own section, BUILT_IN nowhere. */
static uint32_t
distance(const struct build_place *place, enum keys_id id)
{
	return is_set(place, id) ? place->settings[id].distance : BUILT_IN;
}

/*
 * Whether a value that is idle because of another was written in vain: what stands farther off is
 * meant for others too.
 */
static bool
in_vain(const struct build_place *place, enum keys_id idle, enum keys_id because)
{
	return is_set(place, idle) && distance(place, idle) <= distance(place, because);
}

static bool
escalates(const struct build_place *place)
{
	return number(place, KEY_STRATEGY) == STRATEGY_ESCALATE ||
	    number(place, KEY_ON_LIMIT) == LIMIT_ESCALATE;
}

/* --- members of a supervisor ---------------------------------------------------------------- */

static void
check_significant(const struct build *build, const struct build_place *place)
{
	const struct build_place *parent = place->parent;

	if (parent == NULL || number(place, KEY_SIGNIFICANT) == 0)
		return;
	if (number(place, KEY_RESTART) == RESTART_PERMANENT)
		inherit_error(build, place, KEY_SIGNIFICANT,
		    "a permanent child cannot be significant, for it is always restarted: add restart = transient or temporary");
	else if (number(parent, KEY_AUTO_SHUTDOWN) == AUTO_NEVER)
		inherit_error(build, place, KEY_SIGNIFICANT,
		    "nothing follows from it, for [supervisor:%s] has auto_shutdown = never: set that to any_significant or all_significant",
		    parent->path);
}

/* --- values that are idle because of others ------------------------------------------------- */

static void
idle(const struct build *build, const struct build_place *place, enum keys_id id,
    enum keys_id because, const char *why)
{
	if (in_vain(place, id, because))
		inherit_warning(build, place, id, "has no effect %s", why);
}

/* What waits between restarts. */
static void
check_backoff(const struct build *build, const struct build_place *place)
{
	const struct build_place *parent = place->parent;
	int64_t kind = number(place, KEY_BACKOFF);
	/* A limit of on_limit = backoff waits for a failed child's backoff_max. */
	bool max_counts = parent == NULL || number(parent, KEY_ON_LIMIT) == LIMIT_BACKOFF;
	static const char none[] =
	    "with backoff = none, which never waits: leave it out, or choose fixed, linear, exponential or fibonacci";
	char delay[SPAN_TEXT_SIZE], max[SPAN_TEXT_SIZE];

	if (kind == BACKOFF_NONE) {
		idle(build, place, KEY_BACKOFF_DELAY, KEY_BACKOFF, none);
		idle(build, place, KEY_BACKOFF_JITTER, KEY_BACKOFF, none);
		if (!max_counts)
			idle(build, place, KEY_BACKOFF_MAX, KEY_BACKOFF, none);
	}
	if (kind != BACKOFF_EXPONENTIAL)
		idle(build, place, KEY_BACKOFF_FACTOR, KEY_BACKOFF,
		    "but with backoff = exponential: leave it out, or choose that");
	if (kind == BACKOFF_NONE ||
	    number(place, KEY_BACKOFF_DELAY) <= number(place, KEY_BACKOFF_MAX))
		return;
	span_format(number(place, KEY_BACKOFF_DELAY), delay);
	span_format(number(place, KEY_BACKOFF_MAX), max);
	if (distance(place, KEY_BACKOFF_DELAY) <= distance(place, KEY_BACKOFF_MAX))
		inherit_warning(build, place, KEY_BACKOFF_DELAY,
		    "%s is more than backoff_max, and no delay is longer than that: set backoff_max = %s too, or every delay is %s",
		    delay, delay, max);
	else
		inherit_warning(build, place, KEY_BACKOFF_MAX,
		    "%s is less than backoff_delay (%s), so that every delay is %s: make that smaller or this larger",
		    max, delay, max);
}

static void
check_temporary(const struct build *build, const struct build_place *place)
{
	static const enum keys_id useless[] = { KEY_NO_RESTART_EXIT, KEY_BACKOFF, KEY_BACKOFF_DELAY,
		KEY_BACKOFF_MAX, KEY_BACKOFF_FACTOR, KEY_BACKOFF_JITTER, KEY_STABLE_AFTER };

	for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++)
		idle(build, place, useless[i], KEY_RESTART,
		    "with restart = temporary, which never restarts: leave it out, or choose permanent or transient");
}

/*
 * The time that the first `intensity` restarts take at least: when it is not shorter than the
 * period, the window never holds one more of them (FIELD 2.B.4).
 */
static span_ms
least_time(const struct build_place *place, uint32_t intensity, span_ms enough)
{
	const struct core_spec spec = {
		.backoff = (enum core_backoff)number(place, KEY_BACKOFF),
		.backoff_delay = number(place, KEY_BACKOFF_DELAY),
		.backoff_max = number(place, KEY_BACKOFF_MAX),
		.backoff_factor_milli = (uint32_t)number(place, KEY_BACKOFF_FACTOR),
	};
	int64_t edge_ppm = 1000000 - number(place, KEY_BACKOFF_JITTER);
	span_ms sum = 0;

	for (uint32_t n = 1; n <= intensity && sum < enough; n++) {
		/* No delay is longer than 10,000 days, so this cannot overflow. */
		span_ms delay = backoff_base(&spec, n) * edge_ppm / 1000000;
		if (delay == 0 && spec.backoff != BACKOFF_EXPONENTIAL)
			break;
		sum += delay;
	}
	return sum;
}

/* The first of the keys that is set, or KEY_COUNT. */
static enum keys_id
first_set(const struct build_place *place, const enum keys_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_set(place, ids[i]))
			return ids[i];
	return KEY_COUNT;
}

/* A breaker of more than intensity + 1 failures is as much in vain, once that key can be set. */
static void
check_limit(const struct build *build, const struct build_place *place)
{
	static const enum keys_id delays[] = { KEY_BACKOFF_DELAY, KEY_BACKOFF, KEY_BACKOFF_FACTOR,
		KEY_BACKOFF_JITTER, KEY_BACKOFF_MAX },
				  limits[] = { KEY_INTENSITY, KEY_PERIOD, KEY_ON_LIMIT };
	const struct build_place *parent = place->parent, *at = place;
	char sum_text[SPAN_TEXT_SIZE], period_text[SPAN_TEXT_SIZE];

	if (parent == NULL || number(parent, KEY_STRATEGY) == STRATEGY_ESCALATE ||
	    number(place, KEY_RESTART) == RESTART_TEMPORARY)
		return;
	uint32_t intensity = (uint32_t)number(parent, KEY_INTENSITY);
	span_ms period = number(parent, KEY_PERIOD), sum = least_time(place, intensity, period);
	if (sum < period)
		return;
	enum keys_id where = first_set(place, delays, sizeof delays / sizeof delays[0]);
	if (where == KEY_COUNT) {
		at = parent;
		where = first_set(parent, limits, sizeof limits / sizeof limits[0]);
	}
	/* One of them must be: what is built in reaches its limit. */
	if (where == KEY_COUNT)
		return;
	inherit_warning(build, at, where,
	    "with these delays one child can never reach the limit of [supervisor:%s]: its %u restarts take %s or longer, "
	    "and those within %s count (make the period longer, the intensity or the delays smaller)",
	    parent->path, intensity, span_format(sum, sum_text), span_format(period, period_text));
}

static void
check_member(const struct build *build, const struct build_place *place)
{
	if (number(place, KEY_RESTART) == RESTART_TEMPORARY)
		check_temporary(build, place);
	else
		check_backoff(build, place);
	check_significant(build, place);
	check_limit(build, place);
}

/* --- supervisors ---------------------------------------------------------------------------- */

static void
check_strategy(const struct build *build, const struct build_place *place)
{
	static const enum keys_id useless[] = { KEY_INTENSITY, KEY_PERIOD, KEY_ON_LIMIT };

	if (number(place, KEY_STRATEGY) != STRATEGY_ESCALATE)
		return;
	for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++)
		if (is_set(place, useless[i]))
			inherit_error(build, place, useless[i],
			    "has no meaning with strategy = escalate, where the first failure is one too many: leave it out");
}

static bool
has_significant(const struct build_place *place)
{
	for (const struct build_place *member = place->first; member != NULL; member = member->next)
		if (number(member, KEY_SIGNIFICANT) != 0)
			return true;
	return false;
}

/* Of any supervisor, the root too. */
static void
check_members(const struct build *build, const struct build_place *place)
{
	const struct diag_where where = build_where(build, place);

	if (number(place, KEY_MAX_STARTING) == 0 &&
	    number(place, KEY_START_QUEUE_TIMEOUT) != SPAN_INFINITE)
		idle(build, place, KEY_START_QUEUE_TIMEOUT, KEY_MAX_STARTING,
		    "where any number may start at a time: set max_starting too, or leave it out");
	/* What is missing may be what was wrong. */
	if (diag_errors(build->diag) > 0)
		return;
	if (number(place, KEY_AUTO_SHUTDOWN) != AUTO_NEVER && !has_significant(place))
		inherit_warning(build, place, KEY_AUTO_SHUTDOWN,
		    "has no effect, for nothing directly below is significant: add significant = yes to those whose end is to count");
	if (place->first == NULL && place->parent != NULL)
		diag_warning(build->diag, &where,
		    "nothing is below this supervisor: add [child:%s/NAME], or leave it out",
		    place->path);
}

static void
check_supervisor(const struct build *build, const struct build_place *place)
{
	if (number(place, KEY_RESTART) == RESTART_TRANSIENT && escalates(place))
		inherit_warning(build, place, KEY_RESTART,
		    "when this supervisor gives up it ends normally, so being transient it is not restarted (permanent would be)");
	if (number(place, KEY_AUTO_SHUTDOWN) != AUTO_NEVER &&
	    number(place, KEY_RESTART) == RESTART_PERMANENT)
		inherit_warning(build, place, KEY_AUTO_SHUTDOWN,
		    "when its significant children have ended this supervisor ends, and being permanent it is restarted "
		    "(restart = transient would let it rest)");
}

const char *
check_root_ignores(enum keys_id id)
{
	static const enum keys_id restarts[] = { KEY_RESTART, KEY_BACKOFF, KEY_BACKOFF_DELAY,
		KEY_BACKOFF_MAX, KEY_BACKOFF_FACTOR, KEY_BACKOFF_JITTER, KEY_STABLE_AFTER };

	if (id == KEY_SIGNIFICANT)
		return "for no supervisor is above the root, whose end it could decide";
	if (id == KEY_AUTOSTART)
		return "for the root is always started";
	for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++)
		if (restarts[i] == id)
			return "for nothing restarts the root";
	return NULL;
}

static void
check_root(const struct build *build, const struct build_place *root)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *why = check_root_ignores((enum keys_id)i);
		if (why != NULL && is_set(root, (enum keys_id)i))
			inherit_warning(build, root, (enum keys_id)i,
			    "has no effect, %s: leave it out (for all children write \"child.%s\")",
			    why, keys_table[i].name);
	}
	if (root->first == NULL && diag_errors(build->diag) == 0) {
		const struct diag_where where = { .file = build->file->name };
		diag_warning(
		    build->diag, &where, "there is nothing to supervise: add a [child:PATH]");
	}
}

/* --- children ------------------------------------------------------------------------------- */

bool
check_logs_to_file(const struct build_place *place)
{
	const struct build_setting *log = &place->settings[KEY_LOG],
				   *file = &place->settings[KEY_LOG_FILE];

	if (file->entry != NULL && (log->entry == NULL || file->distance < log->distance))
		return true;
	return log->value->number == LOG_TO_FILE;
}

static void
check_log(const struct build *build, const struct build_place *place)
{
	const struct build_setting *log = &place->settings[KEY_LOG],
				   *file = &place->settings[KEY_LOG_FILE];

	if (file->entry != NULL && log->entry != NULL && !log->entry->reported &&
	    !check_logs_to_file(place) && file->distance == log->distance)
		inherit_warning(build, place, KEY_LOG_FILE,
		    "has no effect with log = %s: leave one of the two out",
		    log->value->number == LOG_NULL ? "null" : "inherit");
}

/* What is in both sets, as text; NULL if nothing is. */
static const char *
common(const struct core_exit_set *a, const struct core_exit_set *b, char text[8])
{
	for (uint32_t code = 0; code <= 255; code++)
		if (spec_exit_has_code(a, code) && spec_exit_has_code(b, code)) {
			snprintf(text, 8, "%u", code);
			return text;
		}
	for (int signal = 1; signal <= 64; signal++)
		if (spec_exit_has_signal(a, signal) && spec_exit_has_signal(b, signal))
			return names_signal_text(signal);
	return NULL;
}

/*
 * An end that is in two lists is one thing to the core, and perhaps not what was meant: of success
 * and escalation it is the former, of escalation and no restart the former. A nearer list may well
 * overrule one that stands farther off.
 */
static void
check_overlap(const struct build *build, const struct build_place *place, enum keys_id wins,
    enum keys_id loses, const char *winner)
{
	char text[8];
	const char *both =
	    common(place->settings[wins].value->exits, place->settings[loses].value->exits, text);

	if (both == NULL || !in_vain(place, loses, wins))
		return;
	if (is_set(place, wins))
		inherit_error(build, place, loses,
		    "%s stands in %s too, as %s, and cannot be both: take it out of one of the two",
		    both, keys_table[wins].name, winner);
	else if (loses == KEY_ESCALATE_EXIT)
		inherit_error(build, place, loses,
		    "%s is %s unless success_exit says otherwise: set that too, without %s", both,
		    winner, both);
	else if (number(place, KEY_RESTART) == RESTART_TRANSIENT ||
	    number(place, KEY_READY) == READY_EXIT)
		inherit_warning(build, place, loses,
		    "%s is %s, after which it is not restarted anyway: take it out", both, winner);
}

static void
check_exits(const struct build *build, const struct build_place *place)
{
	static const struct core_exit_set nothing;

	check_overlap(build, place, KEY_SUCCESS_EXIT, KEY_ESCALATE_EXIT, "a normal end");
	check_overlap(build, place, KEY_SUCCESS_EXIT, KEY_NO_RESTART_EXIT, "a normal end");
	check_overlap(build, place, KEY_ESCALATE_EXIT, KEY_NO_RESTART_EXIT, "one that escalates");
	if (number(place, KEY_READY) == READY_EXIT &&
	    memcmp(place->settings[KEY_SUCCESS_EXIT].value->exits, &nothing, sizeof nothing) == 0)
		inherit_error(build, place, KEY_SUCCESS_EXIT,
		    "with ready = exit a normal end makes it ready, and here no end is normal: name one, such as 0");
}

/* What stands behind KILL, and a sequence that ends without it. */
static void
check_stop_end(const struct build *build, const struct build_place *place, const struct value *stop)
{
	const char *last = names_signal_text(stop->steps[stop->step_count - 1].signal);

	if (!is_set(place, KEY_STOP))
		return;
	for (uint32_t i = 0; i + 1 < stop->step_count; i++)
		if (stop->steps[i].signal == SIGKILL) {
			inherit_warning(build, place, KEY_STOP,
			    "nothing outlives KILL, so that what stands behind it (%s) has no effect: take that away",
			    names_signal_text(stop->steps[i + 1].signal));
			return;
		}
	if (stop->steps[stop->step_count - 1].signal != SIGKILL &&
	    strstr(place->settings[KEY_STOP].entry->value, "infinity") == NULL)
		inherit_warning(build, place, KEY_STOP,
		    "after %s it is waited for without end: add how long to wait, and KILL (such as %s 10s KILL), "
		    "or infinity if that is meant",
		    last, last);
}

/* The signals of stop = and what is left when they are over (FIELD 2.C.5). */
static void
check_stop(const struct build *build, const struct build_place *place)
{
	const struct value *stop = place->settings[KEY_STOP].value;
	span_ms shutdown = daemon_shutdown_timeout(build), sum = 0;
	char sum_text[SPAN_TEXT_SIZE], shutdown_text[SPAN_TEXT_SIZE];

	if (number(place, KEY_STOP_GROUP) != 0 && number(place, KEY_KILL_MODE) == KILL_PROCESS)
		inherit_warning(build, place, KEY_STOP_GROUP,
		    "the whole group gets these signals, but with kill_mode = process whoever outlives the main process "
		    "is left alone: choose kill_mode = group or tree");
	else if (number(place, KEY_STOP_GROUP) != 0 && stop->steps[0].signal == SIGKILL)
		idle(build, place, KEY_STOP_GROUP, KEY_STOP,
		    "where the first signal is KILL, for its group is killed anyway: leave it out");
	check_stop_end(build, place, stop);
	for (uint32_t i = 0; i < stop->step_count && stop->steps[i].wait != SPAN_INFINITE; i++)
		sum = stop->steps[i].wait < KEYS_MAX_SPAN - sum ? sum + stop->steps[i].wait
								: KEYS_MAX_SPAN;
	if (sum > shutdown)
		inherit_warning(build, place, KEY_STOP,
		    "takes up to %s, and a shutdown kills what is left after %s: make shutdown_timeout in [coppice] longer",
		    span_format(sum, sum_text), span_format(shutdown, shutdown_text));
}

static void
check_ready(const struct build *build, const struct build_place *place)
{
	if (number(place, KEY_READY) == READY_EXIT &&
	    number(place, KEY_RESTART) != RESTART_TEMPORARY)
		idle(build, place, KEY_STABLE_AFTER, KEY_READY,
		    "with ready = exit, for a one-shot never runs on once it is ready: leave it out");
	const struct value *instances = place->settings[KEY_INSTANCES].value;
	if (instances != NULL && instances->number == 0)
		inherit_warning(build, place, KEY_INSTANCES,
		    "with 0 of them nothing runs: write 1 or more, or leave the whole section out");
}

static void
check_child(const struct build *build, const struct build_place *place)
{
	if (!is_set(place, KEY_COMMAND) && place->parent != NULL)
		inherit_error(
		    build, place, KEY_COMMAND, "missing: add command = PROGRAM ARGUMENTS…");
	check_ready(build, place);
	check_exits(build, place);
	check_stop(build, place);
	check_log(build, place);
	shell_check(build, place);
}

/* --- names ---------------------------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	const struct build_place *one = *(const struct build_place *const *)a,
				 *other = *(const struct build_place *const *)b;
	int order = strcasecmp(one->path, other->path);

	return order != 0 ? order : strcmp(one->path, other->path);
}

/* Two places whose paths differ in capitals alone: probably one was meant. */
static void
check_names(const struct build *build)
{
	const struct build_place **sorted = mem_zalloc(build->count, sizeof(struct build_place *));

	for (size_t i = 0; i < build->count; i++)
		sorted[i] = build->places[i];
	qsort(sorted, build->count, sizeof(struct build_place *), compare_names);
	for (size_t i = 1; i < build->count; i++) {
		const struct build_place *one = sorted[i - 1], *other = sorted[i];
		if (strcasecmp(one->path, other->path) != 0)
			continue;
		if (one->section->number > other->section->number) {
			one = other;
			other = sorted[i - 1];
		}
		const struct diag_where where = build_where(build, other);
		char *there = raw_there(other->section, one->section, one->section->line);
		diag_warning(build->diag, &where,
		    "\"%s\" differs from \"%s\" (%s) in capital letters alone: give it another name",
		    other->path, one->path, there);
		free(there);
	}
	free(sorted);
}

/* --- how many ------------------------------------------------------------------------------- */

/* Told once, where it is one too many. */
static void
check_nodes(const struct build *build)
{
	static const char text[] =
	    "makes %" PRIu64
	    " nodes with all above, more than the %u of a tree: leave some out, or give a part to a second daemon with a runtime_dir of its own";
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < build->count && count <= MAX_NODES; i++)
		count += build_nodes(build->places[i]);
	if (count <= MAX_NODES)
		return;
	const struct build_place *place = build->places[i - 1];
	const struct diag_where where = build_where(build, place);
	if (is_set(place, KEY_INSTANCES))
		inherit_error(build, place, KEY_INSTANCES, text, count, MAX_NODES);
	else
		diag_error(build->diag, &where, text, count, MAX_NODES);
}

/* Each restart that counts is remembered. */
static void
check_intensities(const struct build *build)
{
	uint64_t all = 0;

	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind != KIND_SUPERVISOR)
			continue;
		all += (uint64_t)number(place, KEY_INTENSITY);
		if (all > MAX_STAMPS) {
			inherit_error(build, place, KEY_INTENSITY,
			    "the intensities of all supervisors are more than %u together: make this one smaller, and others",
			    MAX_STAMPS);
			return;
		}
	}
}

void
check_all(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (i > 0)
			check_member(build, place);
		if (place->kind == KIND_CHILD) {
			check_child(build, place);
			continue;
		}
		check_strategy(build, place);
		if (i > 0)
			check_supervisor(build, place);
	}
	/* These look at several places, and some of them only where no error is. */
	check_names(build);
	for (size_t i = 0; i < build->count; i++)
		if (build->places[i]->kind == KIND_SUPERVISOR)
			check_members(build, build->places[i]);
	check_root(build, build->places[0]);
	check_nodes(build);
	check_intensities(build);
	sockets_check(build);
	order_check(build);
}
