/*
 * spawn: starts programs as children of the reaper (clone3 with CLONE_PARENT | CLONE_VM |
 * CLONE_VFORK | CLONE_FILES …), never by fork. A start that changes neither identity nor directory
 * nor opens a user's file is cloned by the calling thread; any other goes to a spawner thread,
 * since a half-made child can be stopped by a stranger or hang (measured: an unprivileged kill(-1,
 * SIGSTOP) loop froze an engine that waited for it itself). 50 ms after its beginning a start that
 * is not through exec is looked at: stopped → killed; any other gets the shorter of 5 s and its
 * start_timeout, then KILL; and later starts go to another thread (at most 64).
 */
#ifndef COPPICE_ENGINE_SPAWN_H
#define COPPICE_ENGINE_SPAWN_H

#include "engine/contract.h"
#include "lib/span.h"
#include "wire/image.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct ev_loop;

/*
 * X-macro of the steps between clone and exec: enumerator, text for people ("cannot open the log
 * file"). Number 0 is no step.
 */
#define SPAWN_STEPS(X)                                                            \
	X(STEP_NONE, "")                                                          \
	X(STEP_PREPARE, "preparing the start")                                    \
	X(STEP_CLONE, "creating the process")                                     \
	X(STEP_DESCRIPTORS, "setting up descriptors")                             \
	X(STEP_SESSION, "creating its session")                                   \
	X(STEP_STDIN, "opening stdin")                                            \
	X(STEP_LOG, "opening the log file")                                       \
	X(STEP_STDERR, "opening the log file of stderr")                          \
	X(STEP_UMASK, "setting the umask")                                        \
	X(STEP_LIMITS, "setting resource limits")                                 \
	X(STEP_DIRECTORY, "entering the directory")                               \
	X(STEP_GROUPS, "setting supplementary groups")                            \
	X(STEP_GROUP, "setting the group")                                        \
	X(STEP_USER, "setting the user")                                          \
	X(STEP_SIGNALS, "resetting signals")                                      \
	X(STEP_EXEC, "executing the command")                                     \
	X(STEP_HUNG, "starting it took too long and was given up")                \
	X(STEP_STOPPED, "it was stopped by a signal before exec, and was killed") \
	X(STEP_READY, "preparing how it tells that it is ready")                  \
	X(STEP_ENV_FILE, "reading env_file")                                      \
	X(STEP_OOM, "setting oom_score_adj")                                      \
	X(STEP_NICE, "setting the nice value")                                    \
	X(STEP_AFFINITY, "setting the CPUs that it may run on")                   \
	X(STEP_BOUNDING, "giving up capabilities")                                \
	X(STEP_CAPABILITIES, "setting capabilities")                              \
	X(STEP_NO_NEW_PRIVILEGES, "forbidding new privileges")                    \
	X(STEP_PRE_START, "running pre_start")                                    \
	X(STEP_CGROUP, "entering its cgroup")                                     \
	X(STEP_SOCKETS, "opening its sockets")
#define X(name, text) name,
enum spawn_step {
	SPAWN_STEPS(X) SPAWN_STEP_COUNT
};
#undef X
const char *spawn_step_text(int32_t step);
/*
 * "executing the command /bin/x: No such file or directory (ENOENT)", and what to do where that is
 * known; where there is no error, the step. The subject (engine/subject) may be "".
 */
#define SPAWN_FAILURE_SIZE 480
const char *spawn_failure_text(
    int32_t step, const char *subject, int64_t error, char out[SPAWN_FAILURE_SIZE]);
/* That alone: what to do; static storage. NULL where it is not known. */
const char *spawn_hint(int32_t step, int64_t error);

#define SPAWN_MAX_SOCKETS 16

enum spawn_output {
	OUTPUT_INHERIT,
	OUTPUT_NULL,
	OUTPUT_FILE,
	OUTPUT_SAME /* stderr only: where stdout goes; what is inherited stays its own */
};
enum spawn_input {
	INPUT_NULL,
	INPUT_INHERIT,
	INPUT_FILE
};

/*
 * Everything a start needs. spawn_start copies what it keeps; the caller's memory is its own again
 * when it returns.
 */
struct spawn_request {
	uint32_t node, incarnation;
	const char *const *argv; /* NULL-terminated, argv[0] is the command */
	const char *const *envp; /* NULL-terminated */
	uint32_t envp_own;       /* from that one on they win over those of env_file */
	/* for a command without a slash; with one it is relative to the directory */
	const char *search_path;
	const char *directory; /* NULL: the daemon's own */
	enum spawn_input input;
	const char *input_path;
	enum spawn_output output, error_output;
	/* opened append; missing directories are made (0755) */
	const char *output_path, *error_path;
	mode_t umask;
	bool set_identity;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	uint32_t group_count;
	/* RLIMIT_NOFILE of the child: what the daemon was started with; rlim_max 0: as it is */
	struct rlimit files;
	struct contract contract;
	/* no session of its own: it stays in ours and becomes the terminal's foreground */
	bool terminal;
	/* where it listens, as in the product: NULL-terminated; NULL: nowhere. For engine/listen */
	const char *const *listen;
	/* descriptors of ours, none below CHILD_SETUP_STAGED, that become 3, 4 and so on */
	const int *sockets;
	uint32_t socket_count; /* at most SPAWN_MAX_SOCKETS */
	/* ready_fd, of ours, becomes ready_number in the child; number 0: none does */
	int ready_fd, ready_number;
	bool joins_cgroup; /* it is not cloned into it, but goes there by itself */
	int cgroup;        /* a directory; 0: it stays in ours */
	span_ms start_timeout;
};

/*
 * Told once for each spawn_start: step 0 when exec succeeded, else where and why (errno) it failed
 * and no process is left.
 */
typedef void spawn_done_fn(
    void *context, uint32_t node, uint32_t incarnation, int32_t step, int32_t error);

struct spawner;
/*
 * NULL when memory or descriptors are gone. `done` is called only from within loop callbacks of the
 * spawner.
 */
struct spawner *spawner_new(struct ev_loop *loop, spawn_done_fn *done, void *context);
void spawner_free(struct spawner **spawner);

/*
 * Begins a start. Fills *process (in shared memory; valid until done has been called) as its header
 * says: incarnation, STARTING, then the kernel sets pid, then STARTED or FAILED. Returns true when
 * it is over already (done is not called then; *process tells the result), false when done will be
 * called.
 */
bool spawn_start(
    struct spawner *spawner, const struct spawn_request *request, struct image_process *process);
/*
 * A start taken over from a dead engine: process->pid is a child not yet through exec. Watched like
 * any other; done is called.
 */
void spawn_adopt(
    struct spawner *spawner, uint32_t node, struct image_process *process, span_ms start_timeout);
/* Whether this node has a start that is not over. */
bool spawn_is_pending(const struct spawner *spawner, uint32_t node);
/*
 * The exit of a process whose start was pending has been seen: nothing is left of it, its start is
 * over as soon as its thread is free.
 */
void spawn_note_exit(struct spawner *spawner, uint32_t node);

#endif
