/*
 * contract: what a program asks of its start beside files and identity: resource limits,
 * priorities, capabilities, a file of variables. Most ask for nothing of it.
 */
#ifndef COPPICE_ENGINE_CONTRACT_H
#define COPPICE_ENGINE_CONTRACT_H

#include "engine/room.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTRACT_CPUS 1024 /* most that can be named */

struct contract_limit {
	int32_t resource;
	uint64_t value[2]; /* soft and hard, the kernel's struct rlimit64 */
};

struct contract {
	const char *env_file; /* NULL: none */
	bool env_file_optional;
	const struct contract_limit *limits;
	uint32_t limit_count;
	const uint64_t *cpus;      /* CONTRACT_CPUS bits; NULL: as they are */
	char oom_score_adj[8];     /* as /proc takes it */
	int32_t oom_score_adj_len; /* 0: as it is */
	bool sets_nice, sets_capabilities, no_new_privileges;
	int32_t nice;
	uint64_t capabilities; /* bit n is number n */
};

/*
 * Reads the "program" object of the compile product; what is missing in it is not asked for. Limits
 * and CPUs go to the room (twice, as everything there), env_file stays a text of the object. NULL,
 * or what is wrong, static.
 */
const char *contract_read(const json_t *program, struct room *room, struct contract *out);
/* Makes limits and CPUs copies in the room. */
void contract_copy(struct room *room, struct contract *contract);

#endif
