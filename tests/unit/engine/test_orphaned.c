#include "engine/orphaned.h"

#include "core/types.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDS 500

/* The parent of the process whose pidfd it gives: ends it as told, waits for it, and ends. */
static pid_t
begin(int *pidfd, int go[2])
{
	int told[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(go), 0);
	pid_t parent = fork();
	assert_int_not_equal(parent, -1);
	if (parent == 0) {
		close(go[1]);
		pid = fork();
		if (pid == 0) {
			(void)!read(go[0], &byte, 1);
			_exit(9);
		}
		if (pid < 0 || write(told[1], &pid, sizeof pid) != sizeof pid)
			_exit(1);
		_exit(waitpid(pid, NULL, 0) == pid ? 0 : 1);
	}
	assert_int_equal(read(told[0], &pid, sizeof pid), sizeof pid);
	close(told[0]);
	close(told[1]);
	close(go[0]);
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(*pidfd >= 0);
	return parent;
}

/* How a process of somebody else's ends, asked from its last moment on, while its parent waits for it. */
static int32_t
asked_throughout(void)
{
	int go[2], pidfd, parent_status;
	int32_t status;
	pid_t parent = begin(&pidfd, go);

	close(go[1]);
	assert_int_equal(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 10000), 1);
	while (!orphaned_status(pidfd, &status))
		;
	close(pidfd);
	assert_int_equal(waitpid(parent, &parent_status, 0), parent);
	assert_int_equal(parent_status, 0);
	return status;
}

/* A kernel that tells a status does so always: none is lost to the moment of the wait. */
static void
test_status_while_it_is_waited_for(void **state)
{
	int unknown = 0;

	(void)state;
	for (int i = 0; i < ENDS; i++) {
		int32_t status = asked_throughout();

		if (status == CORE_STATUS_UNKNOWN)
			unknown++;
		else
			assert_int_equal(status, 9 << 8);
	}
	assert_true(unknown == 0 || unknown == ENDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_while_it_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
