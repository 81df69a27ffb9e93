#include "engine/checkpoint.h"
#include "engine/events.h"
#include "engine/rpc.h"
#include "shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const tree[] = { "/", "a", NULL };

struct peer {
	struct shell *shell;
	struct wait_list waits;
	struct buf out;
	struct rpc_session session;
};

static void
begin(struct peer *peer)
{
	*peer = (struct peer){ .shell = shell_new(tree) };
	peer->session = (struct rpc_session){
		.engine = &peer->shell->engine, .waits = &peer->waits, .out = &peer->out
	};
}

static void
finish(struct peer *peer)
{
	rpc_end(&peer->session);
	buf_free(&peer->out);
	shell_free(peer->shell);
}

static void
happen(struct peer *peer, unsigned count)
{
	struct engine *engine = &peer->shell->engine;
	struct core_record record = { .type = RECORD_READY, .node = 1 };

	while (count-- > 0) {
		events_add(engine, &record);
		engine->event_number = checkpoint_state(engine->checkpoint)->event_number;
		*checkpoint_logged(engine->checkpoint) = engine->event_number;
	}
}

static void
ask(struct peer *peer, const char *params)
{
	char line[256];
	int work = 1000;

	snprintf(line, sizeof line,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":%s}", params);
	rpc_begin(&peer->session, line, strlen(line), &work);
}

/* Some work; whether there is more to do. */
static bool
step(struct peer *peer, int work)
{
	size_t before = peer->out.len;
	enum rpc_progress progress = rpc_step(&peer->session, &work);

	assert_int_not_equal(progress, RPC_WAITS);
	assert_true(peer->out.len - before < 256 * 256);
	return progress == RPC_MORE;
}

/* The whole answer: how many events it has, and that these are the ones up to `next`, in order. */
static uint64_t
answer(struct peer *peer, uint64_t next, uint64_t lost)
{
	json_t *reply = json_loadb(peer->out.data, peer->out.len, JSON_REJECT_DUPLICATES, NULL);
	json_t *value = json_object_get(reply, "result");
	json_t *events = json_object_get(value, "events");
	uint64_t count = json_array_size(events);

	assert_non_null(value);
	assert_int_equal(json_integer_value(json_object_get(value, "next")), next);
	assert_int_equal(json_integer_value(json_object_get(value, "lost")), lost);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(
		    json_integer_value(json_object_get(json_array_get(events, i), "number")),
		    next - count + 1 + i);
	json_decref(reply);
	peer->out.len = 0;
	return count;
}

/* However much is asked for, each step does a bounded part of it. */
static void
many_come_bit_by_bit(void **unused)
{
	static const char *const params[] = { "{\"limit\":10000}",
		"{\"since\":0,\"limit\":10000}" };
	struct peer peer;

	(void)unused;
	begin(&peer);
	happen(&peer, SHELL_EVENTS);
	for (size_t i = 0; i < 2; i++) {
		unsigned steps = 1;
		ask(&peer, params[i]);
		while (step(&peer, 256))
			steps++;
		assert_true(steps >= SHELL_EVENTS / 256 && steps < 10 * SHELL_EVENTS / 256);
		assert_int_equal(answer(&peer, SHELL_EVENTS, 0), SHELL_EVENTS);
	}
	finish(&peer);
}

/* What nobody wants is not looked at all in one step either. */
static void
looking_for_few_is_bounded_too(void **unused)
{
	struct peer peer;
	unsigned steps = 1;

	(void)unused;
	begin(&peer);
	happen(&peer, SHELL_EVENTS);
	ask(&peer, "{\"types\":[\"child.exited\"],\"limit\":10}");
	while (step(&peer, 20))
		steps++;
	assert_true(steps >= SHELL_EVENTS / 16 / 20);
	assert_int_equal(answer(&peer, SHELL_EVENTS, 0), 0);
	finish(&peer);
}

/* The answer ends where it would have when it was asked for; what left the ring meanwhile counts. */
static void
ring_goes_round_while_it_is_answered(void **unused)
{
	struct peer peer;

	(void)unused;
	begin(&peer);
	happen(&peer, SHELL_EVENTS);
	ask(&peer, "{\"since\":0,\"limit\":10000}");
	assert_true(step(&peer, 117)); /* 16 of these are the request's */
	happen(&peer, SHELL_EVENTS / 2);
	while (step(&peer, 256)) {
	}
	json_t *reply = json_loadb(peer.out.data, peer.out.len, 0, NULL);
	json_t *value = json_object_get(reply, "result");
	size_t told = json_array_size(json_object_get(value, "events"));
	uint64_t lost = (uint64_t)json_integer_value(json_object_get(value, "lost"));
	assert_int_equal(json_integer_value(json_object_get(value, "next")), SHELL_EVENTS);
	assert_int_equal(told + lost, SHELL_EVENTS);
	assert_true(lost > 1500 && lost < SHELL_EVENTS / 2);
	json_decref(reply);
	peer.out.len = 0;

	ask(&peer, "{\"since\":0,\"limit\":10000}");
	assert_true(step(&peer, 200));
	happen(&peer, 3 * SHELL_EVENTS); /* nothing is left of what was asked for */
	while (step(&peer, 256)) {
	}
	reply = json_loadb(peer.out.data, peer.out.len, 0, NULL);
	value = json_object_get(reply, "result");
	told = json_array_size(json_object_get(value, "events"));
	assert_int_equal(json_integer_value(json_object_get(value, "next")), SHELL_EVENTS * 3 / 2);
	assert_int_equal(told + (uint64_t)json_integer_value(json_object_get(value, "lost")),
	    SHELL_EVENTS * 3 / 2);
	json_decref(reply);
	finish(&peer);
}

/* A session that has no stream (a test, a fuzzer) can ask all the same. */
static void
subscribing_to_nothing_is_refused(void **unused)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}";
	struct peer peer;
	int work = 100;

	(void)unused;
	begin(&peer);
	rpc_begin(&peer.session, line, strlen(line), &work);
	assert_int_equal(rpc_step(&peer.session, &work), RPC_DONE);
	assert_non_null(strstr(peer.out.data, "\"code\":8"));
	finish(&peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_come_bit_by_bit),
		cmocka_unit_test(looking_for_few_is_bounded_too),
		cmocka_unit_test(ring_goes_round_while_it_is_answered),
		cmocka_unit_test(subscribing_to_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
