#include "engine/clone.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#define GUARD_SIZE 65536U /* a whole number of pages on every machine */
#define WHOLE_SIZE (GUARD_SIZE + CLONE_STACK_SIZE + CLONE_SCRATCH_SIZE)

/*
 * Whether clone3 was refused here once: missing (ENOSYS), or blocked by a container's seccomp
 * filter (EPERM, EINVAL, E2BIG), which is so for all threads and for good. A variable of this file,
 * since it tells of the kernel and not of a spawner.
 */
static bool clone3_refused;
/* Likewise of the process, for all threads and for good: our parent has gone. */
static bool keep_children;

void *
clone_stack_new(void)
{
	char *memory = mmap(NULL, WHOLE_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (mprotect(memory, GUARD_SIZE, PROT_NONE) != 0) {
		munmap(memory, WHOLE_SIZE);
		return NULL;
	}
	return memory + GUARD_SIZE;
}

void
clone_stack_free(void **stack)
{
	if (*stack != NULL)
		munmap((char *)*stack - GUARD_SIZE, WHOLE_SIZE);
	*stack = NULL;
}

void *
clone_scratch(void *stack)
{
	return (char *)stack + CLONE_STACK_SIZE;
}

static bool
is_refusal(int error)
{
	return error == -ENOSYS || error == -EPERM || error == -EINVAL || error == -E2BIG;
}

/*
 * glibc's clone: the same flags; with CLONE_PARENT signal 0 in the low byte, since that takes our
 * own leader's exit signal anyway.
 */
static int
clone_plainly(clone_fn *function, void *argument, void *stack, int32_t *pid, uint64_t flags)
{
	int all = (int)flags | ((flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD);

	return clone(function, (char *)stack + CLONE_STACK_SIZE, all, argument, pid) < 0 ? -errno
											 : 0;
}

int
clone_child(
    clone_fn *function, void *argument, void *stack, int32_t *pid, bool copy_files, int cgroup)
{
	uint64_t flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID;
	int result;

	if (!copy_files)
		flags |= CLONE_FILES;
	if (!__atomic_load_n(&keep_children, __ATOMIC_RELAXED))
		flags |= CLONE_PARENT;

	if (!__atomic_load_n(&clone3_refused, __ATOMIC_RELAXED)) {
		result =
		    clone_x86_64(function, argument, stack, CLONE_STACK_SIZE, pid, flags, cgroup);
		if (!is_refusal(result))
			return result;
		if (cgroup != 0)
			return -EOPNOTSUPP;
		/*
		 * A kernel that knows our flags gives none of these for another reason; clone tells
		 * if it is not clone3's fault.
		 */
		result = clone_plainly(function, argument, stack, pid, flags);
		if (result == 0)
			__atomic_store_n(&clone3_refused, true, __ATOMIC_RELAXED);
		return result;
	}
	return cgroup != 0 ? -EOPNOTSUPP : clone_plainly(function, argument, stack, pid, flags);
}

void
clone_keep_children(void)
{
	__atomic_store_n(&keep_children, true, __ATOMIC_RELAXED);
}
