/*
 * fd: descriptors. Functions return 0 (or what they say) or a negative errno; EINTR is retried
 * inside.
 */
#ifndef COPPICE_LIB_FD_H
#define COPPICE_LIB_FD_H

#include <stddef.h>
#include <sys/types.h>

/* Closes *fd unless it is -1, and makes it -1. */
void fd_close(int *fd);
int fd_set_cloexec(int fd, int on);
/*
 * Moves *fd to a number >= lowest with CLOEXEC; the old number is closed. On error *fd is as
 * before.
 */
int fd_move_above(int *fd, int lowest);
/* All of it, or an error; for blocking descriptors. */
int fd_write_all(int fd, const void *data, size_t len);
/* Up to cap bytes until EOF; the count or an error. */
ssize_t fd_read_all(int fd, void *data, size_t cap);
/* Opens /dev/null on those of 0, 1, 2 that are closed. */
int fd_fill_standard(void);
/*
 * An anonymous memory file (CLOEXEC) of that many bytes, its space allocated; the descriptor or a
 * negative errno.
 */
int fd_memfile(const char *name, size_t size);

#endif
