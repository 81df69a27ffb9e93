/*
 * process: the identity of a process, and signals that cannot hit a stranger. A process is its PID
 * and its start time; the engine knows the start time as an interval of clock ticks, taken around
 * the clone, so that no /proc file is read for a start.
 */
#ifndef COPPICE_ENGINE_PROCESS_H
#define COPPICE_ENGINE_PROCESS_H

#include "wire/image.h"

#include <stdbool.h>
#include <sys/types.h>

/* Now, in clock ticks since boot (the unit of /proc/PID/stat's field 22). */
uint64_t process_ticks_now(void);

enum process_life {
	PROCESS_GONE,    /* no process with that PID and start time; a stranger may have the PID */
	PROCESS_ZOMBIE,  /* dead, not reaped yet */
	PROCESS_STOPPED, /* state T or t */
	PROCESS_LIVES,
};
enum process_life process_look(const struct image_process *process);
/* What kind of process has that PID: 0, -ESRCH, or why that cannot be known. */
struct process_kin {
	int32_t parent, session;
	uint64_t start; /* clock ticks since boot */
	bool is_dead;   /* or about to be */
	bool is_before_exec;
};
int process_kin(int32_t pid, struct process_kin *kin);
/* What it calls itself, "?" when there is none. Returns out. */
#define PROCESS_NAME_SIZE 32
const char *process_name(int32_t pid, char out[PROCESS_NAME_SIZE]);
/*
 * "exited with status 3", "was killed by signal SEGV (core dumped)": of a wait status or
 * CORE_STATUS_UNKNOWN. Returns out.
 */
#define PROCESS_END_SIZE 64
const char *process_end_text(int32_t status, char out[PROCESS_END_SIZE]);
/* Its real user: 0, or why that cannot be known. */
int process_user(int32_t pid, uid_t *user);
/* Whether that process still executes our own engine binary, that is, has not got through exec. */
bool process_is_before_exec(const struct image_process *process);

/*
 * Sends the signal and then CONT (not after KILL, STOP, CONT) to the main process, or with `group`
 * to its process group. 0, -ESRCH (gone: its exit is in the link, or will be), or another negative
 * errno.
 */
int process_signal(const struct image_process *process, int signal, bool group);
/*
 * After the end of a main process that had taken the place of the one that was started (`first`):
 * kills that one and its group, and what is left of the other's group.
 */
void process_kill_replaced(const struct image_process *process);
/*
 * After its leader has been reaped: kills what is left of the group `pid`, unless a living process
 * has that number.
 */
void process_kill_leftovers(int32_t pid);

#endif
