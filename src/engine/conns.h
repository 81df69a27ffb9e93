/*
 * conns: the connections of the control socket: reading lines, answering them in turns, writing.
 * What is done in one turn of the loop for all of them together is bounded, and so is what one
 * connection holds in memory.
 */
#ifndef COPPICE_ENGINE_CONNS_H
#define COPPICE_ENGINE_CONNS_H

#include "core/types.h"

#include <stdint.h>

struct engine;

struct conns;
/* NULL when memory is gone. At most `max` connections. */
struct conns *conns_new(struct engine *engine, uint32_t max);
/* Writes what can be written at once and closes everything. */
void conns_free(struct conns **conns);
/* Takes the descriptor of a new connection, and closes it with a word when it cannot be served. */
void conns_add(struct conns *conns, int fd);
/* Tells a client that it cannot be served, and closes its descriptor. */
void conns_turn_away(int fd);
void conns_on_record(struct conns *conns, const struct core_record *record);
/* Before the loop sleeps: whether there are events for those who have subscribed. */
void conns_look(struct conns *conns);

#endif
