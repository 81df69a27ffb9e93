#include "engine/api.h"

#include "engine/engine.h"
#include "engine/loop.h"
#include "engine/process.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAEMON_PROTOCOL 1

/* --- ping --- */

/*
 * Field 22 of /proc/PID/stat: when a process started, in clock ticks since boot; 0 when that cannot
 * be read.
 */
static uint64_t
daemon_start_ticks(int32_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t len = fd_read_all(fd, text, sizeof text - 1);
	fd_close(&fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	/*
	 * The second field is the name in parentheses and may hold anything; the third follows the
	 * last parenthesis.
	 */
	const char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

/* Who takes signals: the reaper; when that is gone, this process. */
static int32_t
daemon_pid(const struct engine *engine)
{
	return engine->reaper_lost ? (int32_t)getpid() : engine->reaper_pid;
}

/* Since that one started; where /proc does not tell, since this engine did. */
static double
daemon_uptime_s(const struct engine *engine)
{
	uint64_t start = daemon_start_ticks(daemon_pid(engine)), now = process_ticks_now();
	long ticks_per_s = sysconf(_SC_CLK_TCK);

	if (start > 0 && start <= now && ticks_per_s > 0)
		return (double)(now - start) / (double)ticks_per_s;
	return (double)(span_wall_now_ms() - engine->started_wall_ms) / 1000;
}

static double
daemon_longest_turn_s(const struct engine *engine)
{
	return engine->driver != NULL ? (double)loop_take_longest_us(engine->driver) / 1e6 : 0;
}

enum rpc_progress
api_ping(struct rpc_call *call, int *work)
{
	const struct engine *engine = call->session->engine;
	struct buf *out = rpc_result(call);

	--*work;
	if (out != NULL)
		buf_printf(out,
		    "{\"version\":\"%s\",\"pid\":%d,\"engine_pid\":%d,\"engine_generation\":%u,\"uptime_s\":%.2f,\"protocol\":%d,\"longest_turn_s\":%.6f%s%s}",
		    COPPICE_VERSION, (int)daemon_pid(engine), (int)getpid(),
		    (unsigned)engine->generation, daemon_uptime_s(engine), DAEMON_PROTOCOL,
		    daemon_longest_turn_s(engine),
		    core_is_holding(engine->core) ? ",\"hold\":true" : "",
		    engine->reaper_lost ? ",\"reaper_lost\":true" : "");
	return rpc_finish(call);
}

/* --- shutdown --- */

static const struct {
	const char *word;
	enum link_leave_how how;
} shutdown_actions[] = {
	{ "exit", LEAVE_EXIT },
	{ "poweroff", LEAVE_POWEROFF },
	{ "reboot", LEAVE_REBOOT },
	{ "halt", LEAVE_HALT },
};
#define SHUTDOWN_ACTIONS (sizeof shutdown_actions / sizeof *shutdown_actions)

/* Which action is meant, as an index; SHUTDOWN_ACTIONS after refusing. */
static size_t
shutdown_action(struct rpc_call *call)
{
	bool machine = call->session->engine->mode == MODE_MACHINE;
	const char *word = call->args.action != NULL ? call->args.action
	    : machine                                ? "poweroff"
						     : "exit";

	for (size_t i = 0; i < SHUTDOWN_ACTIONS; i++) {
		if (strcmp(word, shutdown_actions[i].word) != 0)
			continue;
		if ((shutdown_actions[i].how != LEAVE_EXIT) == machine)
			return i;
		rpc_refuse(call, RPC_REFUSED, NULL,
		    machine ? "a machine is left by poweroff, reboot or halt"
			    : "this daemon can only exit: `shutdown` without an action",
		    "%s: not %s a machine's first process", word, machine ? "as" : "without being");
		return SHUTDOWN_ACTIONS;
	}
	rpc_refuse(call, RPC_INVALID_PARAMS, NULL, NULL,
	    "action is exit, poweroff, reboot or halt, not \"%.100s\"", word);
	return SHUTDOWN_ACTIONS;
}

enum rpc_progress
api_shutdown(struct rpc_call *call, int *work)
{
	struct engine *engine = call->session->engine;
	size_t action = shutdown_action(call);
	char what[64];

	*work -= RPC_WORK_REQUEST;
	if (action == SHUTDOWN_ACTIONS)
		return RPC_DONE;
	span_ms timeout = call->args.timeout;
	if ((call->args.given & PARAM_BIT(PARAM_TIMEOUT)) == 0)
		timeout = engine->settings.shutdown_timeout;
	/* To the core 0 is no limit; to whoever asks it is no time. */
	struct core_event event = {
		.type = ON_SHUTDOWN, .now = call->args.now, .timeout = timeout > 0 ? timeout : 1
	};
	snprintf(what, sizeof what, "shutdown (%s%s)", shutdown_actions[action].word,
	    call->args.now ? ", now" : "");
	api_log(call, "/", what);
	/* How it leaves is settled by whoever asks first. */
	if (!core_is_leaving(engine->core))
		engine_set_leave(engine, shutdown_actions[action].how);
	engine_submit(engine, &event);
	struct buf *out = rpc_result(call);
	if (out != NULL)
		buf_printf(out, "{\"action\":\"%s\"}", shutdown_actions[action].word);
	return rpc_finish(call);
}
