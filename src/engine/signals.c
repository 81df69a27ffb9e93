#include "engine/signals.h"

#include "engine/checkpoint.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/uplink.h"
#include "lib/log.h"
#include "lib/names.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LINES_A_FLUSH 64

/* One line a node. For people who have nothing but a terminal and kill(1). */
static void
log_tree(const struct engine *engine)
{
	char path[NODES_PATH_SIZE];
	uint32_t count = core_count(engine->core);

	for (uint32_t node = 0; node < count; node++) {
		struct core_view view;
		char pid[32] = "";
		core_view(engine->core, node, &view);
		const char *reason = core_reason_text(view.reason);
		if (view.has_process)
			snprintf(pid, sizeof pid, ", pid %d", (int)engine->processes[node].pid);
		log_line(nodes_path(engine->nodes, node, path), "%s%s%s%s%s, start %u, %u restarts",
		    core_state_text(view.state), reason[0] ? " (" : "", reason,
		    reason[0] ? ")" : "", pid, view.incarnation, view.restarts);
		if (node % LINES_A_FLUSH == 0)
			log_flush();
	}
}

static void
reopen(struct engine *engine)
{
	int listener;

	control_reopen(engine->control);
	listener = control_listener(engine->control);
	if (listener >= 0 && !engine->reaper_lost && uplink_store(LINK_KEY_CONTROL, listener))
		log_line(NULL,
		    "the reaper does not take the control socket; a new engine will make its own");
}

static void
shut_down(struct engine *engine, int number, enum link_leave_how how)
{
	struct core_event event = { .type = ON_SHUTDOWN,
		.timeout = engine->settings.shutdown_timeout };
	struct image_state *next = checkpoint_state(engine->checkpoint);

	/*
	 * only a second SIGINT hurries: an impatient person, not a script that sends TERM twice
	 * (FIELD 2.A.20)
	 */
	if (number == SIGINT)
		event.now = next->interrupts++ > 0;
	if (!engine->terse)
		log_line(NULL, "SIG%s: shutting down%s", names_signal_text(number),
		    event.now ? " at once" : "");
	if (!core_is_leaving(engine->core)) { /* how it leaves is settled by who asks first */
		engine_set_leave(engine, how);
		next->leave_signal = number;
	}
	engine_submit(engine, &event);
}

/* What init would do nothing with is for the command: it may mean something by it. */
static void
pass_on(struct engine *engine, int number)
{
	uint32_t count = core_count(engine->core);

	for (uint32_t node = 1; node < count; node++) {
		int error = engine_signal(
		    engine, node, number, core_spec_of(engine->core, node)->stop_group);
		if (error < 0 && !engine->terse)
			log_line(NULL, "SIG%s: the command does not get it: %s",
			    names_signal_text(number), strerror(-error));
	}
}

void
signals_handle(struct engine *engine, int number)
{
	int how = link_leave_by(engine->mode, number);

	if (how >= 0)
		shut_down(engine, number, (enum link_leave_how)how);
	else if (engine->is_command)
		pass_on(engine, number);
	else if (number == SIGHUP)
		log_line(NULL, "SIGHUP: reload is not supported yet; nothing has changed");
	else if (number == SIGUSR1)
		reopen(engine);
	else if (number == SIGUSR2)
		log_tree(engine);
	else
		log_line(NULL, "SIG%s: not for us", names_signal_text(number));
}
