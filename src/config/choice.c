#include "config/choice.h"

#include "config/diag.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_CHOICES 8

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
		{ "control-group", "tree" }, { "mixed", "tree" }, { "all", "one_for_all" },
		{ "one", "one_for_one" }, { "rest", "rest_for_one" }, { "fail", "abort" },
		{ "any", "any_significant" }, { "forking", "spawn" }, { "serial", "ordered" },
		{ "sequential", "ordered" } };

	for (size_t i = 0; i < count; i++)
		if (keys_are_alike(text, candidates[i]))
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
	if (key == &keys_table[KEY_LOG] && strchr(text, '/') != NULL)
		problem = mem_printf("\"%s\" is not one of %s (for a file write log_file = %s)",
		    clip, list.data, clip);
	else if (is_not_yet(key, text))
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

char *
choice_read(const struct keys_key *key, const char *text, int64_t *index)
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
	*index = (int64_t)i;
	free(words);
	return problem;
}
