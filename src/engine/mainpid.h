/*
 * mainpid: whose a process is, and the change of a node's main process (MAINPID= of sd_notify(3)).
 * From then on the end of the new one is the node's end and signals go to it; that of the former
 * one means nothing. What is killed in the end are both and their groups.
 */
#ifndef COPPICE_ENGINE_MAINPID_H
#define COPPICE_ENGINE_MAINPID_H

#include <ev.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

enum mainpid_kin {
	MAINPID_OURS,    /* the node's process, or descends from it, or is of its session */
	MAINPID_ORPHAN,  /* a child of the reaper that is no other node's */
	MAINPID_UNKNOWN, /* it is gone, or nothing can be known here */
	MAINPID_FOREIGN,
};
enum mainpid_kin mainpid_kin(const struct engine *engine, uint32_t node, int32_t pid);

/*
 * How the end of a main process that is no child of the reaper is noticed: whoever its parent is
 * may keep to itself what its end was.
 */
struct mainpid_watch {
	struct engine *engine;
	uint32_t node;
	int32_t pid; /* the main process that this is about */
	int pidfd;   /* -1: none */
	unsigned looks;
	unsigned told; /* lines about MAINPID= */
	struct ev_io ended;
	struct ev_timer look;
};
void mainpid_watch_init(struct mainpid_watch *watch, struct engine *engine, uint32_t node);
void mainpid_unwatch(struct mainpid_watch *watch);

/*
 * Makes that process the node's main one, if it is one of its own and lives; else says so and does
 * nothing. An orphan, whose it was is not known any more, must be one that the child's user could
 * signal as well, so that no child has somebody else's process stopped by us.
 */
void mainpid_take(
    struct engine *engine, uint32_t node, int32_t pid, uid_t user, struct mainpid_watch *watch);
/* In a new engine: watches a main process that was taken by the dead one. */
void mainpid_resume(struct mainpid_watch *watch);

#endif
