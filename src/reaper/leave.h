/*
 * leave: how the daemon ends. Usually on the engine's word (LINK_LEAVE), once the engine has ended
 * too. When people ask for a shutdown and no engine has been in charge for a while, the reaper
 * makes an end itself: TERM to every child of ours, KILL when the shutdown timeout is over.
 */
#ifndef COPPICE_REAPER_LEAVE_H
#define COPPICE_REAPER_LEAVE_H

#include "lib/span.h"
#include "wire/link.h"

#include <stdbool.h>
#include <sys/types.h>

enum leave_phase {
	LEAVE_NOT,    /* the tree lives */
	LEAVE_ENGINE, /* the engine has said leave and is to end by itself until `deadline` */
	LEAVE_TERM,   /* our own end: the children have been asked, until `deadline` */
	LEAVE_KILL,   /* our own end: the children are killed, until `deadline` */
};

struct leave {
	enum link_mode mode;
	enum leave_phase phase;
	enum link_leave_how how;
	int status;
	bool asked;       /* a shutdown signal has come */
	mono_ms deadline; /* of the phase */
	span_ms timeout;  /* shutdown_timeout */
};

void leave_init(struct leave *leave, enum link_mode mode);
/* A signal has come, which is also passed on. */
void leave_on_signal(struct leave *leave, int signal);
/* During our own end: that child has been reaped; what is left of its process group goes too. */
void leave_on_exit(const struct leave *leave, pid_t pid);
/* LINK_LEAVE came. */
void leave_on_word(struct leave *leave, const struct link_leave *word);
/*
 * One step on; absent_since as in struct respawn, engine its PID or 0. Returns true when it is time
 * to go.
 */
bool leave_step(struct leave *leave, mono_ms absent_since, pid_t engine, bool childless);
/* When leave_step is to be called next at the latest. */
mono_ms leave_deadline(const struct leave *leave, mono_ms absent_since);
/* Goes. */
_Noreturn void leave_now(const struct leave *leave);

#endif
