#include "engine/child_rights.h"

#include "engine/child_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MOST_GROUPS 64 /* that are compared */
#define OPEN_TRIES  100

/* --- how much it gets --- */

/*
 * A file under /proc/self is root's while we are not dumpable (engine.c), so that only root can open
 * it. Who is not has nobody to hide the memory from in that moment: the same user's processes
 * alone could look, and this one is still ours. Others that are made at the same time do so too, with
 * the same memory, and may hide it between our calls: hence more tries.
 */
STEP_IN_CHILD
open_own(const char *path)
{
	long fd = raw(SYS_openat, AT_FDCWD, address(path), O_WRONLY | O_CLOEXEC, 0);

	for (int left = OPEN_TRIES; fd == -EACCES && left > 0; left--) {
		(void)raw(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0);
		fd = raw(SYS_openat, AT_FDCWD, address(path), O_WRONLY | O_CLOEXEC, 0);
		(void)raw(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0);
	}
	return fd;
}

CHILD_CODE long
child_rights_oom(struct child_plan *plan)
{
	const struct contract *contract = &plan->request.contract;
	long fd, result;

	if (contract->oom_score_adj_len == 0)
		return 0;
	fd = open_own("/proc/self/oom_score_adj");
	if (fd < 0)
		return fd;
	result =
	    raw(SYS_write, fd, address(contract->oom_score_adj), contract->oom_score_adj_len, 0);
	(void)raw(SYS_close, fd, 0, 0, 0);
	return result;
}

/* After all that opens files: the limit may be lower than what is open. */
CHILD_CODE long
child_rights_limits(struct child_plan *plan)
{
	const struct contract *contract = &plan->request.contract;
	long result = 0;

	if (plan->request.files.rlim_max != 0)
		result = raw(SYS_prlimit64, 0, RLIMIT_NOFILE, address(&plan->request.files), 0);
	for (uint32_t i = 0; i < contract->limit_count && result == 0; i++)
		result = raw(SYS_prlimit64, 0, contract->limits[i].resource,
		    address(contract->limits[i].value), 0);
	return result;
}

/* After the limits, of which one may allow it. */
CHILD_CODE long
child_rights_nice(struct child_plan *plan)
{
	return plan->request.contract.sets_nice
	    ? raw(SYS_setpriority, PRIO_PROCESS, 0, plan->request.contract.nice, 0)
	    : 0;
}

CHILD_CODE long
child_rights_affinity(struct child_plan *plan)
{
	return plan->request.contract.cpus != NULL
	    ? raw(SYS_sched_setaffinity, 0, CONTRACT_CPUS / 8, address(plan->request.contract.cpus),
		  0)
	    : 0;
}

/* --- who it is and what it may do --- */

/*
 * The bounding set, while we may: what is not in it cannot be had by any exec to come. Those that
 * are out of it already need no right.
 */
CHILD_CODE long
child_rights_drop(struct child_plan *plan)
{
	const struct contract *contract = &plan->request.contract;
	long held = 0;

	for (long number = 0; contract->sets_capabilities && number < 64; number++) {
		if ((contract->capabilities >> number & 1) != 0)
			continue;
		held = raw(SYS_prctl, PR_CAPBSET_READ, number, 0, 0);
		if (held < 0) /* -EINVAL: no kernel knows one of that number, or of a higher one */
			break;
		if (held == 1)
			held = raw(SYS_prctl, PR_CAPBSET_DROP, number, 0, 0);
		if (held < 0)
			return held;
	}
	return held == -EINVAL ? 0 : held;
}

/* Else a change from root to another user would take them all away. Exec resets it. */
CHILD_CODE long
child_rights_keep(struct child_plan *plan)
{
	const struct spawn_request *request = &plan->request;

	return request->set_identity && request->contract.capabilities != 0
	    ? raw(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0)
	    : 0;
}

/*
 * Identity: the raw calls, since glibc's signal every thread of the engine to change with the
 * caller. Without CAP_SETGID they fail, also for what we are already, and then nothing is executed
 * (FIELD 2.C.13); so what we are already is left alone.
 */
CHILD_CODE static bool
has_groups(const struct spawn_request *request)
{
	gid_t groups[MOST_GROUPS];
	long count = raw(SYS_getgroups, MOST_GROUPS, address(groups), 0, 0);

	if (count < 0 || count != (long)request->group_count)
		return false;
	for (long i = 0; i < count; i++) {
		long there = 0, wanted = 0;

		for (long j = 0; j < count; j++) {
			/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel's */
			there += groups[j] == groups[i];
			wanted += request->groups[j] == groups[i];
		}
		if (there != wanted)
			return false;
	}
	return true;
}

CHILD_CODE long
child_rights_groups(struct child_plan *plan)
{
	const struct spawn_request *request = &plan->request;

	return request->set_identity && !has_groups(request)
	    ? raw(SYS_setgroups, (long)request->group_count, address(request->groups), 0, 0)
	    : 0;
}

/* Whether real, effective and saved number are that one. */
CHILD_CODE static bool
has_number(long call, uint32_t wanted)
{
	uint32_t numbers[3] = { 0, 0, 0 };

	return raw(call, address(&numbers[0]), address(&numbers[1]), address(&numbers[2]), 0) ==
	    0 &&
	    numbers[0] == wanted && numbers[1] == wanted && numbers[2] == wanted;
}

CHILD_CODE long
child_rights_group(struct child_plan *plan)
{
	long gid = (long)plan->request.gid;

	return plan->request.set_identity && !has_number(SYS_getresgid, plan->request.gid)
	    ? raw(SYS_setresgid, gid, gid, gid, 0)
	    : 0;
}

CHILD_CODE long
child_rights_user(struct child_plan *plan)
{
	long uid = (long)plan->request.uid;

	return plan->request.set_identity && !has_number(SYS_getresuid, plan->request.uid)
	    ? raw(SYS_setresuid, uid, uid, uid, 0)
	    : 0;
}

/*
 * What it may have, it has: of root's programs exec would make more of what is inheritable, and for
 * those of others they are ambient, since a change of user has taken all that were.
 */
CHILD_CODE long
child_rights_capabilities(struct child_plan *plan)
{
	const struct contract *contract = &plan->request.contract;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	long result;

	if (!contract->sets_capabilities)
		return 0;
	for (int i = 0; i < 2; i++)
		sets[i].effective = sets[i].permitted = sets[i].inheritable =
		    (uint32_t)(contract->capabilities >> 32 * i);
	result = raw(SYS_capset, address(&header), address(sets), 0, 0);
	for (long number = 0; number < 64 && result == 0; number++) {
		if ((contract->capabilities >> number & 1) != 0)
			result = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0);
	}
	return result;
}

CHILD_CODE long
child_rights_forbid(struct child_plan *plan)
{
	return plan->request.contract.no_new_privileges
	    ? raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0)
	    : 0;
}
