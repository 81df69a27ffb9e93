/*
 * uplink: the engine's messages to the reaper. They are few; the reaper always reads; so they are
 * sent at once, waiting where that is needed.
 */
#ifndef COPPICE_ENGINE_UPLINK_H
#define COPPICE_ENGINE_UPLINK_H

#include "wire/link.h"

/* 0 or a negative errno (-EPIPE: the reaper has gone, -ETIMEDOUT: it has not read for 5 s). */
int uplink_value(enum link_type type, int64_t value);
/* Hands a copy of the descriptor to the reaper's store. */
int uplink_store(const char *key, int fd);
/* It is not needed any more. */
int uplink_drop(const char *key);
/* The same for what belongs to a node; uplink_let_go: it is not needed any more. */
int uplink_keep(uint32_t node, int fd);
int uplink_let_go(uint32_t node);
int uplink_leave(enum link_leave_how how, int status);

#endif
