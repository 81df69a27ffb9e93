/* The steps of a start in words. */
#include "engine/spawn.h"
#include "lib/names.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define X(name, text) text,
static const char *const step_texts[] = { SPAWN_STEPS(X) };
#undef X
_Static_assert(sizeof(step_texts) / sizeof(step_texts[0]) == SPAWN_STEP_COUNT, "one text a step");

const char *
spawn_step_text(int32_t step)
{
	return step >= 0 && step < SPAWN_STEP_COUNT ? step_texts[step] : "?";
}

/* What to do about failures whose errno alone does not say it. */
static const struct {
	int32_t step, error;
	const char *text;
} hints[] = {
	{ STEP_STDIN, ENOENT, "stdin = inherit needs no file, and no /dev/null" },
	{ STEP_LIMITS, EPERM,
	    "raising a hard limit takes CAP_SYS_RESOURCE, and limit.nofile ends at fs.nr_open: lower it" },
	{ STEP_OOM, EACCES,
	    "lowering it takes CAP_SYS_RESOURCE: raise it, or start coppiced as root" },
	{ STEP_NICE, EACCES,
	    "lowering it takes CAP_SYS_NICE: raise it, or start coppiced as root" },
	{ STEP_AFFINITY, EINVAL, "none of these CPUs is there for it" },
	{ STEP_BOUNDING, EPERM,
	    "it takes CAP_SETPCAP: start coppiced as root, or use no_new_privileges" },
	{ STEP_CAPABILITIES, EPERM, "coppiced has not all of them itself: leave the others out" },
	{ STEP_ENV_FILE, EBADMSG, "a line is not NAME=VALUE: coppiced --check tells which" },
	{ STEP_ENV_FILE, EINVAL, "it is no regular file" },
	{ STEP_ENV_FILE, EFBIG, "it has more than 65536 bytes" },
	{ STEP_SOCKETS, EADDRINUSE, "somebody else listens there: coppiced's log has the address" },
	{ STEP_SOCKETS, EACCES,
	    "ports below 1024 take CAP_NET_BIND_SERVICE: coppiced's log has the address" },
	{ STEP_SOCKETS, EPERM, "to give the file to another user or group takes root" },
	{ STEP_SOCKETS, EADDRNOTAVAIL, "this machine has no such address: coppiced's log has it" },
	{ STEP_SOCKETS, EEXIST, "something that is no socket is in its place" },
	{ STEP_SOCKETS, ENOSPC, "coppiced keeps at most 1021 of them" },
	{ STEP_STDIN, EINVAL, "only a regular file or a device can be its input" },
	{ STEP_LOG, EINVAL,
	    "only a regular file can be its log; log = inherit uses our own output" },
	{ STEP_LOG, ENXIO,
	    "only a regular file can be its log; log = inherit uses our own output" },
	{ STEP_STDERR, EINVAL, "only a regular file can be its log" },
	{ STEP_STDERR, ENXIO, "only a regular file can be its log" },
	{ STEP_ENV_FILE, E2BIG, "all variables together may be 4095" },
	{ STEP_PRE_START, ENOENT, "the line of the hook itself says at which step" },
	{ STEP_EXEC, ENOENT, "the program is missing, or the interpreter that it names" },
	{ STEP_EXEC, EACCES, "it is a directory, or its user may not execute it" },
	{ STEP_EXEC, ENOEXEC, "neither a program for this machine nor a script with a #! line" },
	{ STEP_EXEC, EAGAIN, "its user has more processes than limit.nproc allows" },
};

const char *
spawn_hint(int32_t step, int64_t error)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (hints[i].step == step && hints[i].error == error)
			return hints[i].text;
	}
	return NULL;
}

const char *
spawn_failure_text(int32_t step, const char *subject, int64_t error, char out[SPAWN_FAILURE_SIZE])
{
	const char *more = spawn_hint(step, error), *blank = *subject != '\0' ? " " : "";

	if (error > 0)
		snprintf(out, SPAWN_FAILURE_SIZE, "%s%s%s: %s (%s)%s%s", spawn_step_text(step),
		    blank, subject, strerror((int)error), names_errno((int)error),
		    more != NULL ? "; " : "", more != NULL ? more : "");
	else
		snprintf(out, SPAWN_FAILURE_SIZE, "%s%s%s", spawn_step_text(step), blank, subject);
	return out;
}
