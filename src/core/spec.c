#include "core/spec.h"

#include "core/types.h"

#include <string.h>

#define CODES_PER_WORD 64U
#define LAST_CODE      255U
#define LAST_SIGNAL    64

/* Wait statuses as Linux packs them; sys/wait.h belongs to the shell's side of the border. */
#define STATUS_SIGNAL(status) ((status)&0x7f)
#define STATUS_CODE(status)   (((uint32_t)(status) >> 8) & 0xffU)

void
spec_defaults(struct core_spec *spec, enum core_kind kind)
{
	memset(spec, 0, sizeof *spec);
	spec->kind = kind;
	spec->restart = RESTART_PERMANENT;
	spec->autostart = true;
	spec->backoff = BACKOFF_EXPONENTIAL;
	spec->backoff_delay = 100;
	spec->backoff_max = 30000;
	spec->backoff_factor_milli = 2000;
	spec->backoff_jitter_ppm = 100000;
	spec->stable_after = 10000;
	spec->ready = READY_SPAWN;
	spec->start_timeout = 10000;
	spec->stop[0] = (struct core_stop_step){ .signal = 15, .wait = 5000 };
	spec->stop[1] = (struct core_stop_step){ .signal = 9, .wait = SPAN_INFINITE };
	spec->stop_steps = 2;
	spec->kill_mode = KILL_TREE;
	spec->hook_timeout = 10000;
	spec_exit_add_code(&spec->success_exit, 0);
	spec->strategy = STRATEGY_ONE_FOR_ONE;
	spec->on_limit = LIMIT_ESCALATE;
	spec->intensity = 5;
	spec->period = 60000;
	spec->auto_shutdown = AUTO_NEVER;
	spec->start_queue_timeout = SPAN_INFINITE;
	spec->on_start_failure = START_FAILURE_RETRY;
}

static const char *
backoff_problem(const struct core_spec *spec)
{
	if (spec->backoff_delay < 0 || spec->backoff_max < 0 || spec->stable_after < 0)
		return "a duration is negative";
	if (spec->backoff_factor_milli < 1000)
		return "backoff_factor is below 1";
	if (spec->backoff_jitter_ppm > 1000000)
		return "backoff_jitter is above 100%";
	return NULL;
}

static const char *
child_problem(const struct core_spec *spec)
{
	if (spec->start_timeout < 1)
		return "start_timeout is below 1 ms";
	if (spec->hook_timeout < 1)
		return "hook_timeout is below 1 ms";
	if (spec->stop_steps < 1 || spec->stop_steps > SPEC_MAX_STOP_STEPS)
		return "stop has no step, or too many";
	for (uint32_t i = 0; i < spec->stop_steps; i++) {
		if (spec->stop[i].signal < 1 || spec->stop[i].signal > LAST_SIGNAL)
			return "stop names a number that is no signal";
		if (spec->stop[i].wait < 0)
			return "a wait in stop is negative";
	}
	return NULL;
}

static const char *
supervisor_problem(const struct core_spec *spec)
{
	if (spec->intensity > 65535)
		return "intensity is above 65535";
	if (spec->period < 1)
		return "period is below 1 ms";
	if (spec->start_queue_timeout < 1)
		return "start_queue_timeout is below 1 ms";
	return NULL;
}

const char *
spec_problem(const struct core_spec *spec)
{
	const char *problem = backoff_problem(spec);

	if (!problem && spec->significant && spec->restart == RESTART_PERMANENT)
		problem = "significant needs restart = transient or temporary";
	if (problem)
		return problem;
	return spec->kind == KIND_CHILD ? child_problem(spec) : supervisor_problem(spec);
}

bool
spec_exit_has_code(const struct core_exit_set *set, uint32_t code)
{
	return code <= LAST_CODE &&
	    (set->codes[code / CODES_PER_WORD] >> (code % CODES_PER_WORD) & 1U);
}

bool
spec_exit_has_signal(const struct core_exit_set *set, int signal)
{
	return signal >= 1 && signal <= LAST_SIGNAL && (set->signals >> (signal - 1) & 1U);
}

void
spec_exit_add_code(struct core_exit_set *set, uint32_t code)
{
	if (code <= LAST_CODE)
		set->codes[code / CODES_PER_WORD] |= UINT64_C(1) << (code % CODES_PER_WORD);
}

void
spec_exit_add_signal(struct core_exit_set *set, int signal)
{
	if (signal >= 1 && signal <= LAST_SIGNAL)
		set->signals |= UINT64_C(1) << (signal - 1);
}

bool
spec_exit_matches(const struct core_exit_set *set, int32_t status)
{
	if (status == CORE_STATUS_UNKNOWN)
		return false;
	if (STATUS_SIGNAL(status))
		return spec_exit_has_signal(set, STATUS_SIGNAL(status));
	return spec_exit_has_code(set, STATUS_CODE(status));
}

bool
spec_restarts_after(const struct core_spec *spec, int32_t status)
{
	return spec->restart == RESTART_PERMANENT ||
	    (spec->restart == RESTART_TRANSIENT && !spec_exit_matches(&spec->success_exit, status));
}
