/*
 * clone: a new child of our parent (CLONE_PARENT) that shares our memory until it has gone through
 * exec or ended, on a stack of its own. clone_child suspends the calling thread until then
 * (CLONE_VFORK), so the stack and all that the child reads may be used again when it returns. The
 * descriptor table is shared (CLONE_FILES): a copy would cost time per open descriptor of the
 * engine, so the child's first call must be close_range(…, CLOSE_RANGE_UNSHARE) or
 * unshare(CLONE_FILES). A child that is to keep one of any number pays for a copy.
 */
#ifndef COPPICE_ENGINE_CLONE_H
#define COPPICE_ENGINE_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLONE_STACK_SIZE   65536U
#define CLONE_SCRATCH_SIZE 131072U

typedef int clone_fn(void *argument);

/*
 * A stack for children, CLONE_STACK_SIZE bytes above a page that faults; NULL when memory is gone.
 */
void *clone_stack_new(void);
void clone_stack_free(void **stack);
/*
 * CLONE_SCRATCH_SIZE bytes that belong to the stack, for a child that makes something of its own.
 * They cost nothing as long as no child has used them.
 */
void *clone_scratch(void *stack);

/*
 * Runs function(argument) in the child, which ends with its result unless it execs. The kernel
 * writes the child's PID to *pid before the child runs, and puts it into the
 * cgroup of that directory (0: ours) if it can. Any thread may call it, with a stack that
 * no other is using, and with all signals blocked: a handler that ran in the child would run in our
 * memory. With copy_files the child has a table of descriptors of its own. 0 or a negative errno;
 * -EOPNOTSUPP where no child can be made in another cgroup.
 */
int clone_child(
    clone_fn *function, void *argument, void *stack, int32_t *pid, bool copy_files, int cgroup);

/*
 * From now on children are our own: for when our parent, who would have waited for them, has gone.
 */
void clone_keep_children(void);

/*
 * clone3 on the stack [stack, stack + size), on machines for which it is written; -ENOSYS
 * elsewhere. Without CLONE_PARENT among the flags the child is ours and not our parent's. The rest
 * of the interface is as above.
 */
int clone_x86_64(clone_fn *function, void *argument, void *stack, size_t size, int32_t *pid,
    uint64_t flags, int cgroup);

#endif
