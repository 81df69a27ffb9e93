#include "config/identity.h"

#include "config/inherit.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define MAX_ID     INT64_C(4294967294) /* (uid_t)-1 is nobody's */

/* --- the databases -------------------------------------------------------------------------- */

/* "Not found" comes as 0 or as one of several errors (getpwnam(3)); these are real ones. */
static bool
is_failure(int error)
{
	return error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM ||
	    error == EINTR;
}

static char *
not_found(const char *kind, const char *text, const char *command)
{
	char clip[DIAG_CLIP_SIZE];

	if (is_failure(errno))
		return mem_printf("the look-up of %s \"%s\" failed: %s", kind,
		    diag_clip(text, clip), strerror(errno));
	if (*text == '\0' || text[strspn(text, NAME_CHARS)] != '\0' ||
	    isdigit((unsigned char)*text) || *text == '-')
		return mem_printf(
		    "\"%s\" is neither the name of a %s nor a number from 0 to %" PRId64,
		    diag_clip(text, clip), kind, MAX_ID);
	return mem_printf("there is no %s \"%s\" on this machine (%s --system %s)", kind,
	    diag_clip(text, clip), command, clip);
}

/* Sets *entry to NULL for a number without an entry. */
static char *
look_up_user(const char *text, uid_t *uid, struct passwd **entry)
{
	int64_t number;

	errno = 0;
	*entry = getpwnam(text);
	if (*entry == NULL && str_to_int64(text, 0, MAX_ID, &number) == 0) {
		*uid = (uid_t)number;
		*entry = getpwuid(*uid);
		return NULL;
	}
	if (*entry == NULL)
		return not_found("user", text, "useradd");
	*uid = (*entry)->pw_uid;
	return NULL;
}

char *
identity_user(const char *text, uid_t *uid)
{
	struct passwd *entry;

	return look_up_user(text, uid, &entry);
}

char *
identity_group(const char *text, gid_t *gid)
{
	int64_t number;

	errno = 0;
	const struct group *entry = getgrnam(text);
	if (entry != NULL) {
		*gid = entry->gr_gid;
	} else if (str_to_int64(text, 0, MAX_ID, &number) == 0) {
		*gid = (gid_t)number;
	} else {
		return not_found("group", text, "groupadd");
	}
	return NULL;
}

/* --- one identity --------------------------------------------------------------------------- */

static void
set_names(struct identity *identity, const struct passwd *entry, const char *fallback)
{
	identity->name = mem_strdup(entry != NULL ? entry->pw_name : fallback);
	identity->home = mem_strdup(entry != NULL && *entry->pw_dir != '\0' ? entry->pw_dir : "/");
	identity->shell =
	    mem_strdup(entry != NULL && *entry->pw_shell != '\0' ? entry->pw_shell : "/bin/sh");
}

static char *
set_user(struct identity *identity, bool *in_database, gid_t *own_group)
{
	struct passwd *entry;
	char number[24];

	if (identity->asked_user != NULL) {
		char *problem = look_up_user(identity->asked_user->text, &identity->uid, &entry);
		if (problem != NULL)
			return problem;
	} else {
		identity->uid = geteuid();
		entry = getpwuid(identity->uid);
	}
	snprintf(number, sizeof number, "%u", identity->uid);
	set_names(identity, entry, number);
	*in_database = entry != NULL;
	*own_group = entry != NULL && identity->asked_user != NULL ? entry->pw_gid : getegid();
	return NULL;
}

static void
add_group(struct identity *identity, gid_t gid)
{
	identity->groups =
	    mem_grow(identity->groups, identity->group_count + 1, sizeof *identity->groups);
	identity->groups[identity->group_count++] = gid;
}

static char *
set_asked_groups(struct identity *identity)
{
	char *problem = NULL;

	for (size_t i = 0; i < identity->asked_groups->word_count; i++) {
		gid_t gid = 0;
		char *wrong = identity_group(identity->asked_groups->words[i], &gid);
		problem = diag_join(problem, wrong);
		if (wrong == NULL)
			add_group(identity, gid);
	}
	return problem;
}

/* Those that the user belongs to, or, where only the group is asked for, those that we have. */
static void
set_own_groups(struct identity *identity, bool in_database)
{
	int count = 64;
	gid_t *groups = NULL;

	if (identity->asked_user == NULL) {
		count = getgroups(0, NULL);
		groups = mem_zalloc(count > 0 ? (size_t)count : 1, sizeof *groups);
		count = count > 0 ? getgroups(count, groups) : 0;
	} else if (in_database) {
		groups = mem_zalloc((size_t)count, sizeof *groups);
		/* It says how many there are where there was no room. */
		while (getgrouplist(identity->name, identity->gid, groups, &count) < 0)
			groups = mem_grow(groups, (size_t)count, sizeof *groups);
	} else {
		count = 0;
		add_group(identity, identity->gid);
	}
	for (int i = 0; groups != NULL && i < count; i++)
		add_group(identity, groups[i]);
	free(groups);
}

static bool
has_group(const gid_t *groups, size_t count, gid_t gid)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* Whether the groups asked for are those that we have. */
static bool
has_own_groups(const struct identity *identity)
{
	int got = getgroups(0, NULL);
	size_t count = got > 0 ? (size_t)got : 0;
	gid_t *groups = mem_zalloc(count, sizeof *groups);
	bool same = count == 0 || getgroups((int)count, groups) == (int)count;

	for (size_t i = 0; i < identity->group_count && same; i++)
		same = has_group(groups, count, identity->groups[i]);
	for (size_t i = 0; i < count && same; i++)
		same = has_group(identity->groups, identity->group_count, groups[i]);
	free(groups);
	return same;
}

/*
 * A start as ourselves changes nothing; anything else is root's. Returns the key that asks for too
 * much, or KEY_COUNT.
 */
static enum keys_id
weigh(struct identity *identity)
{
	bool user = identity->uid != geteuid();
	bool group = identity->gid != getegid();
	bool groups = identity->asked_groups != NULL;

	if (geteuid() == 0) {
		identity->changes = user || group || groups;
		return KEY_COUNT;
	}
	if (user)
		return KEY_USER;
	if (group && identity->asked_group != NULL)
		return KEY_GROUP;
	if (groups && !has_own_groups(identity))
		return KEY_GROUPS;
	return KEY_COUNT;
}

/* problem, taken over: NULL if there is none. */
static void
report(const struct build *build, const struct build_place *place, struct identity *identity,
    enum keys_id id, char *problem)
{
	if (problem == NULL)
		return;
	identity->wrong = true;
	inherit_error(build, place, id, "%s", problem);
	free(problem);
}

static void
fill(const struct build *build, const struct build_place *place, struct identity *identity)
{
	bool in_database = false;
	gid_t own_group = 0;
	char *problem = set_user(identity, &in_database, &own_group);

	if (problem == NULL && !in_database && identity->asked_user != NULL &&
	    identity->asked_group == NULL)
		problem = mem_printf(
		    "user %u is not in the user database, so \"group\" must say its group: add group = NAME",
		    identity->uid);
	report(build, place, identity, KEY_USER, problem);
	identity->gid = own_group;
	if (identity->asked_group != NULL)
		report(build, place, identity, KEY_GROUP,
		    identity_group(identity->asked_group->text, &identity->gid));
	if (identity->asked_groups != NULL)
		report(build, place, identity, KEY_GROUPS, set_asked_groups(identity));
	if (identity->wrong)
		return;
	if (identity->asked_groups == NULL)
		set_own_groups(identity, in_database);
	enum keys_id denied = weigh(identity);
	if (denied != KEY_COUNT)
		report(build, place, identity, denied,
		    mem_printf(
			"the daemon runs as user %u and only root can change this: leave it out, or start the daemon as root",
			geteuid()));
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool
same_text(const struct value *a, const struct value *b)
{
	return a == b || (a != NULL && b != NULL && str_equal(a->text, b->text));
}

static bool
same_words(const struct value *a, const struct value *b)
{
	if (a == b)
		return true;
	if (a == NULL || b == NULL || a->word_count != b->word_count)
		return false;
	for (size_t i = 0; i < a->word_count; i++)
		if (!str_equal(a->words[i], b->words[i]))
			return false;
	return true;
}

/* Each line that is wrong is reported once, also when a thousand children have it from there. */
static bool
is_reported(const struct build_place *place)
{
	static const enum keys_id ids[] = { KEY_USER, KEY_GROUP, KEY_GROUPS };

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		const struct raw_entry *entry = place->settings[ids[i]].entry;
		if (entry != NULL && entry->reported)
			return true;
	}
	return false;
}

static const struct identity *
identity_of(struct build *build, const struct build_place *place)
{
	const struct value *user = place->settings[KEY_USER].value;
	const struct value *group = place->settings[KEY_GROUP].value;
	const struct value *groups = place->settings[KEY_GROUPS].value;
	struct identity *identity;

	if (user == NULL && group == NULL && groups == NULL)
		return NULL;
	for (identity = build->identities; identity != NULL; identity = identity->next)
		if (same_text(identity->asked_user, user) &&
		    same_text(identity->asked_group, group) &&
		    same_words(identity->asked_groups, groups))
			break;
	if (identity == NULL || (identity->wrong && !is_reported(place))) {
		identity = mem_zalloc(1, sizeof *identity);
		identity->asked_user = user;
		identity->asked_group = group;
		identity->asked_groups = groups;
		fill(build, place, identity);
		identity->next = build->identities;
		build->identities = identity;
	}
	return identity;
}

void
identity_all(struct build *build)
{
	for (size_t i = 0; i < build->count; i++)
		if (build->places[i]->kind == KIND_CHILD)
			build->places[i]->identity = identity_of(build, build->places[i]);
}

void
identity_free(struct identity **list)
{
	while (*list != NULL) {
		struct identity *next = (*list)->next;
		free((*list)->groups);
		free((*list)->name);
		free((*list)->home);
		free((*list)->shell);
		free(*list);
		*list = next;
	}
}
