#include "engine/rpc.h"

#include "engine/api.h"
#include "engine/engine.h"
#include "lib/log.h"
#include "lib/must.h"
#include "lib/names.h"
#include "lib/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RPC_MAX_MESSAGE 512  /* bytes of an error's text */
#define RPC_REFUSAL_MS  1000 /* from line to line of the log about refused changes */

#define METHOD(...) { __VA_ARGS__ },
#define LATER(text) { .name = (text) },
static const struct rpc_method rpc_table[] = {
#include "engine/methods.def"
};
#undef METHOD
#undef LATER
#define RPC_METHOD_COUNT (sizeof rpc_table / sizeof *rpc_table)

enum rpc_type {
	TEXT,
	FLAG,
	DURATION,
	SIGNAL,
	COUNT,
	LIST
};

static const struct {
	const char *name;
	enum rpc_type type;
	size_t offset;
} rpc_params[] = {
#define X(id, member, text, kind) [id] = { (text), (kind), offsetof(struct rpc_args, member) },
	RPC_PARAMS(X)
#undef X
};

const struct rpc_method *
rpc_methods(size_t *count)
{
	*count = RPC_METHOD_COUNT;
	return rpc_table;
}

const char *
rpc_param_name(enum rpc_param param)
{
	return rpc_params[param].name;
}

static const char *
rpc_param_type(enum rpc_param param)
{
	static const char *const words[] = {
		[TEXT] = "string",
		[FLAG] = "boolean",
		[DURATION] = "duration: a string (\"5s\") or seconds",
		[SIGNAL] = "signal: a name or a number",
		[COUNT] = "whole number, 0 or more",
		[LIST] = "list of strings",
	};

	return words[rpc_params[param].type];
}

/* --- answers --- */

/* What stands before an answer: nothing, or in a batch the bracket or the comma. */
static void
rpc_open(struct rpc_session *session)
{
	if (session->batch)
		buf_puts(session->out, session->opened ? "," : "[");
	session->opened = true;
}

static void
rpc_close(struct rpc_session *session)
{
	if (!session->batch)
		buf_append(session->out, "\n", 1);
}

/* The whole answer; path and hint may be NULL. The id can be a long text: not through printf. */
static void
rpc_put_error(struct buf *out, const char *id, enum rpc_error code, const char *message,
    const char *path, const char *hint)
{
	buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_puts(out, id);
	buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", (int)code);
	buf_json_string(out, message);
	if (path != NULL || hint != NULL)
		buf_puts(out, ",\"data\":{");
	if (path != NULL) {
		buf_puts(out, "\"path\":");
		buf_json_string(out, path);
	}
	if (hint != NULL) {
		buf_puts(out, path != NULL ? ",\"hint\":" : "\"hint\":");
		buf_json_string(out, hint);
	}
	buf_puts(out, path != NULL || hint != NULL ? "}}}" : "}}");
}

void
rpc_complain(struct buf *out, enum rpc_error code, const char *message, const char *hint)
{
	rpc_put_error(out, "null", code, message, NULL, hint);
	buf_puts(out, "\n");
}

struct buf *
rpc_result(struct rpc_call *call)
{
	struct buf *out = call->session->out;

	if (call->id == NULL)
		return NULL;
	rpc_open(call->session);
	/* The id can be a long text: not through printf. */
	buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_puts(out, call->id);
	buf_puts(out, ",\"result\":");
	return out;
}

enum rpc_progress
rpc_finish(struct rpc_call *call)
{
	if (call->id != NULL) {
		buf_append(call->session->out, "}", 1);
		rpc_close(call->session);
	}
	return RPC_DONE;
}

enum rpc_progress
rpc_refuse(struct rpc_call *call, enum rpc_error code, const char *path, const char *hint,
    const char *format, ...)
{
	struct buf *out = call->session->out;
	char message[RPC_MAX_MESSAGE];
	va_list list;

	if (call->id == NULL)
		return RPC_DONE;
	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	rpc_open(call->session);
	rpc_put_error(out, call->id, code, message, path, hint);
	rpc_close(call->session);
	return RPC_DONE;
}

/* --- parameters --- */

static bool
rpc_read_duration(const json_t *value, span_ms *out)
{
	if (json_is_string(value))
		return span_parse(json_string_value(value), out) == 0;
	double seconds = json_number_value(value);
	/* 10,000 days, as span_parse has it. */
	if (!json_is_number(value) || !isfinite(seconds) || seconds < 0 ||
	    seconds > 10000.0 * 86400)
		return false;
	*out = (span_ms)llround(seconds * 1000);
	return true;
}

static bool
rpc_read_signal(const json_t *value, int *out)
{
	char digits[24];
	const char *text = digits;

	if (json_is_string(value))
		text = json_string_value(value);
	else if (json_is_integer(value))
		snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
	else
		return false;
	*out = names_signal(text);
	return *out > 0;
}

static bool
rpc_read_count(const json_t *value, uint64_t *out)
{
	*out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* The list stays where it is. */
static bool
rpc_read_list(const json_t *value, const json_t **out)
{
	*out = value;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (!json_is_string(json_array_get(value, i)))
			return false;
	}
	return json_is_array(value);
}

static bool
rpc_read_value(enum rpc_type type, const json_t *value, void *field)
{
	switch (type) {
	case TEXT: {
		const char *text = json_string_value(value);
		memcpy(field, &text, sizeof text);
		return text != NULL;
	}
	case FLAG: {
		bool flag = json_is_true(value);
		memcpy(field, &flag, sizeof flag);
		return json_is_boolean(value);
	}
	case DURATION: return rpc_read_duration(value, field);
	case SIGNAL: return rpc_read_signal(value, field);
	case COUNT: return rpc_read_count(value, field);
	case LIST: return rpc_read_list(value, field);
	}
	return false;
}

static bool
rpc_refuse_unknown_param(struct rpc_call *call, const char *key)
{
	const char *names[PARAM_COUNT];
	char hint[64];
	size_t count = 0;

	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if ((call->method->takes & PARAM_BIT(i)) != 0)
			names[count++] = rpc_params[i].name;
	}
	const char *near = str_nearest(key, names, count);
	if (near != NULL)
		snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
	rpc_refuse(call, RPC_INVALID_PARAMS, NULL, near != NULL ? hint : NULL,
	    "%s has no parameter \"%.100s\"", call->method->name, key);
	return false;
}

/* False after answering what is wrong. */
static bool
rpc_read_param(struct rpc_call *call, const char *key, const json_t *value)
{
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if ((call->method->takes & PARAM_BIT(i)) == 0 ||
		    strcmp(key, rpc_params[i].name) != 0)
			continue;
		call->args.given |= PARAM_BIT(i);
		if (rpc_read_value(
			rpc_params[i].type, value, (char *)&call->args + rpc_params[i].offset))
			return true;
		rpc_refuse(call, RPC_INVALID_PARAMS, NULL, NULL, "parameter \"%s\" is no %s", key,
		    rpc_param_type((enum rpc_param)i));
		return false;
	}
	return rpc_refuse_unknown_param(call, key);
}

static bool
rpc_read_params(struct rpc_call *call, json_t *params)
{
	const char *key;
	json_t *value;

	call->args.timeout = SPAN_INFINITE;
	if (params != NULL && !json_is_object(params)) {
		rpc_refuse(
		    call, RPC_INVALID_PARAMS, NULL, NULL, "parameters go by name, in an object");
		return false;
	}
	json_object_foreach(params, key, value)
	{
		if (!rpc_read_param(call, key, value))
			return false;
	}
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if ((call->method->needs & PARAM_BIT(i)) == 0 ||
		    (call->args.given & PARAM_BIT(i)) != 0)
			continue;
		rpc_refuse(call, RPC_INVALID_PARAMS, NULL, NULL, "%s needs the parameter \"%s\"",
		    call->method->name, rpc_params[i].name);
		return false;
	}
	return true;
}

/* --- requests --- */

static bool
rpc_refuse_unknown_method(struct rpc_call *call, const char *name)
{
	const char *names[RPC_METHOD_COUNT];
	char hint[64];

	for (size_t i = 0; i < RPC_METHOD_COUNT; i++)
		names[i] = rpc_table[i].name;
	const char *near = strlen(name) < 64 ? str_nearest(name, names, RPC_METHOD_COUNT) : NULL;
	if (near != NULL)
		snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
	rpc_refuse(call, RPC_UNKNOWN_METHOD, NULL, near != NULL ? hint : NULL,
	    "there is no method \"%.100s\"", name);
	return false;
}

/* Whoever may only read must not be able to fill the log. */
static void
rpc_log_refusal(const struct rpc_call *call)
{
	struct engine *engine = call->session->engine;
	const struct auth_peer *peer = &call->session->peer;
	char more[48] = "";

	if (span_mono_now() < engine->refusal_at) {
		engine->refusals_untold++;
		return;
	}
	if (engine->refusals_untold > 0)
		snprintf(more, sizeof more, "; %u more refused before",
		    (unsigned)engine->refusals_untold);
	log_line(NULL, "%s asked by uid %u (pid %d), who may not change anything: refused%s",
	    call->method->name, (unsigned)peer->uid, (int)peer->pid, more);
	engine->refusals_untold = 0;
	engine->refusal_at = span_after(span_mono_now(), RPC_REFUSAL_MS);
}

/* Finds the method and whether the caller may use it; false after answering. */
static bool
rpc_look_up(struct rpc_call *call, const char *name)
{
	for (size_t i = 0; i < RPC_METHOD_COUNT && call->method == NULL; i++) {
		if (strcmp(name, rpc_table[i].name) == 0)
			call->method = &rpc_table[i];
	}
	if (call->method == NULL)
		return rpc_refuse_unknown_method(call, name);
	if (call->method->step == NULL) {
		rpc_refuse(call, RPC_UNSUPPORTED, NULL,
		    "a later version will have it; `help` lists what this one has",
		    "%s is not supported yet", name);
		return false;
	}
	if (call->method->changes && !call->session->peer.may_change) {
		rpc_log_refusal(call);
		rpc_refuse(call, RPC_FORBIDDEN, NULL,
		    "be root, the daemon's user, or one of `operators` in [coppice]",
		    "%s is not permitted to uid %u", name, (unsigned)call->session->peer.uid);
		return false;
	}
	return true;
}

/* The envelope: 0 and call->id, or the code of what is wrong with it. */
static int
rpc_read_envelope(struct rpc_call *call, json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	bool named = id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);

	if (id != NULL && named &&
	    (call->id = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT)) == NULL)
		return RPC_INTERNAL;
	if (!named || version == NULL || strcmp(version, "2.0") != 0 ||
	    !json_is_string(json_object_get(request, "method")))
		return RPC_INVALID_REQUEST;
	return 0;
}

/* Takes up one request. Answered already, it leaves session->active false. */
static void
rpc_begin_call(struct rpc_session *session, json_t *request)
{
	struct rpc_call *call = &session->call;
	const char *name = json_string_value(json_object_get(request, "method"));

	*call = (struct rpc_call){ .session = session, .state.deadline = MONO_NEVER };
	int code = rpc_read_envelope(call, request);
	if (code != 0) {
		/*
		 * Without an id it cannot be told from a notification, but what is none gets an
		 * answer.
		 */
		if (call->id == NULL)
			call->id = strdup("null");
		bool memory = code == RPC_INTERNAL;
		rpc_refuse(call, (enum rpc_error)code, NULL,
		    memory
			? NULL
			: "{\"jsonrpc\": \"2.0\", \"id\": …, \"method\": \"…\", \"params\": {…}}",
		    "%s", memory ? "memory is gone" : "no request of JSON-RPC 2.0");
	} else {
		session->active = rpc_look_up(call, name) &&
		    rpc_read_params(call, json_object_get(request, "params"));
	}
	if (call->id == NULL) {
		/* Nobody can wait for what is not answered, and what only reads is for nothing. */
		call->args.wait = false;
		session->active = session->active && call->method->changes;
	}
}

static void
rpc_end_call(struct rpc_session *session)
{
	wait_end(&session->call.state.wait, session->waits);
	free(session->call.id);
	session->call.id = NULL;
	session->active = false;
}

/* --- lines --- */

/*
 * How many values the text holds, about: jansson takes some 50 ns and 40 bytes for each, so that a
 * line full of them would hold the loop up. Counts only until it is too many.
 */
static bool
rpc_has_too_many_values(const char *text, size_t len)
{
	size_t values = 0;
	bool quoted = false;

	for (size_t i = 0; i < len && values <= RPC_MAX_VALUES; i++) {
		if (text[i] == '\\' && quoted)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
			values++;
	}
	return values > RPC_MAX_VALUES;
}

void
rpc_begin(struct rpc_session *session, const char *text, size_t len, int *work)
{
	json_error_t error;

	must(session->line == NULL);
	*work -= (int)(len / RPC_WORK_BYTES);
	if (rpc_has_too_many_values(text, len)) {
		rpc_complain(session->out, RPC_INVALID_REQUEST,
		    "more than 16384 values in one line", "send it as several requests");
		return;
	}
	session->line = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (session->line == NULL) {
		bool memory = json_error_code(&error) == json_error_out_of_memory;
		bool null = json_error_code(&error) == json_error_null_character;
		rpc_complain(session->out, memory ? RPC_INTERNAL : RPC_PARSE_ERROR,
		    memory     ? "memory is gone"
			: null ? "\\u0000 in a text: nothing here can have a NUL in it"
			       : error.text,
		    memory ? NULL : "one JSON object a line");
		return;
	}
	session->batch = json_is_array(session->line) && json_array_size(session->line) > 0;
	session->opened = session->active = false;
	session->next = 0;
}

/* The next request of the line; NULL when there is none. */
static json_t *
rpc_next_request(struct rpc_session *session)
{
	size_t index = session->next++;

	if (session->batch)
		return json_array_get(session->line, index);
	return index == 0 ? session->line : NULL;
}

/* What it brings about is the caller's doing. */
static enum rpc_progress
rpc_step_call(struct rpc_session *session, int *work)
{
	struct engine *engine = session->engine;

	engine->caller = &session->peer;
	enum rpc_progress progress = session->call.method->step(&session->call, work);
	engine->caller = NULL;
	return progress;
}

enum rpc_progress
rpc_step(struct rpc_session *session, int *work)
{
	while (*work > 0) {
		if (!session->active) {
			json_t *request = rpc_next_request(session);
			if (request == NULL) {
				if (session->batch && session->opened)
					buf_puts(session->out, "]\n");
				rpc_end(session);
				return RPC_DONE;
			}
			*work -= RPC_WORK_REQUEST;
			rpc_begin_call(session, request);
		}
		enum rpc_progress progress =
		    session->active ? rpc_step_call(session, work) : RPC_DONE;
		if (progress != RPC_DONE)
			return progress;
		rpc_end_call(session);
	}
	return RPC_MORE;
}

mono_ms
rpc_deadline(const struct rpc_session *session)
{
	return session->active ? session->call.state.deadline : MONO_NEVER;
}

void
rpc_end(struct rpc_session *session)
{
	if (session->line == NULL)
		return;
	rpc_end_call(session);
	json_decref(session->line);
	session->line = NULL;
}
