/*
 * keys: the table of configuration keys (keys.def) and what is asked of it.
 */
#ifndef COPPICE_CONFIG_KEYS_H
#define COPPICE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_MAX_SPAN  INT64_C(864000000000) /* ms: 10,000 days, what span_parse allows */
#define KEYS_MAX_LIMIT (INT64_MAX - 1)       /* INT64_MAX is infinity */
#define KEYS_MAX_CPU   1023

/* Sections that know a key, as bits. */
enum keys_in {
	IN_CHILD = 1,
	IN_SUPERVISOR = 2,
	IN_COPPICE = 4
};

enum keys_type {
	TYPE_TEXT,      /* any text */
	TYPE_COMMAND,   /* words, at least one */
	TYPE_PATH,      /* a path */
	TYPE_DIRECTORY, /* an absolute path */
	TYPE_INPUT,     /* null, inherit, or an absolute path */
	TYPE_OUTPUT,    /* same, inherit, null, file, or a path with a slash */
	TYPE_BOOL,
	TYPE_NUMBER,
	TYPE_OCTAL,
	TYPE_SPAN,
	TYPE_FACTOR,   /* a decimal number, kept in thousandths */
	TYPE_PERCENT,  /* kept in millionths of the whole */
	TYPE_CHOICE,   /* one of .choices */
	TYPE_READY,    /* one of .choices, fd:N with a number */
	TYPE_STOP,     /* a stop sequence */
	TYPE_EXITS,    /* exit statuses and signals */
	TYPE_NAME,     /* of a user or group, or its number */
	TYPE_NAMES,    /* several, perhaps none */
	TYPE_ENV_FILE, /* an absolute path, perhaps behind "-" */
	TYPE_LIMIT,    /* soft:hard, or one for both */
	TYPE_MOST,     /* how much at most, by its unit */
	TYPE_CGROUP,   /* none, or an absolute path */
	TYPE_CPUS,     /* numbers and ranges of them */
	TYPE_CAPABILITIES,
	TYPE_ADDRESSES, /* of sockets, perhaps none */
};

/* What a limit counts. */
enum keys_unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_SECONDS,
	UNIT_MICROSECONDS,
	UNIT_PERCENT
};

struct keys_key {
	const char *name;
	unsigned in;
	enum keys_type type;
	const char *fallback, *otherwise, *example;
	int64_t min, max;
	bool infinite;
	int resource;
	enum keys_unit unit;
	const char *choices, *not_yet; /* separated by spaces */
	const char *product;
	bool respawn;
	bool later;
	const char *doc;
};

#define GROUP(id, title)
#define KEY(id, ...) KEY_##id,
enum keys_id {
#include "config/keys.def"
	KEY_COUNT
};
#undef KEY
#undef GROUP

/* Keys that belong together: from that one to the next group's. */
struct keys_group {
	enum keys_id first;
	const char *title;
};

extern const struct keys_key keys_table[KEY_COUNT];
extern const struct keys_group keys_groups[];
extern const size_t keys_group_count;

/*
 * The key of that name in a section that knows one of `in`, or NULL. *suffix is set to NAME of
 * env.NAME, else NULL.
 */
const struct keys_key *keys_find(const char *name, unsigned in, const char **suffix);
enum keys_id keys_id(const struct keys_key *key);
bool keys_is_prefix(const struct keys_key *key);
/* Whether it is a key of any section ("child." of a supervisor too). */
bool keys_is_known(const char *name);
/* Whether the names differ at most in capitals, "_", "-", "." and blanks. */
bool keys_are_alike(const char *a, const char *b);
/*
 * What an unknown key was probably meant to be: near in spelling, or what other supervisors call
 * it; NULL if nothing is.
 */
const char *keys_nearest(const char *name, unsigned in);

#endif
