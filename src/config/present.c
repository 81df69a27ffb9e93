#include "config/present.h"

#include "config/check.h"
#include "config/inherit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Looks at an absolute path that is the same for all instances; says whether there is something. */
static bool
look(const struct build *build, const struct build_place *place, enum keys_id id, const char *path,
    struct stat *st)
{
	char clip[DIAG_CLIP_SIZE];

	if (*path != '/' || strchr(path, EXPAND_INSTANCE) != NULL)
		return false;
	if (stat(path, st) == 0)
		return true;
	/* What is written to is made. */
	bool is_made = id == KEY_LOG_FILE || id == KEY_LOG_STDERR;
	if (!is_made || errno != ENOENT)
		inherit_warning(build, place, id,
		    "\"%s\": %s (it must be there by the time it starts)", diag_clip(path, clip),
		    strerror(errno));
	return false;
}

static void
check_program(const struct build *build, const struct build_place *place)
{
	const struct value *command = place->settings[KEY_COMMAND].value;
	char clip[DIAG_CLIP_SIZE];
	struct stat st;

	if (command == NULL || !look(build, place, KEY_COMMAND, command->words[0], &st))
		return;
	if (S_ISDIR(st.st_mode))
		inherit_warning(build, place, KEY_COMMAND,
		    "\"%s\" is a directory: add the name of a program",
		    diag_clip(command->words[0], clip));
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		inherit_warning(build, place, KEY_COMMAND, "\"%s\" is not executable: chmod +x %s",
		    diag_clip(command->words[0], clip), clip);
}

/* What is to be a directory, or is to be none. */
static void
check_path(
    const struct build *build, const struct build_place *place, enum keys_id id, bool is_directory)
{
	const struct value *value = place->settings[id].value;
	char clip[DIAG_CLIP_SIZE];
	struct stat st;

	if (value == NULL || !look(build, place, id, value->text, &st))
		return;
	if (is_directory && !S_ISDIR(st.st_mode))
		inherit_warning(build, place, id, "\"%s\" is no directory: name one",
		    diag_clip(value->text, clip));
	else if (!is_directory && S_ISDIR(st.st_mode))
		inherit_warning(build, place, id, "\"%s\" is a directory: add the name of a file",
		    diag_clip(value->text, clip));
}

void
present_check(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind != KIND_CHILD)
			continue;
		check_program(build, place);
		check_path(build, place, KEY_DIRECTORY, true);
		check_path(build, place, KEY_STDIN, false);
		check_path(build, place, KEY_LOG_STDERR, false);
		if (check_logs_to_file(place))
			check_path(build, place, KEY_LOG_FILE, false);
	}
}
