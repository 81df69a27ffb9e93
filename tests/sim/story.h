/*
 * story: a scenario as data, so that it can be made smaller, kept in a file and played again: the
 * places of the tree, the lives of processes, and what else happens. Whatever is not told goes well:
 * a process starts, is ready, obeys; so any line may be left out. Nodes are numbered in the order of
 * places; a number stays with its node when others are left out.
 */
#ifndef COPPICE_TESTS_SIM_STORY_H
#define COPPICE_TESTS_SIM_STORY_H

#include "core/spec.h"

#include <stdio.h>

#define STORY_MAX_NODES 2048
#define STORY_MAX_AFTER 3
/* What happens in the same millisecond goes by rank; the core's timer has this one. */
#define STORY_TIMER_RANK 4
#define STORY_RANKS      8

struct story_place {
	uint32_t first, count, parent; /* numbers of nodes; UINT32_MAX: the root */
	struct core_spec spec;
	uint32_t after[STORY_MAX_AFTER], after_count; /* first numbers of places */
};

/* X(enumerator, key, what goes without saying, meaning); times in milliseconds, INT64_MAX: never */
#define STORY_LIFE(X)                                                                          \
	X(LIFE_SPAWN, "spawn", 1, "until the answer to its spawn")                             \
	X(LIFE_FAILS, "fails", 0, "the spawn fails with this errno")                           \
	X(LIFE_HANGS, "hangs", 0, "until KILL, or until the engine loses patience")            \
	X(LIFE_SWAPPED, "swapped", 0, "its end is told before the answer to its spawn")        \
	X(LIFE_READY, "ready", 1, "until it says that it is ready")                            \
	X(LIFE_LIVES, "lives", -1, "until it ends by itself; -1: a one-shot 1, else never")    \
	X(LIFE_STATUS, "status", 0, "how it ends by itself")                                   \
	X(LIFE_OBEYS, "obeys", 0, "from the first gentle signal to its end")                   \
	X(LIFE_OBEYS_LATER, "later", 0, "from each further one")                               \
	X(LIFE_LEAVES, "leaves", 0, "how it ends when it obeys")                               \
	X(LIFE_TELL, "tell", 0, "from its end until the core hears of it")                     \
	X(LIFE_ECHO, "echo", -1, "until the core hears it again; -1: it does not")             \
	X(LIFE_RANK, "rank", 2, "who comes first in the same millisecond")                     \
	X(LIFE_PRE_START, "pre_start", 1, "from the request to its end")                       \
	X(LIFE_PRE_ENDS, "pre_start_ends", 0, "as of wait(2); -N: it cannot be run, errno N")  \
	X(LIFE_COMMAND, "stop_command", 1, "the same of the others")                           \
	X(LIFE_COMMAND_ENDS, "stop_command_ends", 0, "")                                       \
	X(LIFE_COMMAND_WORKS, "works", -1,                                                     \
	    "from the request to the end of the process; -1: none by that")                    \
	X(LIFE_POST_STOP, "post_stop", 1, "")                                                  \
	X(LIFE_POST_ENDS, "post_stop_ends", 0, "")                                             \
	X(LIFE_HOOK_TELL, "hook_tell", 0, "from the end of a hook until the core hears of it") \
	X(LIFE_HOOK_ECHO, "hook_echo", -1, "until the core hears it again; -1: it does not")

/* X(enumerator, word, whether it names a node, meaning) */
#define STORY_EVENTS(X)                                                                         \
	X(SAY_START, "start", true, "an operator's commands")                                   \
	X(SAY_STOP, "stop", true, "now=1: at once; until_restart=1: until its next restart")    \
	X(SAY_RESTART, "restart", true, "group=1: with its group")                              \
	X(SAY_RESET, "reset", true, "")                                                         \
	X(SAY_DRAIN, "drain", true, "")                                                         \
	X(SAY_DEMAND, "demand", true, "a connection comes")                                     \
	X(SAY_DIE, "die", true, "its process ends with status=")                                \
	X(SAY_EXTEND, "extend", true, "its incarnation (+ offset=) asks for ms=")               \
	X(SAY_STALE, "stale", true,                                                             \
	    "what nobody should send: what=0 spawned, 1 spawn_failed, 2 ready, 3 exited, "      \
	    "4 to 6 the end of a hook")                                                         \
	X(SAY_TIMER, "timer", false, "the timer comes, due or not")                             \
	X(SAY_HOLD, "hold", false, "a hold begins or ends")                                     \
	X(SAY_JUMP, "jump", false, "the clock stands ms= later than it should")                 \
	X(SAY_CRASH, "crash", false,                                                            \
	    "the engine dies when it has done count= things for the next event")                \
	X(SAY_CALM, "calm", false, "from now on nothing fails; when all is quiet it is judged") \
	X(SAY_SHUTDOWN, "shutdown", false, "now= ms=: shutdown_timeout")

#define STORY_DETAILS(X)                  \
	X(DETAIL_RANK, "rank", 0, "")     \
	X(DETAIL_NOW, "now", 0, "")       \
	X(DETAIL_GROUP, "group", 0, "")   \
	X(DETAIL_STATUS, "status", 0, "") \
	X(DETAIL_MS, "ms", 0, "")         \
	X(DETAIL_OFFSET, "offset", 0, "") \
	X(DETAIL_WHAT, "what", 0, "")     \
	X(DETAIL_COUNT, "count", 0, "")   \
	X(DETAIL_UNTIL, "until_restart", 0, "")

#define X(name, ...) name,
enum story_life_key {
	STORY_LIFE(X) LIFE_KEYS
};
enum story_word {
	STORY_EVENTS(X) SAY_WORDS
};
enum story_detail {
	STORY_DETAILS(X) DETAIL_KEYS
};
#undef X

struct story_life {
	uint32_t node, incarnation;
	uint32_t next; /* of the same node; UINT32_MAX */
	int64_t value[LIFE_KEYS];
};

struct story_event {
	mono_ms at; /* from the beginning */
	enum story_word word;
	uint32_t node;
	int64_t value[DETAIL_KEYS];
};

struct story {
	uint64_t core_seed;
	struct story_place places[STORY_MAX_NODES];
	uint32_t place_count;
	struct story_life *lives;
	uint32_t life_count, life_room;
	uint32_t first_life[STORY_MAX_NODES]; /* UINT32_MAX */
	struct story_event *events;           /* in the order in which they come */
	uint32_t event_count, event_room;
};

void story_clear(struct story *story);
void story_free(struct story *story);
void story_copy(struct story *to, const struct story *from);
/* The plainest specification: what goes without saying in a file. */
void story_plain_spec(struct core_spec *spec, enum core_kind kind);
/* What goes without saying of a life. */
extern const int64_t story_plain_life[LIFE_KEYS];
/* The life of that incarnation, or NULL. Valid until the next is added. */
const struct story_life *story_find_life(
    const struct story *story, uint32_t node, uint32_t incarnation);
struct story_life *story_add_life(struct story *story, uint32_t node, uint32_t incarnation);
/* Puts it where it belongs among those from `from` on. */
void story_add_event(struct story *story, uint32_t from, const struct story_event *event);
/* Parts [at, at + count) are left out; after places: also what was told of their nodes and below. */
void story_drop_places(struct story *story, uint32_t at, uint32_t count);
void story_drop_lives(struct story *story, uint32_t at, uint32_t count);
void story_drop_events(struct story *story, uint32_t at, uint32_t count);

/* A file of it: one line for each place, life and event. */
void story_write(const struct story *story, FILE *file);
void story_write_place(const struct story_place *place, FILE *file);
/* NULL, or what is wrong (static text); *line says where. */
const char *story_read(struct story *story, FILE *file, unsigned *line);

/*
 * Keys of a specification that are numbers or words come first, by number below
 * story_spec_numbers(); all below story_spec_keys() can be made plain: whether that changed
 * anything.
 */
uint32_t story_spec_numbers(void);
uint32_t story_spec_keys(void);
const char *story_spec_name(uint32_t key);
/* How many words it has; 0: it is a number. */
uint32_t story_spec_words(uint32_t key);
int64_t story_spec_get(const struct core_spec *spec, uint32_t key);
void story_spec_set(struct core_spec *spec, uint32_t key, int64_t value);
bool story_make_plain(struct core_spec *spec, uint32_t key);

#endif
