#include "engine/nearby.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_MOUNT    UINT64_MAX
#define REMEMBER_MS 5000

static uint64_t
mount_of(const char *path)
{
	struct statx about;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &about) != 0 ||
	    (about.stx_mask & STATX_MNT_ID) == 0)
		return NO_MOUNT;
	return about.stx_mnt_id;
}

void
nearby_init(struct nearby *nearby)
{
	*nearby = (struct nearby){ .mounts = { NO_MOUNT, NO_MOUNT } };
	nearby->mounts[0] = mount_of("/");
	nearby->mounts[1] = mount_of("/proc/self/exe");
}

/*
 * What the kernel remembers of a file, without asking whoever serves it. A disk's device has a
 * major number, a server's has none.
 */
static bool
is_near(const struct nearby *nearby, int fd)
{
	struct statx about;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &about) !=
	    0)
		return false;
	if (about.stx_dev_major != 0)
		return true;
	return (about.stx_mask & STATX_MNT_ID) != 0 &&
	    (about.stx_mnt_id == nearby->mounts[0] || about.stx_mnt_id == nearby->mounts[1]);
}

bool
nearby_command(const struct nearby *nearby, const char *const *commands)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };

	for (; *commands != NULL; commands++) {
		int fd = (int)syscall(SYS_openat2, AT_FDCWD, *commands, &how, sizeof(how));
		bool near;

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue; /* known not to be there */
		if (fd < 0)
			return false;
		near = is_near(nearby, fd);
		close(fd);
		return near;
	}
	return true; /* none is there: its failure is quick too */
}

bool
nearby_node(struct nearby *nearby, uint32_t node, mono_ms now, const char *const *commands)
{
	size_t at = node % (sizeof(nearby->known) / sizeof(nearby->known[0]));

	if (nearby->known[at].node == node && now < nearby->known[at].until)
		return true;
	if (!nearby_command(nearby, commands))
		return false;
	nearby->known[at].node = node;
	nearby->known[at].until = span_after(now, REMEMBER_MS);
	return true;
}
