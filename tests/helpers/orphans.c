/*
 * orphans COUNT: leaves COUNT dead children to whoever inherits them, child number i ended with
 * status i % 251, and tells their PIDs on stdout, a line each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pid_t
dead_child(int status)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(status);
	return pid;
}

int
main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	char line[32];

	for (long i = 0; i < count; i++) {
		pid_t pid = dead_child((int)(i % 251));
		if (pid < 0)
			return 1;
		int n = snprintf(line, sizeof(line), "%d\n", pid);
		if (write(STDOUT_FILENO, line, (size_t)n) != n)
			return 1;
	}
	return 0;
}
