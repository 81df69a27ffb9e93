#include "engine/engine.h"

#include "engine/act.h"
#include "engine/arguments.h"
#include "engine/cgroup_tree.h"
#include "engine/checkpoint.h"
#include "engine/control.h"
#include "engine/events.h"
#include "engine/exits.h"
#include "engine/hooks.h"
#include "engine/leftovers.h"
#include "engine/listen.h"
#include "engine/load.h"
#include "engine/loop.h"
#include "engine/notify.h"
#include "engine/orphaned.h"
#include "engine/process.h"
#include "engine/program.h"
#include "engine/resume.h"
#include "engine/spawn.h"
#include "engine/uplink.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* What a command's end is to shells. */
#define STATUS_NOT_RUN   126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL    128

/* ---- the way of an event ---- */

void
engine_feed(struct engine *engine, const struct core_event *event)
{
	core_handle(engine->core, span_mono_now(), event);
	act_collect(engine->act);
}

void
engine_commit(struct engine *engine)
{
	checkpoint_commit(engine->checkpoint, engine->core);
	engine->event_number = checkpoint_state(engine->checkpoint)->event_number;
	cgroup_tree_act_kills(engine);
	act_carry_out(engine->act);
	listen_touch(engine->listen);
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
	const struct image_process *process = &engine->processes[node];
	const volatile int32_t *pid = &process->pid; /* the kernel writes it */

	if ((process->state != PROCESS_STARTED && process->state != PROCESS_STARTING) || *pid == 0)
		return -ESRCH;
	return process_signal(process, signal, group);
}

void
engine_set_leave(struct engine *engine, enum link_leave_how how)
{
	checkpoint_state(engine->checkpoint)->leave = (int32_t)how;
}

int64_t
engine_wall_ms(mono_ms at)
{
	return span_wall_now_ms() - (span_mono_now() - at);
}

/* ---- beginning ---- */

/* Everything here is worth having and none of it worth ending for. */
static void
prepare_process(bool terminal)
{
	sigset_t writing;

	/* With a terminal we are in its background, and must be able to write to it all the same. */
	sigemptyset(&writing);
	sigaddset(&writing, SIGPIPE);
	sigaddset(&writing, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &writing, NULL);
	/* half-made children share our memory: nobody may trace them or have it dumped */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (!terminal && getsid(0) != getpid())
		(void)setsid();
	(void)fd_set_cloexec(LINK_FD, 1);
}

static void
set_files(struct engine *engine, rlim_t soft)
{
	if (getrlimit(RLIMIT_NOFILE, &engine->files))
		engine->files = (struct rlimit){ 1024, 4096 };
	if (soft < engine->files.rlim_cur)
		engine->files.rlim_cur = soft;
}

/*
 * Settings, core and nodes from the product, which is freed. 0 or a status, with everything said.
 */
static int
build_tree(struct engine *engine, struct load_product *product, uint64_t seed)
{
	const char *problem;
	int error = settings_read(&engine->settings, product->coppice, &problem);

	if (!error) {
		problem = "out of memory";
		engine->core = core_new(seed);
		if (engine->core)
			engine->nodes = nodes_new(engine->core, product->text, product->size,
			    product->nodes_at, &problem);
	}
	load_release(product);
	if (engine->nodes)
		engine->hooks = hooks_new(engine->core);
	if (engine->hooks)
		return 0;
	log_line(NULL, "cannot begin: %s", problem);
	return EX_OSERR;
}

/* What runs the tree, for a core and a checkpoint that are there. */
static int
make_parts(struct engine *engine, const struct arguments *arguments, int listener)
{
	engine->processes = checkpoint_processes(engine->checkpoint);
	engine->event_number = checkpoint_state(engine->checkpoint)->event_number;
	/*
	 * never the default loop: its child watcher would wait for everybody's children (FIELD
	 * 2.C.2)
	 */
	engine->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (engine->loop)
		engine->spawner = spawner_new(engine->loop, act_on_spawn_done, engine);
	engine->act = act_new(engine);
	engine->exits = exits_new(engine);
	engine->orphaned = orphaned_new(engine);
	engine->notify = engine->loop ? notify_new(engine) : NULL;
	engine->cgroups = cgroup_tree_new(engine);
	engine->leftovers = leftovers_new(engine);
	engine->listen = engine->loop ? listen_new(engine, arguments) : NULL;
	engine->driver = engine->loop ? loop_new(engine) : NULL;
	if (engine->spawner && engine->act && engine->exits && engine->orphaned && engine->notify &&
	    engine->listen && engine->cgroups && engine->leftovers && engine->driver)
		engine->control = control_new(engine, listener);
	if (engine->control)
		return 0;
	log_line(NULL, "cannot begin: memory or descriptors are used up");
	return EX_OSERR;
}

/* The reaper keeps what a new engine will need. */
static int
store_all(const struct engine *engine)
{
	int listener = control_listener(engine->control);
	int error = uplink_store(LINK_KEY_SPECS, engine->specs);

	if (!error)
		error = uplink_store(LINK_KEY_CHECKPOINT, checkpoint_fd(engine->checkpoint));
	if (!error && listener >= 0)
		error = uplink_store(LINK_KEY_CONTROL, listener);
	if (!error && engine->cgroup.home >= 0)
		error = uplink_store(LINK_KEY_CGROUP, engine->cgroup.home);
	if (!error)
		return 0;
	log_line(NULL, "cannot begin: the reaper does not take descriptors: %s", strerror(-error));
	return EX_OSERR;
}

/* The random numbers need not be secret, only different in each daemon. */
static uint64_t
make_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)span_wall_now_ms() ^ (uint64_t)getpid() << 48;
	return seed;
}

/* One command can concern every node: what it brings must find room, for those who follow. */
static uint32_t
ring_size(const struct engine *engine)
{
	uint32_t least = 2 * core_count(engine->core);

	return engine->settings.event_history > least ? engine->settings.event_history : least;
}

/* Nothing runs: from the files on disk. 0 or a status. */
static int
begin(struct engine *engine, const struct arguments *arguments)
{
	struct core_event hold = { .type = ON_HOLD }, boot = { .type = ON_BOOT };
	struct load_product product;
	struct checkpoint_specs specs;
	const char *problem;
	uint64_t seed = make_seed();
	int status = 0, error;

	engine->specs = load_compile(arguments->given, engine->mode, &status);
	if (engine->specs < 0)
		return status;
	error = load_read(&product, engine->specs, &problem);
	if (!error) {
		specs = checkpoint_specs_of(product.text, product.size);
		status = build_tree(engine, &product, seed);
		if (status)
			return status;
		problem = "no memory for the checkpoint";
		error = checkpoint_new(&engine->checkpoint, engine->core,
		    hooks_slots(engine->hooks), seed, &specs, ring_size(engine));
	}
	if (error) {
		log_line(NULL, "cannot begin: %s: %s", problem, strerror(-error));
		return EX_OSERR;
	}
	/* what a command leaves ends with it, and to move there takes longer than many a command */
	cgroup_begin(&engine->cgroup, engine->is_command ? "none" : engine->settings.cgroup_root,
	    engine->reaper_pid);
	status = make_parts(engine, arguments, -1);
	if (!status)
		status = store_all(engine);
	if (status)
		return status;
	if (!engine->terse)
		log_line(NULL, "coppice %s begins: %u node%s, %s", COPPICE_VERSION,
		    core_count(engine->core), core_count(engine->core) == 1 ? "" : "s",
		    arguments->command ? arguments->command[0] : arguments->given[1]);
	if (engine->hold_requested)
		engine_feed(engine, &hold);
	engine_feed(engine, &boot);
	engine_commit(engine);
	return 0;
}

/* A tree may be running: from the checkpoint, whatever the files say. 0 or a status. */
static int
take_over(struct engine *engine, const struct arguments *arguments)
{
	struct load_product product;
	struct checkpoint_specs specs;
	const char *problem;
	int status, error;

	engine->specs = arguments->specs;
	error = load_read(&product, engine->specs, &problem);
	if (!error) {
		specs = checkpoint_specs_of(product.text, product.size);
		error =
		    checkpoint_open(&engine->checkpoint, arguments->checkpoint, &specs, &problem);
	}
	if (!error) {
		status = build_tree(engine, &product, checkpoint_seed(engine->checkpoint));
		if (status)
			return status;
		error = checkpoint_slots(engine->checkpoint) == hooks_slots(engine->hooks)
		    ? checkpoint_load(engine->checkpoint, engine->core)
		    : -EINVAL;
		problem = "the checkpoint is of another tree, or damaged";
	}
	if (error) {
		log_line(
		    NULL, "cannot take over the running tree: %s (%s)", problem, strerror(-error));
		return EX_OSERR;
	}
	cgroup_resume(&engine->cgroup, arguments->cgroup);
	status = make_parts(engine, arguments, arguments->control);
	if (status)
		return status;
	/* a socket that the dead engine could not make */
	if (arguments->control < 0 && control_listener(engine->control) >= 0)
		(void)uplink_store(LINK_KEY_CONTROL, control_listener(engine->control));
	notify_resume(engine->notify, arguments->kept);
	resume_tree(engine);
	return 0;
}

/* ---- end ---- */

/* What coppiced is to do once all is down (coppiced(8), Signals). */
static enum link_leave_how
way_out(const struct engine *engine, const struct core_action *exit)
{
	int32_t asked = checkpoint_state(engine->checkpoint)->leave;

	if (engine->mode != MODE_MACHINE)
		return LEAVE_EXIT;
	if (exit->escalated)
		return LEAVE_REBOOT;
	return exit->automatic || asked <= 0 ? LEAVE_POWEROFF : (enum link_leave_how)asked;
}

/*
 * A command's own status, also where it was asked to stop; if it has not run until then, as if the
 * signal had killed it; what shells say of one that could not be run. But one that was restarted until that was too much has failed as a tree does.
 */
static int
status_of_command(const struct engine *engine, const struct core_action *exit)
{
	const uint32_t command = 1; /* behind the root */
	const struct image_process *process = &engine->processes[command];
	int32_t signal = checkpoint_state(engine->checkpoint)->leave_signal;
	struct core_view view;

	if (exit->escalated || core_count(engine->core) <= command)
		return exit->status;
	core_view(engine->core, command, &view);
	if (!view.ended && !exit->automatic && signal > 0)
		return STATUS_SIGNAL + signal;
	if (process->state == PROCESS_FAILED)
		return process->step == STEP_EXEC && process->error == ENOENT ? STATUS_NOT_FOUND
									      : STATUS_NOT_RUN;
	if (view.reason == REASON_HOOK_TIMEOUT)
		return STATUS_NOT_RUN;
	if (!view.ended)
		return exit->status;
	if (view.status == CORE_STATUS_UNKNOWN)
		return EX_OSERR;
	return WIFSIGNALED(view.status) ? STATUS_SIGNAL + WTERMSIG(view.status)
					: WEXITSTATUS(view.status);
}

static int
leave(struct engine *engine)
{
	struct core_action exit = { .status = EX_OSERR };

	(void)act_is_leaving(engine->act, &exit);
	if (engine->is_command)
		exit.status = status_of_command(engine, &exit);
	control_free(&engine->control); /* before coppiced goes, so that no socket is left behind */
	leftovers_finish(engine->leftovers);
	cgroup_tree_end(engine->cgroups);
	cgroup_leave(&engine->cgroup, engine->reaper_pid);
	listen_leave(engine->listen);
	events_log(engine);
	if (!engine->terse)
		log_line(NULL, "everything is down, leaving with status %d", exit.status);
	log_flush();
	if (!engine->reaper_lost && uplink_leave(way_out(engine, &exit), exit.status))
		log_line(NULL, "the reaper does not hear that everything is down");
	return exit.status;
}

/* In reverse; parts may be missing. */
static void
free_all(struct engine *engine)
{
	control_free(&engine->control);
	orphaned_free(&engine->orphaned);
	loop_free(&engine->driver);
	notify_free(&engine->notify);
	listen_free(&engine->listen);
	leftovers_free(&engine->leftovers);
	cgroup_tree_free(&engine->cgroups);
	cgroup_close(&engine->cgroup);
	exits_free(&engine->exits);
	act_free(&engine->act);
	spawner_free(&engine->spawner);
	if (engine->loop)
		ev_loop_destroy(engine->loop);
	checkpoint_free(&engine->checkpoint);
	hooks_free(&engine->hooks);
	nodes_free(&engine->nodes);
	core_free(&engine->core);
	fd_close(&engine->specs);
}

int
engine_main(int argc, char **argv)
{
	struct engine engine = { .specs = -1, .cgroup = { .home = -1, .tree = -1 } };
	struct arguments arguments;
	const char *problem;
	int status;

	if (arguments_read(&arguments, argc, argv, &problem)) {
		log_line(NULL, "the engine does not understand its arguments: %s", problem);
		return EX_USAGE;
	}
	prepare_process(arguments.terminal);
	program_set_given(arguments.command);
	engine.is_command = arguments.command != NULL;
	engine.terse = arguments.terse;
	engine.terminal = arguments.terminal;
	log_set_pid(arguments.reaper);
	engine.reaper_pid = arguments.reaper;
	engine.generation = arguments.generation;
	engine.hold_requested = arguments.hold;
	engine.mode = link_mode(arguments.reaper);
	engine.started_wall_ms = span_wall_now_ms();
	set_files(&engine, arguments.files);
	if (arguments.checkpoint >= 0 && arguments.specs >= 0 &&
	    checkpoint_is_committed(arguments.checkpoint))
		status = take_over(&engine, &arguments);
	else
		status = begin(&engine, &arguments);
	if (!status &&
	    (uplink_value(LINK_COMMITTED, 0) ||
		uplink_value(LINK_SHUTDOWN_TIMEOUT, engine.settings.shutdown_timeout)))
		log_line(NULL, "the reaper does not hear that the tree is set up");
	if (!status) {
		exits_watch(engine.exits);
		loop_run(engine.driver);
		status = leave(&engine);
	}
	free_all(&engine);
	free(arguments.sockets);
	return status;
}
