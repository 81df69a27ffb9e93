/*
 * sockmsg: one SOCK_SEQPACKET or datagram message with descriptors (SCM_RIGHTS). Received
 * descriptors are CLOEXEC.
 */
#ifndef COPPICE_LIB_SOCKMSG_H
#define COPPICE_LIB_SOCKMSG_H

#include <stddef.h>
#include <sys/types.h>

#define SOCKMSG_MAX_FDS 16

/*
 * Sends without blocking and without SIGPIPE: 0 or a negative errno (-EAGAIN: the socket is full).
 */
int sockmsg_send(int fd, const void *data, size_t len, const int *fds, size_t nfds);
/*
 * Receives one message with recv(2) flags (MSG_PEEK, MSG_DONTWAIT). Returns its length (0: the peer
 * has gone) or a negative errno; -EMSGSIZE when it did not fit (it is dropped, its descriptors
 * closed). *nfds is in: room in fds, out: how many came; fds may be NULL, then those that come are
 * closed. With MSG_PEEK pass NULL.
 */
ssize_t sockmsg_recv(int fd, void *data, size_t cap, int flags, int *fds, size_t *nfds);

#endif
