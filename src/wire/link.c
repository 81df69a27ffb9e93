#include "wire/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * The first PID namespace's inode is fixed: PROC_PID_INIT_INO in the kernel's
 * include/linux/proc_ns.h.
 */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

enum link_mode
link_mode(int32_t pid)
{
	struct stat namespace;

	if (pid != 1)
		return MODE_SERVICE;
	if (stat("/proc/self/ns/pid", &namespace) == 0 && namespace.st_ino == FIRST_PID_NAMESPACE)
		return MODE_MACHINE;
	return MODE_CONTAINER;
}

void
link_signals(sigset_t *set)
{
	static const int taken[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPWR };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(set, taken[i]);
	sigaddset(set, SIGRTMIN + 3);
}

/* A service or container just leaves; a machine has to know how. */
int
link_leave_by(enum link_mode mode, int signal)
{
	bool machine = mode == MODE_MACHINE;

	if (signal == SIGTERM || signal == SIGINT)
		return machine ? LEAVE_REBOOT : LEAVE_EXIT;
	if (signal == SIGPWR || signal == SIGRTMIN + 3)
		return machine ? LEAVE_POWEROFF : LEAVE_EXIT;
	if (machine && signal == SIGUSR1)
		return LEAVE_HALT;
	return machine && signal == SIGUSR2 ? LEAVE_POWEROFF : -1;
}
