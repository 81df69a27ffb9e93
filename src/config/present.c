#include "config/present.h"

#include "config/check.h"
#include "config/inherit.h"
#include "lib/env_file.h"
#include "lib/fd.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
check_program(const struct build *build, const struct build_place *place, enum keys_id id)
{
	const struct value *command = place->settings[id].value;
	char clip[DIAG_CLIP_SIZE];
	struct stat st;

	if (command == NULL || !look(build, place, id, command->words[0], &st))
		return;
	if (S_ISDIR(st.st_mode))
		inherit_warning(build, place, id,
		    "\"%s\" is a directory: add the name of a program",
		    diag_clip(command->words[0], clip));
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		inherit_warning(build, place, id, "\"%s\" is not executable: chmod +x %s",
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

/* Its lines, as far as who asks may read them. */
static void
check_lines(const struct build *build, const struct build_place *place, const char *path)
{
	char *text = mem_zalloc(ENV_FILE_MAX + 2, 1), *variable, clip[DIAG_CLIP_SIZE];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -errno : fd_read_all(fd, text, ENV_FILE_MAX + 1);
	struct env_file file = { text, text + (size > 0 ? size : 0), 0 };
	int result = 0;

	diag_clip(path, clip);
	if (size < 0)
		inherit_warning(
		    build, place, KEY_ENV_FILE, "\"%s\": %s", clip, strerror((int)-size));
	else if (size > (ssize_t)ENV_FILE_MAX)
		inherit_warning(build, place, KEY_ENV_FILE, "\"%s\" has more than %u bytes", clip,
		    ENV_FILE_MAX);
	else
		while ((result = env_file_next(&file, &variable)) == 1)
			;
	if (result < 0)
		inherit_warning(build, place, KEY_ENV_FILE,
		    "\"%s\", line %" PRIu32
		    ": this is not NAME=VALUE, so that its start would fail",
		    clip, file.line);
	fd_close(&fd);
	free(text);
}

static void
check_env_file(const struct build *build, const struct build_place *place)
{
	const struct value *value = place->settings[KEY_ENV_FILE].value;
	char clip[DIAG_CLIP_SIZE];
	struct stat st;

	if (value == NULL || (*value->text == '-' && access(value->text + 1, F_OK) != 0) ||
	    !look(build, place, KEY_ENV_FILE, value->text + (*value->text == '-'), &st))
		return;
	if (S_ISREG(st.st_mode))
		check_lines(build, place, value->text + (*value->text == '-'));
	else
		inherit_warning(build, place, KEY_ENV_FILE, "\"%s\" is no regular file: name one",
		    diag_clip(value->text, clip));
}

void
present_check(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind != KIND_CHILD)
			continue;
		for (size_t id = 0; id < KEY_COUNT; id++)
			if (keys_table[id].type == TYPE_COMMAND)
				check_program(build, place, (enum keys_id)id);

		check_path(build, place, KEY_DIRECTORY, true);
		check_env_file(build, place);
		check_path(build, place, KEY_STDIN, false);
		check_path(build, place, KEY_LOG_STDERR, false);
		if (check_logs_to_file(place))
			check_path(build, place, KEY_LOG_FILE, false);
	}
}
