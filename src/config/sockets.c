#include "config/sockets.h"

#include "config/identity.h"
#include "config/inherit.h"
#include "lib/address.h"
#include "lib/mem.h"
#include "lib/must.h"
#include "lib/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One socket: of an instance, or of a child that is no template (0). */
struct socket {
	const struct build_place *place;
	const char *word;
	uint32_t instance;
	struct address address;
};

/* The address of an instance as text, to be freed. */
static char *
instance_text(const char *word, uint32_t instance)
{
	char *text = mem_strdup(word);
	char *at;

	while ((at = strchr(text, EXPAND_INSTANCE)) != NULL) {
		char *more =
		    mem_printf("%.*s%" PRIu32 "%s", (int)(at - text), text, instance, at + 1);
		free(text);
		text = more;
	}
	return text;
}

static char *
read_address(const char *word, uint32_t instance, struct address *address)
{
	char *text = instance_text(word, instance), *problem = NULL, clip[DIAG_CLIP_SIZE];
	const char *wrong = address_read(text, address);

	if (wrong != NULL)
		problem = mem_printf("\"%s\" %s", diag_clip(text, clip), wrong);
	free(text);
	return problem;
}

char *
sockets_problem(const char *text)
{
	struct address address;

	return read_address(text, 1, &address);
}

size_t
sockets_count(const struct build_place *place)
{
	const struct value *value = place->settings[KEY_LISTEN].value;

	return value != NULL ? value->word_count : 0;
}

/* --- checks --------------------------------------------------------------------------------- */

/* Empty: our own, which is -1. */
static char *
look_up_owner(const struct address *address, uid_t *uid, gid_t *gid)
{
	char *problem = NULL;

	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if (*address->user != '\0')
		problem = identity_user(address->user, uid);
	if (*address->group != '\0')
		problem = diag_join(problem, identity_group(address->group, gid));
	return problem;
}

static void
check_place(const struct build *build, const struct build_place *place)
{
	const struct value *value = place->settings[KEY_LISTEN].value,
			   *ready = place->settings[KEY_READY].value;
	const struct raw_entry *entry = place->settings[KEY_LISTEN].entry;
	int last = SOCKETS_FIRST + (int)sockets_count(place) - 1;
	char *problem = NULL;
	int64_t fd;

	for (size_t i = 0; i < sockets_count(place); i++) {
		struct address address;
		uid_t uid;
		gid_t gid;
		char *wrong = read_address(value->words[i], 1, &address);
		problem =
		    diag_join(problem, wrong != NULL ? wrong : look_up_owner(&address, &uid, &gid));
	}
	if (problem != NULL)
		inherit_error(build, place, KEY_LISTEN, "%s", problem);
	free(problem);
	if (str_starts(ready->text, "fd:") && str_to_int64(ready->text + 3, 0, 99, &fd) == 0 &&
	    fd <= last)
		inherit_error(build, place, KEY_READY,
		    "descriptor %d is one of the %d that listen gives it, from %d on: choose one from %d to %d",
		    (int)fd, last + 1 - SOCKETS_FIRST, SOCKETS_FIRST, last + 1, VALUE_MAX_READY_FD);
	if (place->settings[KEY_ON_DEMAND].value->number != 0 && sockets_count(place) == 0 &&
	    (entry == NULL || !entry->reported))
		inherit_error(build, place, KEY_ON_DEMAND,
		    "nothing is listened on for it, so that no connection could ever start it: add listen = ADDRESS");
}

static void
report_overlap(const struct build *build, const struct socket *one, const struct socket *other)
{
	const struct raw_entry *there = other->place->settings[KEY_LISTEN].entry;
	char *text = instance_text(one->word, one->instance), clip[DIAG_CLIP_SIZE];

	diag_clip(text, clip);
	if (one->place == other->place && one->instance == other->instance)
		inherit_error(build, one->place, KEY_LISTEN,
		    "\"%s\" and \"%s\" are the same place: leave one of them out", other->word,
		    clip);
	else if (one->place == other->place)
		inherit_error(build, one->place, KEY_LISTEN,
		    "its instances would listen on the same address, \"%s\": put %%i into it (such as tcp:80%%i)",
		    clip);
	else
		inherit_error(build, one->place, KEY_LISTEN,
		    "on \"%s\" listens \"%s\" already (%s:%" PRIu32 "): choose another address",
		    clip, other->place->path, there->section->file, there->line);
	free(text);
}

/* The first of those before it that is in its way, or NULL. */
static const struct socket *
find_overlap(const struct socket *sockets, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (address_overlaps(&sockets[i].address, &sockets[at].address))
			return &sockets[i];
	return NULL;
}

static size_t
count_all(const struct build *build)
{
	size_t count = 0;

	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind == KIND_CHILD)
			count += sockets_count(place) * (size_t)build_nodes(place);
		if (count > SOCKETS_MAX_ALL) {
			inherit_error(build, place, KEY_LISTEN,
			    "makes more than the %d sockets of a daemon: leave some out, or give a part to a second daemon with a runtime_dir of its own",
			    SOCKETS_MAX_ALL);
			return 0;
		}
	}
	return count;
}

/* The sockets of one instance, behind those before. */
static size_t
add_sockets(const struct build *build, const struct build_place *place, uint32_t instance,
    struct socket *sockets, size_t count)
{
	const struct value *value = place->settings[KEY_LISTEN].value;

	for (size_t i = 0; i < sockets_count(place); i++) {
		struct socket *socket = &sockets[count];
		const struct socket *other;
		char *problem;

		*socket = (struct socket){ place, value->words[i], instance, { 0 } };
		problem = read_address(value->words[i], instance, &socket->address);
		other = problem == NULL ? find_overlap(sockets, count) : NULL;
		if (problem != NULL)
			inherit_error(build, place, KEY_LISTEN, "%s", problem);
		else if (other != NULL)
			report_overlap(build, socket, other);
		else
			count++;
		free(problem);
	}
	return count;
}

void
sockets_check(const struct build *build)
{
	struct socket *sockets = mem_zalloc(count_all(build) + 1, sizeof *sockets);
	bool too_many = count_all(build) == 0;
	size_t count = 0;

	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		uint32_t instances = (uint32_t)build_nodes(place);

		if (place->kind != KIND_CHILD)
			continue;
		check_place(build, place);
		for (uint32_t n = 1; !too_many && sockets_count(place) > 0 && n <= instances; n++)
			count =
			    add_sockets(build, place, place->is_template ? n : 0, sockets, count);
	}
	free(sockets);
}

/* --- the product ---------------------------------------------------------------------------- */

/* "unix:/PATH:0660:UID:GID", where nothing is left to be looked up; to be freed. */
static char *
product_text(const char *word)
{
	size_t len = strlen("unix:") + strcspn(word + strlen("unix:"), ":");
	struct address address;
	char *problem = read_address(word, 1, &address), *text, owner[2][12] = { "", "" };
	uid_t uid;
	gid_t gid;

	must(problem == NULL);
	if (address.kind != ADDRESS_UNIX)
		return mem_strdup(word);
	problem = look_up_owner(&address, &uid, &gid);
	must(problem == NULL);
	if (uid != (uid_t)-1)
		snprintf(owner[0], sizeof owner[0], "%" PRIu32, (uint32_t)uid);
	if (gid != (gid_t)-1)
		snprintf(owner[1], sizeof owner[1], "%" PRIu32, (uint32_t)gid);
	text = mem_printf(
	    "%.*s:%04o:%s:%s", (int)len, word, (unsigned)address.mode, owner[0], owner[1]);
	return text;
}

void
sockets_json(const struct build_place *place, struct buf *out)
{
	const struct value *value = place->settings[KEY_LISTEN].value;

	buf_puts(out, "[");
	for (size_t i = 0; i < sockets_count(place); i++) {
		char *text = product_text(value->words[i]);
		buf_puts(out, i > 0 ? ", " : "");
		buf_json_string(out, text);
		free(text);
	}
	buf_puts(out, "]");
}
