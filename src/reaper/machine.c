#include "reaper/machine.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_TRIES    50 /* for each file system … */
#define SETTLE_PAUSE_MS 20 /* … with this between two */

static const struct mounted {
	const char *target, *type, *data;
	unsigned long flags;
} mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID },
	{ "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV },
	{ "/sys/fs/cgroup", "cgroup2", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV },
};

static void
mount_missing(const struct mounted *what)
{
	struct statx info;

	if (mkdir(what->target, 0755) < 0 && errno != EEXIST && errno != EROFS)
		log_line(NULL, "cannot make %s: %s", what->target, strerror(errno));
	if (statx(AT_FDCWD, what->target, AT_NO_AUTOMOUNT, STATX_TYPE, &info) == 0 &&
	    (info.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return;
	if (mount(what->type, what->target, what->type, what->flags, what->data) < 0 &&
	    errno != EBUSY)
		log_line(
		    NULL, "cannot mount %s on %s: %s", what->type, what->target, strerror(errno));
}

void
machine_mount_proc(void)
{
	if (access("/proc/self/ns/pid", F_OK) < 0)
		mount_missing(&mounts[0]);
}

void
machine_prepare(void)
{
	for (size_t i = 1; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		mount_missing(&mounts[i]);
	/* The kernel starts us without descriptors when the first root has no /dev/console. */
	for (int fd = 0; fcntl(STDERR_FILENO, F_GETFD) < 0 && fd >= 0;)
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
	/* Then ctrl-alt-del is SIGINT to us, and not a reset of the machine. */
	if (reboot(RB_DISABLE_CAD) < 0)
		log_line(NULL, "cannot take over ctrl-alt-del: %s", strerror(errno));
}

/*
 * What is on disks is written, and each file system marked as clean: made read-only, which other than
 * unmounting needs no order and works for the root too. The killed may still be on their way.
 */
static void
settle_disks(void)
{
	FILE *list = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;

	sync();
	while (list && (entry = getmntent(list)) != NULL) {
		if (entry->mnt_fsname[0] != '/')
			continue; /* of the kernel's own, in memory, or on a server */
		for (int tries = 0; tries < SETTLE_TRIES; tries++) {
			if (mount(NULL, entry->mnt_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 ||
			    errno != EBUSY)
				break;
			poll(NULL, 0, SETTLE_PAUSE_MS);
		}
	}
}

/* In a child, for at most ten seconds: a dead disk must not keep a machine from leaving. */
static void
settle_in_time(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		settle_disks();
		_exit(0);
	}
	for (int tenths = 0; pid > 0 && tenths < 100 && waitpid(pid, NULL, WNOHANG) == 0; tenths++)
		poll(NULL, 0, 100);
}

void
machine_leave(enum link_leave_how how)
{
	/* The numbers are unsigned, reboot(2) takes an int. */
	int command = (int)(how == LEAVE_POWEROFF ? RB_POWER_OFF
		: how == LEAVE_HALT               ? RB_HALT_SYSTEM
						  : (unsigned)RB_AUTOBOOT);

	kill(-1, SIGKILL); /* strays; ESRCH when there are none */
	settle_in_time();
	for (;;) {
		/*
		 * Some kernels end the process that calls this; PID 1's end is a panic, so a child
		 * calls (FIELD 2.C.16).
		 */
		pid_t pid = fork();
		if (pid <= 0 && reboot(command) < 0)
			log_line(
			    NULL, "cannot leave the machine: %s; trying again", strerror(errno));
		if (pid == 0)
			_exit(1);
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		sleep(1);
	}
}
