/* An operator's reset and drain (coppice-semantics(7), Operators). */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
reset(struct world *world, const char *name)
{
	world_order(world, ON_RESET, name);
}

/* FIELD 1.B.10, 2.A.25: what a limit holds back starts with a fresh budget, by one command. */
static void
test_what_a_limit_has_put_down_starts_with_its_set(void **state)
{
	static const struct {
		const char *plan, *reset, *trace;
	} rows[] = {
		{ "/ one 1/60s limit=backoff { a; b; c }", "b", "start b 3" },
		{ "/ one 1/60s limit=give_up { a; b; c }", "b", "start b 3" },
		{ "/ all 1/60s limit=backoff { a; b; c }", "a", "start a 3, start b 3, start c 3" },
		{ "/ all 1/60s limit=give_up { a; b; c }", "c", "start a 3, start b 3, start c 3" },
		{ "/ rest 1/60s limit=backoff { a; b; c }", "c", "start b 3, start c 3" },
		{ "/ rest 1/60s limit=give_up { a; b; c }", "b", "start b 3, start c 3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(rows[i].plan);

		world_exit(world, "b");
		world_advance(world, 1000);
		world_exit(world, "b");
		world_trace(world);
		assert_int_equal(world_view(world, "/").restarts_in_window, 1);
		assert_int_equal(world_view(world, "b").streak, 2);
		reset(world, rows[i].reset);
		expect_trace(world, rows[i].trace);
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		assert_int_equal(world_view(world, "b").streak, 0);
		assert_int_equal(world_records(world, RECORD_OPERATOR, rows[i].reset), 1);
		world_end(world);
	}
}

static void
test_a_supervisor_that_its_limit_ended_starts(void **state)
{
	static const char *const plans[] = {
		"/ one 9/60s { s 1/60s limit=terminate { a; b } }",
		"/ one 9/60s { s transient 1/60s limit=escalate { a; b } }",
		"/ one 9/60s { s 1/60s limit=escalate { a; b } }", /* waits for its delay */
	};

	(void)state;
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct world *world = world_of(plans[i]);

		world_exit(world, "a");
		world_advance(world, 200);
		world_exit(world, "a");
		expect_alive(world, "");
		reset(world, "s");
		expect_alive(world, "a b");
		assert_int_equal(world_view(world, "s").restarts_in_window, 0);
		assert_int_equal(world_view(world, "s").streak, 0);
		world_end(world);
	}
}

static void
test_what_failed_without_a_limit_starts_alone(void **state)
{
	struct world *world = world_of("/ all 9/60s { a; b no_restart=9 }");

	(void)state;
	world_exit(world, "a");
	world_advance(world, 200);
	world_exit(world, "b:9");
	expect_state(world, "b", STATE_FAILED);
	world_trace(world);
	reset(world, "b");
	expect_trace(world, "start b 3");
	assert_int_equal(world_view(world, "/").restarts_in_window, 1); /* not its doing */
	world_end(world);
}

/* Of anything else only what is counted is forgotten. */
static void
test_elsewhere_reset_starts_and_stops_nothing(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { s one 9/60s { a; b backoff=fixed delay=5s; c; d manual; "
		     "e ready=exit lives=0s:0 } }");

	(void)state;
	world_exit(world, "a, b");
	world_advance(world, 200);
	world_stop(world, "c");
	world_trace(world);
	reset(world, "a");
	reset(world, "b");
	reset(world, "c");
	reset(world, "d");
	reset(world, "e");
	expect_trace(world, "");
	assert_int_equal(world_view(world, "a").streak, 0);
	assert_int_equal(world_view(world, "b").streak, 0);
	expect_why(world, "c", STATE_STOPPED, REASON_OPERATOR);
	expect_why(world, "d", STATE_STOPPED, REASON_AUTOSTART);
	expect_state(world, "b", STATE_RESTARTING);
	expect_state(world, "e", STATE_FINISHED);
	assert_int_equal(world_view(world, "s").restarts_in_window, 2);
	reset(world, "s");
	expect_trace(world, "");
	assert_int_equal(world_view(world, "s").restarts_in_window, 0);
	world_advance(world, 5000); /* its delay went on */
	expect_trace(world, "start b 2");
	world_end(world);
}

static void
test_a_reset_while_the_set_is_being_stopped_waits_for_that(void **state)
{
	static const char *const limits[] = { "/ all 1/60s limit=backoff { a slow=1s; b; c }",
		"/ all 1/60s limit=give_up { a slow=1s; b; c }" };
	static const char *const whom[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct world *world = world_of(limits[i % 2]);

		world_exit(world, "b");
		world_advance(world, 2000);
		expect_alive(world, "a b c");
		world_exit(world, "b");
		expect_alive(world, "a");
		world_trace(world);
		reset(world, whom[i / 2]);
		expect_alive(world, "a");
		world_advance(world, 1000);
		expect_trace(world, "stop a 2 shutdown, start a 3, start b 3, start c 3");
		assert_int_equal(world_view(world, "/").restarts_in_window, 0);
		world_end(world);
	}
}

/* A member that the stop has not come to yet is still running when it is reset. */
static void
test_a_reset_of_a_member_that_still_runs(void **state)
{
	struct world *world = world_of("/ all 0/60s limit=backoff { a; b; c slow=1s }");

	(void)state;
	world_exit(world, "b");
	expect_state(world, "a", STATE_RUNNING);
	world_trace(world);
	reset(world, "a");
	world_advance(world, 1000);
	expect_trace(
	    world, "stop c 1 shutdown, stop a 1 shutdown, start a 2, start b 2, start c 2");
	world_end(world);
}

static void
test_what_an_operator_stops_meanwhile_stays_down(void **state)
{
	struct world *world = world_of("/ all 0/60s limit=backoff { a; b; c slow=1s }");

	(void)state;
	world_exit(world, "b");
	world_stop(world, "c");
	reset(world, "c");
	world_advance(world, 1000);
	expect_why(world, "c", STATE_STOPPED, REASON_OPERATOR);
	reset(world, "a");
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_below_what_is_down_it_changes_nothing(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 9/60s { a no_restart=9; b } }");
	uint32_t operator_records;

	(void)state;
	world_exit(world, "a:9");
	world_stop(world, "s");
	operator_records = world_records(world, RECORD_OPERATOR, NULL);
	assert_int_equal(
	    core_refusal(world_core(world), world_id(world, "a")), world_id(world, "s"));
	reset(world, "a");
	expect_state(world, "a", STATE_FAILED);
	assert_int_equal(world_records(world, RECORD_OPERATOR, NULL), operator_records);
	world_end(world);
}

static void
test_below_a_supervisor_that_will_start_it_waits_for_it(void **state)
{
	struct world *world =
	    world_of("/ one 9/60s { s one 0/60s backoff=fixed delay=5s { a no_restart=9; b } }");

	(void)state;
	world_exit(world, "a:9");
	world_exit(world, "b"); /* s escalates and waits */
	expect_state(world, "s", STATE_RESTARTING);
	reset(world, "a");
	expect_alive(world, "");
	world_advance(world, 5000);
	expect_alive(world, "a b");
	world_end(world);
}

static void
test_nothing_is_reset_during_a_hold(void **state)
{
	struct world *world = world_of("/ one 0/60s limit=give_up { a; b }");

	(void)state;
	world_exit(world, "a");
	world_order(world, ON_HOLD, NULL);
	reset(world, "a");
	reset(world, "/");
	assert_true(core_is_holding(world_core(world)));
	expect_alive(world, "b");
	world_order(world, ON_RELEASE, NULL);
	reset(world, "a");
	expect_alive(world, "a b");
	world_end(world);
}

/* --- drain --- */

static void
expect_drained(const struct world *world, const char *text)
{
	static const char *const names[] = { "s", "a", "b", "c" };
	char is[8] = "";

	for (size_t i = 0; i < 4; i++)
		is[i] = world_view(world, names[i]).drained ? names[i][0] : '-';
	world_expect_text(is, text, __FILE__, __LINE__);
}

static void
test_a_drain_holds_for_all_below_until_a_start_or_restart(void **state)
{
	struct world *world = world_of("/ one 9/60s { s one 9/60s { a; b }; c }");

	(void)state;
	world_trace(world);
	world_order(world, ON_DRAIN, "a");
	expect_drained(world, "-a--");
	world_order(world, ON_DRAIN, "s");
	expect_drained(world, "sab-");
	expect_trace(world, ""); /* nothing is started or stopped by it */
	assert_int_equal(world_records(world, RECORD_OPERATOR, NULL), 2);
	world_start(world, "b");
	expect_drained(world, "sa--");
	world_restart(world, "a");
	expect_drained(world, "s---");
	world_order(world, ON_DRAIN, "/");
	expect_drained(world, "sabc");
	world_start(world, "s");
	expect_drained(world, "---c");
	world_order(world, ON_DRAIN, "s");
	world_restart(world, "/");
	expect_drained(world, "----");
	world_end(world);
}

static void
test_a_drain_outlives_failures_stops_resets_and_the_engine(void **state)
{
	struct world *world = world_of("/ one 9/60s { s all 9/60s { a; b }; c }");

	(void)state;
	world_order(world, ON_DRAIN, "s");
	world_exit(world, "a");
	world_advance(world, 1000);
	expect_alive(world, "a b c");
	expect_drained(world, "sab-");
	world_stop(world, "b");
	reset(world, "a");
	world_resume(world);
	expect_drained(world, "sab-");
	world_order(world, ON_HOLD, NULL);
	world_start(world, "b"); /* refused */
	expect_drained(world, "sab-");
	world_order(world, ON_RELEASE, NULL);
	world_stop(world, "s");
	world_start(world, "a"); /* refused */
	expect_drained(world, "sab-");
	world_start(world, "s");
	expect_drained(world, "----");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_limit_has_put_down_starts_with_its_set),
		cmocka_unit_test(test_a_supervisor_that_its_limit_ended_starts),
		cmocka_unit_test(test_what_failed_without_a_limit_starts_alone),
		cmocka_unit_test(test_elsewhere_reset_starts_and_stops_nothing),
		cmocka_unit_test(test_a_reset_while_the_set_is_being_stopped_waits_for_that),
		cmocka_unit_test(test_a_reset_of_a_member_that_still_runs),
		cmocka_unit_test(test_what_an_operator_stops_meanwhile_stays_down),
		cmocka_unit_test(test_below_what_is_down_it_changes_nothing),
		cmocka_unit_test(test_below_a_supervisor_that_will_start_it_waits_for_it),
		cmocka_unit_test(test_nothing_is_reset_during_a_hold),
		cmocka_unit_test(test_a_drain_holds_for_all_below_until_a_start_or_restart),
		cmocka_unit_test(test_a_drain_outlives_failures_stops_resets_and_the_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
