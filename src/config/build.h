/*
 * build: from the sections of a file to the tree of places that they declare. A place is a
 * supervisor, a child, or a template. Sections may stand in any order; siblings have that of their
 * sections.
 */
#ifndef COPPICE_CONFIG_BUILD_H
#define COPPICE_CONFIG_BUILD_H

#include "config/diag.h"
#include "config/raw.h"
#include "config/value.h"
#include "core/spec.h"

struct identity;

/* What holds for a key of a place, and where it is written. */
struct build_setting {
	struct value *value;     /* NULL: nothing is set and nothing built in */
	struct raw_entry *entry; /* NULL: built in */
	/* of the section it stands in: 0 its own, 1 its supervisor's child.*, …, profile, defaults */
	uint32_t distance;
	bool owned; /* value is this setting's to free */
};

struct build_variable {
	const char *name;
	struct build_setting setting;
};

struct build_place {
	char *path;       /* "/" the root's */
	const char *name; /* its last part */
	enum core_kind kind;
	struct raw_section *section; /* NULL only for a root that no section mentions */
	struct build_place *parent;  /* NULL: the root, or its supervisor is not known (reported) */
	struct build_place *first, *last, *next;

	/* Filled by inherit. */
	bool is_template;
	struct build_setting settings[KEY_COUNT]; /* of the keys of its kind */
	struct build_variable *variables;         /* env.*, nearest first */
	size_t variable_count;

	const struct identity *identity; /* filled by identity; NULL: it says nothing about that */
};

/* How the daemon runs, which decides some built-in values (coppiced(8)). */
enum build_mode {
	BUILD_SERVICE,
	BUILD_CONTAINER,
	BUILD_MACHINE
};

struct build {
	struct diag *diag;
	struct raw_file *file;
	enum build_mode mode;
	struct raw_section *coppice, *defaults; /* of all files; NULL where there is none */
	const struct raw_section *latest_coppice, *latest_defaults; /* of a file */
	struct raw_section **profiles;
	size_t profile_count;
	struct build_place **places; /* [0] is the root, the others in the order of the file */
	size_t count;
	struct value *built_in[KEY_COUNT]; /* the table's fallbacks; NULL where there is none */
	struct identity *identities;       /* all that places point to */
};

/*
 * Makes the tree and checks each section and entry by itself. What is wrong is told to diag and
 * left out. Keeps file and diag, owns neither.
 */
struct build *build_new(struct raw_file *file, enum build_mode mode, struct diag *diag);
void build_free(struct build **build);

/*
 * The place after this one when parents come before children and siblings in order; NULL at the
 * end.
 */
struct build_place *build_next(const struct build_place *place);
/* Where [coppice] sets the key, or NULL. */
struct raw_entry *build_daemon_entry(const struct build *build, enum keys_id id);
/* How many nodes of the tree a place is: a template as many as it has instances, others 1. */
uint64_t build_nodes(const struct build_place *place);
/* Where a place is declared. */
struct diag_where build_where(const struct build *build, const struct build_place *place);

#endif
