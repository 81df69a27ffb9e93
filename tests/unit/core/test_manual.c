/* The worked time lines of coppice-semantics(7), moment by moment. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Lets time pass until that many milliseconds after the story's beginning, and looks at what came. */
struct story {
	struct world *world;
	mono_ms begin;
};

static struct story
tell(const char *plan)
{
	struct story story = { .world = world_of(plan) };

	story.begin = world_now(story.world);
	return story;
}

static void
then(const struct story *story, span_ms at, const char *trace)
{
	world_advance(story->world, story->begin + at - world_now(story->world));
	expect_trace(story->world, trace);
}

static void
test_a_crash_loop(void **state)
{
	struct story story = tell("/ one limit=backoff { web lives=0s }");

	(void)state;
	then(&story, 0, "start web 1, stop web 1 crash");
	then(&story, 99, "");
	then(&story, 100, "start web 2, stop web 2 crash");
	then(&story, 299, "");
	then(&story, 300, "start web 3, stop web 3 crash");
	then(&story, 699, "");
	then(&story, 700, "start web 4, stop web 4 crash");
	then(&story, 1499, "");
	then(&story, 1500, "start web 5, stop web 5 crash");
	then(&story, 3099, "");
	then(&story, 3100, "start web 6, stop web 6 crash");
	expect_why(story.world, "web", STATE_RESTARTING, REASON_LIMIT);
	then(&story, 60000, "");
	then(&story, 60001, "start web 7, stop web 7 crash");
	world_end(story.world);
}

static void
test_a_stable_run_is_forgiven(void **state)
{
	struct story story = tell("/ one limit=backoff { web lives=11s }");

	(void)state;
	for (int i = 1; i <= 5; i++) /* at once each time, and still counted */
		world_advance(story.world, 11000);
	world_trace(story.world);
	assert_int_equal(world_view(story.world, "web").streak, 0);
	assert_int_equal(world_view(story.world, "/").restarts_in_window, 5);
	then(&story, 65999, "");
	then(&story, 66000, "stop web 6 crash");
	expect_why(story.world, "web", STATE_RESTARTING, REASON_LIMIT);
	world_end(story.world);
}

static void
test_a_group_with_a_delay(void **state)
{
	struct story story = tell("/ all 9/60s { db slow=200ms delay=500ms; app fails=2,3; "
				  "web slow=100ms }");

	(void)state;
	world_exit(story.world, "app"); /* and two starts that fail: the next is the 4th in a row */
	world_advance(story.world, 5000);
	story.begin = world_now(story.world);
	world_trace(story.world);
	world_mend(story.world, "app");
	assert_int_equal(world_view(story.world, "app").streak, 3);
	world_exit(story.world, "app");
	then(&story, 0, "stop app 4 crash");
	then(&story, 100, "stop web 2 shutdown");
	then(&story, 300, "stop db 4 shutdown");
	then(&story, 799, "");
	then(&story, 800, "start db 5, start app 5, start web 3");
	world_end(story.world);
}

static void
test_a_failure_during_the_delay_joins(void **state)
{
	struct story story = tell("/ rest 9/60s { db delay=500ms; app delay=800ms; web }");

	(void)state;
	world_trace(story.world);
	world_exit(story.world, "app");
	then(&story, 0, "stop app 1 crash, stop web 1 shutdown");
	then(&story, 200, "");
	world_exit(story.world, "db"); /* 500 ms from here is before 800 */
	then(&story, 799, "stop db 1 crash");
	then(&story, 800, "start db 2, start app 2, start web 2");
	assert_int_equal(world_view(story.world, "/").restarts_in_window, 2);
	world_end(story.world);
}

static void
test_escalation_through_two_levels(void **state)
{
	struct story story = tell("/ one { mail all 1/60s backoff=none { store; "
				  "delivery one 1/60s backoff=none "
				  "{ sender lives=2s backoff=none; receiver } } }");

	(void)state;
	then(&story, 0, "start store 1, start sender 1, start receiver 1, up delivery, up mail");
	then(&story, 2000, "stop sender 1 crash, start sender 2");
	assert_int_equal(world_view(story.world, "delivery").restarts_in_window, 1);
	then(&story, 4000,
	    "stop sender 2 crash, stop receiver 1 shutdown, down delivery, stop store 1 shutdown, "
	    "start store 2, start sender 3, start receiver 2, up delivery");
	assert_int_equal(world_view(story.world, "mail").restarts_in_window, 1);
	assert_int_equal(world_view(story.world, "delivery").restarts_in_window, 0);
	then(&story, 6000, "stop sender 3 crash, start sender 4");
	then(&story, 8000,
	    "stop sender 4 crash, stop receiver 2 shutdown, down delivery, stop store 2 shutdown, "
	    "down mail, start store 3, start sender 5, start receiver 3, up delivery, up mail");
	assert_int_equal(world_view(story.world, "/").restarts_in_window, 1);
	assert_int_equal(world_view(story.world, "mail").restarts_in_window, 0);
	world_end(story.world);
}

static void
test_a_limit_with_backoff(void **state)
{
	struct story story =
	    tell("/ one 3/60s limit=backoff { web; feed lives=5s backoff=none max=20s }");

	(void)state;
	then(&story, 0, "start web 1, start feed 1");
	then(&story, 5000, "stop feed 1 crash, start feed 2");
	then(&story, 10000, "stop feed 2 crash, start feed 3");
	then(&story, 15000, "stop feed 3 crash, start feed 4");
	then(&story, 20000, "stop feed 4 crash");
	expect_why(story.world, "feed", STATE_RESTARTING, REASON_LIMIT);
	then(&story, 65000, "");
	then(&story, 65001, "start feed 5"); /* the one of 5 s has left the window */
	assert_int_equal(world_view(story.world, "/").restarts_in_window, 3);
	/* that of 10 s has too when it ends again, and so on: three a minute */
	then(&story, 70001, "stop feed 5 crash, start feed 6");
	then(&story, 75001, "stop feed 6 crash, start feed 7");
	then(&story, 80001, "stop feed 7 crash");
	then(&story, 125001, "");
	then(&story, 125002, "start feed 8");
	expect_state(story.world, "web", STATE_RUNNING);
	assert_int_equal(world_view(story.world, "web").incarnation, 1);
	world_end(story.world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crash_loop),
		cmocka_unit_test(test_a_stable_run_is_forgiven),
		cmocka_unit_test(test_a_group_with_a_delay),
		cmocka_unit_test(test_a_failure_during_the_delay_joins),
		cmocka_unit_test(test_escalation_through_two_levels),
		cmocka_unit_test(test_a_limit_with_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
