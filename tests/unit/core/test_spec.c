/* spec: defaults, exit sets, what is refused; and what core_add refuses. */
#include "core/core.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_the_defaults_are_those_of_the_semantics(void **state)
{
	struct core_spec child, super;

	(void)state;
	spec_defaults(&child, KIND_CHILD);
	spec_defaults(&super, KIND_SUPERVISOR);
	assert_null(spec_problem(&child));
	assert_null(spec_problem(&super));
	assert_int_equal(child.restart, RESTART_PERMANENT);
	assert_true(child.autostart);
	assert_false(child.significant);
	assert_int_equal(child.backoff, BACKOFF_EXPONENTIAL);
	assert_int_equal(child.backoff_delay, 100);
	assert_int_equal(child.backoff_max, 30000);
	assert_int_equal(child.backoff_factor_milli, 2000);
	assert_int_equal(child.backoff_jitter_ppm, 100000);
	assert_int_equal(child.stable_after, 10000);
	assert_int_equal(child.ready, READY_SPAWN);
	assert_int_equal(child.start_timeout, 10000);
	assert_int_equal(child.stop_steps, 2);
	assert_int_equal(child.stop[0].signal, SIGTERM);
	assert_int_equal(child.stop[0].wait, 5000);
	assert_int_equal(child.stop[1].signal, SIGKILL);
	assert_true(spec_exit_has_code(&child.success_exit, 0));
	assert_false(spec_exit_has_code(&child.success_exit, 1));
	assert_int_equal(super.strategy, STRATEGY_ONE_FOR_ONE);
	assert_int_equal(super.intensity, 5);
	assert_int_equal(super.period, 60000);
	assert_int_equal(super.on_limit, LIMIT_ESCALATE);
	assert_int_equal(super.auto_shutdown, AUTO_NEVER);
	assert_int_equal(super.start_queue_timeout, SPAN_INFINITE);
	assert_int_equal(super.max_starting, 0);
}

static void
test_exit_sets_hold_every_code_and_signal(void **state)
{
	struct core_exit_set set;

	(void)state;
	for (uint32_t code = 0; code < 256; code++) {
		memset(&set, 0, sizeof set);
		spec_exit_add_code(&set, code);
		for (uint32_t other = 0; other < 300; other++)
			assert_int_equal(spec_exit_has_code(&set, other), code == other);
		assert_true(spec_exit_matches(&set, (int32_t)code << 8));
		assert_false(spec_exit_matches(&set, (int32_t)(code ^ 1) << 8));
		assert_false(spec_exit_matches(&set, SIGTERM));
	}
	for (int sig = 1; sig <= 64; sig++) {
		memset(&set, 0, sizeof set);
		spec_exit_add_signal(&set, sig);
		for (int other = -1; other < 70; other++)
			assert_int_equal(spec_exit_has_signal(&set, other), sig == other);
		assert_true(spec_exit_matches(&set, sig));
		assert_true(spec_exit_matches(&set, sig | 0x80)); /* with a core dump */
		assert_false(spec_exit_matches(&set, sig << 8));
	}
	memset(&set, 0xff, sizeof set);
	assert_false(spec_exit_matches(&set, CORE_STATUS_UNKNOWN));
}

static void
test_what_the_core_cannot_work_with_is_refused(void **state)
{
	(void)state;
#define REFUSED(kind, field, value)                   \
	do {                                          \
		struct core_spec spec;                \
		spec_defaults(&spec, kind);           \
		spec.field = (value);                 \
		assert_non_null(spec_problem(&spec)); \
	} while (0)
	REFUSED(KIND_CHILD, stop_steps, 0);
	REFUSED(KIND_CHILD, stop_steps, SPEC_MAX_STOP_STEPS + 1);
	REFUSED(KIND_CHILD, stop[0].signal, 0);
	REFUSED(KIND_CHILD, stop[0].signal, 65);
	REFUSED(KIND_CHILD, stop[0].wait, -1);
	REFUSED(KIND_CHILD, backoff_factor_milli, 999);
	REFUSED(KIND_CHILD, backoff_jitter_ppm, 1000001);
	REFUSED(KIND_CHILD, backoff_delay, -1);
	REFUSED(KIND_CHILD, significant, true);
	REFUSED(KIND_SUPERVISOR, intensity, 65536);
	REFUSED(KIND_SUPERVISOR, period, 0);
#undef REFUSED
}

static void
test_core_add_refuses_impossible_places(void **state)
{
	struct core *core = core_new(1);
	struct core_spec child, super;
	uint32_t first;

	(void)state;
	spec_defaults(&child, KIND_CHILD);
	spec_defaults(&super, KIND_SUPERVISOR);
	assert_int_equal(
	    core_add(core, CORE_NONE, &child, 1, &first), -EINVAL); /* the root is no child */
	assert_int_equal(
	    core_add(core, CORE_ROOT, &child, 1, &first), -EINVAL); /* nobody there yet */
	assert_int_equal(core_add(core, CORE_NONE, &super, 1, &first), 0);
	assert_int_equal(first, CORE_ROOT);
	assert_int_equal(core_add(core, CORE_NONE, &super, 1, &first), -EINVAL); /* a second root */
	assert_int_equal(core_add(core, CORE_ROOT, &child, 1, &first), 0);
	assert_int_equal(core_add(core, first, &child, 1, NULL), -EINVAL); /* below a child */
	assert_int_equal(core_add(core, 77, &child, 1, NULL), -EINVAL);
	assert_int_equal(core_add(core, CORE_ROOT, &super, 2, NULL), -EINVAL); /* no template */
	assert_int_equal(core_add(core, CORE_ROOT, &super, 0, NULL), -EINVAL);
	child.stop_steps = 0;
	assert_int_equal(core_add(core, CORE_ROOT, &child, 1, NULL), -EINVAL);
	assert_int_equal(core_count(core), 2);
	core_free(&core);
}

static void
test_instances_get_consecutive_numbers_and_none_are_fine(void **state)
{
	struct core *core = core_new(1);
	struct core_spec child, super;
	uint32_t first;

	(void)state;
	spec_defaults(&child, KIND_CHILD);
	spec_defaults(&super, KIND_SUPERVISOR);
	assert_int_equal(core_add(core, CORE_NONE, &super, 1, NULL), 0);
	assert_int_equal(core_add(core, CORE_ROOT, &child, 0, &first), 0);
	assert_int_equal(core_count(core), 1);
	assert_int_equal(core_add(core, CORE_ROOT, &child, 1000, &first), 0);
	assert_int_equal(first, 1);
	assert_int_equal(core_count(core), 1001);
	assert_null(core_check(core));
	core_free(&core);
}

static void
test_every_enumerator_has_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < STATE_COUNT; i++)
		assert_true(strlen(core_state_text((enum core_state)i)) > 0);
	for (int i = 1; i < REASON_COUNT; i++)
		assert_true(strlen(core_reason_text((enum core_reason)i)) > 0);
	for (int i = 0; i < EVENT_COUNT; i++)
		assert_true(strlen(core_event_text((enum core_event_type)i)) > 0);
	for (int i = 0; i < ACTION_COUNT; i++)
		assert_true(strlen(core_action_text((enum core_action_type)i)) > 0);
	for (int i = 0; i < RECORD_COUNT; i++)
		assert_true(strlen(core_record_text((enum core_record_type)i)) > 0);
	assert_string_equal(core_state_text(STATE_RESTARTING), "restarting");
	assert_string_equal(core_reason_text(REASON_LOST), "status_lost");
}

static void
test_which_ends_lead_to_a_restart(void **state)
{
	struct core_spec spec;
	const int32_t good = 0, bad = 3 << 8;

	(void)state;
	spec_defaults(&spec, KIND_CHILD);
	spec.restart = RESTART_PERMANENT;
	assert_true(spec_restarts_after(&spec, good) && spec_restarts_after(&spec, bad));
	spec.restart = RESTART_TRANSIENT;
	assert_true(!spec_restarts_after(&spec, good) && spec_restarts_after(&spec, bad));
	assert_true(spec_restarts_after(&spec, CORE_STATUS_UNKNOWN));
	spec.restart = RESTART_TEMPORARY;
	assert_true(!spec_restarts_after(&spec, good) && !spec_restarts_after(&spec, bad));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_are_those_of_the_semantics),
		cmocka_unit_test(test_exit_sets_hold_every_code_and_signal),
		cmocka_unit_test(test_what_the_core_cannot_work_with_is_refused),
		cmocka_unit_test(test_core_add_refuses_impossible_places),
		cmocka_unit_test(test_instances_get_consecutive_numbers_and_none_are_fine),
		cmocka_unit_test(test_which_ends_lead_to_a_restart),
		cmocka_unit_test(test_every_enumerator_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
