/*
 * leftovers: what a child has left that is in no cgroup and has gone away from its process group:
 * orphans, which the reaper adopts. Each start's environment says which start it is
 * (COPPICE_INVOCATION), and whatever descends from it inherits that. So whose an adopted process is
 * is known for sure, or it is left alone and only told of.
 */
#ifndef COPPICE_ENGINE_LEFTOVERS_H
#define COPPICE_ENGINE_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct leftovers;
struct spawn_request;

/* NULL when memory is gone. In a new engine it begins with a look. */
struct leftovers *leftovers_new(struct engine *engine);
void leftovers_free(struct leftovers **leftovers);

/*
 * Before a start without a cgroup: puts the mark into the environment; what the request points to
 * holds until the next call. 0 or -ENOMEM.
 */
int leftovers_mark(struct leftovers *leftovers, uint32_t node, struct spawn_request *request);
/* A process has ended that may have left some: looks soon at those that the reaper has adopted. */
void leftovers_look(struct leftovers *leftovers);
/* Looks at some of them; whether there are more to be looked at now. */
bool leftovers_some(struct leftovers *leftovers);
/* The end of the daemon: the looks that are still wanted, without a pause, so that nobody is left. */
void leftovers_finish(struct leftovers *leftovers);

#endif
