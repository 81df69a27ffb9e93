/*
 * slot: the record of a process in shared memory, as a start begins and ends. Whoever reads it may
 * be another engine, after this one died in the middle of it.
 */
#ifndef COPPICE_ENGINE_SLOT_H
#define COPPICE_ENGINE_SLOT_H

#include "engine/child_setup.h"
#include "wire/image.h"

#include <stdint.h>

/* STARTING, with no PID yet. */
void slot_open(struct image_process *process, uint32_t incarnation);
/* STARTED, or FAILED when step is not STEP_NONE. */
void slot_close(struct image_process *process, int32_t step, int32_t error);
/* FAILED: it was killed for that, STEP_STOPPED or STEP_HUNG. */
void slot_close_killed(struct image_process *process, int32_t verdict);
/*
 * Closes it with what came of a clone: its negative errno or 0; `verdict` is the step that it was
 * killed for, or STEP_NONE.
 */
void slot_judge(struct child_plan *plan, int clone_error, int32_t verdict);

#endif
