#include "config/check.h"

#include "config/inherit.h"
#include "core/backoff.h"
#include "lib/str.h"

#include <string.h>

/* Indices into .choices of keys.def where the core has no enumeration. */
enum {
	LOG_INHERIT,
	LOG_NULL,
	LOG_TO_FILE
};

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

static void
check_limit(const struct build *build, const struct build_place *place)
{
	const struct build_place *parent = place->parent;
	char sum_text[SPAN_TEXT_SIZE], period_text[SPAN_TEXT_SIZE];
	enum keys_id where = KEY_BACKOFF_DELAY;

	if (parent == NULL || number(parent, KEY_STRATEGY) == STRATEGY_ESCALATE ||
	    number(parent, KEY_ON_LIMIT) != LIMIT_ESCALATE ||
	    number(place, KEY_RESTART) == RESTART_TEMPORARY)
		return;
	uint32_t intensity = (uint32_t)number(parent, KEY_INTENSITY);
	span_ms period = number(parent, KEY_PERIOD), sum = least_time(place, intensity, period);
	if (sum < period)
		return;
	if (!is_set(place, where) && is_set(place, KEY_BACKOFF))
		where = KEY_BACKOFF;
	inherit_warning(build, place, where,
	    "with these delays the limit of [supervisor:%s] can never be reached: its %u restarts take %s or longer, "
	    "and it counts within %s (make the period longer, the intensity or the delays smaller)",
	    parent->path, intensity, span_format(sum, sum_text), span_format(period, period_text));
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

static void
check_supervisor(const struct build *build, const struct build_place *place)
{
	const char *word = number(place, KEY_RESTART) == RESTART_TRANSIENT ? "transient" : NULL;

	if (word != NULL && escalates(place))
		inherit_warning(build, place, KEY_RESTART,
		    "when this supervisor gives up it ends normally, so being transient it is not restarted (permanent would be)");
	if (number(place, KEY_AUTO_SHUTDOWN) != AUTO_NEVER &&
	    number(place, KEY_RESTART) == RESTART_PERMANENT)
		inherit_warning(build, place, KEY_AUTO_SHUTDOWN,
		    "when its significant children have ended this supervisor ends, and being permanent it is restarted "
		    "(restart = transient would let it rest)");
}

/* Nobody supervises the root. */
static void
check_root(const struct build *build, const struct build_place *root)
{
	static const enum keys_id useless[] = { KEY_RESTART, KEY_SIGNIFICANT, KEY_AUTOSTART,
		KEY_BACKOFF, KEY_BACKOFF_DELAY, KEY_BACKOFF_MAX, KEY_BACKOFF_FACTOR,
		KEY_BACKOFF_JITTER, KEY_STABLE_AFTER };

	for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++)
		if (is_set(root, useless[i]))
			inherit_warning(build, root, useless[i],
			    "has no effect, for nothing restarts the root (for all children write \"child.%s\")",
			    keys_table[useless[i]].name);
	if (root->first == NULL && diag_errors(build->diag) == 0) {
		const struct diag_where where = { .file = build->file->name };
		diag_warning(build->diag, &where, "there is nothing to supervise: no [child:PATH]");
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

	if (file->entry != NULL && !check_logs_to_file(place) && file->distance == log->distance)
		inherit_warning(build, place, KEY_LOG_FILE, "has no effect with log = %s",
		    log->value->number == LOG_NULL ? "null" : "inherit");
}

/* People write shell syntax where no shell is. */
static void
check_shell(const struct build *build, const struct build_place *place)
{
	static const char *const operators[] = { "|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1",
		"2>" };
	const struct value *command = place->settings[KEY_COMMAND].value;

	for (size_t i = 1; command != NULL && i < command->word_count; i++)
		for (size_t k = 0; k < sizeof operators / sizeof operators[0]; k++)
			if (str_equal(command->words[i], operators[k])) {
				inherit_warning(build, place, KEY_COMMAND,
				    "\"%s\" is passed on as a word, for no shell is involved (with one: /bin/sh -c '…')",
				    operators[k]);
				return;
			}
}

static void
check_child(const struct build *build, const struct build_place *place)
{
	if (!is_set(place, KEY_COMMAND) && place->parent != NULL)
		inherit_error(
		    build, place, KEY_COMMAND, "missing: add command = PROGRAM ARGUMENTS…");
	check_log(build, place);
	check_shell(build, place);
}

void
check_all(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind == KIND_CHILD)
			check_child(build, place);
		else
			check_strategy(build, place);
		if (i == 0)
			continue;
		if (place->kind == KIND_SUPERVISOR)
			check_supervisor(build, place);
		check_significant(build, place);
		check_limit(build, place);
	}
	check_root(build, build->places[0]);
}
