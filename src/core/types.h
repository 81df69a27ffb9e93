/*
 * types: the core's vocabulary. Enumerations are made from the .def tables, so that a name, its
 * text and its number stand in one place. Everything here is plain data.
 */
#ifndef COPPICE_CORE_TYPES_H
#define COPPICE_CORE_TYPES_H

#include "lib/span.h"

#include <stdbool.h>
#include <stdint.h>

#define X(name, text, meaning) name,
enum core_state {
#include "core/states.def"
	STATE_COUNT
};
enum core_reason {
#include "core/reasons.def"
	REASON_COUNT
};
enum core_event_type {
#include "core/events.def"
	EVENT_COUNT
};
enum core_action_type {
#include "core/actions.def"
	ACTION_COUNT
};
enum core_record_type {
#include "core/records.def"
	RECORD_COUNT
};
enum core_hook {
#include "core/hooks.def"
	HOOK_COUNT
};
#undef X

/* Texts of the above; static storage. */
const char *core_state_text(enum core_state state);
const char *core_reason_text(enum core_reason reason);
const char *core_event_text(enum core_event_type type);
const char *core_action_text(enum core_action_type type);
const char *core_record_text(enum core_record_type type);
const char *core_hook_text(enum core_hook hook);

#define CORE_NONE UINT32_MAX /* no node */
#define CORE_ROOT 0U         /* the root supervisor is always node 0 */

/* A wait status that nobody knows; no status of wait(2) has this value. */
#define CORE_STATUS_UNKNOWN INT32_MIN

/* One event. Fields not named beside a type are ignored for it. */
struct core_event {
	enum core_event_type type;
	/* START STOP RESTART RESET DRAIN DEMAND EXTEND SPAWNED SPAWN_FAILED READY EXITED HOOK_DONE */
	uint32_t node;
	/* EXTEND SPAWNED SPAWN_FAILED READY EXITED HOOK_DONE: stale ones are dropped */
	uint32_t incarnation;
	int32_t pid;         /* SPAWNED (only for the record) */
	int32_t status;      /* EXITED, HOOK_DONE: as of wait(2), or CORE_STATUS_UNKNOWN */
	enum core_hook hook; /* HOOK_DONE */
	/* SPAWN_FAILED: where and why (errno), only for the record. HOOK_DONE: error is 0, or why it
	 * could not be started, then status is where; step is what a failed start by pre_start is recorded as */
	int32_t step, error;
	bool oom; /* EXITED: the kernel has killed for want of memory, and that was it */
	bool now; /* STOP SHUTDOWN */
	/* STOP: the wish stays, so the next restart of its set or supervisor starts it again (OTP 12) */
	bool until_restart;
	/* SHUTDOWN: after that KILL everywhere; 0 or SPAN_INFINITE: never. EXTEND: from now on */
	span_ms timeout;
	bool group; /* RESTART */
};

#define RECORD_HOOK_ERROR 256 /* RECORD_HOOK: b is the errno times that, plus the hook */

struct core_record {
	enum core_record_type type;
	enum core_state state;   /* the node's state after it */
	enum core_reason reason; /* of that state */
	uint32_t node, incarnation;
	int32_t a;
	int64_t b;
};

struct core_action {
	enum core_action_type type;
	uint32_t node, incarnation;
	int32_t signal;      /* SIGNAL */
	bool group;          /* SIGNAL: the whole process group */
	enum core_hook hook; /* HOOK END_HOOK */
	int32_t status; /* EXIT: exit status of the daemon: 0, 70, or the significant child's */
	bool escalated; /* EXIT: the root failed (machine: reboot) */
	bool automatic; /* EXIT: the root's automatic shutdown (machine: power off) */
	struct core_record record; /* RECORD */
};

#endif
