#include "config/titles.h"

#include "config/diag.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_NAME  63
#define MAX_PATH  255
#define MAX_DEPTH 32
#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const struct word {
	const char *text;
	enum titles_kind kind;
	bool has_path;
} words[] = {
	{ "coppice", TITLE_COPPICE, false },
	{ "defaults", TITLE_DEFAULTS, false },
	{ "profile", TITLE_PROFILE, true },
	{ "supervisor", TITLE_SUPERVISOR, true },
	{ "child", TITLE_CHILD, true },
};

#define WORDS (sizeof words / sizeof words[0])

/* What people know from elsewhere. */
static const struct habit {
	const char *theirs, *ours;
} habits[] = {
	{ "program", "child" },
	{ "children", "child" },
	{ "unit", "child" },
	{ "service", "child" },
	{ "process", "child" },
	{ "worker", "child" },
	{ "watcher", "child" },
	{ "task", "child" },
	{ "group", "supervisor" },
	{ "default", "defaults" },
	{ "supervisord", "coppice" },
	{ "coppiced", "coppice" },
	{ "daemon", "coppice" },
	{ "global", "coppice" },
	{ "main", "coppice" },
};

#define HABITS (sizeof habits / sizeof habits[0])

enum titles_kind
titles_kind(const char *title, const char **path)
{
	size_t len = strcspn(title, ":");
	bool has_path = title[len] == ':';

	*path = has_path ? title + len + 1 : NULL;
	for (size_t i = 0; i < WORDS; i++)
		if (strlen(words[i].text) == len && strncmp(title, words[i].text, len) == 0 &&
		    words[i].has_path == has_path)
			return words[i].kind;
	return TITLE_UNKNOWN;
}

/* The word of ours that was probably meant, or NULL. */
static const struct word *
meant(const char *text)
{
	const char *candidates[WORDS + HABITS];
	const char *nearest = NULL;
	size_t count = 0;

	for (size_t i = 0; i < WORDS; i++)
		candidates[count++] = words[i].text;
	for (size_t i = 0; i < HABITS; i++)
		candidates[count++] = habits[i].theirs;
	for (size_t i = 0; i < count && nearest == NULL; i++)
		if (strcasecmp(text, candidates[i]) == 0)
			nearest = candidates[i];
	if (nearest == NULL)
		nearest = str_nearest(text, candidates, count);
	for (size_t i = 0; i < HABITS && nearest != NULL; i++)
		if (str_equal(nearest, habits[i].theirs))
			nearest = habits[i].ours;
	for (size_t i = 0; i < WORDS && nearest != NULL; i++)
		if (str_equal(nearest, words[i].text))
			return &words[i];
	return NULL;
}

/* Without the blanks around it. */
static int
trimmed_length(const char *text)
{
	size_t start = strspn(text, " \t"), end = strlen(text);

	while (end > start && strchr(" \t", text[end - 1]) != NULL)
		end--;
	return (int)(end - start);
}

/* What to say of "child.a", "child a" and the like, to be freed; NULL: it is nothing like them. */
static char *
other_separator(const char *title)
{
	size_t len = strcspn(title, "./= \t\"");
	const char *rest = title + len + strspn(title + len, "./= \t\"");
	char clip[DIAG_CLIP_SIZE], *text = mem_strndup(title, len);
	const struct word *word = meant(text);

	free(text);
	if (word == NULL || !word->has_path || *rest == '\0')
		return NULL;
	return mem_printf("no such section (did you mean \"%s:%.*s\"?)", word->text,
	    (int)strcspn(rest, "\" \t"), diag_clip(rest, clip));
}

char *
titles_unknown(const char *title)
{
	char clip[DIAG_CLIP_SIZE];
	const char *colon = strchr(title, ':');
	size_t skip = strspn(title, " \t");
	size_t len = colon != NULL ? (size_t)(colon - title) : strlen(title);

	while (len > skip && strchr(" \t", title[len - 1]) != NULL)
		len--;
	char *text = mem_strndup(title + skip, len - (len > skip ? skip : len));
	const struct word *word = meant(text);
	char *other;
	free(text);
	if (word != NULL && word->has_path && colon != NULL)
		return mem_printf("no such section (did you mean \"%s:%.*s\"?)", word->text,
		    trimmed_length(colon + 1),
		    diag_clip(colon + 1 + strspn(colon + 1, " \t"), clip));
	if (colon == NULL && (other = other_separator(title)) != NULL)
		return other;
	if (word != NULL && word->has_path)
		return mem_printf("no such section: write [%s:%s]", word->text,
		    word->kind == TITLE_PROFILE ? "NAME" : "PATH");
	if (word != NULL)
		return mem_printf("no such section (did you mean \"%s\"?)", word->text);
	return mem_strdup(
	    "no such section: there are [coppice], [defaults], [profile:NAME], [supervisor:PATH] and [child:PATH]");
}

/* What is wrong with one name of a path; len is at least 1. */
static char *
name_problem(const char *name, size_t len)
{
	char shown[DIAG_CLIP_SIZE], clip[DIAG_CLIP_SIZE];
	char *copy = mem_strndup(name, len);
	size_t good = strspn(copy, LETTERS "_.:-");
	char *problem = NULL;

	diag_clip(copy, shown);
	if (*name == '.' || *name == '-')
		problem = mem_printf(
		    "the name \"%s\" begins with \"%c\": begin it with a letter, a digit, \"_\" or \":\"",
		    shown, *name);
	else if (good < len && name[good] == '@')
		problem = mem_printf(
		    "\"@\" in the name \"%s\": instances have it, and those come from instances = N in [child:NAME]",
		    shown);
	else if (good < len) {
		size_t sequence = str_utf8_sequence(copy + good, len - good);
		char *odd = mem_strndup(copy + good, sequence > 0 ? sequence : 1);
		problem = mem_printf(
		    "\"%s\" in the name \"%s\": write letters A–Z a–z, digits and _ . : - alone",
		    diag_clip(odd, clip), shown);
		free(odd);
	} else if (len > MAX_NAME)
		problem = mem_printf(
		    "the name \"%s\" has %zu characters, more than the %d that are allowed: choose a shorter one",
		    shown, len, MAX_NAME);
	free(copy);
	return problem;
}

char *
titles_profile_problem(const char *name)
{
	return *name != '\0' ? name_problem(name, strlen(name))
			     : mem_strdup("the name is missing: write [profile:NAME]");
}

char *
titles_path_problem(enum titles_kind kind, const char *path)
{
	const char *word = kind == TITLE_CHILD ? "child" : "supervisor";
	char clip[DIAG_CLIP_SIZE];
	size_t depth = 0, whole = strlen(path);

	if (str_equal(path, "/"))
		return kind == TITLE_CHILD
		    ? mem_strdup("\"/\" is the root supervisor (did you mean \"supervisor:/\"?)")
		    : NULL;
	if (*path == '\0')
		return mem_printf("the name is missing: write [%s:PATH]", word);
	if (strchr(" \t", *path) != NULL || strchr(" \t", path[whole - 1]) != NULL)
		return mem_printf("blanks around the path (did you mean \"%s:%.*s\"?)", word,
		    trimmed_length(path), diag_clip(path + strspn(path, " \t"), clip));
	if (*path == '/')
		return mem_printf("paths do not begin with \"/\" (did you mean \"%s:%s\"?)", word,
		    diag_clip(path + 1, clip));
	if (path[whole - 1] == '/')
		return mem_printf("the path ends in \"/\": write [%s:%.*s]", word, (int)whole - 1,
		    diag_clip(path, clip));
	for (const char *name = path;; name += strcspn(name, "/") + 1) {
		size_t len = strcspn(name, "/");
		if (len == 0)
			return mem_strdup(
			    "\"//\" in the path: write a name between the two, or one \"/\"");
		char *problem = name_problem(name, len);
		if (problem != NULL)
			return problem;
		depth++;
		if (name[len] == '\0')
			break;
	}
	if (whole > MAX_PATH)
		return mem_printf(
		    "the path has %zu bytes, more than the %d that are allowed: choose shorter names",
		    whole, MAX_PATH);
	if (depth > MAX_DEPTH)
		return mem_printf(
		    "the path is %zu names deep, more than the %d that are allowed: leave some supervisors out",
		    depth, MAX_DEPTH);
	return NULL;
}
