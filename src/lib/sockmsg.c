#include "lib/sockmsg.h"

#include "lib/fd.h"
#include "lib/must.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr head; /* for its alignment */
	char space[CMSG_SPACE(SOCKMSG_MAX_FDS * sizeof(int))];
};

int
sockmsg_send(int fd, const void *data, size_t len, const int *fds, size_t nfds)
{
	/* sendmsg(2) does not write to it, but struct iovec has no const. */
	const union {
		/* cppcheck-suppress unusedStructMember */
		const void *given;
		void *base;
	} bytes = { .given = data };
	struct iovec part = { .iov_base = bytes.base, .iov_len = len };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	must(nfds <= SOCKMSG_MAX_FDS);
	if (nfds > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(head), fds, nfds * sizeof(int));
	}
	do {
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/*
 * Moves the descriptors of the message into fds, at most `room`; the others are closed. Returns how
 * many.
 */
static size_t
take_descriptors(struct msghdr *message, int *fds, size_t room)
{
	size_t taken = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
			if (taken < room)
				fds[taken++] = fd;
			else
				fd_close(&fd);
		}
	}
	return taken;
}

ssize_t
sockmsg_recv(int fd, void *data, size_t cap, int flags, int *fds, size_t *nfds)
{
	struct iovec part = { .iov_base = data, .iov_len = cap };
	union control control;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	/* Without room for them the kernel closes what comes. */
	if (fds != NULL) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	do {
		n = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	bool cut = (message.msg_flags & MSG_TRUNC) != 0;
	if (fds != NULL)
		*nfds = take_descriptors(&message, fds, cut ? 0 : *nfds);
	else if (nfds != NULL)
		*nfds = 0;
	return cut ? -EMSGSIZE : n;
}
