/*
 * image: the checkpoint, a shared memory file that outlives the engine. Layout: one page of struct image_head, then the table
 * of processes (one a node), then the areas of the core, then the journal; offsets are in the head.
 *
 * The table of processes is written in place, without the journal: the kernel itself writes the PID (CLONE_PARENT_SETTID)
 * before the child runs, and a child that fails before exec writes step and error. Everything else changes only by commit:
 * the journal is filled, `committed` is set to its number, it is applied in place, `applied` follows.
 */
#ifndef COPPICE_WIRE_IMAGE_H
#define COPPICE_WIRE_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC   0x434f5050U
#define IMAGE_VERSION 1U

enum image_process_state {
	PROCESS_NONE,     /* nothing was ever started */
	PROCESS_STARTING, /* about to be cloned (pid 0) or not known to be through exec */
	PROCESS_STARTED,  /* through exec */
	PROCESS_FAILED,   /* step and error say why; no process is left */
	PROCESS_ENDED,    /* its exit has been committed */
};

/* The last process of a node. Start times in clock ticks since boot, as field 22 of /proc/PID/stat. */
struct image_process {
	uint32_t incarnation;
	uint32_t state; /* enum image_process_state */
	int32_t pid;    /* 0: not cloned yet */
	int32_t step;   /* enum child_step in which it failed; 0: none */
	int32_t error;  /* errno of that step */
	uint32_t reserved;
	uint64_t start_min; /* it started between these */
	uint64_t start_max; /* UINT64_MAX while the clone is not over */
};
_Static_assert(sizeof(struct image_process) == 40, "wire format");

#endif
