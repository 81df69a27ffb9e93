#include "engine/api.h"
#include "engine/rpc.h"
#include "shell.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASK(method, params) \
	"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"" method "\", \"params\": " params "}"

static const char *const tree[] = {
	"/",
	"a spawn off",
	"shot exit off",
	"shop/",
	"shop/db",
	"shop/web spawn 3",
	"none spawn 0",
	NULL,
};

struct peer {
	struct shell *shell;
	struct wait_list waits;
	struct buf out;
	struct rpc_session session;
	unsigned woken;
};

static void
wake(void *context)
{
	((struct peer *)context)->woken++;
}

static void
begin_with(struct peer *peer, const char *const *rows)
{
	*peer = (struct peer){ .shell = shell_new(rows) };
	peer->shell->waits = &peer->waits;
	peer->session = (struct rpc_session){ .engine = &peer->shell->engine,
		.waits = &peer->waits,
		.out = &peer->out,
		.peer = { .uid = 1000, .pid = 77, .may_change = true },
		.wake = wake,
		.context = peer };
	shell_submit(peer->shell, ON_BOOT, NULL);
}

static void
begin(struct peer *peer)
{
	begin_with(peer, tree);
}

static void
finish(struct peer *peer)
{
	rpc_end(&peer->session);
	assert_null(peer->waits.head);
	buf_free(&peer->out);
	shell_free(peer->shell);
}

/* Hands a line in and steps until it is answered or waits. */
static enum rpc_progress
tell(struct peer *peer, const char *line)
{
	int work = 1000000;

	rpc_begin(&peer->session, line, strlen(line), &work);
	return rpc_is_busy(&peer->session) ? rpc_step(&peer->session, &work) : RPC_DONE;
}

/*
 * The one line that has been answered, as a value, which belongs to the caller; NULL when there is
 * none.
 */
static json_t *
answer(struct peer *peer)
{
	if (peer->out.len == 0)
		return NULL;
	assert_int_equal(peer->out.data[peer->out.len - 1], '\n');
	assert_ptr_equal(
	    memchr(peer->out.data, '\n', peer->out.len), peer->out.data + peer->out.len - 1);
	json_t *value = json_loadb(peer->out.data, peer->out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	peer->out.len = 0;
	return value;
}

static void
assert_error(json_t *reply, int code)
{
	json_t *error = json_object_get(reply, "error");

	assert_string_equal(json_string_value(json_object_get(reply, "jsonrpc")), "2.0");
	assert_non_null(error);
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	assert_true(json_string_length(json_object_get(error, "message")) > 0);
}

/* The code of the answer's error, its path and its hint; "" stands for any hint. */
static void
assert_refused(struct peer *peer, const char *line, int code, const char *path, const char *hint)
{
	assert_int_equal(tell(peer, line), RPC_DONE);
	json_t *reply = answer(peer);
	assert_error(reply, code);
	json_t *data = json_object_get(json_object_get(reply, "error"), "data");
	const char *got_path = json_string_value(json_object_get(data, "path"));
	const char *got_hint = json_string_value(json_object_get(data, "hint"));
	assert_string_equal(got_path != NULL ? got_path : "-", path != NULL ? path : "-");
	if (hint == NULL)
		assert_null(got_hint);
	else if (*hint != '\0')
		assert_string_equal(got_hint != NULL ? got_hint : "-", hint);
	json_decref(reply);
}

/* The result; belongs to the caller. */
static json_t *
result(struct peer *peer, const char *line)
{
	assert_int_equal(tell(peer, line), RPC_DONE);
	json_t *reply = answer(peer), *value = json_incref(json_object_get(reply, "result"));
	assert_non_null(value);
	json_decref(reply);
	return value;
}

static void
assert_states(json_t *nodes, const char *const *rows)
{
	size_t count = 0;

	for (; rows[count] != NULL; count++) {
		json_t *node = json_array_get(nodes, count);
		char row[128];
		assert_non_null(node);
		snprintf(row, sizeof row, "%s %s", json_string_value(json_object_get(node, "path")),
		    json_string_value(json_object_get(node, "state")));
		assert_string_equal(row, rows[count]);
	}
	assert_int_equal(json_array_size(nodes), count);
}

/* --- the envelope --- */

static void
what_is_no_request_gets_the_standard_error(void **unused)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{ "garbage", RPC_PARSE_ERROR },
		{ "{", RPC_PARSE_ERROR },
		{ "{} {}", RPC_PARSE_ERROR },
		{ "\xff", RPC_PARSE_ERROR },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"p\\u0000ing\"}",
		    RPC_PARSE_ERROR },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 1, \"id\": 2, \"method\": \"ping\"}",
		    RPC_PARSE_ERROR },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 1e999, \"method\": \"ping\"}", RPC_PARSE_ERROR },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 99999999999999999999, \"method\": \"ping\"}",
		    RPC_PARSE_ERROR },
		{ "1", RPC_INVALID_REQUEST },
		{ "\"ping\"", RPC_INVALID_REQUEST },
		{ "{}", RPC_INVALID_REQUEST },
		{ "[]", RPC_INVALID_REQUEST },
		{ "{\"id\": 1, \"method\": \"ping\"}", RPC_INVALID_REQUEST },
		{ "{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": \"ping\"}", RPC_INVALID_REQUEST },
		{ "{\"jsonrpc\": \"2.0\", \"id\": [1], \"method\": \"ping\"}",
		    RPC_INVALID_REQUEST },
		{ "{\"jsonrpc\": \"2.0\", \"id\": true, \"method\": \"ping\"}",
		    RPC_INVALID_REQUEST },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": 5}", RPC_INVALID_REQUEST },
		{ "{\"jsonrpc\": \"2.0\", \"id\": 1}", RPC_INVALID_REQUEST },
		{ ASK("statu", "{}"), RPC_UNKNOWN_METHOD },
		{ ASK("", "{}"), RPC_UNKNOWN_METHOD },
		{ ASK("ping", "[]"), RPC_INVALID_PARAMS },
		{ ASK("ping", "null"), RPC_INVALID_PARAMS },
		{ ASK("ping", "{\"x\": 1}"), RPC_INVALID_PARAMS },
		{ ASK("stop", "{}"), RPC_INVALID_PARAMS },
		{ ASK("stop", "{\"path\": 5}"), RPC_INVALID_PARAMS },
		{ ASK("stop", "{\"path\": \"a\", \"wait\": 1}"), RPC_INVALID_PARAMS },
		{ ASK("stop", "{\"path\": \"a\", \"timeout\": \"5 parsecs\"}"),
		    RPC_INVALID_PARAMS },
		{ ASK("stop", "{\"path\": \"a\", \"timeout\": -1}"), RPC_INVALID_PARAMS },
		{ ASK("stop", "{\"path\": \"a\", \"timeout\": 1e15}"), RPC_INVALID_PARAMS },
		{ ASK("signal", "{\"path\": \"a\", \"signal\": \"NOPE\"}"), RPC_INVALID_PARAMS },
		{ ASK("signal", "{\"path\": \"a\", \"signal\": 0}"), RPC_INVALID_PARAMS },
		{ ASK("signal", "{\"path\": \"a\", \"signal\": 99999999999}"), RPC_INVALID_PARAMS },
		{ ASK("metrics", "{}"), RPC_UNSUPPORTED },
		{ ASK("log.tail", "{\"x\": 1}"), RPC_UNSUPPORTED },
	};
	struct peer peer;

	(void)unused;
	begin(&peer);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(tell(&peer, rows[i].line), RPC_DONE);
		assert_false(rpc_is_busy(&peer.session));
		json_t *reply = answer(&peer);
		assert_error(reply, rows[i].code);
		json_decref(reply);
	}
	finish(&peer);
}

static void
the_id_comes_back_as_it_is(void **unused)
{
	static const char *const ids[] = { "1", "-7", "\"x \\\" y\"", "null", "1.5", "\"\"" };
	struct peer peer;

	(void)unused;
	begin(&peer);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char line[128];
		json_t *id = json_loads(ids[i], JSON_DECODE_ANY, NULL);
		snprintf(line, sizeof line,
		    "{\"jsonrpc\": \"2.0\", \"id\": %s, \"method\": \"ping\"}", ids[i]);
		assert_int_equal(tell(&peer, line), RPC_DONE);
		json_t *reply = answer(&peer);
		assert_true(json_equal(json_object_get(reply, "id"), id));
		assert_non_null(json_object_get(reply, "result"));
		json_decref(reply);
		json_decref(id);
	}
	finish(&peer);
}

static void
a_typing_error_is_answered_with_what_was_meant(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_refused(
	    &peer, ASK("statsu", "{}"), RPC_UNKNOWN_METHOD, NULL, "did you mean \"status\"?");
	assert_refused(&peer, ASK("xyzzy", "{}"), RPC_UNKNOWN_METHOD, NULL, NULL);
	assert_refused(&peer, ASK("status", "{\"pth\": \"a\"}"), RPC_INVALID_PARAMS, NULL,
	    "did you mean \"path\"?");
	assert_refused(&peer, ASK("status", "{\"path\": \"shop/wbe\"}"), RPC_UNKNOWN_PATH,
	    "shop/wbe", "did you mean \"shop/web\"?");
	assert_refused(&peer, ASK("stop", "{\"path\": \"shop/web@4\"}"), RPC_UNKNOWN_PATH,
	    "shop/web@4", "shop/web has 3 instances, counted from 1");
	assert_refused(
	    &peer, ASK("tree", "{\"path\": \"shop/web\"}"), RPC_INVALID_PARAMS, "shop/web", "");
	finish(&peer);
}

static void
a_notification_acts_and_is_not_answered(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	tell(&peer,
	    "{\"jsonrpc\": \"2.0\", \"method\": \"start\", \"params\": {\"path\": \"a\", \"wait\": true}}");
	tell(&peer, "{\"jsonrpc\": \"2.0\", \"method\": \"status\"}");
	tell(&peer, "{\"jsonrpc\": \"2.0\", \"method\": \"nope\"}");
	tell(&peer,
	    "{\"jsonrpc\": \"2.0\", \"method\": \"stop\", \"params\": {\"path\": \"nope\"}}");
	/* Nobody can wait for it, so nothing behind it has to. */
	tell(&peer,
	    "{\"jsonrpc\": \"2.0\", \"method\": \"start\", \"params\": {\"path\": \"shot\", \"wait\": true}}");
	assert_int_equal(peer.out.len, 0);
	assert_false(rpc_is_busy(&peer.session));
	json_t *node = result(&peer, ASK("tree", "{\"path\": \"a\"}"));
	assert_string_equal(json_string_value(json_object_get(node, "state")), "running");
	json_decref(node);
	finish(&peer);
}

static void
a_batch_is_answered_in_order(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_int_equal(
	    tell(&peer,
		"[" ASK("ping", "{}") ", 5, {\"jsonrpc\": \"2.0\", \"method\": \"ping\"}, " ASK(
		    "status", "{}") "]"),
	    RPC_DONE);
	json_t *reply = answer(&peer);
	assert_int_equal(json_array_size(reply), 3);
	assert_non_null(
	    json_object_get(json_object_get(json_array_get(reply, 0), "result"), "protocol"));
	assert_error(json_array_get(reply, 1), RPC_INVALID_REQUEST);
	assert_non_null(
	    json_object_get(json_object_get(json_array_get(reply, 2), "result"), "nodes"));
	json_decref(reply);
	/* Of notifications only, nothing. */
	tell(&peer, "[{\"jsonrpc\": \"2.0\", \"method\": \"ping\"}]");
	assert_int_equal(peer.out.len, 0);
	finish(&peer);
}

static void
a_line_of_too_many_values_is_refused(void **unused)
{
	size_t count = RPC_MAX_VALUES + 1;
	char *line = malloc(2 * count + 2);
	struct peer peer;

	(void)unused;
	begin(&peer);
	for (size_t i = 0; i < count; i++)
		memcpy(line + 2 * i, ",1", 2);
	line[0] = '[';
	strcpy(line + 2 * count, "]");
	tell(&peer, line);
	json_t *reply = answer(&peer);
	assert_error(reply, RPC_INVALID_REQUEST);
	json_decref(reply);
	/* In a string they are only letters. */
	line[0] = line[2 * count] = '"';
	tell(&peer, line);
	reply = answer(&peer);
	assert_non_null(
	    strstr(json_string_value(json_object_get(json_object_get(reply, "error"), "message")),
		"no request"));
	json_decref(reply);
	free(line);
	finish(&peer);
}

/* --- who --- */

static void
readers_may_not_change(void **unused)
{
	size_t count, changing = 0;
	const struct rpc_method *methods = rpc_methods(&count);
	struct peer peer;

	(void)unused;
	begin(&peer);
	peer.session.peer.may_change = false;
	for (size_t i = 0; i < count; i++) {
		char line[128];
		if (methods[i].step == NULL || !methods[i].changes)
			continue;
		changing++;
		snprintf(line, sizeof line,
		    "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"%s\", \"params\": {\"path\": \"/\"}}",
		    methods[i].name);
		assert_refused(&peer, line, RPC_FORBIDDEN, NULL, "");
	}
	assert_int_equal(changing, 7);
	unsigned commits = peer.shell->commits;
	json_decref(result(&peer, ASK("status", "{}")));
	json_decref(result(&peer, ASK("ping", "{}")));
	json_decref(result(&peer, ASK("help", "{}")));
	assert_int_equal(peer.shell->commits, commits);
	finish(&peer);
}

/* --- reading --- */

static void
status_shows_what_is_asked_for(void **unused)
{
	static const struct {
		const char *params;
		const char *states[12];
	} rows[] = {
		{ "{}",
		    { "/ running", "a stopped", "shot stopped", "shop running", "shop/db running",
			"shop/web@1 running", "shop/web@2 running", "shop/web@3 running" } },
		{ "{\"path\": \"/\"}", { "/ running" } },
		{ "{\"path\": \"shop\"}", { "shop running" } },
		{ "{\"path\": \"shop\", \"recursive\": true}",
		    { "shop running", "shop/db running", "shop/web@1 running", "shop/web@2 running",
			"shop/web@3 running" } },
		{ "{\"path\": \"shop/db\", \"recursive\": true}", { "shop/db running" } },
		{ "{\"path\": \"shop/web\"}",
		    { "shop/web@1 running", "shop/web@2 running", "shop/web@3 running" } },
		{ "{\"path\": \"shop/web\", \"recursive\": true}",
		    { "shop/web@1 running", "shop/web@2 running", "shop/web@3 running" } },
		{ "{\"path\": \"shop/web@2\"}", { "shop/web@2 running" } },
		{ "{\"path\": \"none\"}", { NULL } },
	};
	struct peer peer;

	(void)unused;
	begin(&peer);
	peer.shell->engine.event_number = 4711;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[256];
		snprintf(line, sizeof line,
		    "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"status\", \"params\": %s}",
		    rows[i].params);
		json_t *value = result(&peer, line);
		assert_int_equal(json_integer_value(json_object_get(value, "at_event")), 4711);
		assert_null(json_object_get(value, "hold"));
		assert_states(json_object_get(value, "nodes"), rows[i].states);
		json_decref(value);
	}
	finish(&peer);
}

static void
tree_nests_as_the_nodes_do(void **unused)
{
	static const char *const deep[] = { "/", "s/", "s/t/", "s/t/u/", "s/t/u/x", "s/t/e/",
		"s/y spawn 2", "z", NULL };
	static const char wanted[] = "/(s(s/t(s/t/u(s/t/u/x)s/t/e())s/y@1s/y@2)z)";
	struct peer peer;
	char drawn[256] = "";

	(void)unused;
	begin_with(&peer, deep);
	tell(&peer, ASK("tree", "{}"));
	json_t *reply = answer(&peer);
	assert_non_null(json_object_get(json_object_get(reply, "result"), "at_event"));
	/* Drawn from the text itself: members come in order. */
	char *text = json_dumps(json_object_get(reply, "result"), JSON_COMPACT);
	for (const char *at = text; *at != '\0'; at++) {
		if (strncmp(at, "\"path\":\"", 8) == 0)
			strncat(drawn, at + 8, strcspn(at + 8, "\""));
		else if (*at == '[' || *at == ']')
			strcat(drawn, *at == '[' ? "(" : ")");
	}
	assert_string_equal(drawn, wanted);
	free(text);
	json_decref(reply);
	json_t *sub = result(&peer, ASK("tree", "{\"path\": \"s/t\"}"));
	assert_int_equal(json_array_size(json_object_get(sub, "children")), 2);
	json_decref(sub);
	sub = result(&peer, ASK("tree", "{\"path\": \"z\"}"));
	assert_null(json_object_get(sub, "children"));
	json_decref(sub);
	finish(&peer);
}

static void
a_large_answer_comes_in_pieces(void **unused)
{
	static const char *const wide[] = { "/", "many spawn 1000", NULL };
	static const char *const lines[] = { ASK("status", "{}"), ASK("tree", "{}"),
		ASK("status", "{\"path\": \"many\"}"), ASK("restart", "{\"path\": \"many\"}") };
	struct peer peer;

	(void)unused;
	begin_with(&peer, wide);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		enum rpc_progress progress;
		unsigned turns = 0;
		int work = 256;
		rpc_begin(&peer.session, lines[i], strlen(lines[i]), &work);
		do {
			size_t before = peer.out.len;
			work = 256;
			progress = rpc_step(&peer.session, &work);
			/* 256 nodes at most, of less than half a KiB here. */
			assert_true(peer.out.len - before < 256 * 512);
			turns++;
		} while (progress == RPC_MORE && turns < 1000);
		assert_int_equal(progress, RPC_DONE);
		assert_true(turns >= 4);
		json_t *reply = answer(&peer);
		json_t *value = json_object_get(reply, "result");
		json_t *nodes = json_object_get(value, i == 1 ? "children" : "nodes");
		assert_int_equal(json_array_size(nodes), i == 0 ? 1001 : 1000);
		json_decref(reply);
	}
	finish(&peer);
}

static void
help_knows_every_method_that_works(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	json_t *value = result(&peer, ASK("help", "{}"));
	json_t *methods = json_object_get(value, "methods");
	json_t *defs = json_object_get(value, "$defs"), *method;
	size_t i, params = 0;
	json_array_foreach(methods, i, method)
	{
		json_t *ref = json_object_get(json_object_get(method, "result"), "$ref");
		assert_non_null(json_object_get(defs, json_string_value(ref) + strlen("#/$defs/")));
		if (strcmp(json_string_value(json_object_get(method, "name")), "signal") == 0)
			params = json_object_size(
			    json_object_get(json_object_get(method, "params"), "properties"));
	}
	assert_int_equal(params, 3);
	json_decref(value);
	finish(&peer);
}

/* --- commands --- */

static void
commands_show_the_nodes_after_them(void **unused)
{
	static const char *const stopped[] = { "shop/web@1 stopped", "shop/web@2 stopped",
		"shop/web@3 stopped", NULL };
	struct peer peer;

	(void)unused;
	begin(&peer);
	json_t *node = result(&peer, ASK("start", "{\"path\": \"a\"}"));
	assert_string_equal(json_string_value(json_object_get(node, "state")), "running");
	json_decref(node);
	node = result(&peer, ASK("stop", "{\"path\": \"shop/web\", \"wait\": true}"));
	assert_states(json_object_get(node, "nodes"), stopped);
	json_decref(node);
	node = result(&peer, ASK("start", "{\"path\": \"none\", \"wait\": true}"));
	assert_int_equal(json_array_size(json_object_get(node, "nodes")), 0);
	json_decref(node);
	finish(&peer);
}

static void
a_start_that_cannot_be_names_who_is_in_the_way(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	json_decref(result(&peer, ASK("stop", "{\"path\": \"shop\"}")));
	assert_refused(&peer, ASK("start", "{\"path\": \"shop/db\"}"), RPC_REFUSED, "shop",
	    "`start shop` comes first");
	assert_refused(&peer, ASK("restart", "{\"path\": \"shop/web\", \"wait\": true}"),
	    RPC_REFUSED, "shop", "`start shop` comes first");
	json_decref(result(&peer, ASK("stop", "{\"path\": \"shop/db\"}")));
	json_decref(result(&peer, ASK("stop", "{\"path\": \"/\"}")));
	assert_refused(
	    &peer, ASK("start", "{\"path\": \"shop\"}"), RPC_REFUSED, "/", "`start /` comes first");
	finish(&peer);
}

static void
a_group_restart_is_asked_for_by_one_node(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_refused(&peer, ASK("restart", "{\"path\": \"shop/web\", \"group\": true}"),
	    RPC_INVALID_PARAMS, "shop/web", "name one instance");
	json_decref(result(&peer, ASK("restart", "{\"path\": \"shop/web@1\", \"group\": true}")));
	finish(&peer);
}

static void
waiting_ends_with_the_readiness_the_failure_or_the_timeout(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_int_equal(
	    tell(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true}")), RPC_WAITS);
	assert_int_equal(peer.out.len, 0);
	assert_true(rpc_deadline(&peer.session) == MONO_NEVER);
	shell_end(peer.shell, "shot", 0);
	assert_int_equal(peer.woken, 1);
	int work = 100;
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	json_t *reply = answer(&peer);
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(reply, "result"), "state")),
	    "finished");
	json_decref(reply);

	assert_int_equal(
	    tell(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true}")), RPC_WAITS);
	shell_end(peer.shell, "shot", 3 << 8);
	work = 100;
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	reply = answer(&peer);
	assert_error(reply, RPC_FAILED);
	json_decref(reply);

	peer.shell->bad = "a";
	assert_refused(
	    &peer, ASK("start", "{\"path\": \"a\", \"wait\": true}"), RPC_FAILED, "a", "");
	/* Without waiting it is a node in whatever state. */
	json_decref(result(&peer, ASK("start", "{\"path\": \"a\"}")));
	assert_refused(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true, \"timeout\": 0}"),
	    RPC_TIMEOUT, "shot", "");
	assert_int_equal(
	    tell(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true, \"timeout\": \"1h\"}")),
	    RPC_WAITS);
	mono_ms left = rpc_deadline(&peer.session) - span_mono_now();
	assert_true(left > 3590000 && left <= 3600000);
	finish(&peer);
}

static void
a_restart_waits_for_the_new_process(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	peer.shell->manual = true;
	assert_int_equal(
	    tell(&peer, ASK("restart", "{\"path\": \"shop/db\", \"wait\": true}")), RPC_WAITS);
	shell_end(peer.shell, "shop/db", SIGTERM);
	assert_int_equal(peer.woken, 0);
	shell_answer(peer.shell, "shop/db", 0);
	assert_int_equal(peer.woken, 1);
	int work = 100;
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	json_t *reply = answer(&peer);
	json_t *node = json_object_get(reply, "result");
	assert_int_equal(json_integer_value(json_object_get(node, "incarnation")), 2);
	json_decref(reply);
	finish(&peer);
}

static void
a_stop_ends_the_waiting_for_a_start(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_int_equal(
	    tell(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true}")), RPC_WAITS);
	shell_submit(peer.shell, ON_STOP, "shot");
	int work = 100;
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	json_t *reply = answer(&peer);
	assert_error(reply, RPC_REFUSED);
	json_decref(reply);
	finish(&peer);
}

static void
in_a_hold_only_its_end_starts_anything(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	shell_submit(peer.shell, ON_HOLD, NULL);
	assert_refused(
	    &peer, ASK("start", "{\"path\": \"a\"}"), RPC_HOLD, "a", "`start /` ends it");
	assert_refused(
	    &peer, ASK("restart", "{\"path\": \"/\"}"), RPC_HOLD, "/", "`start /` ends it");
	static const char *const lines[] = { ASK("ping", "{}"), ASK("status", "{}"),
		ASK("tree", "{}") };
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		json_t *value = result(&peer, lines[i]);
		assert_true(json_is_true(json_object_get(value, "hold")));
		json_decref(value);
	}
	json_decref(result(&peer, ASK("stop", "{\"path\": \"shop/db\", \"wait\": true}")));
	json_decref(result(&peer, ASK("signal", "{\"path\": \"shop/web@1\", \"signal\": 1}")));
	json_decref(result(&peer, ASK("start", "{\"path\": \"/\", \"wait\": true}")));
	assert_false(core_is_holding(peer.shell->engine.core));
	json_decref(result(&peer, ASK("start", "{\"path\": \"a\"}")));
	finish(&peer);
}

static void
signals_reach_processes_only(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	json_decref(
	    result(&peer, ASK("signal", "{\"path\": \"shop/db\", \"signal\": \"SIGHUP\"}")));
	assert_int_equal(peer.shell->signal, SIGHUP);
	assert_false(peer.shell->signal_group);
	json_decref(result(&peer,
	    ASK("signal", "{\"path\": \"shop/web\", \"signal\": \"usr1\", \"whole_tree\": true}")));
	assert_int_equal(peer.shell->signal, SIGUSR1);
	assert_true(peer.shell->signal_group);
	assert_int_equal(peer.shell->signalled, 4);
	assert_refused(
	    &peer, ASK("signal", "{\"path\": \"a\", \"signal\": 15}"), RPC_NO_PROCESS, "a", "");
	assert_refused(&peer, ASK("signal", "{\"path\": \"shop\", \"signal\": 15}"), RPC_NO_PROCESS,
	    "shop", "");
	assert_refused(&peer, ASK("signal", "{\"path\": \"none\", \"signal\": 15}"), RPC_NO_PROCESS,
	    "none", "");
	/* Of a template those that have one. */
	json_decref(result(&peer, ASK("stop", "{\"path\": \"shop/web@2\"}")));
	json_decref(result(&peer, ASK("signal", "{\"path\": \"shop/web\", \"signal\": 15}")));
	assert_int_equal(peer.shell->signalled, 6);
	finish(&peer);
}

static void
shutdown_leaves_as_the_mode_allows(void **unused)
{
	static const struct {
		enum link_mode mode;
		const char *params;
		int code;
		enum link_leave_how how;
	} rows[] = {
		{ MODE_SERVICE, "{}", 0, LEAVE_EXIT },
		{ MODE_CONTAINER, "{\"action\": \"exit\", \"now\": true}", 0, LEAVE_EXIT },
		{ MODE_MACHINE, "{}", 0, LEAVE_POWEROFF },
		{ MODE_MACHINE, "{\"action\": \"reboot\", \"timeout\": \"5s\"}", 0, LEAVE_REBOOT },
		{ MODE_MACHINE, "{\"action\": \"halt\"}", 0, LEAVE_HALT },
		{ MODE_MACHINE, "{\"action\": \"exit\"}", RPC_REFUSED, 0 },
		{ MODE_SERVICE, "{\"action\": \"poweroff\"}", RPC_REFUSED, 0 },
		{ MODE_CONTAINER, "{\"action\": \"reboot\"}", RPC_REFUSED, 0 },
		{ MODE_SERVICE, "{\"action\": \"explode\"}", RPC_INVALID_PARAMS, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct peer peer;
		char line[256];
		begin(&peer);
		peer.shell->engine.mode = rows[i].mode;
		snprintf(line, sizeof line,
		    "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"shutdown\", \"params\": %s}",
		    rows[i].params);
		if (rows[i].code != 0) {
			assert_refused(&peer, line, rows[i].code, NULL,
			    rows[i].code == RPC_REFUSED ? "" : NULL);
			assert_false(core_is_leaving(peer.shell->engine.core));
		} else {
			json_decref(result(&peer, line));
			assert_int_equal(peer.shell->leave, rows[i].how);
			assert_true(peer.shell->leaving);
			assert_refused(
			    &peer, ASK("start", "{\"path\": \"a\"}"), RPC_LEAVING, "a", "");
		}
		finish(&peer);
	}
}

static void
a_shutdown_ends_the_waiting(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	assert_int_equal(
	    tell(&peer, ASK("start", "{\"path\": \"shot\", \"wait\": true}")), RPC_WAITS);
	shell_submit(peer.shell, ON_SHUTDOWN, NULL);
	int work = 100;
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	json_t *reply = answer(&peer);
	assert_error(reply, RPC_LEAVING);
	json_decref(reply);
	finish(&peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_request_gets_the_standard_error),
		cmocka_unit_test(the_id_comes_back_as_it_is),
		cmocka_unit_test(a_typing_error_is_answered_with_what_was_meant),
		cmocka_unit_test(a_notification_acts_and_is_not_answered),
		cmocka_unit_test(a_batch_is_answered_in_order),
		cmocka_unit_test(a_line_of_too_many_values_is_refused),
		cmocka_unit_test(readers_may_not_change),
		cmocka_unit_test(status_shows_what_is_asked_for),
		cmocka_unit_test(tree_nests_as_the_nodes_do),
		cmocka_unit_test(a_large_answer_comes_in_pieces),
		cmocka_unit_test(help_knows_every_method_that_works),
		cmocka_unit_test(commands_show_the_nodes_after_them),
		cmocka_unit_test(a_start_that_cannot_be_names_who_is_in_the_way),
		cmocka_unit_test(a_group_restart_is_asked_for_by_one_node),
		cmocka_unit_test(waiting_ends_with_the_readiness_the_failure_or_the_timeout),
		cmocka_unit_test(a_restart_waits_for_the_new_process),
		cmocka_unit_test(a_stop_ends_the_waiting_for_a_start),
		cmocka_unit_test(in_a_hold_only_its_end_starts_anything),
		cmocka_unit_test(signals_reach_processes_only),
		cmocka_unit_test(shutdown_leaves_as_the_mode_allows),
		cmocka_unit_test(a_shutdown_ends_the_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
