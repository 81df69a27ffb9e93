#include "engine/slot.h"

#include "engine/spawn.h"

#include <errno.h>

/*
 * The old PID goes first and the state comes last: whoever finds STARTING after our death finds no
 * older process's PID with it.
 */
void
slot_open(struct image_process *process, uint32_t incarnation)
{
	process->state = PROCESS_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	process->pid = 0;
	process->first = 0;
	process->step = STEP_NONE;
	process->error = 0;
	process->start_min = 0;
	process->start_max = UINT64_MAX;
	process->incarnation = incarnation;
	__atomic_store_n(&process->state, PROCESS_STARTING, __ATOMIC_SEQ_CST);
}

void
slot_close(struct image_process *process, int32_t step, int32_t error)
{
	process->error = error;
	process->step = step;
	__atomic_store_n(&process->state, step == STEP_NONE ? PROCESS_STARTED : PROCESS_FAILED,
	    __ATOMIC_SEQ_CST);
}

void
slot_close_killed(struct image_process *process, int32_t verdict)
{
	slot_close(process, verdict, verdict == STEP_STOPPED ? EINTR : ETIMEDOUT);
}

/*
 * What came of a clone: the child's own word first, then why it was killed, then where it was when
 * it vanished.
 */
void
slot_judge(struct child_plan *plan, int clone_error, int32_t verdict)
{
	struct image_process *process = plan->process;
	int32_t step = __atomic_load_n(&process->step, __ATOMIC_ACQUIRE);

	if (clone_error != 0)
		slot_close(process, STEP_CLONE, -clone_error);
	else if (step != STEP_NONE)
		slot_close(process, step, process->error);
	else if (verdict != STEP_NONE)
		slot_close_killed(process, verdict);
	else if (plan->reached != STEP_EXEC)
		slot_close(process, plan->reached, EINTR); /* somebody killed it */
	else
		slot_close(process, STEP_NONE, 0);
}
