/*
 * nearby: whether a command can be executed without waiting for anybody. The main thread may only
 * clone what cannot hang: a child that waits for a file system whose server has gone cannot always
 * be killed, and holds the thread that cloned it until the server is back.
 */
#ifndef COPPICE_ENGINE_NEARBY_H
#define COPPICE_ENGINE_NEARBY_H

#include "lib/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The mounts that we live on ourselves: when they hang nothing is left to be saved. */
struct nearby {
	uint64_t mounts[2];
	/* nodes whose command was near a moment ago, by node modulo the size */
	struct {
		uint32_t node;
		mono_ms until;
	} known[64];
};

void nearby_init(struct nearby *nearby);
/*
 * Whether the first of these (NULL-terminated) that exists is on a disk or on a mount of ours, and
 * all on the way to it is in the kernel's memory. False where the kernel cannot tell without
 * waiting (Linux < 5.12, a filter).
 */
bool nearby_command(const struct nearby *nearby, const char *const *commands);
/*
 * The same for the commands of a node, remembered for a few seconds: a crash-looper is not looked up each time. In that time
 * somebody would have to mount a server over its command, and the server to die.
 */
bool nearby_node(struct nearby *nearby, uint32_t node, mono_ms now, const char *const *commands);

#endif
