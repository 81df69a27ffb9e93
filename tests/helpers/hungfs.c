/*
 * hungfs: a file system that never answers, as a network file system whose server has gone.
 *   hungfs deaf PLACE   does not even take requests: who waits for it can be killed
 *   hungfs mute PLACE   takes them and says nothing: who waits for it cannot be killed
 * Says "ready" once it hangs, and hangs until its standard input ends. Exits with 77 where it may
 * not mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define NOT_HERE 77

/* The kernel's first request and the only one that is answered. */
static int
greet(int fuse)
{
	char request[FUSE_MIN_READ_BUFFER];
	const struct fuse_in_header *in = (const void *)request;
	struct {
		struct fuse_out_header head;
		struct fuse_init_out body;
	} answer = { .body = { .major = FUSE_KERNEL_VERSION,
			 .minor = FUSE_KERNEL_MINOR_VERSION,
			 .max_write = 4096 } };

	if (read(fuse, request, sizeof(request)) < (ssize_t)sizeof(*in) || in->opcode != FUSE_INIT)
		return -1;
	answer.head.len = sizeof(answer);
	answer.head.unique = in->unique;
	return write(fuse, &answer, sizeof(answer)) == sizeof(answer) ? 0 : -1;
}

/* Until standard input ends. */
static void
hang(int fuse, int mute)
{
	struct pollfd wait[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = mute ? fuse : -1, .events = POLLIN } };
	char request[FUSE_MIN_READ_BUFFER];

	while (poll(wait, 2, -1) > 0 && wait[0].revents == 0) {
		if (read(fuse, request, sizeof(request)) < 0 && errno != EINTR && errno != EAGAIN &&
		    errno != ENOENT)
			return;
	}
}

int
main(int argc, char **argv)
{
	char options[96];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (argc != 3 || fuse < 0)
		return argc != 3 ? 64 : NOT_HERE;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse,
	    getuid(), getgid());
	if (mount("hungfs", argv[2], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return NOT_HERE;
	/*
	 * A request that poll() has seen may be taken back before it is read: its sender was
	 * killed. The read must not wait for the next one then.
	 */
	if (greet(fuse) == 0 && fcntl(fuse, F_SETFL, O_RDWR | O_NONBLOCK) == 0 &&
	    puts("ready") >= 0 && fflush(stdout) == 0)
		hang(fuse, strcmp(argv[1], "mute") == 0);
	/*
	 * Closing ends the connection, and with it every wait; lazily, since somebody may be
	 * inside.
	 */
	umount2(argv[2], MNT_DETACH);
	close(fuse);
	return 0;
}
