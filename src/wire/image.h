/*
 * image: the checkpoint, a shared memory file that outlives the engine. Layout: one page of struct
 * image_head, then the table of processes (one a node, then one for the hooks of each node that has some), then the areas of the core, then the
 * journal; offsets are in the head.
 *
 * The table of processes is written in place, without the journal: the kernel itself writes the PID
 * (CLONE_PARENT_SETTID) before the child runs, and a child that fails before exec writes step and
 * error. Everything else changes only by commit: the journal is filled, `committed` is set to its
 * number, it is applied in place, `applied` follows.
 */
#ifndef COPPICE_WIRE_IMAGE_H
#define COPPICE_WIRE_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC   0x434f5050U
#define IMAGE_VERSION 6U

enum image_process_state {
	PROCESS_NONE,     /* nothing was ever started */
	PROCESS_STARTING, /* about to be cloned (pid 0) or not known to be through exec */
	PROCESS_STARTED,  /* through exec */
	PROCESS_FAILED,   /* step and error say why; no process is left */
	PROCESS_ENDED,    /* its exit has been committed */
};

/*
  * The last process of a node, or the last of its hooks. Start times in clock ticks since boot, as field 22 of /proc/PID/stat.
 */
struct image_process {
	uint32_t incarnation;
	uint32_t state; /* enum image_process_state */
	int32_t pid;    /* 0: not cloned yet */
	int32_t step;   /* enum spawn_step in which it failed; 0: none */
	int32_t error;  /* errno of that step */
	/* after MAINPID=: the process that was started, whose number the session has; else 0 */
	int32_t first;
	uint64_t start_min; /* it started between these */
	uint64_t start_max; /* UINT64_MAX while the clone is not over */
	int64_t born_us;    /* monotonic, when it was there for sure; 0: it has not said so */
	/* what the node's last ended process used */
	uint64_t used_cpu_us;
	uint64_t used_memory_kb;
};
_Static_assert(sizeof(struct image_process) == 64, "wire format");

/* An event of the ring: a record of the core with its number and wall clock time. */
struct image_event {
	uint64_t number;
	int64_t wall_ms;
	uint32_t type, state, reason; /* as in struct core_record */
	uint32_t node, incarnation;
	int32_t a;
	int64_t b;
};
_Static_assert(sizeof(struct image_event) == 48, "wire format");

/* What is committed besides the core's areas. */
struct image_state {
	uint64_t exit_number;  /* the newest exit of the link that has been handled */
	uint64_t event_number; /* the newest event; the ring's slots beyond it mean nothing */
	int32_t leave;         /* enum link_leave_how that somebody asked for, or -1 */
	uint32_t interrupts;   /* SIGINTs so far */
	int32_t leave_signal;  /* the signal that asked for `leave`; 0: another way */
	uint32_t reserved;
};
_Static_assert(sizeof(struct image_state) == 32, "wire format");

struct image_area {
	uint64_t offset;
	uint32_t count, size; /* items, bytes of one */
};

#define IMAGE_HEAD_SIZE  4096
#define IMAGE_CORE_AREAS 4

struct image_head {
	uint32_t magic, version, core_layout, nodes;
	uint64_t size;                   /* of the file */
	uint64_t seed;                   /* of the core */
	uint64_t specs_size, specs_hash; /* of the specs that it belongs to; FNV-1a, 64 bits */
	struct image_area processes, events, areas[IMAGE_CORE_AREAS], journal;
	uint64_t committed, applied; /* numbers of commits; see engine/checkpoint.h */
	uint64_t acted;              /* whose leftovers have been killed */
	uint64_t logged;             /* the newest event that is in the log */
	struct image_state state;
};
_Static_assert(sizeof(struct image_head) <= IMAGE_HEAD_SIZE, "one page");

/*
 * The journal: this, then entries. An entry of a core's area is followed by the item, padded to 8
 * bytes.
 */
struct image_journal {
	uint64_t number;
	uint64_t length; /* of all entries, bytes */
	struct image_state state;
};
struct image_entry {
	uint32_t kind; /* enum core_area, or one of those below */
	/*
	 * of the item; the node whose process has ended; the PID whose group, the node whose cgroup is to
	 * be killed
	 */
	uint32_t index;
};
#define IMAGE_ENTRY_ENDED     16U
#define IMAGE_ENTRY_KILL      17U
#define IMAGE_ENTRY_KILL_TREE 18U

#endif
