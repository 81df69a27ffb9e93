/*
 * link: the messages between reaper and engine, on one SOCK_SEQPACKET socketpair. The reaper keeps
 * both ends open, so what is queued outlives a dead engine. Numbers are never reused. All integers
 * are of the machine's own order: both ends run on one machine; LINK_VERSION guards against mixed
 * installations.
 *
 * The engine gets its end as descriptor LINK_FD, and stored descriptors by inheritance:
 *   coppice-engine engine --link VERSION --reaper PID --generation N --files N [--hold] [--terse]
 *                         [--terminal] [--store KEY=FD]… [--kept FD] -- CONFIGURATION
 * where CONFIGURATION is "-c FILE" or "[--set KEY=VALUE]… -- COMMAND [ARGUMENT]…".
 */
#ifndef COPPICE_WIRE_LINK_H
#define COPPICE_WIRE_LINK_H

#include <signal.h>
#include <stdint.h>

#define LINK_VERSION   2U
#define LINK_FD        3
#define LINK_KEY_SIZE  16 /* bytes with the final NUL, zero-padded */
#define LINK_MAX_EXITS 64

/* Keys of the fd store, which has room for so many. */
#define LINK_STORE_SLOTS    1024
#define LINK_KEY_CHECKPOINT "checkpoint"
#define LINK_KEY_SPECS      "specs"
#define LINK_KEY_CONTROL    "control"
#define LINK_KEY_CGROUP     "cgroup"
#define LINK_KEY_SOCKET     "@" /* and what tells its address: what a child listens on */

/* For nodes beyond these nothing is kept. */
#define LINK_KEEP_NODES (1U << 20)

enum link_type {
	/* reaper → engine */
	LINK_EXITS = 1,  /* struct link_exits */
	LINK_SIGNAL = 2, /* struct link_value: a signal that the reaper got */
	/* engine → reaper */
	LINK_STORE = 16, /* struct link_key + one descriptor; replaces what has that key */
	LINK_DROP = 17,  /* struct link_key */
	/* struct link_value: the first commit is made; from now on a death is recovered from */
	LINK_COMMITTED = 18,
	/* struct link_value: the tree is in this engine's hands and the loop runs */
	LINK_RECOVERED = 19,
	LINK_LEAVE = 21,            /* struct link_leave: everything is down */
	LINK_SHUTDOWN_TIMEOUT = 22, /* struct link_value: milliseconds */
	/* struct link_node + one descriptor; replaces what the node has */
	LINK_KEEP = 23,
	LINK_LET_GO = 24, /* struct link_node */
};

struct link_head {
	uint16_t type;
	uint16_t count;
	uint32_t reserved;
};

struct link_exit {
	int32_t pid;
	int32_t status; /* as of wait4(2) */
	uint64_t user_us, system_us;
	uint64_t max_rss_kb;
	int64_t seen_us; /* monotonic, when it was seen dead and still had its PID; 0: not known */
};

/*
 * `count` exits, numbered first_number, first_number + 1, …; numbers start at 1 and rise without
 * gaps while the reaper lives.
 */
struct link_exits {
	struct link_head head;
	uint64_t first_number;
	struct link_exit exit[LINK_MAX_EXITS];
};

struct link_value {
	struct link_head head;
	int64_t value;
};

struct link_key {
	struct link_head head;
	char key[LINK_KEY_SIZE];
};

/* By which descriptor a child tells that it is ready. */
struct link_node {
	struct link_head head;
	uint32_t node;
	uint32_t reserved;
};
/* The file of --kept: what is kept for a node is open as fd in the new engine. */
struct link_kept {
	uint32_t node;
	int32_t fd;
};

enum link_leave_how {
	LEAVE_EXIT = 0,
	LEAVE_REBOOT = 1,
	LEAVE_POWEROFF = 2,
	LEAVE_HALT = 3
};
struct link_leave {
	struct link_head head;
	int32_t how; /* anything but LEAVE_EXIT only on a machine */
	int32_t status;
};

_Static_assert(sizeof(struct link_head) == 8, "wire format");
_Static_assert(sizeof(struct link_exit) == 40, "wire format");
_Static_assert(sizeof(struct link_exits) == 16 + 64 * 40, "wire format");
_Static_assert(sizeof(struct link_value) == 16, "wire format");
_Static_assert(sizeof(struct link_key) == 24, "wire format");
_Static_assert(sizeof(struct link_node) == 16, "wire format");
_Static_assert(sizeof(struct link_kept) == 8, "wire format");
_Static_assert(sizeof(struct link_leave) == 16, "wire format");

/* The mode of the daemon: both ends find it out for themselves. */
enum link_mode {
	MODE_SERVICE,
	MODE_CONTAINER,
	MODE_MACHINE
};
/* `pid` is the reaper's. */
enum link_mode link_mode(int32_t pid);

/*
 * The signals that are for the daemon (coppiced(8)), and CHLD: taken by the reaper; without it by
 * the engine.
 */
void link_signals(sigset_t *set);
/* How the daemon is to leave by this signal: enum link_leave_how, or -1 when it asks for no end. */
int link_leave_by(enum link_mode mode, int signal);

#endif
