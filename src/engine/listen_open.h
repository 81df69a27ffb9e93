/*
 * listen_open: a socket that listens on an address.
 */
#ifndef COPPICE_ENGINE_LISTEN_OPEN_H
#define COPPICE_ENGINE_LISTEN_OPEN_H

#include "lib/address.h"

/*
 * The descriptor, CLOEXEC and at least LISTEN_OPEN_LOWEST, or a negative errno. A UNIX socket that
 * nobody listens on any more is replaced (-EADDRINUSE: somebody does, -EEXIST: it is none);
 * directories are made where they are missing; nobody can connect before its mode and owner are as
 * they are to be.
 */
#define LISTEN_OPEN_LOWEST 64
int listen_open(const struct address *address);

#endif
