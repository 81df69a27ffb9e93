#include "engine/checkpoint.h"
#include "engine/events.h"
#include "engine/stream.h"
#include "shell.h"

#include <jansson.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Node 0 is /, 1 a, 2 shop, 3 shop/db, 4 and 5 the instances of shop/web, 6 shopping. */
static const char *const tree[] = { "/", "a", "shop/", "shop/db", "shop/web spawn 2", "shopping",
	NULL };

struct watcher {
	struct stream stream;
	struct buf out;
	unsigned woken;
};

struct fixture {
	struct shell *shell;
	struct streams streams;
	struct watcher one, other;
};

static void
wake(void *context)
{
	((struct watcher *)context)->woken++;
}

static void
watch(struct fixture *fixture, struct watcher *watcher)
{
	stream_init(&watcher->stream, &fixture->streams);
	watcher->stream.wake = wake;
	watcher->stream.context = watcher;
}

static int
setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof fixture);
	fixture.shell = shell_new(tree);
	fixture.shell->engine.loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(fixture.shell->engine.loop);
	streams_init(&fixture.streams, &fixture.shell->engine);
	watch(&fixture, &fixture.one);
	watch(&fixture, &fixture.other);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	stream_end(&fixture->one.stream);
	stream_end(&fixture->other.stream);
	streams_free(&fixture->streams);
	buf_free(&fixture->one.out);
	buf_free(&fixture->other.out);
	ev_loop_destroy(fixture->shell->engine.loop);
	shell_free(fixture->shell);
	return 0;
}

static struct engine *
engine_of(struct fixture *fixture)
{
	return &fixture->shell->engine;
}

/* An event of a node, committed. */
static void
happen(struct fixture *fixture, enum core_record_type type, uint32_t node)
{
	struct engine *engine = engine_of(fixture);
	struct core_record record = { .type = type, .node = node, .state = STATE_RUNNING };

	events_add(engine, &record);
	engine->event_number = checkpoint_state(engine->checkpoint)->event_number;
	*checkpoint_logged(engine->checkpoint) = engine->event_number;
}

static void
happen_often(struct fixture *fixture, unsigned count)
{
	while (count-- > 0)
		happen(fixture, RECORD_STATE, 1);
}

static void
begin(struct watcher *watcher, uint64_t seen)
{
	struct event_filter filter;

	event_filter_init(&filter);
	stream_begin(&watcher->stream, &filter, seen);
}

static void
tell(struct watcher *watcher)
{
	int work = INT_MAX;

	stream_write(&watcher->stream, &watcher->out, SIZE_MAX / 4, &work);
}

/* Takes one line off the buffer: the event's number, and what it says was lost; 0: there is none. */
static uint64_t
next_number(struct watcher *watcher, uint64_t *lost)
{
	const char *newline =
	    watcher->out.len > 0 ? memchr(watcher->out.data, '\n', watcher->out.len) : NULL;

	if (newline == NULL) {
		assert_int_equal(watcher->out.len, 0);
		return 0;
	}
	size_t len = (size_t)(newline - watcher->out.data) + 1;
	json_t *line = json_loadb(watcher->out.data, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *params = json_object_get(line, "params");
	assert_string_equal(json_string_value(json_object_get(line, "method")), "event");
	assert_string_equal(json_string_value(json_object_get(line, "jsonrpc")), "2.0");
	uint64_t number = (uint64_t)json_integer_value(json_object_get(params, "number"));
	*lost = (uint64_t)json_integer_value(json_object_get(params, "lost"));
	json_decref(line);
	buf_consume(&watcher->out, len);
	assert_int_not_equal(number, 0);
	return number;
}

/* Exactly the numbers from first to last, nothing lost. */
static void
assert_told(struct watcher *watcher, uint64_t first, uint64_t last)
{
	uint64_t lost = 0;

	for (; first <= last; first++) {
		assert_int_equal(next_number(watcher, &lost), first);
		assert_int_equal(lost, 0);
	}
	assert_int_equal(next_number(watcher, &lost), 0);
}

static void
each_is_told_once_and_in_order(void **state)
{
	struct fixture *fixture = *state;

	happen_often(fixture, 3);
	begin(&fixture->one, 3);
	assert_false(fixture->one.stream.due);
	begin(&fixture->other, 1);
	assert_true(fixture->other.stream.due);
	tell(&fixture->other);
	assert_told(&fixture->other, 2, 3);
	happen_often(fixture, 2);
	tell(&fixture->one);
	tell(&fixture->other);
	assert_told(&fixture->one, 4, 5);
	assert_told(&fixture->other, 4, 5);
	tell(&fixture->one);
	assert_int_equal(fixture->one.out.len, 0);
	assert_false(fixture->one.stream.due);
}

/* Whether an event's text is in the window, older than it or far ahead: it is the same. */
static void
text_is_the_same_for_all(void **state)
{
	struct fixture *fixture = *state;
	unsigned count = 3 * STREAM_WINDOW;

	happen_often(fixture, 1);
	begin(&fixture->one, 0);
	for (unsigned i = 0; i < count; i += 100) {
		happen_often(fixture, 100);
		tell(&fixture->one);
	}
	begin(&fixture->other, 0);
	tell(&fixture->other);
	assert_int_equal(fixture->one.out.len, fixture->other.out.len);
	assert_memory_equal(fixture->one.out.data, fixture->other.out.data, fixture->one.out.len);
	assert_told(&fixture->other, 1, engine_of(fixture)->event_number);
	stream_end(&fixture->one.stream);
	stream_end(&fixture->other.stream);
	assert_null(fixture->streams.text.data); /* nobody listens: no memory is held */
	begin(&fixture->one, 10);
	fixture->one.out.len = 0;
	tell(&fixture->one);
	assert_told(&fixture->one, 11, engine_of(fixture)->event_number);
}

static void
room_and_work_are_kept(void **state)
{
	struct fixture *fixture = *state;
	unsigned writes = 0;
	int work = 40;

	happen_often(fixture, 500);
	begin(&fixture->one, 0);
	stream_write(&fixture->one.stream, &fixture->one.out, SIZE_MAX / 4, &work);
	assert_true(work <= 0 && work > -4);
	assert_true(fixture->one.stream.due && fixture->one.stream.seen < 50);
	for (size_t before = fixture->one.out.len; fixture->one.stream.due; writes++) {
		work = INT_MAX;
		stream_write(&fixture->one.stream, &fixture->one.out, 4000, &work);
		assert_true(fixture->one.out.len - before < 4000 + 1024);
		before = fixture->one.out.len;
	}
	assert_true(writes > 10);
	assert_told(&fixture->one, 1, 500);
}

/* The ring has gone round: what is left is told, the first of it says how many are not. */
static void
what_leaves_the_ring_is_counted(void **state)
{
	struct fixture *fixture = *state;
	uint64_t lost = 0;

	happen_often(fixture, 1);
	begin(&fixture->one, 0);
	tell(&fixture->one);
	assert_told(&fixture->one, 1, 1);
	happen_often(fixture, SHELL_EVENTS + 10);
	tell(&fixture->one);
	assert_int_equal(next_number(&fixture->one, &lost), 12);
	assert_int_equal(lost, 10);
	assert_told(&fixture->one, 13, SHELL_EVENTS + 11);
}

/* What is lost is told with the next event that is wanted, however late that is, and once. */
static void
loss_waits_for_an_event_that_is_wanted(void **state)
{
	struct fixture *fixture = *state;
	struct event_filter filter;
	uint64_t lost = 0;

	event_filter_init(&filter);
	event_filter_set_nodes(&filter, engine_of(fixture), 3, 1);
	stream_begin(&fixture->one.stream, &filter, 0);
	for (int i = 0; i < 2; i++) {
		happen_often(fixture, SHELL_EVENTS + 5);
		tell(&fixture->one);
		assert_int_equal(fixture->one.out.len, 0);
	}
	happen(fixture, RECORD_READY, 3);
	happen(fixture, RECORD_READY, 3);
	tell(&fixture->one);
	assert_int_equal(next_number(&fixture->one, &lost), 2 * (SHELL_EVENTS + 5) + 1);
	assert_int_equal(lost, 10);
	assert_int_equal(next_number(&fixture->one, &lost), 2 * (SHELL_EVENTS + 5) + 2);
	assert_int_equal(lost, 0);
}

/*
 * A dead engine had written events that it did not commit over the oldest ones: those are lost, and
 * nothing else is told in their place.
 */
static void
slots_of_an_uncommitted_burst_are_no_events(void **state)
{
	struct fixture *fixture = *state;
	struct engine *engine = engine_of(fixture);
	uint64_t lost = 0;

	happen_often(fixture, SHELL_EVENTS);
	for (uint64_t number = SHELL_EVENTS + 1; number <= SHELL_EVENTS + 7; number++)
		checkpoint_event(engine->checkpoint, number)->number = number;
	assert_int_equal(events_oldest(engine), 8);
	assert_null(events_get(engine, 7));
	assert_null(events_get(engine, SHELL_EVENTS + 1));
	begin(&fixture->one, 2);
	tell(&fixture->one);
	assert_int_equal(next_number(&fixture->one, &lost), 8);
	assert_int_equal(lost, 5);
	assert_told(&fixture->one, 9, SHELL_EVENTS);
}

/* ---- when ---- */

static void
first_is_told_at_once_and_the_next_a_little_later(void **state)
{
	struct fixture *fixture = *state;
	struct ev_loop *loop = engine_of(fixture)->loop;

	begin(&fixture->one, 0);
	streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 0);
	assert_false(ev_is_active(&fixture->streams.timer)); /* nothing wakes up for nothing */
	happen_often(fixture, 1);
	streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 1);
	assert_false(ev_is_active(&fixture->streams.timer));
	fixture->streams.swept_at = span_mono_now(); /* however slow this machine is */
	happen_often(fixture, 1);
	for (int i = 0; i < 5; i++)
		streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 1);
	assert_true(ev_is_active(&fixture->streams.timer));
	happen_often(fixture, 5);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(fixture->one.woken, 2);
	streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 2);
	assert_false(ev_is_active(&fixture->streams.timer));
	tell(&fixture->one);
	assert_told(&fixture->one, 1, 7);
}

static void
burst_is_told_before_it_leaves_the_ring(void **state)
{
	struct fixture *fixture = *state;

	begin(&fixture->one, 0);
	happen_often(fixture, 1);
	streams_look(&fixture->streams);
	fixture->streams.swept_at = span_mono_now() + 60000;
	happen_often(fixture, SHELL_EVENTS / 4 - 1);
	streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 1);
	happen_often(fixture, 1);
	streams_look(&fixture->streams);
	assert_int_equal(fixture->one.woken, 2);
}

static void
without_streams_nothing_is_done(void **state)
{
	struct fixture *fixture = *state;

	happen_often(fixture, 100);
	streams_look(&fixture->streams);
	assert_false(ev_is_active(&fixture->streams.timer));
	begin(&fixture->one, 100);
	happen_often(fixture, 1);
	fixture->streams.swept = 100;
	fixture->streams.swept_at = span_mono_now() + 60000;
	streams_look(&fixture->streams);
	assert_true(ev_is_active(&fixture->streams.timer));
	stream_end(&fixture->one.stream);
	assert_false(ev_is_active(&fixture->streams.timer));
	assert_int_equal(fixture->one.woken, 0);
}

/* ---- filters ---- */

static bool
wants(struct fixture *fixture, const struct event_filter *filter, enum core_record_type type,
    uint32_t node)
{
	struct image_event event = { .type = type, .node = node };

	return event_filter_wants(filter, engine_of(fixture), &event);
}

/* FIELD 2.G.7: shop is not the beginning of shopping. */
static void
filter_by_place(void **state)
{
	/* nodes asked for, and as bits those whose events match */
	static const struct {
		uint32_t first, count, matching;
	} rows[] = {
		{ 0, 1, 0x7f },
		{ 1, 1, 1 << 1 },
		{ 2, 1, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 },
		{ 4, 2, 1 << 4 | 1 << 5 },
		{ 5, 1, 1 << 5 },
		{ 6, 1, 1 << 6 },
		{ 7, 0, 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct event_filter filter;
		event_filter_init(&filter);
		event_filter_set_nodes(&filter, engine_of(fixture), rows[i].first, rows[i].count);
		for (uint32_t node = 0; node < 7; node++)
			assert_int_equal(wants(fixture, &filter, RECORD_STATE, node),
			    rows[i].matching >> node & 1);
		/* a damaged event is nowhere but below the root */
		assert_int_equal(wants(fixture, &filter, RECORD_STATE, 9999), i == 0);
	}
}

static void
filter_by_type_and_severity(void **state)
{
	struct fixture *fixture = *state;
	struct event_filter filter;

	event_filter_init(&filter);
	assert_true(wants(fixture, &filter, RECORD_COUNT, 0));
	filter.types = 0;
	assert_false(event_filter_add_type(&filter, "child"));
	assert_false(event_filter_add_type(&filter, "childish.*"));
	assert_false(event_filter_add_type(&filter, ""));
	assert_true(event_filter_add_type(&filter, "child.*"));
	assert_true(event_filter_add_type(&filter, "supervisor.limit"));
	assert_true(wants(fixture, &filter, RECORD_READY, 0));
	assert_true(wants(fixture, &filter, RECORD_RESTARTING, 0));
	assert_true(wants(fixture, &filter, RECORD_LIMIT, 0));
	assert_false(wants(fixture, &filter, RECORD_ESCALATED, 0));
	assert_false(wants(fixture, &filter, RECORD_COUNT, 0));
	assert_false(event_filter_set_severity(&filter, "loud"));
	assert_true(event_filter_set_severity(&filter, "warning"));
	assert_false(wants(fixture, &filter, RECORD_READY, 0));
	assert_true(wants(fixture, &filter, RECORD_RESTARTING, 0));
	assert_true(wants(fixture, &filter, RECORD_LIMIT, 0));
	event_filter_init(&filter);
	assert_true(event_filter_set_severity(&filter, "info"));
	assert_true(wants(fixture, &filter, RECORD_COUNT, 0));
	assert_true(event_filter_set_severity(&filter, "error"));
	assert_false(wants(fixture, &filter, RECORD_COUNT, 0));
	assert_false(wants(fixture, &filter, RECORD_RESTARTING, 0));
	assert_false(wants(fixture, &filter, RECORD_STATE, 0));
	assert_true(event_filter_wants(&filter, engine_of(fixture),
	    &(struct image_event){ .type = RECORD_STATE, .state = STATE_FAILED }));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_told_once_and_in_order),
		TEST(text_is_the_same_for_all),
		TEST(room_and_work_are_kept),
		TEST(what_leaves_the_ring_is_counted),
		TEST(loss_waits_for_an_event_that_is_wanted),
		TEST(slots_of_an_uncommitted_burst_are_no_events),
		TEST(first_is_told_at_once_and_the_next_a_little_later),
		TEST(burst_is_told_before_it_leaves_the_ring),
		TEST(without_streams_nothing_is_done),
		TEST(filter_by_place),
		TEST(filter_by_type_and_severity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
