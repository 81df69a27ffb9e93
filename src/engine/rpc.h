/*
 * rpc: JSON-RPC 2.0: the envelope, the table of methods, and how a request is answered bit by bit.
 * A session answers one line at a time, a request or a batch, in order; it does so in steps that
 * each cost a bounded amount of work, and writes every answer as text straight into the
 * connection's buffer.
 */
#ifndef COPPICE_ENGINE_RPC_H
#define COPPICE_ENGINE_RPC_H

#include "engine/auth.h"
#include "engine/event_filter.h"
#include "engine/wait.h"
#include "lib/buf.h"
#include "lib/span.h"
#include "wire/rpc.h"

#include <jansson.h>

struct engine;
struct stream;

/*
 * Work is counted in nodes written; what else takes time is put in terms of that. Whoever calls
 * rpc_begin and rpc_step says how much may be done and gets back what is left, which is below zero
 * when the last thing was a large one.
 */
#define RPC_WORK_REQUEST 16     /* a request, or a command handed to the core */
#define RPC_WORK_BYTES   256    /* that many bytes parsed */
#define RPC_MAX_VALUES   16384U /* JSON values in one line; more takes too long to parse */

enum rpc_progress {
	RPC_DONE,  /* the answer is complete */
	RPC_MORE,  /* there is more to do: step again when there is room in the buffer */
	RPC_WAITS, /* step again when woken or at the deadline */
};

/* X(enumerator, member of rpc_args, "name", type) */
#define RPC_PARAMS(X)                                       \
	X(PARAM_PATH, path, "path", TEXT)                   \
	X(PARAM_RECURSIVE, recursive, "recursive", FLAG)    \
	X(PARAM_WAIT, wait, "wait", FLAG)                   \
	X(PARAM_TIMEOUT, timeout, "timeout", DURATION)      \
	X(PARAM_NOW, now, "now", FLAG)                      \
	X(PARAM_GROUP, group, "group", FLAG)                \
	X(PARAM_SIGNAL, signal, "signal", SIGNAL)           \
	X(PARAM_WHOLE_TREE, whole_tree, "whole_tree", FLAG) \
	X(PARAM_ACTION, action, "action", TEXT)             \
	X(PARAM_EFFECTIVE, effective, "effective", FLAG)    \
	X(PARAM_SINCE, since, "since", COUNT)               \
	X(PARAM_LIMIT, limit, "limit", COUNT)               \
	X(PARAM_TYPES, types, "types", LIST)                \
	X(PARAM_SEVERITY, severity, "severity", TEXT)
#define X(name, member, text, type) name,
enum rpc_param {
	RPC_PARAMS(X) PARAM_COUNT
};
#undef X
#define PARAM_BIT(param) (1U << (param))

struct rpc_args {
	uint32_t given; /* PARAM_BIT of those that came */
	const char *path, *action, *severity;
	uint64_t since, limit;
	const json_t *types; /* an array of strings */
	span_ms timeout;     /* SPAN_INFINITE when not given */
	int signal;
	bool recursive, wait, now, group, whole_tree, effective;
};

struct rpc_call;
/*
 * Called until it says RPC_DONE; takes what it costs from *work and stops (RPC_MORE) when that is
 * used up.
 */
typedef enum rpc_progress rpc_step_fn(struct rpc_call *call, int *work);

struct rpc_method {
	const char *name;
	rpc_step_fn *step;     /* NULL: not supported yet */
	bool changes;          /* for operators only, and logged */
	uint32_t takes, needs; /* PARAM_BITs */
	const char *doc;
	const char *result; /* its schema: a name in schemas.def */
};

/* What a handler remembers between its steps; zeroed at first. */
struct rpc_state {
	int phase;
	uint32_t first, count; /* the nodes that the path means */
	bool many;             /* the path is a template's: the result is {"nodes": […]} */
	uint32_t next, top, hits;
	uint64_t event, last, lost; /* of those that are gone through */
	mono_ms deadline;           /* of the waiting; MONO_NEVER */
	struct wait wait;
	struct event_filter filter;
};

struct rpc_call {
	struct rpc_session *session;
	const struct rpc_method *method;
	char *id;             /* JSON text; NULL: a notification, which gets no answer */
	struct rpc_args args; /* texts belong to the session's line */
	struct rpc_state state;
};

struct rpc_session {
	struct engine *engine;
	struct wait_list *waits;
	struct buf *out;
	struct auth_peer peer;
	struct stream *stream; /* for subscribe (stream.h); NULL: there is none */
	/* Called when a call that waits should be stepped; must only take note. */
	void (*wake)(void *context);
	void *context;
	/* the line that is being answered, NULL: none */
	json_t *line;
	size_t next; /* member of the batch */
	bool batch, active;
	bool opened;          /* something of its answer stands in the buffer */
	struct rpc_call call; /* the current one, when active */
};

/* Takes a line. What cannot be parsed is answered at once. Nothing may be in progress. */
void rpc_begin(struct rpc_session *session, const char *text, size_t len, int *work);
static inline bool
rpc_is_busy(const struct rpc_session *session)
{
	return session->line != NULL;
}
/* Whether what is in the buffer ends with a whole line, so that another may follow. */
static inline bool
rpc_is_between_lines(const struct rpc_session *session)
{
	return session->line == NULL || !session->opened;
}
enum rpc_progress rpc_step(struct rpc_session *session, int *work);
/* When a waiting call wants to be stepped; MONO_NEVER. */
mono_ms rpc_deadline(const struct rpc_session *session);
/* Drops what is in progress: the peer has gone. */
void rpc_end(struct rpc_session *session);
/* An error line that answers no request in particular; the hint may be NULL. */
void rpc_complain(struct buf *out, enum rpc_error code, const char *message, const char *hint);

/*
 * For handlers. The result is to be written after what rpc_result returns and be ended by
 * rpc_finish; for a notification it returns NULL and nothing is to be written.
 */
struct buf *rpc_result(struct rpc_call *call);
enum rpc_progress rpc_finish(struct rpc_call *call);
/* Answers with an error instead; path and hint may be NULL. */
enum rpc_progress rpc_refuse(struct rpc_call *call, enum rpc_error code, const char *path,
    const char *hint, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The table, and its words, for `help`. */
const struct rpc_method *rpc_methods(size_t *count);
const char *rpc_param_name(enum rpc_param param);

#endif
