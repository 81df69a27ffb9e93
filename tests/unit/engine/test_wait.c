#include "engine/wait.h"
#include "shell.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define EXITED(code) ((code) << 8)

static const char *const tree[] = {
	"/",
	"a spawn off",
	"shot exit off",
	"told exit off",
	"shop/",
	"shop/db",
	"shop/web spawn 3",
	NULL,
};

struct waiter {
	struct shell *shell;
	struct wait_list list;
	struct wait wait;
	unsigned woken;
};

static void
wake(void *context)
{
	((struct waiter *)context)->woken++;
}

static struct waiter *
begin(void)
{
	static struct waiter waiter;

	waiter = (struct waiter){ .shell = shell_new(tree) };
	waiter.shell->waits = &waiter.list;
	shell_submit(waiter.shell, ON_BOOT, NULL);
	return &waiter;
}

static void
finish(struct waiter *waiter)
{
	wait_end(&waiter->wait, &waiter->list);
	assert_null(waiter->list.head);
	shell_free(waiter->shell);
}

/*
 * As the API does it: what is to be reached is noted, the command is handed over, what is reached
 * is looked at.
 */
static void
ask(struct waiter *waiter, enum core_event_type type, const char *path)
{
	struct core *core = waiter->shell->engine.core;
	const struct place *place = nodes_find_place(waiter->shell->engine.nodes, path);
	uint32_t node = nodes_find(waiter->shell->engine.nodes, path);
	uint32_t first = node != CORE_NONE ? node : place->first,
		 count = node != CORE_NONE ? 1 : place->count;

	waiter->wait.wake = wake;
	waiter->wait.context = waiter;
	assert_int_equal(wait_begin(&waiter->wait, &waiter->list, core,
			     type == ON_STOP ? WAIT_DOWN : WAIT_UP, first, count),
	    0);
	for (uint32_t i = first; i < first + count; i++) {
		struct core_event event = { .type = type, .node = i };
		wait_expect(&waiter->wait, i, type == ON_RESTART);
		engine_submit(&waiter->shell->engine, &event);
		wait_look(&waiter->wait, i);
	}
}

static void
assert_waits(const struct waiter *waiter)
{
	assert_false(wait_is_over(&waiter->wait));
	assert_int_equal(waiter->woken, 0);
}

static void
assert_reached(const struct waiter *waiter)
{
	assert_int_equal(waiter->wait.failure, WAIT_NO_FAILURE);
	assert_int_equal(waiter->wait.remaining, 0);
	assert_int_equal(waiter->woken, 1);
}

static void
assert_failed(const struct waiter *waiter, const char *path, const char *words)
{
	struct buf text = { 0 };

	assert_int_not_equal(waiter->wait.failure, WAIT_NO_FAILURE);
	assert_int_equal(waiter->wait.failed_node, shell_node(waiter->shell, path));
	assert_int_equal(waiter->woken, 1);
	wait_describe(&waiter->wait, &waiter->shell->engine, &text);
	assert_string_equal(text.data, words);
	buf_free(&text);
}

static void
a_start_is_over_when_it_runs(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_START, "a");
	assert_waits(waiter);
	shell_answer(waiter->shell, "a", 0);
	assert_reached(waiter);
	finish(waiter);
}

static void
a_start_of_what_runs_is_over_at_once(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	ask(waiter, ON_START, "shop/db");
	assert_reached(waiter);
	finish(waiter);
}

static void
a_restart_is_over_with_the_next_incarnation(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_RESTART, "shop/db");
	assert_waits(waiter);
	shell_end(waiter->shell, "shop/db", SIGTERM);
	assert_waits(waiter);
	shell_answer(waiter->shell, "shop/db", 0);
	assert_reached(waiter);
	finish(waiter);
}

static void
a_supervisor_is_up_when_it_says_so(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_RESTART, "shop");
	assert_waits(waiter);
	for (int i = 3; i >= 1; i--) {
		char path[] = "shop/web@0";
		path[9] = (char)('0' + i);
		shell_end(waiter->shell, path, SIGTERM);
	}
	shell_end(waiter->shell, "shop/db", SIGTERM);
	shell_answer(waiter->shell, "shop/db", 0);
	shell_answer(waiter->shell, "shop/web@1", 0);
	shell_answer(waiter->shell, "shop/web@2", 0);
	assert_waits(waiter);
	shell_answer(waiter->shell, "shop/web@3", 0);
	assert_reached(waiter);
	finish(waiter);
}

static void
a_start_that_cannot_exec_says_where_and_why(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->bad = "a";
	ask(waiter, ON_START, "a");
	assert_failed(waiter, "a",
	    "executing the command x: No such file or directory (ENOENT); the program is missing, or the interpreter that it names");
	finish(waiter);
}

static void
an_end_before_readiness_says_how(void **unused)
{
	static const struct {
		int32_t status;
		const char *words;
	} rows[] = {
		{ EXITED(3), "it exited with status 3 before it was ready" },
		{ SIGKILL, "it was killed by signal KILL before it was ready" },
		{ CORE_STATUS_UNKNOWN, "it ended in an unknown way before it was ready" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct waiter *waiter = begin();
		ask(waiter, ON_START, "shot");
		assert_waits(waiter);
		shell_end(waiter->shell, "shot", rows[i].status);
		assert_failed(waiter, "shot", rows[i].words);
		finish(waiter);
	}
}

static void
a_one_shot_is_ready_by_its_normal_end(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	ask(waiter, ON_START, "shot");
	assert_waits(waiter);
	shell_end(waiter->shell, "shot", EXITED(0));
	assert_reached(waiter);
	finish(waiter);
}

static void
not_ready_in_time_is_a_failure(void **unused)
{
	struct waiter *waiter = begin();
	struct core_event timer = { .type = ON_TIMER };
	struct core *core = waiter->shell->engine.core;

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_START, "shot");
	shell_answer(waiter->shell, "shot", 0);
	core_handle(core, core_next_deadline(core), &timer);
	engine_commit(&waiter->shell->engine);
	assert_failed(waiter, "shot", "it was not ready in time (start_timeout)");
	finish(waiter);
}

static void
a_stop_by_another_ends_the_waiting_for_a_start(void **unused)
{
	static const char *const stopped[] = { "shop/db", "shop", "/" };

	(void)unused;
	for (size_t i = 0; i < sizeof stopped / sizeof *stopped; i++) {
		struct waiter *waiter = begin();
		waiter->shell->manual = true;
		ask(waiter, ON_RESTART, "shop/db");
		shell_submit(waiter->shell, ON_STOP, stopped[i]);
		if (strcmp(stopped[i], "shop/db") != 0) {
			/* Its supervisor stops it after those behind it. */
			shell_end(waiter->shell, "shop/web@1", SIGTERM);
			shell_end(waiter->shell, "shop/web@2", SIGTERM);
			shell_end(waiter->shell, "shop/web@3", SIGTERM);
		}
		assert_waits(waiter);
		shell_end(waiter->shell, "shop/db", SIGTERM);
		assert_failed(waiter, "shop/db", "it was stopped meanwhile");
		finish(waiter);
	}
}

static void
an_end_that_another_restart_asked_for_is_no_failure(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_START, "shot");
	shell_answer(waiter->shell, "shot", 0);
	shell_submit(waiter->shell, ON_RESTART, "shot");
	shell_end(waiter->shell, "shot", SIGTERM);
	assert_waits(waiter);
	shell_answer(waiter->shell, "shot", 0);
	shell_end(waiter->shell, "shot", EXITED(0));
	assert_reached(waiter);
	finish(waiter);
}

static void
a_stop_is_over_when_the_process_is_gone(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_STOP, "shop/db");
	assert_waits(waiter);
	shell_end(waiter->shell, "shop/db", SIGTERM);
	assert_reached(waiter);
	finish(waiter);
}

static void
a_stop_of_what_is_down_is_over_at_once(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	ask(waiter, ON_STOP, "a");
	assert_reached(waiter);
	finish(waiter);
}

static void
a_stop_is_over_though_somebody_starts_it_again(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_STOP, "shop/db");
	shell_submit(waiter->shell, ON_START, "shop/db");
	assert_waits(waiter);
	shell_end(waiter->shell, "shop/db", SIGTERM);
	assert_reached(waiter);
	finish(waiter);
}

static void
a_template_waits_for_all_instances_or_the_first_failure(void **unused)
{
	struct waiter *waiter = begin();

	(void)unused;
	waiter->shell->manual = true;
	ask(waiter, ON_RESTART, "shop/web");
	for (int i = 1; i <= 3; i++) {
		char path[] = "shop/web@0";
		path[9] = (char)('0' + i);
		shell_end(waiter->shell, path, SIGTERM);
	}
	shell_answer(waiter->shell, "shop/web@1", 0);
	assert_waits(waiter);
	shell_answer(waiter->shell, "shop/web@2", EACCES);
	assert_failed(waiter, "shop/web@2",
	    "executing the command x: Permission denied (EACCES); it is a directory, or its user may not execute it");
	shell_answer(waiter->shell, "shop/web@3", 0);
	assert_int_equal(waiter->woken, 1);
	finish(waiter);
}

static void
waits_leave_their_list_in_any_order(void **unused)
{
	struct waiter *waiter = begin();
	struct wait more[3] = { 0 };

	(void)unused;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    wait_begin(&more[i], &waiter->list, waiter->shell->engine.core, WAIT_UP, 0, 1),
		    0);
	wait_end(&more[1], &waiter->list);
	wait_end(&more[2], &waiter->list);
	assert_ptr_equal(waiter->list.head, &more[0]);
	assert_null(more[0].next);
	wait_end(&more[0], &waiter->list);
	wait_end(&more[0], &waiter->list);
	finish(waiter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_is_over_when_it_runs),
		cmocka_unit_test(a_start_of_what_runs_is_over_at_once),
		cmocka_unit_test(a_restart_is_over_with_the_next_incarnation),
		cmocka_unit_test(a_supervisor_is_up_when_it_says_so),
		cmocka_unit_test(a_start_that_cannot_exec_says_where_and_why),
		cmocka_unit_test(an_end_before_readiness_says_how),
		cmocka_unit_test(a_one_shot_is_ready_by_its_normal_end),
		cmocka_unit_test(not_ready_in_time_is_a_failure),
		cmocka_unit_test(a_stop_by_another_ends_the_waiting_for_a_start),
		cmocka_unit_test(an_end_that_another_restart_asked_for_is_no_failure),
		cmocka_unit_test(a_stop_is_over_when_the_process_is_gone),
		cmocka_unit_test(a_stop_of_what_is_down_is_over_at_once),
		cmocka_unit_test(a_stop_is_over_though_somebody_starts_it_again),
		cmocka_unit_test(a_template_waits_for_all_instances_or_the_first_failure),
		cmocka_unit_test(waits_leave_their_list_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
