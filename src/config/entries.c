#include "config/entries.h"

#include "config/keys.h"
#include "config/value.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

#define FOR_CHILDREN "child."
#define NAME_FIRST   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

static unsigned
keys_of(enum titles_kind kind)
{
	switch (kind) {
	case TITLE_COPPICE: return IN_COPPICE;
	case TITLE_SUPERVISOR: return IN_SUPERVISOR;
	case TITLE_DEFAULTS:
	case TITLE_PROFILE:
	case TITLE_CHILD: return IN_CHILD;
	case TITLE_UNKNOWN: break;
	}
	return 0;
}

/* A key that other sections know. */
static void
report_elsewhere(
    struct raw_entry *entry, const struct keys_key *key, enum titles_kind kind, struct diag *diag)
{
	if ((key->in & IN_CHILD) != 0 && kind == TITLE_SUPERVISOR)
		raw_entry_error(entry, diag,
		    "this is a key of children, not of supervisors (for all children below: \"" FOR_CHILDREN
		    "%s\")",
		    entry->key);
	else if ((key->in & IN_SUPERVISOR) != 0 && kind == TITLE_COPPICE)
		raw_entry_error(entry, diag,
		    "this is a key of supervisors: the root's stand in [supervisor:/]");
	else if ((key->in & IN_CHILD) != 0)
		raw_entry_error(entry, diag,
		    "this is a key of children: for all of them put it into [defaults]");
	else if ((key->in & IN_SUPERVISOR) != 0)
		raw_entry_error(entry, diag,
		    "this is a key of supervisors, not of children: put it into the [supervisor:PATH] that it is for");
	else
		raw_entry_error(entry, diag, "this is a key of the daemon: put it into [coppice]");
}

static void
report_unknown(struct raw_entry *entry, const char *name, unsigned in, enum titles_kind kind,
    struct diag *diag)
{
	const char *suffix;
	const struct keys_key *key =
	    keys_find(name, IN_CHILD | IN_SUPERVISOR | IN_COPPICE, &suffix);
	const char *prefix = entry->for_children ? FOR_CHILDREN : "";
	const char *nearest;

	if (key == NULL && str_starts(name, FOR_CHILDREN)) {
		if (kind == TITLE_COPPICE)
			raw_entry_error(entry, diag,
			    "\"" FOR_CHILDREN "\" is for supervisors: put it into [supervisor:/]");
		else
			raw_entry_error(entry, diag,
			    "\"" FOR_CHILDREN "\" is for supervisors (did you mean \"%s%s\"?)",
			    prefix, name + strlen(FOR_CHILDREN));
		return;
	}
	if (key != NULL) {
		report_elsewhere(entry, key, entry->for_children ? TITLE_CHILD : kind, diag);
		return;
	}
	if (kind == TITLE_SUPERVISOR && (*name == '\0' || str_equal(entry->key, "child"))) {
		raw_entry_error(
		    entry, diag, "no such key: for all children below write child.KEY = value");
		return;
	}
	nearest = keys_nearest(name, in);
	if (nearest == NULL && kind == TITLE_SUPERVISOR && !entry->for_children) {
		nearest = keys_nearest(name, IN_CHILD);
		prefix = FOR_CHILDREN;
	}
	if (nearest != NULL)
		raw_entry_error(entry, diag, "no such key (did you mean \"%s%s%s\"?)", prefix,
		    nearest, nearest[strlen(nearest) - 1] == '.' ? "NAME" : "");
	else
		raw_entry_error(entry, diag, "no such key (`coppiced --help keys` lists them)");
	/* It need not be told to be missing, too. */
	if (nearest != NULL && str_equal(nearest, keys_table[KEY_COMMAND].name))
		entry->info = &keys_table[KEY_COMMAND];
}

/* A variable's name must be one that shells can use too: anything else is a slip. */
static void
check_variable(struct raw_entry *entry, struct diag *diag)
{
	const char *name = entry->suffix;
	char clip[DIAG_CLIP_SIZE];

	if (*name == '\0')
		raw_entry_error(
		    entry, diag, "the variable's name is missing: write env.NAME = value");
	else if (strspn(name, NAME_FIRST) == 0 ||
	    name[strspn(name, NAME_FIRST "0123456789")] != '\0')
		raw_entry_error(entry, diag,
		    "\"%s\" is no name of a variable: write letters, \"_\" and, not first, digits",
		    diag_clip(name, clip));
}

static void
find_key(struct raw_entry *entry, enum titles_kind kind, struct diag *diag)
{
	const char *name = entry->key;
	unsigned in = keys_of(kind);

	if (kind == TITLE_SUPERVISOR && str_starts(name, FOR_CHILDREN)) {
		entry->for_children = true;
		name += strlen(FOR_CHILDREN);
		in = IN_CHILD;
	}
	entry->info = keys_find(name, in, &entry->suffix);
	if (entry->info == NULL) {
		report_unknown(entry, name, in, kind, diag);
	} else if (entry->info->later) {
		raw_entry_error(
		    entry, diag, "not supported yet, a later version brings it: leave it out");
		entry->info = NULL;
	} else if (kind == TITLE_PROFILE && entry->info == &keys_table[KEY_PROFILE]) {
		raw_entry_error(entry, diag,
		    "a profile takes nothing from other profiles: write the values that it is to have here");
		entry->info = NULL;
	} else if (keys_is_prefix(entry->info)) {
		check_variable(entry, diag);
	}
}

/* What follows a blank and '#' or ';' outside quotes looks like a comment, and is none. */
static const char *
trailing_comment(const char *value)
{
	char quote = '\0';

	for (const char *p = value; *p != '\0'; p++) {
		if (quote != '\0')
			quote = *p == quote ? '\0' : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if ((*p == '#' || *p == ';') && p > value && strchr(" \t\n", p[-1]) != NULL)
			return p;
	}
	return NULL;
}

static void
warn_of_extras(const struct raw_entry *entry, struct diag *diag)
{
	const struct diag_where where = raw_where(entry);
	const char *comment = trailing_comment(entry->value);
	char clip[DIAG_CLIP_SIZE];

	size_t len = strlen(entry->value);

	if (entry->info->type == TYPE_TEXT && len >= 2 && strchr("\"'", entry->value[0]) != NULL &&
	    entry->value[len - 1] == entry->value[0])
		diag_warning(diag, &where,
		    "the quotes are part of the value: leave them out if they are not meant");
	if (comment != NULL)
		diag_warning(diag, &where,
		    "\"%s\" is part of the value: if it is a comment, give it a line of its own",
		    diag_clip(comment, clip));
}

/*
 * Values that depend on whose they are can only be tried here; inherit reads them again for each.
 */
static void
read_value(struct raw_entry *entry, enum titles_kind kind, const char *path, struct diag *diag)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	const struct expand expand = {
		.path = kind == TITLE_COPPICE ? NULL
		    : kind == TITLE_CHILD     ? path
					      : "path",
		.name = slash != NULL ? slash + 1
		    : path != NULL    ? path
				      : "name",
		.is_template = strstr(entry->value, "%i") != NULL,
	};
	char *problem;

	entry->varies = kind != TITLE_COPPICE && expand_varies(entry->value);
	entry->parsed = value_parse(entry->info, entry->value, &expand, &problem);
	if (problem != NULL)
		raw_entry_error(entry, diag, "%s", problem);
	free(problem);
	if (entry->varies)
		value_free(&entry->parsed);
}

static int
compare_entries(const void *a, const void *b)
{
	const struct raw_entry *one = *(struct raw_entry *const *)a,
			       *other = *(struct raw_entry *const *)b;
	int order = strcmp(one->key, other->key);

	if (order != 0)
		return order;
	if (one->section != other->section)
		return one->section->number < other->section->number ? -1 : 1;
	return one->line < other->line ? -1 : one->line > other->line;
}

/* Each file may include others. */
static void
report_twice(const struct raw_entry *before, struct raw_entry *entry, struct diag *diag)
{
	const struct raw_section *section = entry->section;

	if (before->section == section) {
		raw_entry_error(
		    entry, diag, "set already in line %u: take one of the two away", before->line);
	} else if (entry->info != &keys_table[KEY_INCLUDE]) {
		char *there = raw_there(section, before->section, before->line);
		raw_entry_error(entry, diag,
		    "set already in %s: take one of the two away, for the sections [%s] of all files are one",
		    there, section->title);
		free(there);
	} else {
		return;
	}
	entry->info = NULL;
}

static void
check_duplicates(struct raw_section *section, struct diag *diag)
{
	struct raw_entry **sorted = mem_zalloc(section->count, sizeof(struct raw_entry *));

	memcpy(sorted, section->entries, section->count * sizeof(struct raw_entry *));
	qsort(sorted, section->count, sizeof(struct raw_entry *), compare_entries);
	for (size_t i = 1; i < section->count; i++) {
		if (str_equal(sorted[i]->key, sorted[i - 1]->key))
			report_twice(sorted[i - 1], sorted[i], diag);
	}
	free(sorted);
}

void
entries_move(struct raw_section *to, struct raw_section *from)
{
	if (from->count == 0)
		return;
	to->entries = mem_grow(to->entries, to->count + from->count, sizeof(struct raw_entry *));
	for (size_t i = 0; i < from->count; i++)
		to->entries[to->count++] = from->entries[i];
	from->count = 0;
}

void
entries_check_shared(struct raw_section *section, struct diag *diag)
{
	if (section->count > 1)
		check_duplicates(section, diag);
}

void
entries_check(
    struct raw_section *section, enum titles_kind kind, const char *path, struct diag *diag)
{
	for (size_t i = 0; i < section->count; i++) {
		struct raw_entry *entry = section->entries[i];
		find_key(entry, kind, diag);
		if (entry->info == NULL)
			continue;
		warn_of_extras(entry, diag);
		read_value(entry, kind, path, diag);
	}
	if (section->count > 1)
		check_duplicates(section, diag);
}
