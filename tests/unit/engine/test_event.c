#include "engine/event.h"
#include "engine/spawn.h"
#include "shell.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Node 0 is /, 1 shop, 2 and 3 the instances of shop/web. */
static const char *const tree[] = { "/", "shop/", "shop/web spawn 2", NULL };

#define HEAD "{\"number\":7,\"at\":1700000000.250,\"type\":"
#define EVENT(...)                                                 \
	{                                                          \
		.number = 7, .wall_ms = 1700000000250, __VA_ARGS__ \
	}

static const struct {
	struct image_event event;
	const char *text;
} cases[] = {
	{ EVENT(.type = RECORD_STATE, .node = 3, .incarnation = 2, .state = STATE_STOPPED,
	      .reason = REASON_OPERATOR, .a = STATE_STOPPING),
	    HEAD "\"node.state\",\"severity\":\"info\",\"path\":\"shop/web@2\",\"incarnation\":2,"
		 "\"from\":\"stopping\",\"state\":\"stopped\",\"reason\":\"operator\"}" },
	{ EVENT(.type = RECORD_STATE, .state = STATE_RUNNING, .a = STATE_STARTING),
	    HEAD "\"node.state\",\"severity\":\"info\",\"path\":\"/\",\"from\":\"starting\","
		 "\"state\":\"running\"}" },
	{ EVENT(.type = RECORD_STATE, .node = 1, .state = STATE_FAILED, .reason = REASON_GIVEN_UP,
	      .a = STATE_STOPPING),
	    HEAD "\"node.state\",\"severity\":\"error\",\"path\":\"shop\",\"from\":\"stopping\","
		 "\"state\":\"failed\",\"reason\":\"given_up\"}" },
	{ EVENT(.type = RECORD_STARTED, .node = 2, .incarnation = 1, .a = 4711),
	    HEAD "\"child.started\",\"severity\":\"info\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"pid\":4711}" },
	{ EVENT(.type = RECORD_START_FAILED, .node = 2, .incarnation = 1, .a = STEP_EXEC,
	      .b = ENOENT),
	    HEAD
	    "\"child.start_failed\",\"severity\":\"error\",\"path\":\"shop/web@1\","
	    "\"incarnation\":1,\"step\":\"executing the command\",\"subject\":\"x\",\"error\":\"ENOENT\","
	    "\"hint\":\"the program is missing, or the interpreter that it names\"}" },
	{ EVENT(.type = RECORD_START_FAILED, .node = 2, .incarnation = 1, .a = STEP_HUNG),
	    HEAD "\"child.start_failed\",\"severity\":\"error\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"step\":\"starting it took too long and was given up\"}" },
	{ EVENT(.type = RECORD_READY, .node = 2, .incarnation = 1, .b = 1203),
	    HEAD "\"child.ready\",\"severity\":\"info\",\"path\":\"shop/web@1\",\"incarnation\":1,"
		 "\"after_s\":1.203}" },
	{ EVENT(.type = RECORD_EXITED, .node = 2, .incarnation = 1, .a = W_EXITCODE(3, 0), .b = 5),
	    HEAD "\"child.exited\",\"severity\":\"notice\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"exit\":{\"code\":3,\"core_dumped\":false},"
		 "\"uptime_s\":0.005}" },
	{ EVENT(.type = RECORD_EXITED, .node = 2, .incarnation = 1,
	      .a = W_EXITCODE(0, 11) | WCOREFLAG, .b = 60000),
	    HEAD "\"child.exited\",\"severity\":\"notice\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"exit\":{\"signal\":\"SEGV\",\"core_dumped\":true},"
		 "\"uptime_s\":60}" },
	{ EVENT(.type = RECORD_EXITED, .node = 2, .incarnation = 1, .a = CORE_STATUS_UNKNOWN),
	    HEAD "\"child.exited\",\"severity\":\"notice\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"exit\":{\"unknown\":true},\"uptime_s\":0}" },
	{ EVENT(.type = RECORD_RESTARTING, .node = 2, .incarnation = 1, .reason = REASON_EXITED,
	      .a = 3, .b = 400),
	    HEAD "\"child.restarting\",\"severity\":\"warning\",\"path\":\"shop/web@1\","
		 "\"incarnation\":1,\"streak\":3,\"delay_s\":0.400,\"reason\":\"exited\"}" },
	{ EVENT(.type = RECORD_GROUP_RESTARTING, .node = 1, .a = 3, .b = 0),
	    HEAD "\"supervisor.restarting\",\"severity\":\"warning\",\"path\":\"shop\","
		 "\"failed\":\"shop/web@2\",\"delay_s\":0}" },
	{ EVENT(.type = RECORD_LIMIT, .node = 1, .a = LIMIT_BACKOFF, .b = 30000),
	    HEAD "\"supervisor.limit\",\"severity\":\"error\",\"path\":\"shop\","
		 "\"action\":\"backoff\",\"wait_s\":30}" },
	{ EVENT(.type = RECORD_LIMIT, .node = 1, .a = LIMIT_TERMINATE),
	    HEAD "\"supervisor.limit\",\"severity\":\"error\",\"path\":\"shop\","
		 "\"action\":\"terminate\"}" },
	{ EVENT(.type = RECORD_ESCALATED, .node = 1, .a = REASON_INTENSITY),
	    HEAD "\"supervisor.escalated\",\"severity\":\"error\",\"path\":\"shop\","
		 "\"reason\":\"intensity\"}" },
	{ EVENT(.type = RECORD_OPERATOR, .node = 1, .a = ON_STOP, .b = 1000LL << 32 | 77),
	    HEAD "\"operator.stop\",\"severity\":\"notice\",\"path\":\"shop\",\"uid\":1000,"
		 "\"pid\":77}" },
	{ EVENT(.type = RECORD_OPERATOR, .a = ON_SHUTDOWN, .b = EVENT_NOBODY),
	    HEAD "\"operator.shutdown\",\"severity\":\"notice\",\"path\":\"/\"}" },
	{ EVENT(.type = RECORD_OPERATOR, .a = ON_SHUTDOWN, .b = 0),
	    HEAD "\"operator.shutdown\",\"severity\":\"notice\",\"path\":\"/\",\"uid\":0}" },
	{ EVENT(.type = RECORD_RECOVERED, .a = 2),
	    HEAD "\"engine.recovered\",\"severity\":\"warning\",\"path\":\"/\","
		 "\"generation\":2}" },
	/* what no engine writes */
	{ EVENT(.type = RECORD_COUNT, .node = 99),
	    HEAD "\"unknown\",\"severity\":\"info\",\"path\":\"?\"}" },
	{ EVENT(.type = RECORD_OPERATOR, .a = -1, .b = EVENT_NOBODY),
	    HEAD "\"unknown\",\"severity\":\"info\",\"path\":\"/\"}" },
};

static void
each_as_json(void **state)
{
	struct shell *shell = shell_new(tree);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = { 0 };
		event_json(&shell->engine, &cases[i].event, &out);
		assert_string_equal(out.data, cases[i].text);
		json_t *value = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(value);
		json_decref(value);
		buf_free(&out);
	}
	shell_free(shell);
}

/* Anything may stand in damaged memory: it is shown, and nothing else happens. */
static void
anything_can_be_shown(void **state)
{
	struct shell *shell = shell_new(tree);
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct image_event event;
		struct buf out = { 0 };
		for (size_t i = 0; i < sizeof event; i++) {
			seed = seed * 1664525 + 1013904223;
			((unsigned char *)&event)[i] = (unsigned char)(seed >> 24);
		}
		event.type %= RECORD_COUNT + 1;
		event_json(&shell->engine, &event, &out);
		json_t *value = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
		assert_true(value != NULL || event.number > INT64_MAX);
		json_decref(value);
		buf_free(&out);
	}
	shell_free(shell);
}

/* Every record and every command that an operator has is a type. */
static void
the_table_has_all(void **state)
{
	static const int32_t commands[] = { ON_START, ON_STOP, ON_RESTART, ON_SHUTDOWN };
	uint32_t seen = 0;

	(void)state;
	for (uint32_t type = 0; type < RECORD_COUNT; type++) {
		struct image_event event = { .type = type };
		if (type == RECORD_OPERATOR)
			continue;
		assert_int_not_equal(event_type_of(&event), EVENT_TYPES);
		assert_string_equal(event_type_text(event_type_of(&event)),
		    core_record_text((enum core_record_type)type));
		seen |= 1U << event_type_of(&event);
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct image_event event = { .type = RECORD_OPERATOR, .a = commands[i] };
		assert_int_not_equal(event_type_of(&event), EVENT_TYPES);
		assert_int_equal(seen & 1U << event_type_of(&event), 0);
		seen |= 1U << event_type_of(&event);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_as_json),
		cmocka_unit_test(anything_can_be_shown),
		cmocka_unit_test(the_table_has_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
