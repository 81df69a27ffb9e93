#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define EVENTS 16
#define COMMON                                                                                          \
	"\"restart\":\"permanent\",\"significant\":false,\"autostart\":true,\"backoff\":\"none\","      \
	"\"backoff_delay\":1,\"backoff_max\":1,\"backoff_factor_milli\":2000,\"backoff_jitter_ppm\":0," \
	"\"stable_after\":1"
#define SUPER                                                                                      \
	"{\"path\":\"/\",\"kind\":\"supervisor\"," COMMON                                          \
	",\"strategy\":\"one_for_one\",\"on_limit\":\"backoff\",\"intensity\":5,\"period\":60000," \
	"\"auto_shutdown\":\"never\",\"start_order\":\"ordered\",\"stop_order\":\"ordered\","      \
	"\"max_starting\":0,\"start_queue_timeout\":null,\"on_start_failure\":\"retry\"}"
#define CHILD(path, ready)                                                                                                     \
	"{\"path\":\"" path "\",\"kind\":\"child\",\"instances\":null," COMMON                                                 \
	",\"ready\":\"" ready "\","                                                                                            \
	"\"start_timeout\":1,\"stop\":[[\"TERM\",null]],\"stop_group\":false, \"hook_timeout\": 10000,\"kill_mode\":\"tree\"," \
	"\"success_exit\":[0],\"no_restart_exit\":[],\"escalate_exit\":[],"                                                    \
	"\"program\":{\"argv\":[\"/bin/true\"],\"env\":[],\"clear_env\":false,\"directory\":null,"                             \
	"\"stdin\":\"null\",\"log\":\"inherit\",\"log_file\":null,\"log_stderr\":\"same\","                                    \
	"\"log_stderr_file\":null,\"umask\":18,\"identity\":null}}"

struct fixture {
	struct engine engine;
	int log, saved; /* what is stderr in a test, and what was */
};

static int
setup(void **state)
{
	static struct fixture fixture;
	struct checkpoint_specs specs = { 0 };
	static const char product[] = SUPER "\n" CHILD("web", "spawn") "\n" CHILD("once", "exit");
	const char *problem;

	memset(&fixture, 0, sizeof(fixture));
	fixture.engine.core = core_new(1);
	fixture.engine.nodes =
	    nodes_new(fixture.engine.core, product, sizeof(product) - 1, 0, &problem);
	assert_non_null(fixture.engine.nodes);
	assert_int_equal(checkpoint_new(&fixture.engine.checkpoint, fixture.engine.core,
			     core_count(fixture.engine.core), 1, &specs, EVENTS),
	    0);
	fixture.log = memfd_create("log", MFD_CLOEXEC);
	fixture.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_true(fixture.log >= 0 && fixture.saved >= 0);
	assert_int_equal(dup2(fixture.log, STDERR_FILENO), STDERR_FILENO);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)dup2(fixture->saved, STDERR_FILENO);
	fd_close(&fixture->saved);
	fd_close(&fixture->log);
	checkpoint_free(&fixture->engine.checkpoint);
	nodes_free(&fixture->engine.nodes);
	core_free(&fixture->engine.core);
	return 0;
}

static void
commit(struct engine *engine)
{
	checkpoint_commit(engine->checkpoint, engine->core);
	checkpoint_act_kills(engine->checkpoint, NULL, NULL, NULL);
	engine->event_number = checkpoint_state(engine->checkpoint)->event_number;
}

/* What is in the log since the last call; static storage. */
static const char *
take_log(struct fixture *fixture)
{
	static char text[16384];
	off_t end = lseek(fixture->log, 0, SEEK_END);
	ssize_t n = pread(fixture->log, text, sizeof(text) - 1, 0);

	assert_true(n >= 0 && n == end);
	text[n] = '\0';
	assert_int_equal(ftruncate(fixture->log, 0), 0);
	assert_int_equal(lseek(fixture->log, 0, SEEK_SET), 0);
	return text;
}

static const struct {
	struct core_record record;
	const char *line; /* the end of it; NULL: none */
} cases[] = {
	{ { .type = RECORD_STARTED, .node = 1, .incarnation = 4, .a = 123 },
	    "web: started (pid 123, start 4)\n" },
	{ { .type = RECORD_EXITED, .node = 1, .incarnation = 4, .a = W_EXITCODE(3, 0), .b = 1250 },
	    "web: exited with status 3 after 1.2s (start 4)\n" },
	{ { .type = RECORD_EXITED, .node = 1, .incarnation = 1, .a = W_EXITCODE(0, 9), .b = 7 },
	    "web: killed by SIGKILL after 7ms (start 1)\n" },
	{ { .type = RECORD_EXITED,
	      .node = 1,
	      .incarnation = 1,
	      .a = W_EXITCODE(0, 11) | WCOREFLAG,
	      .b = 200000 },
	    "web: killed by SIGSEGV (core dumped) after 3m20s (start 1)\n" },
	{ { .type = RECORD_EXITED,
	      .node = 1,
	      .incarnation = 1,
	      .a = CORE_STATUS_UNKNOWN,
	      .b = 7200000 },
	    "web: exited with unknown status after 2h (start 1)\n" },
	{ { .type = RECORD_START_FAILED, .node = 1, .incarnation = 2, .a = STEP_EXEC, .b = ENOENT },
	    "web: could not start: executing the command /bin/true: No such file or directory (ENOENT)"
	    "; the program is missing, or the interpreter that it names (start 2)\n" },
	{ { .type = RECORD_START_FAILED,
	      .node = 1,
	      .incarnation = 2,
	      .a = STEP_PREPARE,
	      .b = ECANCELED },
	    "web: start cancelled (start 2)\n" },
	{ { .type = RECORD_RESTARTING, .node = 1, .reason = REASON_EXITED, .a = 2, .b = 200 },
	    "web: restarting in 200ms (exited, failure 2 in a row)\n" },
	{ { .type = RECORD_RESTARTING, .node = 1, .reason = REASON_EXITED, .a = 2, .b = 59791 },
	    "web: restarting in 59.7s (exited, failure 2 in a row)\n" },
	{ { .type = RECORD_LIMIT, .node = 0, .a = LIMIT_BACKOFF, .b = 30000 },
	    "/: intensity of 5 in 1m reached: waiting 30s\n" },
	{ { .type = RECORD_STATE, .node = 0, .state = STATE_RUNNING }, "/: running\n" },
	{ { .type = RECORD_STATE, .node = 1, .state = STATE_STOPPED, .reason = REASON_OPERATOR },
	    "web: stopped (operator)\n" },
	/* said by "started" already */
	{ { .type = RECORD_STATE, .node = 1, .state = STATE_RUNNING }, NULL },
	{ { .type = RECORD_READY, .node = 1, .b = 3 }, NULL },
	{ { .type = RECORD_READY, .node = 2, .b = 3 }, "once: ready after 3ms\n" },
	{ { .type = RECORD_STATE, .node = 1, .state = STATE_WAITING }, NULL },
};

static void
lines(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text;
		events_add(&fixture->engine, &cases[i].record);
		commit(&fixture->engine);
		events_log(&fixture->engine);
		text = take_log(fixture);
		if (!cases[i].line ? text[0] != '\0' : !strstr(text, cases[i].line))
			fail_msg("case %zu: expected \"%s\", the log has \"%s\"", i,
			    cases[i].line ? cases[i].line : "", text);
	}
}

/*
 * Nothing is said before it is committed, and nothing twice; what a dead engine has not said, the
 * next one says.
 */
static void
each_once_and_not_too_early(void **state)
{
	struct fixture *fixture = *state;
	struct core_record record = {
		.type = RECORD_STARTED, .node = 1, .incarnation = 1, .a = 11
	};

	events_add(&fixture->engine, &record);
	events_log(&fixture->engine);
	assert_string_equal(take_log(fixture), "");
	commit(&fixture->engine);
	/* an engine dies here; the checkpoint says that nothing is in the log yet */
	assert_int_equal(*checkpoint_logged(fixture->engine.checkpoint), 0);
	events_log(&fixture->engine);
	assert_non_null(strstr(take_log(fixture), "started (pid 11"));
	events_log(&fixture->engine);
	assert_string_equal(take_log(fixture), "");
	assert_int_equal(fixture->engine.event_number, 1);
}

/* More facts at once than the ring holds: all are said. */
static void
a_burst_is_not_lost(void **state)
{
	struct fixture *fixture = *state;
	const char *at;
	int count = 0;

	for (int i = 1; i <= 5 * EVENTS; i++) {
		struct core_record record = { .type = RECORD_STARTED, .node = 1, .a = 1000 + i };
		events_add(&fixture->engine, &record);
	}
	commit(&fixture->engine);
	events_log(&fixture->engine);
	at = take_log(fixture);
	for (int i = 1; i <= 5 * EVENTS; i++) {
		char wanted[32];
		(void)snprintf(wanted, sizeof(wanted), "(pid %d,", 1000 + i);
		at = strstr(at, wanted);
		if (!at)
			fail_msg("no line for %d", i);
		count++;
	}
	assert_int_equal(count, 5 * EVENTS);
	assert_int_equal(fixture->engine.event_number, 5 * EVENTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines, setup, teardown),
		cmocka_unit_test_setup_teardown(each_once_and_not_too_early, setup, teardown),
		cmocka_unit_test_setup_teardown(a_burst_is_not_lost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
