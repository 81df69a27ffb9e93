#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *text;
	int value;
};

static const struct word strategies[] = {
	{ "one", STRATEGY_ONE_FOR_ONE },
	{ "all", STRATEGY_ONE_FOR_ALL },
	{ "rest", STRATEGY_REST_FOR_ONE },
	{ "escalate", STRATEGY_ESCALATE },
	{ NULL, 0 },
};
static const struct word restarts[] = {
	{ "permanent", RESTART_PERMANENT },
	{ "transient", RESTART_TRANSIENT },
	{ "temporary", RESTART_TEMPORARY },
	{ NULL, 0 },
};
static const struct word limits[] = {
	{ "limit=escalate", LIMIT_ESCALATE },
	{ "limit=backoff", LIMIT_BACKOFF },
	{ "limit=give_up", LIMIT_GIVE_UP },
	{ "limit=terminate", LIMIT_TERMINATE },
	{ NULL, 0 },
};
static const struct word backoffs[] = {
	{ "backoff=none", BACKOFF_NONE },
	{ "backoff=fixed", BACKOFF_FIXED },
	{ "backoff=linear", BACKOFF_LINEAR },
	{ "backoff=exponential", BACKOFF_EXPONENTIAL },
	{ "backoff=fibonacci", BACKOFF_FIBONACCI },
	{ NULL, 0 },
};
static const struct word autos[] = {
	{ "auto=any", AUTO_ANY_SIGNIFICANT },
	{ "auto=all", AUTO_ALL_SIGNIFICANT },
	{ NULL, 0 },
};
static const struct word readies[] = {
	{ "ready=spawn", READY_SPAWN },
	{ "ready=exit", READY_EXIT },
	{ "ready=told", READY_TOLD },
	{ NULL, 0 },
};
static const struct word kill_modes[] = {
	{ "kill=tree", KILL_TREE },
	{ "kill=group", KILL_GROUP },
	{ "kill=process", KILL_PROCESS },
	{ NULL, 0 },
};
static const struct word signals[] = {
	{ "TERM", SIGTERM },
	{ "KILL", SIGKILL },
	{ "INT", SIGINT },
	{ "QUIT", SIGQUIT },
	{ "SEGV", SIGSEGV },
	{ NULL, 0 },
};

_Noreturn static void
no_plan(const char *what, const char *where)
{
	fprintf(stderr, "tests: no plan: %s: %s\n", what, where);
	exit(2);
}

static bool
look_up(const struct word *words, const char *text, int *value)
{
	for (; words->text != NULL; words++) {
		if (strcmp(words->text, text) == 0) {
			*value = words->value;
			return true;
		}
	}
	return false;
}

/* "250ms", "5s", "infinity"; sets *end behind it. */
static span_ms
read_span(const char *text, const char **end)
{
	char *stop;

	if (strncmp(text, "infinity", 8) == 0) {
		*end = text + 8;
		return SPAN_INFINITE;
	}
	span_ms value = strtoll(text, &stop, 10);

	if (stop == text)
		no_plan("no duration", text);
	if (strncmp(stop, "ms", 2) == 0) {
		*end = stop + 2;
	} else if (*stop == 's') {
		*end = stop + 1;
		value *= 1000;
	} else {
		no_plan("a duration without unit", text);
	}
	return value;
}

static void
read_exit_set(struct core_exit_set *set, const char *text)
{
	char copy[64];
	char *save = NULL;
	int number;

	memset(set, 0, sizeof *set);
	snprintf(copy, sizeof copy, "%s", text);
	for (char *one = strtok_r(copy, ",", &save); one != NULL;
	     one = strtok_r(NULL, ",", &save)) {
		if (look_up(signals, one, &number))
			spec_exit_add_signal(set, number);
		else
			spec_exit_add_code(set, (uint32_t)strtoul(one, NULL, 10));
	}
}

/* "TERM:5s,KILL" */
static void
read_stop(struct core_spec *spec, const char *text)
{
	char copy[64];
	char *save = NULL;

	snprintf(copy, sizeof copy, "%s", text);
	spec->stop_steps = 0;
	for (char *one = strtok_r(copy, ",", &save); one != NULL;
	     one = strtok_r(NULL, ",", &save)) {
		struct core_stop_step *step = &spec->stop[spec->stop_steps++];
		char *colon = strchr(one, ':');
		const char *end;
		int number;

		if (colon != NULL)
			*colon = '\0';
		if (!look_up(signals, one, &number))
			no_plan("no signal", one);
		step->signal = number;
		step->wait = colon != NULL ? read_span(colon + 1, &end) : SPAN_INFINITE;
	}
}

static const char *
after_key(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static bool
read_span_key(const char *word, const char *key, span_ms *out)
{
	const char *text = after_key(word, key);
	const char *end;

	if (text == NULL)
		return false;
	*out = read_span(text, &end);
	return true;
}

static bool
read_number_key(const char *word, const char *key, uint32_t *out)
{
	const char *text = after_key(word, key);

	if (text == NULL)
		return false;
	*out = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

static bool
read_exits_key(const char *word, const char *key, struct core_exit_set *out)
{
	const char *text = after_key(word, key);

	if (text == NULL)
		return false;
	read_exit_set(out, text);
	return true;
}

/* The words that are one of a list. */
static bool
choice_word(struct core_spec *spec, const char *word)
{
	int value;

	if (look_up(strategies, word, &value))
		spec->strategy = (enum core_strategy)value;
	else if (look_up(restarts, word, &value))
		spec->restart = (enum core_restart)value;
	else if (look_up(limits, word, &value))
		spec->on_limit = (enum core_on_limit)value;
	else if (look_up(backoffs, word, &value))
		spec->backoff = (enum core_backoff)value;
	else if (look_up(autos, word, &value))
		spec->auto_shutdown = (enum core_auto_shutdown)value;
	else if (look_up(readies, word, &value))
		spec->ready = (enum core_ready)value;
	else if (look_up(kill_modes, word, &value))
		spec->kill_mode = (enum core_kill_mode)value;
	else
		return false;
	return true;
}

static bool
flag_word(struct core_spec *spec, const char *word)
{
	if (strcmp(word, "significant") == 0)
		spec->significant = true;
	else if (strcmp(word, "manual") == 0)
		spec->autostart = false;
	else if (strcmp(word, "on_demand") == 0)
		spec->on_demand = true;
	else if (strcmp(word, "stop_group") == 0)
		spec->stop_group = true;
	else if (strcmp(word, "start_parallel") == 0)
		spec->start_order = ORDER_PARALLEL;
	else if (strcmp(word, "stop_parallel") == 0)
		spec->stop_order = ORDER_PARALLEL;
	else if (strcmp(word, "abort") == 0)
		spec->on_start_failure = START_FAILURE_ABORT;
	else
		return false;
	return true;
}

static bool
value_word(struct core_spec *spec, const char *word)
{
	const char *text;

	if ((text = after_key(word, "stop")) != NULL) {
		read_stop(spec, text);
		return true;
	}
	return read_span_key(word, "delay", &spec->backoff_delay) ||
	    read_span_key(word, "max", &spec->backoff_max) ||
	    read_span_key(word, "stable", &spec->stable_after) ||
	    read_span_key(word, "start_timeout", &spec->start_timeout) ||
	    read_span_key(word, "queue", &spec->start_queue_timeout) ||
	    read_span_key(word, "hook_timeout", &spec->hook_timeout) ||
	    read_number_key(word, "factor", &spec->backoff_factor_milli) ||
	    read_number_key(word, "jitter", &spec->backoff_jitter_ppm) ||
	    read_number_key(word, "max_starting", &spec->max_starting) ||
	    read_exits_key(word, "success", &spec->success_exit) ||
	    read_exits_key(word, "no_restart", &spec->no_restart_exit) ||
	    read_exits_key(word, "escalate_exit", &spec->escalate_exit);
}

/* "3/5s": intensity in period */
static bool
rate_word(struct core_spec *spec, const char *word)
{
	const char *slash = strchr(word, '/');
	const char *end;

	if (slash == NULL || !isdigit((unsigned char)*word))
		return false;
	spec->intensity = (uint32_t)strtoul(word, NULL, 10);
	spec->period = read_span(slash + 1, &end);
	return true;
}

/* How the process behaves. */
static bool
habit_word(struct plan_habit *habit, const char *word)
{
	const char *text;
	const char *end;

	if (strcmp(word, "ignores") == 0) {
		habit->ignores = true;
	} else if (strcmp(word, "crashes_on_stop") == 0) {
		habit->crashes_on_stop = true;
	} else if ((text = after_key(word, "fails")) != NULL) {
		char *stop;

		for (; *text != '\0'; text = *stop == ',' ? stop + 1 : stop)
			habit->fails |= 1ULL << strtoul(text, &stop, 10);
	} else if ((text = after_key(word, "lives")) != NULL) { /* lives=2s or lives=2s:code */
		habit->life_ms = read_span(text, &end);
		habit->life_status = (*end == ':' ? (int)strtol(end + 1, NULL, 10) : 1) << 8;
	} else if ((text = after_key(word, "at_start")) != NULL) { /* at_start=2:b */
		char *colon;

		habit->crash_attempt = (uint32_t)strtoul(text, &colon, 10);
		snprintf(habit->crash_victim, PLAN_NAME, "%s", colon + 1);
	} else if ((text = after_key(word, "at_stop")) != NULL) {
		snprintf(habit->stop_victim, PLAN_NAME, "%s", text);
	} else {
		return read_span_key(word, "spawn", &habit->spawn_ms) ||
		    read_span_key(word, "command_ends_it", &habit->command_ms) ||
		    read_span_key(word, "says_ready", &habit->ready_ms) ||
		    read_span_key(word, "slow", &habit->stop_ms) ||
		    read_number_key(word, "fails_from", &habit->fails_from);
	}
	return true;
}

/* pre=1s, pre=1s:3 (its exit code), pre=error; pre, command and post are the hooks */
static bool
hook_word(struct plan_node *node, const char *word)
{
	const struct {
		const char *key;
		enum core_hook hook;
		bool *has;
	} rows[] = {
		{ "pre", HOOK_PRE_START, &node->spec.pre_start },
		{ "command", HOOK_STOP, &node->spec.stop_command },
		{ "post", HOOK_POST_STOP, &node->spec.post_stop },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct plan_hook *hook = &node->habit.hooks[rows[i].hook];
		const char *text = after_key(word, rows[i].key), *end;

		if (text == NULL)
			continue;
		*rows[i].has = true;
		if (strcmp(text, "error") == 0) {
			hook->error = ENOENT;
			return true;
		}
		hook->ms = read_span(text, &end);
		hook->status = *end == ':' ? (int)strtol(end + 1, NULL, 10) << 8 : 0;
		return true;
	}
	return false;
}

static void
read_word(struct plan_node *node, const char *word)
{
	const char *text;

	if (word[0] == '*')
		node->count = (uint32_t)strtoul(word + 1, NULL, 10);
	else if ((text = after_key(word, "after")) != NULL)
		snprintf(node->after, PLAN_NAME, "%s", text);
	else if (!hook_word(node, word) && !choice_word(&node->spec, word) &&
	    !flag_word(&node->spec, word) && !rate_word(&node->spec, word) &&
	    !value_word(&node->spec, word) && !habit_word(&node->habit, word))
		no_plan("no such word", word);
}

/* The next word, brace or semicolon; an empty string at the end. */
static const char *
next_token(const char *text, char token[PLAN_NAME])
{
	size_t len = 0;

	while (isspace((unsigned char)*text))
		text++;
	if (*text != '\0' && strchr("{};", *text) != NULL) {
		token[len++] = *text++;
	} else {
		while (*text != '\0' && !isspace((unsigned char)*text) &&
		    strchr("{};", *text) == NULL && len < PLAN_NAME - 1)
			token[len++] = *text++;
	}
	token[len] = '\0';
	return text;
}

/* No random numbers in delays, unless a test asks for them. */
static struct plan_node *
add_node(struct plan *plan, const char *name, enum core_kind kind, bool otp)
{
	struct plan_node *node = &plan->nodes[plan->count++];

	if (plan->count == PLAN_NODES)
		no_plan("too many nodes", name);
	memset(node, 0, sizeof *node);
	snprintf(node->name, PLAN_NAME, "%s", name);
	node->habit.life_ms = SPAN_INFINITE;
	spec_defaults(&node->spec, kind);
	node->spec.backoff_jitter_ppm = 0;
	if (otp) {
		node->spec.backoff = BACKOFF_NONE;
		node->spec.on_start_failure = START_FAILURE_ABORT;
	}
	return node;
}

/* A list in braces follows those that have one. */
static enum core_kind
kind_ahead(const char *text)
{
	const char *mark = strpbrk(text, "{};");

	return mark != NULL && *mark == '{' ? KIND_SUPERVISOR : KIND_CHILD;
}

void
plan_read(struct plan *plan, const char *text, bool otp)
{
	uint32_t parent = UINT32_MAX;
	struct plan_node *node = NULL; /* the one whose words come */
	char token[PLAN_NAME];

	memset(plan, 0, sizeof *plan);
	for (text = next_token(text, token); token[0] != '\0'; text = next_token(text, token)) {
		if (token[0] == '{' && node != NULL) {
			parent = (uint32_t)(node - plan->nodes);
			node = NULL;
		} else if (token[0] == '}' && parent != UINT32_MAX) {
			node = NULL;
			parent = plan->nodes[parent].parent;
		} else if (token[0] == ';') {
			node = NULL;
		} else if (node == NULL) {
			node = add_node(plan, token, kind_ahead(text), otp);
			node->parent = parent;
		} else {
			read_word(node, token);
		}
	}
	if (parent != UINT32_MAX || plan->count == 0)
		no_plan("braces do not match", text);
}
