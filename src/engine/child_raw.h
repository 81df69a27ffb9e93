/*
 * child_raw: system calls between clone and exec.
 */
#ifndef COPPICE_ENGINE_CHILD_RAW_H
#define COPPICE_ENGINE_CHILD_RAW_H

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/*
 * The stack is not the thread's own, and the sanitizers' records of it would stay wrong in the
 * engine.
 */
#define CHILD_CODE \
	__attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))
#define STEP_IN_CHILD CHILD_CODE static long

#ifdef __x86_64__
/*
 * glibc's syscall() would set errno, which is the suspended thread's. The result is the kernel's:
 * negative errno on failure.
 */
static inline __attribute__((always_inline)) long
raw(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0; /* prctl wants it so */

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
#else
/* errno is the suspended thread's; clone_child sets it for itself after the child has gone. */
static inline __attribute__((always_inline)) long
raw(long number, long a, long b, long c, long d)
{
	long result = syscall(number, a, b, c, d, 0L);

	return result == -1 ? -errno : result;
}
#endif

/* Pointers travel to the kernel as numbers. */
static inline __attribute__((always_inline)) long
address(const void *pointer)
{
	return (long)(intptr_t)pointer;
}

#endif
