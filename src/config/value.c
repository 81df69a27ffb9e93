#include "config/value.h"

#include "config/capability.h"
#include "config/choice.h"
#include "config/cpus.h"
#include "config/diag.h"
#include "config/duration.h"
#include "config/limit.h"
#include "config/sequence.h"
#include "config/sockets.h"
#include "config/words.h"
#include "lib/mem.h"
#include "lib/must.h"
#include "lib/names.h"
#include "lib/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t"

/*
 * A reader of one type: fills value or returns what is wrong, to be freed. text is not empty but
 * where the type allows it.
 */
typedef char *parse_fn(const struct keys_key *key, const char *text, struct value *value);

/* --- reading -------------------------------------------------------------------------------- */

static bool
ends_in(const char *text, char c)
{
	return *text != '\0' && text[strlen(text) - 1] == c;
}

static char *
parse_text(const struct keys_key *key, const char *text, struct value *value)
{
	(void)key;
	value->text = mem_strdup(text);
	return NULL;
}

/* By its last part: nothing, "." or "..". */
static bool
is_directory_name(const char *text)
{
	const char *slash = strrchr(text, '/'), *last = slash != NULL ? slash + 1 : text;

	return *last == '\0' || str_equal(last, ".") || str_equal(last, "..");
}

static char *
parse_path(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];

	if (strlen(text) >= PATH_MAX)
		return mem_printf("the path is longer than %d bytes", PATH_MAX - 1);
	if (*text == '~')
		return mem_strdup("\"~\" is not expanded: write ${HOME}");
	if (key->type != TYPE_DIRECTORY && is_directory_name(text))
		return mem_printf(
		    "\"%s\" is a directory: add the name of a file", diag_clip(text, clip));
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

/* A path behind "-" may be missing. */
static char *
parse_env_file(const struct keys_key *key, const char *text, struct value *value)
{
	const char *path = text + (*text == '-');
	char clip[DIAG_CLIP_SIZE];

	if (*path != '/' && *path != '~')
		return mem_printf(
		    "\"%s\" is no absolute path: it must begin with \"/\", or with \"-/\" where the file may be missing",
		    diag_clip(text, clip));
	char *problem = parse_path(key, path, value);
	if (problem != NULL)
		return problem;
	free(value->text);
	return parse_text(key, text, value);
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
	static const char *const others[] = { "0", "1", "n", "y", "disabled", "enabled", "disable",
		"enable", "never", "always" };
	char clip[DIAG_CLIP_SIZE];

	(void)key;
	for (int i = 0; i < 6; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			value->number = i % 2;
			return NULL;
		}
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcasecmp(text, others[i]) == 0)
			return mem_printf("\"%s\" is neither yes nor no (did you mean \"%s\"?)",
			    diag_clip(text, clip), words[i % 2]);
	return mem_printf("\"%s\" is neither yes nor no: write one of them", diag_clip(text, clip));
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
		return mem_printf("\"%s\" is no number: write one from %" PRId64 " to %" PRId64,
		    diag_clip(text, clip), key->min, key->max);
	}
}

static char *
parse_octal(const struct keys_key *key, const char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];
	size_t skip = is_negative(text); /* which is out of range */

	if (text[skip + strspn(text + skip, "01234567")] != '\0')
		return mem_printf(
		    "\"%s\" is no octal number: write one such as 022", diag_clip(text, clip));
	value->number = 0;
	for (const char *p = text + skip; *p != '\0' && value->number <= key->max; p++)
		value->number = value->number * 8 + (*p - '0');
	if (skip > 0 || value->number > key->max)
		return mem_printf("%s is out of range (0 to 0%" PRIo64 ", octal)",
		    diag_clip(text, clip), (uint64_t)key->max);
	return NULL;
}

static char *
parse_span(const struct keys_key *key, const char *text, struct value *value)
{
	return duration_read(key, text, &value->number);
}

/*
 * "1.5" → 1500 with 3 decimals: 0, -EINVAL (no number, or more decimals) or -ERANGE (also what is
 * negative).
 */
static int
parse_decimal(const char *text, size_t len, size_t decimals, int64_t *out)
{
	size_t sign = is_negative(text);
	size_t point = strcspn(text + sign, ".");
	int64_t number = 0;

	text += sign;
	len -= sign;
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
	return sign > 0 ? -ERANGE : 0;
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
	/* 0.1 is a tenth; 10 is ten of a hundred */
	if (error == 0 && !has_sign && value->number > 0)
		return mem_printf("\"%s\" is no percentage (did you mean \"%g%%\"?)", clip,
		    (double)value->number / (value->number < 10000 ? 100 : 10000));
	if (error == -EINVAL && has_sign && strspn(text, "0123456789.") > 0)
		return mem_printf("\"%s\" is no percentage (did you mean \"%.*s%%\"?)", clip,
		    (int)strspn(text, "0123456789."), clip);
	if (error == -EINVAL)
		return mem_printf("\"%s\" is no percentage (such as 10%%)", clip);
	if (error != 0 || value->number < key->min * 10000 || value->number > key->max * 10000)
		return mem_printf("%s is out of range (%" PRId64 "%% to %" PRId64 "%%)", clip,
		    key->min, key->max);
	return NULL;
}

static char *
parse_choice(const struct keys_key *key, const char *text, struct value *value)
{
	return choice_read(key, text, &value->number);
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
		return mem_printf(
		    "\"%s\" is out of range (fd:3 to fd:%d)", clip, VALUE_MAX_READY_FD);
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
	char *save, *copy = mem_strdup(text), clip[DIAG_CLIP_SIZE];

	(void)key;
	value->words = mem_zalloc(strlen(text) / 2 + 2, sizeof(char *));
	for (char *word = strtok_r(copy, SEPARATORS, &save); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save))
		value->words[value->word_count++] = mem_strdup(word);
	free(copy);
	if (value->word_count == 0 && *text != '\0')
		return mem_printf(
		    "\"%s\" names nothing: for an empty list write nothing behind the \"=\"",
		    diag_clip(text, clip));
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
			    "\"%s\" is no exit status: write numbers from 0 to 255, with blanks between",
			    diag_clip(word, clip));
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
	for (size_t i = 0; i < value->word_count; i++)
		problem = diag_join(problem, add_exit(value->words[i], value->exits));
	words_free(value->words);
	value->words = NULL;
	value->word_count = 0;
	return problem;
}

static char *
parse_limit(const struct keys_key *key, const char *text, struct value *value)
{
	return limit_parse(key, text, &value->number, &value->hard);
}

static char *
parse_most(const struct keys_key *key, const char *text, struct value *value)
{
	return limit_parse_most(key, text, &value->number);
}

static char *
parse_cgroup(const struct keys_key *key, const char *text, struct value *value)
{
	return str_equal(text, "none") ? parse_text(key, text, value)
				       : parse_directory(key, text, value);
}

static char *
parse_cpus(const struct keys_key *key, const char *text, struct value *value)
{
	(void)key;
	value->cpus = mem_zalloc(CPUS_WORDS, sizeof *value->cpus);
	return cpus_parse(text, value->cpus);
}

static char *
parse_capabilities(const struct keys_key *key, const char *text, struct value *value)
{
	(void)key;
	return capability_parse(text, &value->number);
}

static char *
parse_addresses(const struct keys_key *key, const char *text, struct value *value)
{
	char *problem = parse_names(key, text, value);

	for (size_t i = 0; i < value->word_count; i++)
		problem = diag_join(problem, sockets_problem(value->words[i]));
	if (value->word_count > SOCKETS_MAX)
		problem = diag_join(problem,
		    mem_printf("these are more than the %d addresses of a child", SOCKETS_MAX));
	return problem;
}

/* What is wrong with the first word of a command, to be freed; NULL: nothing. */
static char *
program_problem(const char *name)
{
	char clip[DIAG_CLIP_SIZE];
	size_t len = strcspn(name, "=/");

	diag_clip(name, clip);
	if (name[strspn(name, " \t\n")] == '\0')
		return mem_strdup("the program's name is empty: write PROGRAM ARGUMENTS…");
	if (ends_in(name, '/'))
		return mem_printf("\"%s\" is a directory: add the name of a program", clip);
	if (str_starts(name, "~/"))
		return mem_strdup("\"~\" is not expanded: write ${HOME}");
	if (*name == '$' && isalpha((unsigned char)name[1]))
		return mem_printf("\"%s\" is not expanded: write ${NAME}", clip);
	if (len > 0 && name[len] == '=')
		return mem_printf(
		    "\"%s\" is no program: for a variable write env.NAME = value", clip);
	return NULL;
}

/* Words are expanded after they have been split. */
static char *
parse_command(const char *text, const struct expand *expand, struct value *value)
{
	struct expand how = *expand;
	const char *wrong;
	char *problem = NULL;

	how.in_word = true;
	value->words = words_split(text, &value->word_count, &wrong);
	if (value->words == NULL)
		return mem_strdup(wrong);
	for (size_t i = 0; i < value->word_count; i++) {
		char *wrong_here, *expanded = expand_text(&how, value->words[i], &wrong_here);
		problem = diag_join(problem, wrong_here);
		if (expanded != NULL) {
			free(value->words[i]);
			value->words[i] = expanded;
		}
	}
	return problem != NULL ? problem : program_problem(value->words[0]);
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
	[TYPE_ENV_FILE] = parse_env_file,
	[TYPE_LIMIT] = parse_limit,
	[TYPE_MOST] = parse_most,
	[TYPE_CGROUP] = parse_cgroup,
	[TYPE_CPUS] = parse_cpus,
	[TYPE_CAPABILITIES] = parse_capabilities,
	[TYPE_ADDRESSES] = parse_addresses,
};

/* Only strings of the product are completed for each instance. */
static bool
may_differ(enum keys_type type)
{
	return type == TYPE_TEXT || type == TYPE_PATH || type == TYPE_DIRECTORY ||
	    type == TYPE_INPUT || type == TYPE_OUTPUT || type == TYPE_ENV_FILE ||
	    type == TYPE_ADDRESSES;
}

static char *
parse_expanded(const struct keys_key *key, char *text, struct value *value)
{
	char clip[DIAG_CLIP_SIZE];
	bool may_be_empty = key->type == TYPE_TEXT || key->type == TYPE_EXITS ||
	    key->type == TYPE_NAMES || key->type == TYPE_CAPABILITIES ||
	    key->type == TYPE_ADDRESSES;

	for (char *p = text; key->type != TYPE_TEXT && *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	if (*text == '\0' && !may_be_empty)
		return mem_strdup(key->type == TYPE_COMMAND
			? "the value is empty: write PROGRAM ARGUMENTS…"
			: "the value is empty: leave the line out for the default");
	if (key->type != TYPE_TEXT && strlen(text) >= 2 && strchr("\"'", *text) != NULL &&
	    ends_in(text, *text))
		return mem_printf(
		    "%s is in quotes, which only the words of a command may be: take them away",
		    diag_clip(text, clip));
	if (strchr(text, EXPAND_INSTANCE) != NULL && !may_differ(key->type))
		return mem_strdup(
		    "the instances of a template share this value: %i, %n and %p cannot stand in it, write it out");
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
		how.no_percent = key->type == TYPE_PERCENT || key->type == TYPE_MOST;
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
	free((*value)->cpus);
	free(*value);
	*value = NULL;
}
