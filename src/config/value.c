#include "config/value.h"

#include "config/diag.h"
#include "config/sequence.h"
#include "config/words.h"
#include "lib/mem.h"
#include "lib/must.h"
#include "lib/names.h"
#include "lib/span.h"
#include "lib/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS  ", \t"
#define MAX_CHOICES 8

/*
 * A reader of one type: fills value or returns what is wrong, to be freed. text is not empty but
 * where the type allows it.
 */
typedef char *parse_fn(const struct keys_key *key, const char *text, struct value *value);

/* --- reading -------------------------------------------------------------------------------- */

static char *
parse_text(const struct keys_key *key, const char *text, struct value *value)
{
	(void)key;
	value->text = mem_strdup(text);
	return NULL;
}

static char *
parse_path(const struct keys_key *key, const char *text, struct value *value)
{
	if (strlen(text) >= PATH_MAX)
		return mem_printf("the path is longer than %d bytes", PATH_MAX - 1);
	if (*text == '~')
		return mem_strdup("\"~\" is not expanded: write ${HOME}");
	return parse_text(key, text, value);
}

static char *
parse_directory(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];

	if (*text != '/' && *text != '~')
		return mem_printf(
		    "\"%s\" is no absolute path: it must begin with \"/\"", diag_clip(text, clip));
	return parse_path(key, text, value);
}

static char *
parse_input(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];

	if (str_equal(text, "null") || str_equal(text, "inherit"))
		return parse_text(key, text, value);
	if (*text != '/')
		return mem_printf(
		    "\"%s\" is neither null, inherit nor a path that begins with \"/\"",
		    diag_clip(text, clip));
	return parse_path(key, text, value);
}

static char *
parse_output(const struct keys_key *key, const char *text, struct value *value)
{
	static const char *const words[] = { "same", "inherit", "null", "file" };
	char clip[DIAG_CLIP_SIZE];

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (str_equal(text, words[i]))
			return parse_text(key, text, value);
	if (strchr(text, '/') == NULL)
		return mem_printf(
		    "\"%s\" is not one of same, inherit, null, file, and as a path it needs a \"/\" (./%s)",
		    diag_clip(text, clip), clip);
	return parse_path(key, text, value);
}

static char *
parse_bool(const struct keys_key *key, const char *text, struct value *value)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };
	char clip[DIAG_CLIP_SIZE];

	(void)key;
	for (int i = 0; i < 6; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			value->number = i % 2;
			return NULL;
		}
	}
	return mem_printf("\"%s\" is neither yes nor no%s", diag_clip(text, clip),
	    str_equal(text, "1")       ? " (did you mean \"yes\"?)"
		: str_equal(text, "0") ? " (did you mean \"no\"?)"
				       : "");
}

static bool
is_negative(const char *text)
{
	return text[0] == '-' && text[1] >= '0' && text[1] <= '9';
}

static char *
parse_number(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];

	switch (str_to_int64(text, key->min, key->max, &value->number)) {
	case 0: return NULL;
	case -ERANGE:
		return mem_printf("%s is out of range (%" PRId64 " to %" PRId64 ")",
		    diag_clip(text, clip), key->min, key->max);
	default:
		return mem_printf("\"%s\" is no number (%" PRId64 " to %" PRId64 ")",
		    diag_clip(text, clip), key->min, key->max);
	}
}

static char *
parse_octal(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];
	size_t skip = is_negative(text); /* which is out of range */

	if (text[skip + strspn(text + skip, "01234567")] != '\0')
		return mem_printf("\"%s\" is no octal number (such as 022)", diag_clip(text, clip));
	value->number = 0;
	for (const char *p = text + skip; *p != '\0' && value->number <= key->max; p++)
		value->number = value->number * 8 + (*p - '0');
	if (skip > 0 || value->number > key->max)
		return mem_printf("%s is out of range (0 to 0%" PRIo64 ", octal)",
		    diag_clip(text, clip), (uint64_t)key->max);
	return NULL;
}

/* "10 sec", "5 minutes" → "10s", "5m": what people write for a duration elsewhere. */
static const char *
span_meant(const char *text, char out[SPAN_TEXT_SIZE])
{
	static const char *const units[][2] = { { "ms", "ms" }, { "msec", "ms" },
		{ "millisecond", "ms" }, { "s", "s" }, { "sec", "s" }, { "second", "s" },
		{ "m", "m" }, { "min", "m" }, { "minute", "m" }, { "h", "h" }, { "hr", "h" },
		{ "hour", "h" }, { "d", "d" }, { "day", "d" } };
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits + strspn(text + digits, " ");
	size_t len = strlen(unit);

	if (digits == 0 || digits > 12)
		return NULL;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t ours = strlen(units[i][0]);
		bool plural = len == ours + 1 && (unit[ours] == 's' || unit[ours] == 'S');
		if ((len == ours || plural) && strncasecmp(unit, units[i][0], ours) == 0) {
			span_ms span;
			memcpy(out, text, digits);
			strcpy(out + digits, units[i][1]);
			return span_parse(out, &span) == 0 ? out : NULL;
		}
	}
	return NULL;
}

static char *
parse_span(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE], meant[SPAN_TEXT_SIZE], low[SPAN_TEXT_SIZE], high[SPAN_TEXT_SIZE];
	const char *or_infinity = key->infinite ? ", or infinity" : "";
	int error = span_parse(text, &value->number);

	diag_clip(text, clip);
	if (is_negative(text) && span_parse(text + 1, &value->number) == 0)
		error = -ERANGE;
	if (error == -EINVAL && span_meant(text, meant) != NULL)
		return mem_printf("\"%s\" is no duration (did you mean \"%s\"?)", clip, meant);
	if (error == -EINVAL)
		return mem_printf("\"%s\" is no duration (such as 250ms, 5s, 2m, 1h, 1d%s)", clip,
		    key->infinite ? ", infinity" : "");
	if (error == 0 && value->number == SPAN_INFINITE && !key->infinite)
		return mem_printf("this cannot be infinity: write a duration of up to %s",
		    span_format(key->max, high));
	if (error != 0 ||
	    (value->number != SPAN_INFINITE &&
		(value->number < key->min || value->number > key->max)))
		return mem_printf("%s is out of range (%s to %s%s)", clip,
		    span_format(key->min, low), span_format(key->max, high), or_infinity);
	return NULL;
}

/*
 * "1.5" → 1500 with 3 decimals: 0, -EINVAL (no number, or more decimals) or -ERANGE (also what is
 * negative).
 */
static int
parse_decimal(const char *text, size_t len, size_t decimals, int64_t *out)
{
	size_t point = strcspn(text, ".");
	int64_t number = 0;

	if (is_negative(text)) {
		int error = parse_decimal(text + 1, len - 1, decimals, out);
		return error == 0 ? -ERANGE : error;
	}
	if (point > len)
		point = len;
	size_t fraction = len > point ? len - point - 1 : 0;
	if (point == 0 || fraction > decimals || (point < len && fraction == 0))
		return -EINVAL;
	for (size_t i = 0; i < point + 1 + decimals; i++) {
		if (i == point)
			continue;
		char digit = i < len ? text[i] : '0';
		if (digit < '0' || digit > '9')
			return -EINVAL;
		if (number > INT64_MAX / 100)
			return -ERANGE;
		number = number * 10 + (digit - '0');
	}
	*out = number;
	return 0;
}

static char *
parse_factor(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];
	int error = parse_decimal(text, strlen(text), 3, &value->number);

	diag_clip(text, clip);
	if (error == -EINVAL)
		return mem_printf(
		    "\"%s\" is no factor (such as 2 or 1.5, up to three decimals)", clip);
	if (error != 0 || value->number < key->min * 1000 || value->number > key->max * 1000)
		return mem_printf(
		    "%s is out of range (%" PRId64 " to %" PRId64 ")", clip, key->min, key->max);
	return NULL;
}

static char *
parse_percent(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];
	size_t len = strlen(text);
	bool has_sign = text[len - 1] == '%';
	int error = parse_decimal(text, has_sign ? len - 1 : len, 4, &value->number);

	diag_clip(text, clip);
	if (error == 0 && !has_sign && value->number != 0)
		return mem_printf("\"%s\" is no percentage (did you mean \"%s%%\"?)", clip, clip);
	if (error == -EINVAL)
		return mem_printf("\"%s\" is no percentage (such as 10%%)", clip);
	if (error != 0 || value->number < key->min * 10000 || value->number > key->max * 10000)
		return mem_printf("%s is out of range (%" PRId64 "%% to %" PRId64 "%%)", clip,
		    key->min, key->max);
	return NULL;
}

/* Splits the words of a table field in place of out (which the pointers point into). */
static size_t
split_words(char *words, const char *candidates[MAX_CHOICES])
{
	char *save;
	size_t count = 0;

	for (char *word = strtok_r(words, " ", &save); word != NULL && count < MAX_CHOICES;
	     word = strtok_r(NULL, " ", &save))
		candidates[count++] = word;
	return count;
}

static bool
is_not_yet(const struct keys_key *key, const char *text)
{
	char *words = mem_strdup(key->not_yet != NULL ? key->not_yet : "");
	const char *candidates[MAX_CHOICES];
	size_t count = split_words(words, candidates);
	bool is = false;

	for (size_t i = 0; i < count; i++) {
		bool prefix = candidates[i][strlen(candidates[i]) - 1] == ':';
		is = is ||
		    (prefix ? str_starts(text, candidates[i]) : str_equal(text, candidates[i]));
	}
	free(words);
	return is;
}

/* What other supervisors call it, or what is near in spelling; NULL if nothing is. */
static const char *
choice_meant(const char *text, const char *const *candidates, size_t count)
{
	static const char *const habits[][2] = { { "always", "permanent" },
		{ "unless-stopped", "permanent" }, { "on-failure", "transient" },
		{ "on_failure", "transient" }, { "unexpected", "transient" },
		{ "never", "temporary" }, { "no", "temporary" },
		{ "simple_one_for_one", "one_for_one" }, { "constant", "fixed" },
		{ "oneshot", "exit" }, { "simple", "spawn" }, { "stdout", "inherit" },
		{ "control-group", "tree" }, { "mixed", "tree" } };

	for (size_t i = 0; i < count; i++)
		if (strcasecmp(text, candidates[i]) == 0)
			return candidates[i];
	for (size_t h = 0; h < sizeof habits / sizeof habits[0]; h++)
		for (size_t i = 0; i < count; i++)
			if (strcasecmp(text, habits[h][0]) == 0 &&
			    str_equal(habits[h][1], candidates[i]))
				return candidates[i];
	return str_nearest(text, candidates, count);
}

static char *
no_choice(const struct keys_key *key, const char *text, const char *const *candidates, size_t count)
{
	char clip[DIAG_CLIP_SIZE];
	struct buf list = { 0 };
	const char *nearest = choice_meant(text, candidates, count);
	char *problem;

	for (size_t i = 0; i < count; i++)
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", candidates[i]);
	diag_clip(text, clip);
	if (is_not_yet(key, text))
		problem =
		    mem_printf("\"%s\" is not supported yet: comes in a later version (now: %s)",
			clip, list.data);
	else if (nearest != NULL)
		problem = mem_printf(
		    "\"%s\" is not one of %s (did you mean \"%s\"?)", clip, list.data, nearest);
	else
		problem = mem_printf("\"%s\" is not one of %s", clip, list.data);
	buf_free(&list);
	return problem;
}

static char *
parse_choice(const struct keys_key *key, const char *text, struct value *value)
{
	char *words = mem_strdup(key->choices);
	const char *candidates[MAX_CHOICES];
	size_t count = split_words(words, candidates);
	char *problem = NULL;
	size_t i = 0;

	while (i < count && !str_equal(text, candidates[i]))
		i++;
	if (i == count)
		problem = no_choice(key, text, candidates, count);
	value->number = (int64_t)i;
	free(words);
	return problem;
}

/* A descriptor to be ready by: one that is nothing else's, and that a child can be given. */
static char *
parse_ready_fd(const char *text, struct value *value)
{
	static const char *const standard[] = { "input", "output", "error" };
	char clip[DIAG_CLIP_SIZE];
	int64_t number;
	int error = str_to_int64(text + strlen("fd:"), 0, INT_MAX, &number);

	diag_clip(text, clip);
	if (error == -EINVAL)
		return mem_printf(
		    "\"%s\" names no descriptor: write fd: and a number, such as fd:3", clip);
	if (error == 0 && number <= 2)
		return mem_printf("\"%s\" is the standard %s: choose a descriptor from 3 to %d",
		    clip, standard[number], VALUE_MAX_READY_FD);
	if (error != 0 || number > VALUE_MAX_READY_FD)
		return mem_printf("\"%s\" is out of range (fd:3 to fd:%d)", clip,
		    VALUE_MAX_READY_FD);
	value->number = READY_TOLD;
	value->text = mem_printf("fd:%d", (int)number);
	return NULL;
}

static char *
parse_ready(const struct keys_key *key, const char *text, struct value *value)
{
	char *problem;

	if (str_starts(text, "fd:") && !str_equal(text, "fd:N"))
		return parse_ready_fd(text, value);
	problem = parse_choice(key, text, value);
	if (problem == NULL && str_equal(text, "fd:N"))
		problem = mem_strdup("for N write the number of the descriptor, such as fd:3");
	if (problem == NULL)
		value->text = mem_strdup(text);
	return problem;
}
_Static_assert(READY_SPAWN == 0 && READY_EXIT == 1 && READY_TOLD == 2, "as the words of the key");

static char *
parse_stop(const struct keys_key *key, const char *text, struct value *value)
{
	char *problem;

	(void)key;
	value->steps = mem_zalloc(SPEC_MAX_STOP_STEPS, sizeof *value->steps);
	value->step_count = sequence_parse(text, value->steps, &problem);
	return problem;
}

static char *
parse_names(const struct keys_key *key, const char *text, struct value *value)
{
	char *save, *copy = mem_strdup(text);

	(void)key;
	value->words = mem_zalloc(strlen(text) / 2 + 2, sizeof(char *));
	for (char *word = strtok_r(copy, SEPARATORS, &save); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save))
		value->words[value->word_count++] = mem_strdup(word);
	free(copy);
	return NULL;
}

static char *
add_exit(const char *word, struct core_exit_set *exits)
{
	char clip[DIAG_CLIP_SIZE];
	int64_t code;

	if (isdigit((unsigned char)*word) || *word == '-') {
		if (str_to_int64(word, 0, 255, &code) != 0)
			return mem_printf(
			    "\"%s\" is no exit status (0 to 255)", diag_clip(word, clip));
		spec_exit_add_code(exits, (uint32_t)code);
		return NULL;
	}
	int signal = names_signal(word);
	if (signal > 0) {
		spec_exit_add_signal(exits, signal);
		return NULL;
	}
	const char *nearest = sequence_nearest_signal(word);
	if (nearest != NULL)
		return mem_printf("\"%s\" is no exit status or signal (did you mean \"%s\"?)",
		    diag_clip(word, clip), nearest);
	return mem_printf("\"%s\" is neither an exit status (0 to 255) nor a signal (such as TERM)",
	    diag_clip(word, clip));
}

static char *
parse_exits(const struct keys_key *key, const char *text, struct value *value)
{
	char *problem = parse_names(key, text, value);

	value->exits = mem_zalloc(1, sizeof *value->exits);
	for (size_t i = 0; i < value->word_count && problem == NULL; i++)
		problem = add_exit(value->words[i], value->exits);
	words_free(value->words);
	value->words = NULL;
	value->word_count = 0;
	return problem;
}

/* Words are expanded after they have been split. */
static char *
parse_command(const char *text, const struct expand *expand, struct value *value)
{
	const char *wrong;
	char *problem = NULL;

	value->words = words_split(text, &value->word_count, &wrong);
	if (value->words == NULL)
		return mem_strdup(wrong);
	for (size_t i = 0; i < value->word_count && problem == NULL; i++) {
		char *expanded = expand_text(expand, value->words[i], &problem);
		if (expanded != NULL) {
			free(value->words[i]);
			value->words[i] = expanded;
		}
	}
	if (problem == NULL && (value->word_count == 0 || value->words[0][0] == '\0'))
		problem = mem_strdup("the program's name is empty");
	return problem;
}

static parse_fn *const parsers[] = {
	[TYPE_TEXT] = parse_text,
	[TYPE_PATH] = parse_path,
	[TYPE_DIRECTORY] = parse_directory,
	[TYPE_INPUT] = parse_input,
	[TYPE_OUTPUT] = parse_output,
	[TYPE_BOOL] = parse_bool,
	[TYPE_NUMBER] = parse_number,
	[TYPE_OCTAL] = parse_octal,
	[TYPE_SPAN] = parse_span,
	[TYPE_FACTOR] = parse_factor,
	[TYPE_PERCENT] = parse_percent,
	[TYPE_CHOICE] = parse_choice,
	[TYPE_READY] = parse_ready,
	[TYPE_STOP] = parse_stop,
	[TYPE_EXITS] = parse_exits,
	[TYPE_NAME] = parse_text,
	[TYPE_NAMES] = parse_names,
};

/* Only strings of the product are completed for each instance. */
static bool
may_differ(enum keys_type type)
{
	return type == TYPE_TEXT || type == TYPE_PATH || type == TYPE_DIRECTORY ||
	    type == TYPE_INPUT || type == TYPE_OUTPUT;
}

static char *
parse_expanded(const struct keys_key *key, char *text, struct value *value)
{
	bool may_be_empty =
	    key->type == TYPE_TEXT || key->type == TYPE_EXITS || key->type == TYPE_NAMES;

	for (char *p = text; key->type != TYPE_TEXT && *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	if (*text == '\0' && !may_be_empty)
		return mem_strdup("the value is empty (leave the line out for the default)");
	if (strchr(text, EXPAND_INSTANCE) != NULL && !may_differ(key->type))
		return mem_strdup(
		    "the instances of a template share this value: %i, %n and %p cannot stand in it");
	must(parsers[key->type] != NULL);
	return parsers[key->type](key, text, value);
}

struct value *
value_parse(
    const struct keys_key *key, const char *text, const struct expand *expand, char **problem)
{
	struct value *value = mem_zalloc(1, sizeof *value);
	struct expand how = *expand;

	*problem = NULL;
	if (key->type == TYPE_COMMAND && *text != '\0') {
		*problem = parse_command(text, &how, value);
	} else {
		/* The lines of a value are one line, but for a command's quoted text. */
		char *line = mem_strdup(text);
		for (char *p = strchr(line, '\n'); p != NULL; p = strchr(p, '\n'))
			*p = ' ';
		how.no_percent = key->type == TYPE_PERCENT;
		char *expanded = expand_text(&how, line, problem);
		if (expanded != NULL)
			*problem = parse_expanded(key, expanded, value);
		free(expanded);
		free(line);
	}
	if (*problem != NULL)
		value_free(&value);
	return value;
}

void
value_free(struct value **value)
{
	if (*value == NULL)
		return;
	free((*value)->text);
	words_free((*value)->words);
	free((*value)->steps);
	free((*value)->exits);
	free(*value);
	*value = NULL;
}
