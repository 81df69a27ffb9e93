/*
 * subject: what a step of a start works on, for people: the command, the directory, the file.
 */
#ifndef COPPICE_ENGINE_SUBJECT_H
#define COPPICE_ENGINE_SUBJECT_H

#include "core/types.h"
#include "engine/spawn.h"

#include <stdint.h>

#define SUBJECT_SIZE 200

struct engine;
/*
 * Of a start of the node, or of a hook of it. "" where the step has none; at most whole letters
 * that fit, control characters as '?'. Returns out. Calls program_request.
 */
const char *subject_of(const struct engine *engine, uint32_t node, enum core_hook hook,
    int32_t step, char out[SUBJECT_SIZE]);
/* What spawn_failure_text says of it. Returns out. */
const char *subject_failure(const struct engine *engine, uint32_t node, enum core_hook hook,
    int32_t step, int64_t error, char out[SPAWN_FAILURE_SIZE]);

#endif
