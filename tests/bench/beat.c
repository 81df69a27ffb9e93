/*
 * beat FIFO [exit | nap]: the measured child. As its first act it takes the time and tells PID and
 * time to the FIFO, then waits for ever, or with `exit` ends at once, with `nap` after 0.1 s. Without libc, whose own beginning
 * takes longer than any supervisor here: what is measured is the time to the first instruction.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

struct beat {
	int64_t pid;
	int64_t mono_ns;
};

_Noreturn void beat_main(const long *stack) __attribute__((used));

static long
call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

/* The kernel's first stack: argc, argv. */
__asm__(
    ".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall beat_main\n");

void
beat_main(const long *stack)
{
	struct timespec now = { 0, 0 };
	struct beat beat;
	long fd, status = 0;

	call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0);
	beat.pid = call(SYS_getpid, 0, 0, 0);
	beat.mono_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	fd = stack[0] > 1 ? call(SYS_open, stack[2], O_WRONLY | O_CLOEXEC, 0) : -1;
	if (fd < 0 || call(SYS_write, fd, (long)&beat, sizeof beat) != (long)sizeof beat)
		status = 1;
	if (stack[0] == 3 && *(const char *)stack[3] == 'n') {
		now = (struct timespec){ 0, 100000000 };
		call(SYS_nanosleep, (long)&now, 0, 0);
	}
	while (status == 0 && stack[0] == 2)
		call(SYS_pause, 0, 0, 0);
	for (;;)
		call(SYS_exit_group, status, 0, 0);
}
