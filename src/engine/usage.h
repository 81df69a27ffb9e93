/*
 * usage: what the processes of a child use now: those in its cgroup, else its main process.
 */
#ifndef COPPICE_ENGINE_USAGE_H
#define COPPICE_ENGINE_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct usage {
	uint64_t cpu_ms; /* theirs, and that of whom they have waited for */
	uint64_t memory_bytes;
	uint32_t processes;
};

/* Reads some files for it. False where nothing is known. */
bool usage_read(const struct engine *engine, uint32_t node, struct usage *out);

#endif
