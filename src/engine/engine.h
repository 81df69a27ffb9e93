/*
 * engine: the one context of the engine process. It turns kernel facts into core events and carries
 * the core's actions out. Each event goes: core_handle → commit of everything that changed →
 * actions. Nothing is acted on before it is committed.
 */
#ifndef COPPICE_ENGINE_ENGINE_H
#define COPPICE_ENGINE_ENGINE_H

#include "core/core.h"
#include "engine/cgroup.h"
#include "engine/nodes.h"
#include "engine/settings.h"
#include "wire/image.h"
#include "wire/link.h"

#include <ev.h>
#include <sys/resource.h>

struct act;
struct auth_peer;
struct cgroup_tree;
struct checkpoint;
struct control;
struct exits;
struct leftovers;
struct listen;
struct hooks;

struct loop;
struct notify;
struct orphaned;
struct spawner;

struct engine {
	struct ev_loop *loop;
	struct core *core;
	struct nodes *nodes;
	struct checkpoint *checkpoint;
	struct image_process *processes; /* [slot], in the checkpoint; those of nodes come first */
	struct hooks *hooks;
	struct spawner *spawner;
	struct control *control;
	struct settings settings;
	enum link_mode mode;
	int32_t reaper_pid;
	uint32_t generation;     /* 1 for the first engine under this reaper */
	bool hold_requested;     /* --hold */
	int64_t started_wall_ms; /* of this engine */
	uint64_t event_number;   /* of the newest event; never repeats, lives in the checkpoint */
	const struct auth_peer *caller; /* whose request is being handled; NULL: nobody's */
	mono_ms refusal_at; /* refused changes get a line of the log from then on (rpc.c) */
	uint32_t refusals_untold;

	/* the shell's own parts */
	struct loop *driver;   /* loop.h */
	struct act *act;       /* act.h */
	struct exits *exits;   /* exits.h */
	struct notify *notify; /* notify.h */
	struct listen *listen; /* listen.h */
	struct cgroup cgroup;  /* where ours are */
	struct cgroup_tree *cgroups;
	struct leftovers *leftovers;
	struct rlimit files; /* RLIMIT_NOFILE for children: what coppiced was started with */
	int specs;           /* the product of compile, a memory file */
	bool is_command;     /* the tree is a command line's: its end is ours (coppiced(8)) */
	bool terse;          /* nothing is said of what goes well */
	bool terminal;       /* the command has our session's terminal */
	bool reaper_lost;
	struct orphaned *orphaned; /* orphaned.h; for when the reaper is lost */
};

int engine_main(int argc, char **argv);

/* Hands one event to the core, commits and acts. Also for the control socket. */
void engine_submit(struct engine *engine, const struct core_event *event);
/*
 * The two halves, for several events in one commit: what engine_feed brings is acted on by the next
 * engine_commit.
 */
void engine_feed(struct engine *engine, const struct core_event *event);
void engine_commit(struct engine *engine);
/*
 * Signals a node's process on an operator's word, outside the core: 0 or a negative errno (-ESRCH:
 * it has none).
 */
int engine_signal(struct engine *engine, uint32_t node, int signal, bool group);
/*
 * How the daemon is to leave once everything is down (a machine's poweroff, reboot, halt); set
 * before ON_SHUTDOWN.
 */
void engine_set_leave(struct engine *engine, enum link_leave_how how);

/* Wall clock milliseconds of a monotonic time. */
int64_t engine_wall_ms(mono_ms at);

#endif
