/*
 * The time lines of coppice-semantics(7), GROUPS THAT WAIT, moment by moment: a test for each of
 * its subsections, of the same name and with the same numbers. A line of theirs is in a comment
 * where it is not plain.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Three children that take 0.1 s to stop; their delays are 5, 2 and 1 s. */
#define MEMBERS                                   \
	"{ a slow=100ms backoff=fixed delay=5s; " \
	"b slow=100ms backoff=fixed delay=2s; c slow=100ms backoff=fixed delay=1s }"

/* Supervisor s above them, just up. */
static struct world *
group(const char *words)
{
	char plan[512];
	struct world *world;

	snprintf(plan, sizeof plan, "/ one 9/60s { s %s " MEMBERS " }", words);
	world = world_of(plan);
	world_trace(world);
	return world;
}

/* Lets time pass until `at`, since b has ended, and looks at what came. */
static void
at(struct world *world, mono_ms begin, span_ms at, const char *trace)
{
	world_advance(world, begin + at - world_now(world));
	expect_trace(world, trace);
}

static void
expect_counts(const struct world *world, uint32_t window, uint32_t groups)
{
	assert_int_equal(world_view(world, "s").restarts_in_window, window);
	assert_int_equal(world_view(world, "s").group_restarts, groups);
}

static void
test_a_second_end_in_the_set(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 50, "stop b 1 crash");
	world_exit(world, "a");
	at(world, begin, 99, "stop a 1 crash");
	at(world, begin, 100, "stop c 1 shutdown");
	expect_state(world, "a", STATE_RESTARTING);
	expect_counts(world, 1, 1);
	assert_int_equal(world_view(world, "a").streak, 0);
	at(world, begin, 1999, "");
	at(world, begin, 2000, "start a 2, start b 2, start c 2");
	expect_counts(world, 1, 1);
	assert_int_equal(world_view(world, "b").restarts, 1);
	assert_int_equal(world_view(world, "a").restarts, 0);
	world_end(world);
}

static void
test_a_start_of_the_set_fails(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 1999, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	world_break(world, "b");
	at(world, begin, 2000, "start a 2, fail b 2");
	expect_counts(world, 2, 2);
	assert_int_equal(world_view(world, "b").streak, 2);
	world_mend(world, "b");
	at(world, begin, 2100, "stop a 2 shutdown");
	at(world, begin, 3999, "");
	at(world, begin, 4000, "start a 3, start b 3, start c 2");
	world_end(world);
}

static void
test_a_start_of_the_set_fails_under_rest_for_one(void **state)
{
	struct world *world = group("rest 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 1999, "stop b 1 crash, stop c 1 shutdown");
	world_break(world, "b");
	at(world, begin, 2000, "fail b 2");
	world_mend(world, "b");
	at(world, begin, 3999, "");
	at(world, begin, 4000, "start b 3, start c 2");
	world_end(world);
}

static void
test_a_failure_to_its_left(void **state)
{
	struct world *world = group("rest 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 100, "stop b 1 crash, stop c 1 shutdown");
	expect_state(world, "a", STATE_RUNNING);
	at(world, begin, 1000, "");
	world_exit(world, "a");
	expect_counts(world, 2, 2);
	assert_int_equal(world_view(world, "a").next_start, begin + 6000);
	assert_int_equal(world_view(world, "c").next_start, begin + 6000);
	at(world, begin, 5999, "stop a 1 crash");
	at(world, begin, 6000, "start a 2, start b 2, start c 2");
	assert_int_equal(world_view(world, "a").restarts, 1);
	assert_int_equal(world_view(world, "b").restarts, 1);
	assert_int_equal(world_view(world, "c").restarts, 0);
	world_end(world);
}

/* The second part of it: a's delay is over before b's. */
static void
test_a_failure_to_its_left_with_a_shorter_delay(void **state)
{
	struct world *world =
	    world_of("/ rest 5/60s { a backoff=fixed delay=500ms; b backoff=fixed delay=2s; c }");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	world_advance(world, 1000);
	world_exit(world, "a");
	world_trace(world);
	at(world, begin, 1999, "");
	at(world, begin, 2000, "start a 2, start b 2, start c 2");
	world_end(world);
}

static void
test_the_supervisor_is_stopped(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	world_stop(world, "s");
	expect_why(world, "s", STATE_STOPPED, REASON_OPERATOR);
	expect_state(world, "b", STATE_STOPPED);
	assert_true(core_next_deadline(world_core(world)) == MONO_NEVER);
	at(world, begin, 3000, "down s");
	world_start(world, "s");
	expect_trace(world, "start a 2, start b 2, start c 2, up s");
	expect_counts(world, 0, 1);
	assert_int_equal(world_view(world, "b").streak, 0);
	world_end(world);
}

static void
test_the_supervisor_is_stopped_from_above(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	world_stop(world, "/");
	assert_true(core_next_deadline(world_core(world)) == MONO_NEVER);
	at(world, begin, 3000, "down s");
	world_start(world, "/");
	expect_trace(world, "start a 2, start b 2, start c 2, up s");
	world_exit(world, "b");
	at(world, begin, 3500, "stop b 2 crash, stop c 2 shutdown, stop a 2 shutdown");
	world_shutdown(world);
	expect_trace(world, "down s, exit 0");
	world_end(world);
}

static void
test_an_operator_starts_a_member(void **state)
{
	static const char *const whom[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *world = group("all 5/60s");
		mono_ms begin = world_now(world);

		world_exit(world, "b");
		at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
		world_start(world, whom[i]);
		at(world, begin, 500, "start a 2, start b 2, start c 2");
		at(world, begin, 5000, "");
		expect_counts(world, 1, 1);
		/* only of whom the operator has named */
		assert_int_equal(world_view(world, "b").streak, i == 1 ? 0 : 1);
		world_end(world);
	}
}

/* The second part of it: c and a are still stopping, and are let. */
static void
test_an_operator_starts_a_member_while_others_stop(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 50, "stop b 1 crash");
	world_start(world, "b");
	at(world, begin, 199, "stop c 1 shutdown");
	at(world, begin, 200, "stop a 1 shutdown, start a 2, start b 2, start c 2");
	at(world, begin, 5000, "");
	world_end(world);
}

static void
test_an_operator_starts_the_set(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	world_start(world, "s");
	at(world, begin, 500, "start a 2, start b 2, start c 2");
	at(world, begin, 5000, "");
	expect_counts(world, 1, 1);
	world_end(world);
}

/* b has ended at 0.0 and a ends at 1.0, which is one too many. */
static struct world *
one_too_many(const char *limit, mono_ms *begin)
{
	char words[64];
	struct world *world;

	snprintf(words, sizeof words, "rest 1/60s backoff=none limit=%s", limit);
	world = group(words);
	*begin = world_now(world);
	world_exit(world, "b");
	at(world, *begin, 1000, "stop b 1 crash, stop c 1 shutdown");
	expect_counts(world, 1, 1);
	world_exit(world, "a");
	return world;
}

static void
test_the_limit_is_reached(void **state)
{
	mono_ms begin;
	struct world *world = one_too_many("escalate", &begin);

	(void)state;
	at(world, begin, 1000, "stop a 1 crash, down s, start a 2, start b 2, start c 2, up s");
	at(world, begin, 9000, "");
	expect_counts(world, 0, 1);
	assert_int_equal(world_view(world, "/").restarts_in_window, 1);
	world_end(world);

	world = one_too_many("backoff", &begin);
	expect_why(world, "a", STATE_RESTARTING, REASON_LIMIT);
	at(world, begin, 60000, "stop a 1 crash");
	at(world, begin, 60001, "start a 2, start b 2, start c 2");
	expect_counts(world, 1, 2);
	world_end(world);

	world = one_too_many("give_up", &begin);
	expect_why(world, "a", STATE_FAILED, REASON_GIVEN_UP);
	expect_why(world, "b", STATE_FAILED, REASON_GIVEN_UP);
	expect_why(world, "c", STATE_FAILED, REASON_GIVEN_UP);
	at(world, begin, 9000, "stop a 1 crash");
	expect_state(world, "s", STATE_RUNNING);
	world_end(world);

	world = one_too_many("terminate", &begin);
	expect_why(world, "s", STATE_FAILED, REASON_INTENSITY);
	at(world, begin, 9000, "stop a 1 crash, down s");
	assert_int_equal(world_view(world, "/").restarts_in_window, 0);
	world_end(world);
}

static void
test_a_member_leaves(void **state)
{
	struct world *world = group("all 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown, stop a 1 shutdown");
	world_stop(world, "c");
	expect_why(world, "c", STATE_STOPPED, REASON_OPERATOR);
	at(world, begin, 1999, "");
	at(world, begin, 2000, "start a 2, start b 2");
	expect_state(world, "c", STATE_STOPPED);
	world_end(world);
}

static void
test_beside_the_set(void **state)
{
	struct world *world = group("rest 5/60s");
	mono_ms begin = world_now(world);

	(void)state;
	world_exit(world, "b");
	at(world, begin, 500, "stop b 1 crash, stop c 1 shutdown");
	world_restart(world, "a");
	at(world, begin, 600, "stop a 1 shutdown, start a 2");
	at(world, begin, 1999, "");
	at(world, begin, 2000, "start b 2, start c 2");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_end_in_the_set),
		cmocka_unit_test(test_a_start_of_the_set_fails),
		cmocka_unit_test(test_a_start_of_the_set_fails_under_rest_for_one),
		cmocka_unit_test(test_a_failure_to_its_left),
		cmocka_unit_test(test_a_failure_to_its_left_with_a_shorter_delay),
		cmocka_unit_test(test_the_supervisor_is_stopped),
		cmocka_unit_test(test_the_supervisor_is_stopped_from_above),
		cmocka_unit_test(test_an_operator_starts_a_member),
		cmocka_unit_test(test_an_operator_starts_a_member_while_others_stop),
		cmocka_unit_test(test_an_operator_starts_the_set),
		cmocka_unit_test(test_the_limit_is_reached),
		cmocka_unit_test(test_a_member_leaves),
		cmocka_unit_test(test_beside_the_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
