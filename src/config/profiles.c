#include "config/profiles.h"

#include "config/titles.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

static const char *
name_of(const struct raw_section *section)
{
	const char *name;

	(void)titles_kind(section->title, &name);
	return name;
}

static struct raw_section *
find(const struct build *build, const char *name)
{
	for (size_t i = 0; i < build->profile_count; i++)
		if (str_equal(name_of(build->profiles[i]), name))
			return build->profiles[i];
	return NULL;
}

void
profiles_add(struct build *build, const char *name, struct raw_section *section)
{
	char *problem = titles_profile_problem(name);
	const struct raw_section *before = find(build, name);

	if (problem != NULL) {
		raw_section_error(section, build->diag, "%s", problem);
	} else if (before != NULL) {
		char *there = raw_there(section, before, before->line);
		raw_section_error(section, build->diag,
		    "the profile is there already, in %s: put all into one", there);
		free(there);
	} else {
		if ((build->profile_count & (build->profile_count - 1)) == 0)
			build->profiles = mem_grow(build->profiles,
			    build->profile_count > 0 ? build->profile_count * 2 : 1,
			    sizeof(struct raw_section *));
		build->profiles[build->profile_count++] = section;
	}
	free(problem);
}

const struct raw_section *
profiles_named(const struct build *build, const struct raw_entry *entry)
{
	return entry != NULL && entry->parsed != NULL ? find(build, entry->parsed->text) : NULL;
}

static void
report_unknown(const struct build *build, struct raw_entry *entry)
{
	const char **candidates = mem_zalloc(build->profile_count + 1, sizeof(char *));
	const char *name = entry->parsed->text;
	char clip[DIAG_CLIP_SIZE], *problem = titles_profile_problem(name);

	for (size_t i = 0; i < build->profile_count; i++)
		candidates[i] = name_of(build->profiles[i]);
	const char *nearest = str_nearest(name, candidates, build->profile_count);
	if (problem != NULL)
		raw_entry_error(entry, build->diag, "%s", problem);
	else if (nearest != NULL)
		raw_entry_error(entry, build->diag,
		    "there is no profile \"%s\" (did you mean \"%s\"?)", diag_clip(name, clip),
		    nearest);
	else
		raw_entry_error(entry, build->diag,
		    "there is no profile \"%s\": add [profile:%s] with the values that it is to have",
		    diag_clip(name, clip), clip);
	free(problem);
	free(candidates);
}

/* An entry that names a profile: marks which one. */
static void
check_entry(const struct build *build, struct raw_entry *entry, bool *used)
{
	if (entry->info != &keys_table[KEY_PROFILE])
		return;
	if (entry->varies)
		raw_entry_error(entry, build->diag,
		    "%%p, %%n and %%i cannot stand in the name of a profile: write the name of one");
	else if (entry->parsed != NULL && profiles_named(build, entry) == NULL)
		report_unknown(build, entry);
	const struct raw_section *named = profiles_named(build, entry);
	for (size_t i = 0; i < build->profile_count; i++)
		used[i] = used[i] || build->profiles[i] == named;
}

void
profiles_check(const struct build *build)
{
	bool *used = mem_zalloc(build->profile_count + 1, sizeof *used);

	for (size_t i = 0; i < build->file->count; i++) {
		const struct raw_section *section = build->file->sections[i];
		for (size_t k = 0; k < section->count; k++)
			check_entry(build, section->entries[k], used);
	}
	for (size_t i = 0; i < build->profile_count; i++) {
		const struct raw_section *profile = build->profiles[i];
		const struct diag_where where = {
			.file = profile->file, .line = profile->line, .section = profile->title
		};
		if (!used[i])
			diag_warning(build->diag, &where,
			    "nobody has this profile: write profile = %s where its values are to hold",
			    name_of(profile));
	}
	free(used);
}
