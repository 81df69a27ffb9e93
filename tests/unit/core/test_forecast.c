/*
 * What the next failure would do, said before it happens; and what is left of a window
 * (coppice-semantics(7), Restart intensity, Delays).
 */
#include "core/forecast.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_SIZE 512

/* "restart 90..110 n=1 by s: b c", "limit give_up 0..0 n=3 by s: b", "escalate by s", "nothing" */
static const char *
forecast(struct world *world, const char *name)
{
	static const char *const outcomes[] = { "nothing", "restart", "limit", "escalate" };
	static const char *const limits[] = { "escalate", "backoff", "give_up", "terminate" };
	static char text[TEXT_SIZE];
	const struct core *core = world_core(world);
	uint32_t id = world_id(world, name), found = 0, first = CORE_NONE;
	struct core_forecast f;
	size_t len;

	core_forecast(core, world_now(world), id, &f);
	len = (size_t)snprintf(text, sizeof text, "%s", outcomes[f.outcome]);
	if (f.outcome == OUTCOME_LIMIT)
		len += (size_t)snprintf(text + len, sizeof text - len, " %s", limits[f.on_limit]);
	if (f.outcome == OUTCOME_RESTART || f.outcome == OUTCOME_LIMIT)
		len += (size_t)snprintf(text + len, sizeof text - len, " %lld..%lld n=%u",
		    (long long)f.delay_min, (long long)f.delay_max, f.streak);
	if (f.outcome != OUTCOME_NOTHING)
		len += (size_t)snprintf(
		    text + len, sizeof text - len, " by %s", world_name(world, f.supervisor));
	for (uint32_t i = 0; f.set_count > 0 && i < core_count(core); i++) {
		if (!core_forecast_takes(core, id, i))
			continue;
		first = found++ == 0 ? i : first;
		len += (size_t)snprintf(text + len, sizeof text - len, "%s %s",
		    found == 1 ? ":" : "", world_name(world, i));
	}
	assert_int_equal(found, f.set_count);
	assert_int_equal(first, f.set_first);
	return text;
}

#define expect_forecast(world, name, text) \
	world_expect_text(forecast(world, name), text, __FILE__, __LINE__)

/* Kills, and commands after a letter, each followed by some time: "a +200 stop:c". */
static void
let_happen(struct world *world, const char *what)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof copy, "%s", what);
	for (char *one = strtok_r(copy, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		if (one[0] == '+')
			world_advance(world, strtoll(one + 1, NULL, 10));
		else if (strncmp(one, "stop:", 5) == 0)
			world_stop(world, one + 5);
		else
			world_exit(world, one);
	}
}

static const struct {
	const char *plan, *before, *node, *says;
} rows[] = {
	/* delays */
	{ "/ one 9/60s { a }", "", "a", "restart 100..100 n=1 by /: a" },
	{ "/ one 9/60s { a jitter=100000 }", "", "a", "restart 90..110 n=1 by /: a" },
	{ "/ one 9/60s { a jitter=1000000 backoff=fixed delay=5s }", "", "a",
	    "restart 0..10000 n=1 by /: a" },
	{ "/ one 9/60s { a backoff=none }", "a a", "a", "restart 0..0 n=3 by /: a" },
	{ "/ one 9/60s { a }", "a +100 a +200", "a", "restart 400..400 n=3 by /: a" },
	{ "/ one 9/60s { a }", "a +100 a +100000", "a", "restart 400..400 n=3 by /: a" },
	{ "/ one 9/60s { a max=150ms }", "a +100 a +200", "a", "restart 150..150 n=3 by /: a" },
	/* while its own delay runs: the failure after that */
	{ "/ one 9/60s { a }", "a", "a", "restart 200..200 n=2 by /: a" },
	/* sets */
	{ "/ one 9/60s { a; b; c }", "", "b", "restart 100..100 n=1 by /: b" },
	{ "/ all 9/60s { a; b; c }", "", "b", "restart 100..100 n=1 by /: a b c" },
	{ "/ rest 9/60s { a; b; c }", "", "b", "restart 100..100 n=1 by /: b c" },
	{ "/ all 9/60s { a temporary; b; c; d manual }", "stop:c", "b",
	    "restart 100..100 n=1 by /: b" },
	{ "/ all 9/60s { a transient; b; c no_restart=9 }", "a:normal c:9", "b",
	    "restart 100..100 n=1 by /: a b" },
	{ "/ rest 9/60s { a; t *2; b }", "", "t@1", "restart 100..100 n=1 by /: t@1 b" },
	/* a set waits: who fails meanwhile joins it, and the longer delay holds */
	{ "/ rest 9/60s { a; b delay=5s; c }", "b", "a", "restart 5000..5000 n=1 by /: a b c" },
	{ "/ rest 9/60s { a; b delay=5s; c }", "b +4950", "a", "restart 100..100 n=1 by /: a b c" },
	{ "/ rest 9/60s { a delay=6s; b delay=5s jitter=500000; c }", "", "a",
	    "restart 6000..6000 n=1 by /: a b c" },
	{ "/ rest 9/60s { a; b delay=5s; c }", "b", "b", "restart 10000..10000 n=2 by /: b c" },
	/* what is no failure */
	{ "/ one 9/60s { a temporary }", "", "a", "nothing" },
	{ "/ one 9/60s { a transient }", "", "a", "restart 100..100 n=1 by /: a" },
	{ "/ one 9/60s { a temporary ready=told says_ready=infinity }", "", "a", "nothing" },
	{ "/ one 9/60s { s transient one 1/1s { a } }", "", "s", "nothing" },
	{ "/ one 9/60s { s one 1/1s { a } }", "", "s", "restart 100..100 n=1 by /: s" },
	{ "/ one 9/60s { s one 1/1s { a ignores } }", "stop:s", "a", "nothing" },
	{ "/ one 9/60s { s one 1/1s { a } }", "stop:s", "a", "nothing" },
	/* limits */
	{ "/ one 9/60s { s one 1/60s { a; b } }", "a +100", "b", "limit escalate 0..0 n=1 by s" },
	{ "/ one 9/60s { s one 1/60s { a; b } }", "a +60000", "b", "limit escalate 0..0 n=1 by s" },
	{ "/ one 9/60s { s one 1/60s { a; b } }", "a +60001", "b", "restart 100..100 n=1 by s: b" },
	{ "/ one 0/60s limit=terminate { a }", "", "a", "limit terminate 0..0 n=1 by /" },
	{ "/ rest 1/60s limit=give_up { a; b; c }", "b +100", "b",
	    "limit give_up 0..0 n=2 by /: b c" },
	{ "/ one 1/60s limit=backoff { a; b }", "a +1000", "b",
	    "limit backoff 59001..59001 n=1 by /: b" },
	{ "/ all 1/60s limit=backoff { a; b max=90s }", "a +1000", "b",
	    "limit backoff 90000..90000 n=1 by /: a b" },
	{ "/ one 0/60s limit=backoff { a }", "", "a", "limit backoff 60000..60000 n=1 by /: a" },
	/* while a delay runs: of the start that is to come, with the window that it will find … */
	{ "/ one 1/2s { a delay=5s max=90s }", "a +1000", "a", "restart 10000..10000 n=2 by /: a" },
	{ "/ one 1/9s { a delay=5s max=90s }", "a +1000", "a", "limit escalate 0..0 n=2 by /" },
	/* … and with itself in it, where it comes after a limit */
	{ "/ one 1/20s limit=backoff { a max=3s }", "a +100 a +5000", "a",
	    "limit backoff 20001..20001 n=3 by /: a" },
	{ "/ one 1/20s limit=backoff { a max=30s }", "a +100 a +5000", "a",
	    "limit backoff 30000..30000 n=3 by /: a" },
	{ "/ one 2/20s limit=backoff { a max=3s; b }", "b +6000 a +100 a +1000", "a",
	    "limit backoff 6000..6000 n=3 by /: a" },
	{ "/ all 1/20s limit=backoff { a max=3s; b }", "a +100 b +5000", "a",
	    "limit backoff 20001..20001 n=2 by /: a b" },
	{ "/ one 0/20s limit=backoff { a max=3s }", "a +5000", "a",
	    "limit backoff 20000..20000 n=2 by /: a" },
	/* no intensity is asked */
	{ "/ one 9/60s { s escalate { a; b temporary } }", "", "a", "escalate by s" },
	{ "/ one 9/60s { s escalate { a; b temporary } }", "", "b", "nothing" },
	{ "/ one 9/60s { a }", "", "/", "escalate by nobody" },
	{ "/ one 9/60s { s one 9/60s abort { a ready=told says_ready=infinity } }", "", "a",
	    "escalate by s" },
	{ "/ one 9/60s { s one 9/60s abort { a ready=told } }", "", "a",
	    "restart 100..100 n=1 by s: a" },
};

static void
test_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_of(rows[i].plan);

		let_happen(world, rows[i].before);
		if (strcmp(forecast(world, rows[i].node), rows[i].says) != 0)
			print_error("%s, after %s\n", rows[i].plan, rows[i].before);
		expect_forecast(world, rows[i].node, rows[i].says);
		world_end(world);
	}
}

static const struct {
	const char *plan, *before, *node, *other;
} waiting[] = {
	{ "/ one 9/60s { a; b }", "", "b", NULL },
	/* a has had its attempt; b is who is not ready */
	{ "/ one 9/60s { a fails=1 delay=9s; b ready=told says_ready=9s; c; d }", "", "d", "b" },
	{ "/ rest 9/60s { a fails=1 delay=9s; b ready=told says_ready=9s }", "", "b", NULL },
	{ "/ all 9/60s { a; s one 9/60s { b ready=told says_ready=9s; c }; d }", "", "d", "s" },
	{ "/ all 9/60s { a; s one 9/60s { b ready=told says_ready=9s; c }; d }", "", "c", "b" },
	{ "/ all 9/60s { a; s one 9/60s { b ready=told says_ready=9s; c }; d }", "stop:b", "d",
	    NULL },
	{ "/ one start_parallel max_starting=1 9/60s { a; b ready=told says_ready=9s; c }", "", "c",
	    "b" },
};

static void
test_who_is_waited_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
		struct world *world = world_of(waiting[i].plan);
		uint32_t other;

		let_happen(world, waiting[i].before);
		other = core_waits_for(world_core(world), world_id(world, waiting[i].node));
		world_expect_text(other == CORE_NONE ? "nobody" : world_name(world, other),
		    waiting[i].other == NULL ? "nobody" : waiting[i].other, __FILE__, __LINE__);
		world_end(world);
	}
}

/* A failure that waits for the end of an operation is the one that is meant. */
static void
test_a_failure_that_waits_to_be_handled(void **state)
{
	struct world *world =
	    world_of("/ rest 9/60s { a escalate_exit=9; b; c ready=told says_ready=5s }");

	(void)state;
	world_advance(world, 5000);
	world_exit(world, "b");
	world_advance(world, 1000); /* b runs, c starts */
	expect_forecast(world, "a", "restart 100..100 n=1 by /: a b c");
	world_exit(world, "a:9");
	expect_state(world, "a", STATE_RESTARTING);
	expect_forecast(world, "a", "escalate by /");
	expect_forecast(world, "b", "restart 200..200 n=2 by /: b c");
	world_advance(world, 5000);
	assert_true(core_is_leaving(world_core(world)));
	world_end(world);
}

static void
test_it_can_be_asked_about_later(void **state)
{
	struct world *world = world_of("/ one 1/60s { a }");
	struct core_forecast f;
	struct core_budget budget;

	(void)state;
	world_exit(world, "a");
	core_forecast(world_core(world), world_now(world) + 60000, 1, &f);
	assert_int_equal(f.outcome, OUTCOME_LIMIT);
	core_forecast(world_core(world), world_now(world) + 60001, 1, &f);
	assert_int_equal(f.outcome, OUTCOME_RESTART);
	core_budget(world_core(world), world_now(world) + 60001, 0, &budget);
	assert_int_equal(budget.used, 0);
	world_end(world);
}

static void
expect_budget(struct world *world, const char *name, uint32_t used, span_ms next_free_in)
{
	struct core_budget budget;

	core_budget(world_core(world), world_now(world), world_id(world, name), &budget);
	assert_int_equal(budget.used, used);
	if (next_free_in < 0)
		assert_true(budget.next_free == MONO_NEVER);
	else
		assert_int_equal(budget.next_free - world_now(world), next_free_in);
}

static void
test_the_budget_of_a_window(void **state)
{
	struct world *world = world_of("/ one 2/10s limit=backoff { a max=100ms; b; c }");
	struct core_budget budget;

	(void)state;
	core_budget(world_core(world), world_now(world), 0, &budget);
	assert_int_equal(budget.intensity, 2);
	assert_int_equal(budget.period, 10000);
	expect_budget(world, "/", 0, -1);
	world_exit(world, "a");
	expect_budget(world, "/", 1, 10001);
	world_advance(world, 4000);
	world_exit(world, "b");
	expect_budget(world, "/", 2, 6001);
	world_exit(world, "a"); /* one too many: not in the window */
	expect_budget(world, "/", 2, 6001);
	world_advance(world, 6000);
	expect_budget(world, "/", 2, 1);
	world_advance(world, 1); /* a is started, and that counts */
	expect_budget(world, "/", 2, 4000);
	world_advance(world, 20000);
	expect_budget(world, "/", 0, -1);
	world_end(world);
	world = world_of("/ one 0/10s limit=backoff { a }");
	expect_budget(world, "/", 0, -1);
	world_end(world);
}

/* It is a question: nothing changes, and the next delay is drawn as if nobody had asked. */
static void
test_asking_changes_nothing(void **state)
{
	static const char plan[] = "/ all 3/60s { a jitter=500000; b; s one 2/9s { c } }";
	struct world *world = world_of(plan), *other = world_of(plan);

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 20; k++)
			forecast(world, k % 2 ? "a" : "c");
		world_exit(world, "a");
		world_exit(other, "a");
		assert_true(world_view(world, "a").next_start == world_view(other, "a").next_start);
		world_advance(world, 1000);
		world_advance(other, 1000);
	}
	world_end(world);
	world_end(other);
}

/* Also of a temporary one, whose failures are none otherwise. */
static void
test_a_failure_of_a_temporary_child_that_waits(void **state)
{
	struct world *world =
	    world_of("/ rest 9/60s { a temporary escalate_exit=9; b; c slow=1s }");

	(void)state;
	world_exit(world, "b");
	world_exit(world, "a:9");
	expect_forecast(world, "a", "escalate by /");
	world_end(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_says),
		cmocka_unit_test(test_who_is_waited_for),
		cmocka_unit_test(test_a_failure_that_waits_to_be_handled),
		cmocka_unit_test(test_it_can_be_asked_about_later),
		cmocka_unit_test(test_the_budget_of_a_window),
		cmocka_unit_test(test_asking_changes_nothing),
		cmocka_unit_test(test_a_failure_of_a_temporary_child_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
