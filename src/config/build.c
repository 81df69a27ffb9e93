#include "config/build.h"

#include "config/entries.h"
#include "config/identity.h"
#include "config/profiles.h"
#include "config/titles.h"
#include "lib/mem.h"
#include "lib/must.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SUGGESTED 100 /* errors */

/* --- places --------------------------------------------------------------------------------- */

static struct build_place *
new_place(struct build *build, const char *path, enum core_kind kind, struct raw_section *section)
{
	struct build_place *place = mem_zalloc(1, sizeof *place);
	const char *slash = strrchr(path, '/');

	place->path = mem_strdup(path);
	place->name =
	    slash != NULL && slash[1] != '\0' ? place->path + (slash + 1 - path) : place->path;
	place->kind = kind;
	place->section = section;
	if ((build->count & (build->count - 1)) == 0)
		build->places = mem_grow(build->places, build->count > 0 ? build->count * 2 : 1,
		    sizeof(struct build_place *));
	build->places[build->count++] = place;
	return place;
}

static int
compare_places(const void *a, const void *b)
{
	const struct build_place *one = *(struct build_place *const *)a,
				 *other = *(struct build_place *const *)b;
	int order = strcmp(one->path, other->path);

	if (order != 0)
		return order;
	return one->section->number < other->section->number ? -1 : 1;
}

static int
compare_path(const void *path, const void *place)
{
	return strcmp(path, (*(struct build_place *const *)place)->path);
}

/* Places by path, for lookups; the root is not among them. */
struct index {
	struct build_place **places;
	size_t count;
};

static struct build_place *
find(const struct index *index, const char *path)
{
	struct build_place **found =
	    bsearch(path, index->places, index->count, sizeof *index->places, compare_path);

	return found != NULL ? *found : NULL;
}

/* A path names one place: later ones are reported and taken out. */
static struct index
make_index(struct build *build)
{
	struct index index = { .places = mem_zalloc(build->count, sizeof(struct build_place *)) };
	size_t kept = 0;

	index.count = build->count - 1;
	memcpy(index.places, build->places + 1, index.count * sizeof *index.places);
	if (index.count > 1)
		qsort(index.places, index.count, sizeof *index.places, compare_places);
	for (size_t i = 0; i < index.count; i++) {
		const struct build_place *before = kept > 0 ? index.places[kept - 1] : NULL;
		if (before == NULL || !str_equal(before->path, index.places[i]->path)) {
			index.places[kept++] = index.places[i];
			continue;
		}
		struct raw_section *section = index.places[i]->section;
		char *there = raw_there(section, before->section, before->section->line);
		bool is_same = str_equal(section->title, before->section->title);
		raw_section_error(section, build->diag,
		    "\"%s\" is declared already, as [%s] in %s: %sgive one of them another name",
		    before->path, before->section->title, there,
		    is_same ? "put all into one, or " : "");
		free(there);
		index.places[i]->path[0] = '\0'; /* marked for removal */
	}
	index.count = kept;
	return index;
}

static void
free_setting(struct build_setting *setting)
{
	if (setting->owned)
		value_free(&setting->value);
}

static void
free_place(struct build_place *place)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		free_setting(&place->settings[i]);
	for (size_t i = 0; i < place->variable_count; i++)
		free_setting(&place->variables[i].setting);
	free(place->variables);
	free(place->path);
	free(place);
}

static void
remove_marked(struct build *build)
{
	size_t kept = 0;

	for (size_t i = 0; i < build->count; i++) {
		if (build->places[i]->path[0] == '\0')
			free_place(build->places[i]);
		else
			build->places[kept++] = build->places[i];
	}
	build->count = kept;
}

static void
report_orphan(struct build *build, const struct index *index, const struct build_place *place,
    const char *above)
{
	const char **candidates = mem_zalloc(index->count, sizeof(char *));
	size_t count = 0;
	const struct build_place *wrong = find(index, above);

	/* Nobody reads more suggestions than these, and each is sought among all. */
	for (size_t i = 0; i < index->count && diag_errors(build->diag) < MAX_SUGGESTED; i++)
		if (index->places[i]->kind == KIND_SUPERVISOR)
			candidates[count++] = index->places[i]->path;
	/* Of one or two letters everything is near. */
	const char *nearest = strlen(above) > 2 ? str_nearest(above, candidates, count) : NULL;
	char *there =
	    wrong != NULL ? raw_there(place->section, wrong->section, wrong->section->line) : NULL;
	if (wrong != NULL)
		raw_section_error(place->section, build->diag,
		    "\"%s\" is a child (%s), and only supervisors have something below them: give it another place",
		    above, there);
	else if (nearest != NULL)
		raw_section_error(place->section, build->diag,
		    "there is no supervisor \"%s\" (did you mean \"%s\"?)", above, nearest);
	else
		raw_section_error(place->section, build->diag,
		    "there is no supervisor \"%s\": add [supervisor:%s], which may be empty", above,
		    above);
	free(there);
	free(candidates);
}

static void
attach(struct build *build, const struct index *index, struct build_place *place)
{
	const char *slash = strrchr(place->path, '/');
	struct build_place *parent = build->places[0];

	if (slash != NULL) {
		char *above = mem_strndup(place->path, (size_t)(slash - place->path));
		parent = find(index, above);
		if (parent == NULL || parent->kind != KIND_SUPERVISOR) {
			report_orphan(build, index, place, above);
			parent = NULL;
		}
		free(above);
	}
	place->parent = parent;
	if (parent == NULL)
		return;
	if (parent->last != NULL)
		parent->last->next = place;
	else
		parent->first = place;
	parent->last = place;
}

/* --- sections ------------------------------------------------------------------------------- */

static void
take_once(struct build *build, struct raw_section **once, struct raw_section *section)
{
	if (*once == NULL) {
		*once = section;
		return;
	}
	char *there = raw_there(section, *once, (*once)->line);
	raw_section_error(
	    section, build->diag, "the section is there already, in %s: put all into one", there);
	free(there);
}

/*
 * [coppice] and [defaults] may stand in several files, once in each, and are one section: the first
 * takes the entries of the others. Those of a file follow each other.
 */
static void
take_shared(struct build *build, struct raw_section **first, const struct raw_section **latest,
    struct raw_section *section)
{
	if (*first == NULL) {
		*first = section;
	} else if ((*latest)->file == section->file) {
		raw_section_error(section, build->diag,
		    "the section is there already, in line %u: put all into one", (*latest)->line);
		return;
	} else {
		entries_move(*first, section);
	}
	*latest = section;
}

static void
take_place(
    struct build *build, enum titles_kind kind, const char *path, struct raw_section *section)
{
	char *problem = titles_path_problem(kind, path);

	if (problem != NULL)
		raw_section_error(section, build->diag, "%s", problem);
	else if (str_equal(path, "/"))
		take_once(build, &build->places[0]->section, section);
	else
		new_place(build, path, kind == TITLE_CHILD ? KIND_CHILD : KIND_SUPERVISOR, section);
	free(problem);
}

static void
take_section(struct build *build, struct raw_section *section)
{
	const char *path;
	enum titles_kind kind = titles_kind(section->title, &path);
	char *problem;

	if (kind != TITLE_UNKNOWN)
		entries_check(section, kind, path, build->diag);
	switch (kind) {
	case TITLE_UNKNOWN:
		problem = titles_unknown(section->title);
		raw_section_error(section, build->diag, "%s", problem);
		free(problem);
		break;
	case TITLE_PROFILE: profiles_add(build, path, section); break;
	case TITLE_COPPICE:
		take_shared(build, &build->coppice, &build->latest_coppice, section);
		break;
	case TITLE_DEFAULTS:
		take_shared(build, &build->defaults, &build->latest_defaults, section);
		break;
	case TITLE_SUPERVISOR:
	case TITLE_CHILD: take_place(build, kind, path, section); break;
	}
}

static void
parse_built_in(struct build *build)
{
	const struct expand expand = { 0 };

	for (size_t i = 0; i < KEY_COUNT; i++) {
		char *problem = NULL;
		if (keys_table[i].fallback != NULL)
			build->built_in[i] =
			    value_parse(&keys_table[i], keys_table[i].fallback, &expand, &problem);
		must(problem == NULL); /* the table's own values are good */
	}
}

struct build *
build_new(struct raw_file *file, enum build_mode mode, struct diag *diag)
{
	struct build *build = mem_zalloc(1, sizeof *build);
	struct index index;

	*build = (struct build){ .diag = diag, .file = file, .mode = mode };
	parse_built_in(build);
	new_place(build, "/", KIND_SUPERVISOR, NULL);
	for (size_t i = 0; i < file->count; i++)
		take_section(build, file->sections[i]);
	if (build->coppice != NULL)
		entries_check_shared(build->coppice, diag);
	if (build->defaults != NULL)
		entries_check_shared(build->defaults, diag);
	index = make_index(build);
	remove_marked(build);
	for (size_t i = 1; i < build->count; i++)
		attach(build, &index, build->places[i]);
	profiles_check(build);
	free(index.places);
	return build;
}

static void
free_entries(struct raw_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		value_free(&section->entries[i]->parsed);
}

void
build_free(struct build **build)
{
	if (*build == NULL)
		return;
	for (size_t i = 0; i < (*build)->count; i++)
		free_place((*build)->places[i]);
	for (size_t i = 0; i < (*build)->file->count; i++)
		free_entries((*build)->file->sections[i]);
	for (size_t i = 0; i < KEY_COUNT; i++)
		value_free(&(*build)->built_in[i]);
	identity_free(&(*build)->identities);
	free((*build)->profiles);
	free((*build)->places);
	free(*build);
	*build = NULL;
}

struct build_place *
build_next(const struct build_place *place)
{
	if (place->first != NULL)
		return place->first;
	while (place != NULL && place->next == NULL)
		place = place->parent;
	return place != NULL ? place->next : NULL;
}

struct raw_entry *
build_daemon_entry(const struct build *build, enum keys_id id)
{
	for (size_t i = 0; build->coppice != NULL && i < build->coppice->count; i++)
		if (build->coppice->entries[i]->info == &keys_table[id])
			return build->coppice->entries[i];
	return NULL;
}

uint64_t
build_nodes(const struct build_place *place)
{
	const struct value *instances = place->settings[KEY_INSTANCES].value;

	return place->is_template && instances != NULL ? (uint64_t)instances->number : 1;
}

struct diag_where
build_where(const struct build *build, const struct build_place *place)
{
	const struct raw_section *section = place->section;

	return (struct diag_where){
		.file = section != NULL ? section->file : build->file->name,
		.line = section != NULL ? section->line : 0,
		.section = section == NULL ? "supervisor:/"
		    : section->line > 0    ? section->title
					   : NULL,
	};
}
