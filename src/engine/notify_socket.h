/*
 * notify_socket: a datagram socket for the messages of one child. Its address is a path beside the
 * control socket, which also a child in another network namespace reaches, and which only that
 * child's user may write to; where no file can be made, or not everybody may get there, an abstract address does (FIELD
 * 1.A.4).
 */
#ifndef COPPICE_ENGINE_NOTIFY_SOCKET_H
#define COPPICE_ENGINE_NOTIFY_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>

#define NOTIFY_SOCKET_VARIABLE_SIZE 128

/* Where the sockets of the daemon with that control socket are: CONTROL_SOCKET.notify */
#define NOTIFY_SOCKET_DIRECTORY_SIZE 128

/*
 * A socket for a child of that user, receiving credentials. `variable` gets what belongs into the
 * child's environment: NOTIFY_SOCKET=ADDRESS. The descriptor or a negative errno.
 */
int notify_socket_open(
    const char *control_socket, uid_t user, char variable[NOTIFY_SOCKET_VARIABLE_SIZE]);
/*
 * Looks at the next message without taking it: its length, -EMSGSIZE when it does not fit, or
 * another negative errno (-EAGAIN: there is none). A sender that is not told is nobody.
 */
ssize_t notify_socket_peek(int fd, char *data, size_t cap, struct ucred *sender);
/* Takes that message off, and closes what descriptors came with it. */
void notify_socket_take(int fd);
/* Closes it, and removes its file. */
void notify_socket_close(int *fd);
/* Removes what daemons have left behind that were killed with all their processes. */
void notify_socket_sweep(const char *control_socket);
/* Removes the directory if it is empty. */
void notify_socket_leave(const char *control_socket);

#endif
