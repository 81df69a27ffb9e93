/*
 * beat FIFO [exit]: the measured child. As its first act it takes the time and tells PID and time to the FIFO, then waits for ever,
 * or with `exit` ends at once.
 */
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

struct beat {
	int64_t pid;
	int64_t mono_ns;
};

int
main(int argc, char **argv)
{
	struct timespec now;
	struct beat beat;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (argc < 2)
		return 64;
	beat.pid = getpid();
	beat.mono_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, &beat, sizeof beat) != (ssize_t)sizeof beat)
		return 1;
	if (argc > 2)
		return 0;
	for (;;)
		pause();
}
