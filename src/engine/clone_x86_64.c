#include "engine/clone.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#ifdef __x86_64__

/*
 * What clone3(2) takes, third version. Without a cgroup only the first 64 bytes are given, so that
 * kernels from 5.3 on accept it.
 */
struct clone3_arguments {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};
_Static_assert(sizeof(struct clone3_arguments) == CLONE_ARGS_SIZE_VER2, "clone3(2)");

/*
 * long clone_x86_64_shim(arguments: rdi, size: rsi, function: rdx, argument: rcx): glibc has no
 * wrapper for clone3, and C cannot return twice on two stacks. The kernel keeps all registers but
 * rax, rcx and r11, so function and argument survive the call in rdx and r8. The child starts with
 * the new rsp, aligned to 16, without a frame to unwind to.
 */
long clone_x86_64_shim(
    struct clone3_arguments *arguments, size_t size, clone_fn *function, void *argument);

#define TEXT(number)   TEXT_OF(number)
#define TEXT_OF(value) #value
/* clang-format off */
__asm__(
	".text\n"
	".p2align 4\n"
	".globl clone_x86_64_shim\n"
	".hidden clone_x86_64_shim\n"
	".type clone_x86_64_shim, @function\n"
	"clone_x86_64_shim:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	movq %rcx, %r8\n"
	"	movl $" TEXT(__NR_clone3) ", %eax\n"
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:\n"
	"	.cfi_undefined rip\n"
	"	xorl %ebp, %ebp\n"
	"	movq %r8, %rdi\n"
	"	call *%rdx\n"
	"	movl %eax, %edi\n"
	"	movl $" TEXT(__NR_exit) ", %eax\n"
	"	syscall\n"
	"	hlt\n"
	"	.cfi_endproc\n"
	".size clone_x86_64_shim, .-clone_x86_64_shim\n");
/* clang-format on */

int
clone_x86_64(clone_fn *function, void *argument, void *stack, size_t size, int32_t *pid,
    uint64_t flags, int cgroup)
{
	/*
	 * exit_signal 0: with CLONE_PARENT clone3 takes no other; the kernel gives the child the
	 * exit signal of our own leader.
	 */
	struct clone3_arguments arguments = {
		.flags = flags | (cgroup != 0 ? CLONE_INTO_CGROUP : 0),
		.parent_tid = (uint64_t)(uintptr_t)pid,
		.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = size,
		.cgroup = (uint64_t)cgroup,
	};
	long result = clone_x86_64_shim(
	    &arguments, cgroup != 0 ? sizeof(arguments) : CLONE_ARGS_SIZE_VER0, function, argument);

	return result < 0 ? (int)result : 0;
}

#else

int
clone_x86_64(clone_fn *function, void *argument, void *stack, size_t size, int32_t *pid,
    uint64_t flags, int cgroup)
{
	(void)function, (void)argument, (void)stack, (void)size, (void)flags, (void)pid,
	    (void)cgroup; /* only clone_plain's way here */
	return -ENOSYS;
}

#endif
