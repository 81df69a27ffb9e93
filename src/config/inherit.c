#include "config/inherit.h"

#include "config/profiles.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdarg.h>
#include <stdlib.h>

/* --- messages ------------------------------------------------------------------------------- */

static struct diag_where
where_of(const struct build *build, const struct build_place *place, enum keys_id id)
{
	struct diag_where where = build_where(build, place);

	if (place->settings[id].entry != NULL)
		return raw_where(place->settings[id].entry);
	where.key = keys_table[id].name;
	return where;
}

/* Which child a message is about, where it is not said by the section that the line stands in. */
static const char *
whose(const struct build_place *place, enum keys_id id)
{
	const struct raw_entry *entry = place->settings[id].entry;

	return entry != NULL && entry->section != place->section ? place->path : NULL;
}

void
inherit_error(const struct build *build, const struct build_place *place, enum keys_id id,
    const char *format, ...)
{
	const struct diag_where where = where_of(build, place, id);
	struct raw_entry *entry = place->settings[id].entry;
	const char *path = whose(place, id);
	char *text;
	va_list args;

	if (entry != NULL && entry->reported)
		return;
	va_start(args, format);
	text = mem_vprintf(format, args);
	va_end(args);
	diag_error(build->diag, &where, "%s%s%s%s", text, path != NULL ? "; \"" : "",
	    path != NULL ? path : "", path != NULL ? "\" has it from here" : "");
	if (entry != NULL)
		entry->reported = true;
	free(text);
}

void
inherit_warning(const struct build *build, const struct build_place *place, enum keys_id id,
    const char *format, ...)
{
	const struct diag_where where = where_of(build, place, id);
	char *text;
	va_list args;

	va_start(args, format);
	text = mem_vprintf(format, args);
	va_end(args);
	diag_warning(build->diag, &where, "%s", text);
	free(text);
}

/* --- values --------------------------------------------------------------------------------- */

static void
set_variable(struct build_place *place, struct raw_entry *entry, uint32_t distance)
{
	for (size_t i = 0; i < place->variable_count; i++)
		if (str_equal(place->variables[i].name, entry->suffix))
			return;
	if ((place->variable_count & (place->variable_count - 1)) == 0)
		place->variables = mem_grow(place->variables,
		    place->variable_count > 0 ? place->variable_count * 2 : 1,
		    sizeof *place->variables);
	place->variables[place->variable_count++] = (struct build_variable){
		.name = entry->suffix,
		.setting = { .value = entry->parsed, .entry = entry, .distance = distance },
	};
}

/* Takes what is not set yet. */
static void
take_section(struct build_place *place, const struct raw_section *section, uint32_t distance,
    bool for_children)
{
	for (size_t i = 0; section != NULL && i < section->count; i++) {
		struct raw_entry *entry = section->entries[i];
		if (entry->info == NULL || entry->for_children != for_children)
			continue;
		struct build_setting *setting = &place->settings[keys_id(entry->info)];
		if (keys_is_prefix(entry->info))
			set_variable(place, entry, distance);
		else if (setting->entry == NULL)
			*setting = (struct build_setting){
				.value = entry->parsed, .entry = entry, .distance = distance
			};
	}
}

static void
parse_again(
    const struct build *build, const struct build_place *place, struct build_setting *setting)
{
	struct raw_entry *entry = setting->entry;
	const struct expand expand = {
		.path = place->path, .name = place->name, .is_template = place->is_template
	};
	char *problem;

	if (entry == NULL || !entry->varies || entry->reported)
		return;
	setting->value = value_parse(entry->info, entry->value, &expand, &problem);
	setting->owned = setting->value != NULL;
	if (problem != NULL)
		raw_entry_error(entry, build->diag, "%s", problem);
	free(problem);
}

/* The one default that depends on where we run. */
static void
choose_on_limit(const struct build *build, struct build_place *place)
{
	struct build_setting *setting = &place->settings[KEY_ON_LIMIT];
	bool escalates = place->settings[KEY_STRATEGY].value->number == STRATEGY_ESCALATE;
	bool is_root = place == build->places[0];

	if (setting->value != NULL && !escalates)
		return;
	setting->value = mem_zalloc(1, sizeof *setting->value);
	setting->owned = true;
	setting->value->number = is_root && !escalates && build->mode != BUILD_CONTAINER
	    ? LIMIT_BACKOFF
	    : LIMIT_ESCALATE;
}

/* Also stands in for values that are wrong, so that the checks can go on. */
static void
take_built_in(const struct build *build, struct build_place *place)
{
	unsigned in = place->kind == KIND_CHILD ? IN_CHILD : IN_SUPERVISOR;

	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((keys_table[i].in & in) != 0 && place->settings[i].value == NULL)
			place->settings[i].value = build->built_in[i];
}

/* That of its own section or its supervisors', if those have none of [defaults], or NULL. */
static const struct raw_section *
profile_of(const struct build *build, const struct build_place *place)
{
	const struct raw_entry *entry = place->settings[KEY_PROFILE].entry;

	for (size_t i = 0; entry == NULL && build->defaults != NULL && i < build->defaults->count;
	     i++)
		if (build->defaults->entries[i]->info == &keys_table[KEY_PROFILE])
			entry = build->defaults->entries[i];
	return profiles_named(build, entry);
}

static void
inherit_place(const struct build *build, struct build_place *place)
{
	uint32_t distance = 0;

	take_section(place, place->section, distance, false);
	if (place->kind == KIND_CHILD) {
		for (const struct build_place *above = place->parent; above != NULL;
		     above = above->parent)
			take_section(place, above->section, ++distance, true);
		take_section(place, profile_of(build, place), ++distance, false);
		take_section(place, build->defaults, ++distance, false);
	}
	place->is_template = place->settings[KEY_INSTANCES].entry != NULL;
	for (size_t i = 0; i < KEY_COUNT; i++)
		parse_again(build, place, &place->settings[i]);
	for (size_t i = 0; i < place->variable_count; i++)
		parse_again(build, place, &place->variables[i].setting);
	take_built_in(build, place);
	if (place->kind == KIND_SUPERVISOR)
		choose_on_limit(build, place);
}

void
inherit_all(struct build *build)
{
	for (size_t i = 0; i < build->count; i++)
		inherit_place(build, build->places[i]);
}

static void
take_out(struct core_exit_set *set, const struct core_exit_set *others)
{
	for (size_t i = 0; i < sizeof set->codes / sizeof set->codes[0]; i++)
		set->codes[i] &= ~others->codes[i];
	set->signals &= ~others->signals;
}

struct core_exit_set
inherit_exits(const struct build_place *place, enum keys_id id)
{
	static const enum keys_id lists[] = { KEY_SUCCESS_EXIT, KEY_ESCALATE_EXIT,
		KEY_NO_RESTART_EXIT };
	struct core_exit_set set = *place->settings[id].value->exits;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0] && lists[i] != id; i++)
		take_out(&set, place->settings[lists[i]].value->exits);
	return set;
}
