#include "config/sequence.h"

#include "config/diag.h"
#include "config/keys.h"
#include "lib/mem.h"
#include "lib/names.h"
#include "lib/str.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS      " \t"
#define EXAMPLE     "write for example TERM 10s KILL"
#define NAMES_COUNT 31

const char *
sequence_nearest_signal(const char *text)
{
	const char *candidates[NAMES_COUNT];

	if (str_starts(text, "SIG"))
		text += strlen("SIG");
	for (int i = 0; i < NAMES_COUNT; i++)
		candidates[i] = names_signal_text(i + 1);
	return str_nearest(text, candidates, NAMES_COUNT);
}

/* The text that a name such as graceful(5s) stands for, to be freed; NULL if it is none. */
static char *
named(const char *text)
{
	size_t len = strlen(text);

	if (str_equal(text, "immediate"))
		return mem_strdup("KILL");
	if (str_equal(text, "infinity"))
		return mem_strdup("TERM infinity");
	if (!str_starts(text, "graceful(") || text[len - 1] != ')')
		return NULL;
	text += strlen("graceful(");
	char *wait = mem_strndup(text, strlen(text) - 1);
	char *full = mem_printf("TERM %s KILL", wait);
	free(wait);
	return full;
}

static char *
no_signal(const char *word)
{
	char clip[DIAG_CLIP_SIZE];
	const char *nearest = sequence_nearest_signal(word);

	if (str_starts(word, "graceful"))
		return mem_strdup("how long? Write graceful(5s)");
	if (nearest != NULL)
		return mem_printf(
		    "\"%s\" is no signal (did you mean \"%s\"?)", diag_clip(word, clip), nearest);
	return mem_printf("\"%s\" is no signal: " EXAMPLE ", graceful(10s), immediate or infinity",
	    diag_clip(word, clip));
}

/* A wait stands between two signals; only the last may be followed by one, and that is infinity. */
static char *
check_wait(const char *word, const char *next, int signal, span_ms *wait)
{
	const char *name = names_signal_text(signal);
	char clip[DIAG_CLIP_SIZE], longest[SPAN_TEXT_SIZE];
	int error = span_parse(word, wait);

	if (error != 0 && names_signal(word) > 0)
		return mem_printf("how long to wait between %s and %s? Write for example %s 5s %s",
		    name, word, name, word);
	if (error == -ERANGE)
		return mem_printf("the wait of %s after %s is too long: up to %s, or infinity",
		    diag_clip(word, clip), name, span_format(KEYS_MAX_SPAN, longest));
	if (error != 0)
		return mem_printf(
		    "\"%s\" is no duration (such as 5s): after %s stands how long to wait, " EXAMPLE,
		    diag_clip(word, clip), name);
	if (next == NULL && *wait != SPAN_INFINITE)
		return mem_printf("what comes after the wait of %s? Write for example %s %s KILL",
		    word, name, word);
	if (next != NULL && *wait == SPAN_INFINITE)
		return mem_printf(
		    "\"%s\" after \"infinity\" is never reached: take one of the two away",
		    diag_clip(next, clip));
	return NULL;
}

/* Takes the words from *rest (changed) into the steps. */
static char *
take_words(char *rest, struct core_stop_step *steps, uint32_t *count)
{
	char *save, *word = strtok_r(rest, BLANKS, &save), *problem = NULL;

	while (word != NULL && problem == NULL) {
		char *wait = strtok_r(NULL, BLANKS, &save);
		char *next = wait != NULL ? strtok_r(NULL, BLANKS, &save) : NULL;
		int signal = names_signal(word);
		if (signal < 0)
			return no_signal(word);
		if (*count == SPEC_MAX_STOP_STEPS)
			return mem_printf(
			    "more than %d signals: leave some out", SPEC_MAX_STOP_STEPS);
		struct core_stop_step *step = &steps[(*count)++];
		*step = (struct core_stop_step){ .signal = signal, .wait = SPAN_INFINITE };
		if (wait != NULL)
			problem = check_wait(wait, next, signal, &step->wait);
		word = next;
	}
	return problem;
}

uint32_t
sequence_parse(const char *text, struct core_stop_step steps[SPEC_MAX_STOP_STEPS], char **problem)
{
	uint32_t count = 0;
	char *words = named(text);

	if (words == NULL)
		words = mem_strdup(text);
	*problem = take_words(words, steps, &count);
	free(words);
	return *problem == NULL ? count : 0;
}

void
sequence_print(const struct core_stop_step *steps, uint32_t count, struct buf *out)
{
	char span[SPAN_TEXT_SIZE];

	for (uint32_t i = 0; i < count; i++) {
		buf_printf(out, "%s%s", i > 0 ? " " : "", names_signal_text(steps[i].signal));
		/* Nothing outlives KILL. */
		if (steps[i].wait != SPAN_INFINITE || steps[i].signal != SIGKILL)
			buf_printf(out, " %s", span_format(steps[i].wait, span));
	}
}
