#include "shell.h"

#include "engine/checkpoint.h"
#include "engine/control.h"
#include "engine/events.h"
#include "engine/hooks.h"
#include "engine/spawn.h"
#include "lib/buf.h"
#include "lib/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define COMMON                                                                                           \
	"\"restart\": \"permanent\", \"significant\": false, \"autostart\": %s, \"backoff\": \"fixed\"," \
	" \"backoff_delay\": 100, \"backoff_max\": 30000, \"backoff_factor_milli\": 2000,"               \
	" \"backoff_jitter_ppm\": 0, \"stable_after\": 10000"
#define SUPERVISOR                                                                                        \
	"{\"path\": \"%s\", \"kind\": \"supervisor\", " COMMON ", \"strategy\": \"one_for_one\","         \
	" \"on_limit\": \"escalate\", \"intensity\": 5, \"period\": 60000, \"auto_shutdown\": \"never\"," \
	" \"start_order\": \"ordered\", \"stop_order\": \"ordered\", \"max_starting\": 0,"                \
	" \"start_queue_timeout\": null, \"on_start_failure\": \"retry\"}"
#define CHILD                                                                                              \
	"{\"path\": \"%s\", \"kind\": \"child\", \"instances\": %s, " COMMON                               \
	", \"ready\": \"%s\","                                                                             \
	" \"start_timeout\": 10000, \"stop\": [[\"TERM\", 5000], [\"KILL\", null]],"                       \
	" \"stop_group\": false, \"hook_timeout\": 10000, \"kill_mode\": \"tree\", \"success_exit\": [0]," \
	" \"no_restart_exit\": [], \"escalate_exit\": [], \"program\": {\"argv\": [\"x\"], \"env\": [],"   \
	" \"clear_env\": false, \"directory\": null, \"stdin\": \"null\", \"log\": \"null\","              \
	" \"log_file\": null, \"log_stderr\": \"same\", \"log_stderr_file\": null, \"umask\": 18,"         \
	" \"identity\": null}}"

static struct shell *
shell_of(struct engine *engine)
{
	return (struct shell *)engine;
}

/* --- the engine's functions --- */

static void
carry_out_spawn(struct shell *shell, const struct core_action *action)
{
	struct image_process *process = &shell->processes[action->node];
	char path[NODES_PATH_SIZE];
	bool bad = shell->bad != NULL &&
	    strcmp(shell->bad, nodes_path(shell->engine.nodes, action->node, path)) == 0;

	*process = (struct image_process){ .incarnation = action->incarnation,
		.state = PROCESS_STARTING,
		.pid = ++shell->next_pid };
	if (!shell->manual)
		shell_answer(
		    shell, nodes_path(shell->engine.nodes, action->node, path), bad ? ENOENT : 0);
}

static void
carry_out_signal(struct shell *shell, const struct core_action *action)
{
	char path[NODES_PATH_SIZE];

	if (!shell->manual)
		shell_end(
		    shell, nodes_path(shell->engine.nodes, action->node, path), action->signal);
}

static void
carry_out_record(struct shell *shell, const struct core_record *record)
{
	events_add(&shell->engine, record);
	shell->engine.event_number = checkpoint_state(shell->engine.checkpoint)->event_number;
	*checkpoint_logged(shell->engine.checkpoint) = shell->engine.event_number;
	if (shell->waits != NULL)
		wait_on_record(shell->waits, record);
	if (shell->engine.control != NULL)
		control_on_record(shell->engine.control, record);
}

void
engine_feed(struct engine *engine, const struct core_event *event)
{
	core_handle(engine->core, span_mono_now(), event);
}

void
engine_commit(struct engine *engine)
{
	struct shell *shell = shell_of(engine);
	struct core_action action;

	shell->commits++;
	while (core_next_action(engine->core, &action)) {
		if (action.type == DO_SPAWN)
			carry_out_spawn(shell, &action);
		else if (action.type == DO_SIGNAL)
			carry_out_signal(shell, &action);
		else if (action.type == DO_RECORD)
			carry_out_record(shell, &action.record);
		else if (action.type == DO_EXIT)
			shell->leaving = true;
	}
}

void
engine_submit(struct engine *engine, const struct core_event *event)
{
	engine_feed(engine, event);
	engine_commit(engine);
}

int
engine_signal(struct engine *engine, uint32_t node, int signal, bool group)
{
	struct shell *shell = shell_of(engine);

	if (shell->processes[node].state != PROCESS_STARTED)
		return -ESRCH;
	shell->signalled++;
	shell->signal = signal;
	shell->signal_group = group;
	return shell->signal_error;
}

void
engine_set_leave(struct engine *engine, enum link_leave_how how)
{
	shell_of(engine)->leave = how;
}

int64_t
engine_wall_ms(mono_ms at)
{
	return span_wall_now_ms() - (span_mono_now() - at);
}

/* --- for the tests --- */

static void
add_row(struct buf *product, const char *row)
{
	char path[64], ready[16] = "spawn", more[16] = "null", text[2048];
	bool off;

	assert_true(sscanf(row, "%63s %15s %15s", path, ready, more) >= 1);
	off = strcmp(more, "off") == 0;
	size_t len = strlen(path);
	if (path[len - 1] == '/') {
		if (len > 1)
			path[len - 1] = '\0';
		snprintf(text, sizeof text, SUPERVISOR, path, "true");
	} else {
		snprintf(text, sizeof text, CHILD, path, off ? "null" : more,
		    off ? "false" : "true", ready);
	}
	buf_printf(product, "%s\n", text);
}

/* The places as a product, which load_place can read again. */
static struct nodes *
make_nodes(struct shell *shell, const char *const *rows)
{
	struct buf product = { 0 };
	const char *problem = NULL;

	for (; *rows != NULL; rows++)
		add_row(&product, *rows);
	shell->engine.specs = memfd_create("specs", MFD_CLOEXEC);
	assert_true(shell->engine.specs >= 0);
	assert_int_equal(fd_write_all(shell->engine.specs, product.data, product.len), 0);
	struct nodes *nodes = nodes_new(shell->engine.core, product.data, product.len, 0, &problem);
	assert_null(problem);
	buf_free(&product);
	return nodes;
}

struct shell *
shell_new(const char *const *rows)
{
	struct shell *shell = calloc(1, sizeof *shell);

	assert_non_null(shell);
	shell->next_pid = 1000;
	shell->engine.processes = shell->processes;
	shell->engine.reaper_pid = 1;
	shell->engine.generation = 1;
	shell->engine.mode = MODE_SERVICE;
	shell->engine.settings = (struct settings){
		.control_mode = 0600, .control_gid = (gid_t)-1, .shutdown_timeout = 90000
	};
	shell->engine.core = core_new(1);
	shell->engine.nodes = make_nodes(shell, rows);
	shell->engine.hooks = hooks_new(shell->engine.core);
	assert_non_null(shell->engine.hooks);
	assert_true(hooks_slots(shell->engine.hooks) <= SHELL_NODES);
	assert_int_equal(
	    checkpoint_new(&shell->engine.checkpoint, shell->engine.core,
		hooks_slots(shell->engine.hooks), 1, &(struct checkpoint_specs){ 0 }, SHELL_EVENTS),
	    0);
	return shell;
}

void
shell_free(struct shell *shell)
{
	checkpoint_free(&shell->engine.checkpoint);
	hooks_free(&shell->engine.hooks);
	nodes_free(&shell->engine.nodes);
	core_free(&shell->engine.core);
	fd_close(&shell->engine.specs);
	free(shell);
}

uint32_t
shell_node(const struct shell *shell, const char *path)
{
	uint32_t node = nodes_find(shell->engine.nodes, path);

	assert_int_not_equal(node, CORE_NONE);
	return node;
}

void
shell_submit(struct shell *shell, enum core_event_type type, const char *path)
{
	struct core_event event = { .type = type,
		.node = path != NULL ? shell_node(shell, path) : CORE_ROOT };

	engine_submit(&shell->engine, &event);
}

void
shell_answer(struct shell *shell, const char *path, int error)
{
	uint32_t node = shell_node(shell, path);
	struct image_process *process = &shell->processes[node];
	struct core_event event = { .type = error != 0 ? ON_SPAWN_FAILED : ON_SPAWNED,
		.node = node,
		.incarnation = process->incarnation,
		.pid = process->pid,
		.step = error != 0 ? STEP_EXEC : 0,
		.error = error };

	process->state = error != 0 ? PROCESS_FAILED : PROCESS_STARTED;
	process->step = event.step;
	process->error = error;
	engine_submit(&shell->engine, &event);
}

void
shell_end(struct shell *shell, const char *path, int32_t status)
{
	uint32_t node = shell_node(shell, path);
	struct image_process *process = &shell->processes[node];
	struct core_event event = { .type = ON_EXITED,
		.node = node,
		.incarnation = process->incarnation,
		.status = status };

	process->state = PROCESS_ENDED;
	engine_submit(&shell->engine, &event);
}
