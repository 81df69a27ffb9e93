#include "engine/spawn.h"

#include "engine/clone.h"
#include "engine/guard.h"
#include "engine/nearby.h"
#include "engine/plan.h"
#include "engine/process.h"
#include "engine/slot.h"
#include "engine/workers.h"
#include "lib/fd.h"
#include "lib/must.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPAWNER_MAGIC 0x53504e52U
#define LOOK_MS       50
#define PATIENCE_MS   5000
#define LEAVE_MS      500 /* for the end of what was killed */
#define LAST_SIGNAL   64

/*
 * A start that is not over: in the workers' hands, or taken over from a dead engine. It ends
 * exactly once, in end_start.
 */
struct start {
	/*
	 * First: a job collected is its start. An adopted one uses the plan's process, node,
	 * reached.
	 */
	struct workers_job job;
	struct start *next_adopted;
	span_ms patience; /* from the clone to the KILL */
	int32_t verdict; /* STEP_STOPPED or STEP_HUNG once it was killed for that, else STEP_NONE */
	mono_ms killed;  /* when */
	bool adopted;
	bool exited; /* its exit was seen */
	bool left; /* cannot even be killed: it was told as failed, and its thread is left to it */
};

struct spawner {
	uint32_t magic;
	struct ev_loop *loop;
	spawn_done_fn *done;
	void *context;
	ev_io over;
	ev_timer look;
	int wake;    /* eventfd of `over` */
	int null_fd; /* below CHILD_SETUP_STAGED, or -1 */
	uint64_t signals;
	struct workers *workers;
	struct nearby nearby;
	/* Made by the first start that needs it; NULL also where no thread can be made. */
	struct guard *guard;
	void *stack;   /* for the children that the main thread clones */
	char *scratch; /* for their plans */
	size_t scratch_size;
	struct start **pending; /* [node] */
	uint32_t node_count;
	uint32_t pending_count;
	struct start *adopted;
	size_t adopted_looks;
};

static struct spawner *
spawner_from(void *data)
{
	struct spawner *spawner = data;

	must(spawner != NULL && spawner->magic == SPAWNER_MAGIC);
	return spawner;
}

/* --- pending starts --------------------------------------------------------------------------- */

static int
note_pending(struct spawner *spawner, uint32_t node, struct start *start)
{
	if (node >= spawner->node_count) {
		uint32_t count = node + 1 + node / 2;
		struct start **grown = realloc(spawner->pending, count * sizeof(struct start *));

		if (grown == NULL)
			return -ENOMEM;
		memset(grown + spawner->node_count, 0,
		    (count - spawner->node_count) * sizeof(struct start *));
		spawner->pending = grown;
		spawner->node_count = count;
	}
	must(spawner->pending[node] == NULL);
	spawner->pending[node] = start;
	spawner->pending_count++;
	return 0;
}

static struct start *
find_pending(const struct spawner *spawner, uint32_t node)
{
	return node < spawner->node_count ? spawner->pending[node] : NULL;
}

static void
drop_pending(struct spawner *spawner, uint32_t node)
{
	spawner->pending[node] = NULL;
	spawner->pending_count--;
}

/* The caller's holds until its next start only. */
static int
keep_cgroup(struct spawn_request *request)
{
	int copy = request->cgroup == 0 ? 0 : fcntl(request->cgroup, F_DUPFD_CLOEXEC, 3);

	request->cgroup = copy < 0 ? 0 : copy;
	return copy < 0 ? -errno : 0;
}

static void
free_start(struct start *start)
{
	if (start->job.plan.request.cgroup != 0)
		fd_close(&start->job.plan.request.cgroup);
	free(start);
}

/* The slot has its result; tells it. `done` may begin new starts. */
static void
end_start(struct spawner *spawner, struct start *start)
{
	uint32_t node = start->job.plan.request.node;
	struct image_process result = *start->job.plan.process;

	drop_pending(spawner, node);
	free_start(start);
	spawner->done(spawner->context, node, result.incarnation, result.step, result.error);
}

/*
 * Told as failed although its process is still there, waiting for a file system that never answers.
 * It will never be a program: the KILL waits for it. Its thread keeps the start, and with it the
 * node's place in `pending`, until the kernel gives it back.
 */
static void
leave_start(struct spawner *spawner, struct start *start)
{
	uint32_t node = start->job.plan.request.node;
	struct image_process *process = start->job.plan.process;

	start->left = true;
	spawner->pending_count--; /* nothing to look at any more */
	__atomic_store_n(&process->start_max, process_ticks_now(), __ATOMIC_RELAXED);
	slot_close_killed(process, start->verdict);
	workers_leave(spawner->workers, &start->job);
	spawner->done(spawner->context, node, process->incarnation, process->step, process->error);
}

static void
look_in(struct spawner *spawner, span_ms span)
{
	ev_timer_stop(spawner->loop, &spawner->look);
	ev_now_update(spawner->loop);
	ev_timer_set(&spawner->look, (double)span / 1e3, 0.);
	ev_timer_start(spawner->loop, &spawner->look);
}

/* Gives a start to the threads. 0 or a negative errno. */
static int
hand_over(
    struct spawner *spawner, const struct spawn_request *request, struct image_process *process)
{
	size_t header = (sizeof(struct start) + 15) / 16 * 16;
	struct start *start = calloc(1, header + plan_lay_out(NULL, request, true, NULL));
	int result;

	if (start == NULL)
		return -ENOMEM;
	plan_lay_out(&start->job.plan, request, true, (char *)start + header);
	start->job.plan.process = process;
	result = keep_cgroup(&start->job.plan.request);
	if (result != 0)
		goto out;
	start->job.plan.signals = spawner->signals;
	start->job.plan.null_fd = -1;
	start->job.plan.may_hang = true;
	start->patience =
	    request->start_timeout < PATIENCE_MS ? request->start_timeout : PATIENCE_MS;
	result = note_pending(spawner, request->node, start);
	if (result != 0)
		goto out;
	result = workers_submit(spawner->workers, &start->job);
	if (result != 0) {
		drop_pending(spawner, request->node);
		goto out;
	}
	if (!ev_is_active(&spawner->look))
		look_in(spawner, LOOK_MS);
	return 0;
out:
	free_start(start);
	return result;
}

/* --- starts by the main thread ---------------------------------------------------------------- */

/*
 * Nothing in such a start waits for a file that a user named, and the child has the engine's own
 * rights until exec, so only root or the engine's own user could stop it half-made. A command that
 * is not at hand goes to the threads too (engine/nearby). What is left (an interpreter on a dead
 * mount, a stop from our own user) is the guard's.
 */
static bool
is_direct(const struct spawn_request *request)
{
	/* nor must it wait for a CPU that others are busy on, as one that is nice might */
	/* and to go to a cgroup takes milliseconds */
	return !request->set_identity && request->directory == NULL && !request->joins_cgroup &&
	    request->contract.env_file == NULL && !request->contract.sets_nice &&
	    request->contract.cpus == NULL && request->input != INPUT_FILE &&
	    request->output != OUTPUT_FILE && request->error_output != OUTPUT_FILE;
}

static int
make_scratch(struct spawner *spawner, size_t size)
{
	char *grown;

	if (size <= spawner->scratch_size)
		return 0;
	grown = realloc(spawner->scratch, size);
	if (grown == NULL)
		return -ENOMEM;
	spawner->scratch = grown;
	spawner->scratch_size = size;
	return 0;
}

/*
 * True when the start is over; false when it must be made by a thread that may wait, unless
 * `forced`.
 */
static bool
start_directly(struct spawner *spawner, const struct spawn_request *request,
    struct image_process *process, bool forced)
{
	struct child_plan plan = {
		.process = process, .signals = spawner->signals, .null_fd = spawner->null_fd
	};
	int result = make_scratch(spawner, plan_lay_out(NULL, request, false, NULL));
	bool killed;

	if (result != 0) {
		slot_close(process, STEP_PREPARE, -result);
		return true;
	}
	plan_lay_out(&plan, request, false, spawner->scratch);
	if (!forced &&
	    !nearby_node(&spawner->nearby, request->node, span_mono_now(), plan.commands))
		return false;
	if (spawner->guard == NULL)
		spawner->guard = guard_new();
	if (spawner->guard != NULL)
		guard_begin(spawner->guard, process);
	result = plan_run(&plan, spawner->stack);
	killed = spawner->guard != NULL && guard_end(spawner->guard);
	if (killed && process->step == STEP_NONE)
		return false;
	slot_judge(&plan, result, STEP_NONE);
	return true;
}

bool
spawn_start(
    struct spawner *spawner, const struct spawn_request *request, struct image_process *process)
{
	int result;

	must(find_pending(spawner, request->node) == NULL);
	slot_open(process, request->incarnation);
	if (is_direct(request)) {
		if (start_directly(spawner, request, process, false))
			return true;
		slot_open(process, request->incarnation);
	}
	result = hand_over(spawner, request, process);
	/*
	 * Threads are forbidden here: glibc's own clone3 takes a filter's EPERM for an answer. Then
	 * everything is made by the main thread, which is better than nothing.
	 */
	if (result == -EPERM && start_directly(spawner, request, process, true))
		return true;
	if (result != 0)
		slot_close(process, STEP_PREPARE, -result);
	return result != 0;
}

/* --- starts in the threads' hands ------------------------------------------------------------- */

static void
on_over(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct spawner *spawner = spawner_from(watcher->data);
	struct workers_job *job, *next;
	uint64_t count;

	(void)loop, (void)events;
	if (read(spawner->wake, &count, sizeof(count)) == -1)
		must(errno == EAGAIN || errno == EINTR);
	for (job = workers_collect(spawner->workers); job != NULL; job = next) {
		struct start *start = (struct start *)(void *)job;

		next = job->next;
		if (start->left) {
			spawner->pending[job->plan.request.node] = NULL;
			free_start(start);
			continue;
		}
		slot_judge(&job->plan, job->clone_error, start->verdict);
		end_start(spawner, start);
	}
}

/*
 * A start that takes long: is it stopped, or has it used up its time? Once killed it is over when
 * its thread is free, or its exit seen.
 */
static void
judge_slow(struct start *start, mono_ms now)
{
	const struct image_process *process = start->job.plan.process;
	int32_t verdict = STEP_NONE;

	if (start->verdict != STEP_NONE || !process_is_before_exec(process))
		return;
	if (process_look(process) == PROCESS_STOPPED)
		verdict = STEP_STOPPED;
	else if (now - start->job.begun >= start->patience)
		verdict = STEP_HUNG;
	if (verdict != STEP_NONE && process_signal(process, SIGKILL, false) == 0) {
		start->verdict = verdict;
		start->killed = now;
	}
}

static bool
is_unkillable(const struct start *start, mono_ms now)
{
	return start->verdict != STEP_NONE && now - start->killed >= LEAVE_MS &&
	    process_is_before_exec(start->job.plan.process);
}

/*
 * Those for which no thread was free in all that time: the others may be tried again, and so may
 * they.
 */
static void
give_up_queued(struct spawner *spawner, mono_ms now)
{
	struct workers_job *job;

	while ((job = workers_take_back(spawner->workers, now - PATIENCE_MS)) != NULL) {
		slot_close(job->plan.process, STEP_PREPARE, EAGAIN);
		end_start(spawner, (struct start *)(void *)job);
	}
}

/* --- starts taken over from a dead engine ----------------------------------------------------- */

/*
 * Nobody is told when such a child execs, so it is looked at: through exec, failed, or gone. One
 * that is gone without a word may have been through exec before it ended: it counts as started, and
 * its exit says the rest.
 */
static bool
is_adopted_over(struct start *start)
{
	struct image_process *process = start->job.plan.process;

	if (!start->exited && process_is_before_exec(process) &&
	    !is_unkillable(start, span_mono_now()))
		return false;
	/* without a PID the engine died before it cloned */
	slot_judge(&start->job.plan, process->pid == 0 ? -ECANCELED : 0, start->verdict);
	return true;
}

static void
look_at_adopted(struct spawner *spawner, mono_ms now)
{
	struct start **at = &spawner->adopted;
	struct start *over = NULL;

	while (*at != NULL) {
		struct start *start = *at;

		if (now - start->job.begun >= LOOK_MS)
			judge_slow(start, now);
		if (!is_adopted_over(start)) {
			at = &start->next_adopted;
			continue;
		}
		*at = start->next_adopted;
		start->next_adopted = over;
		over = start;
	}
	while (over != NULL) {
		struct start *start = over;

		over = start->next_adopted;
		end_start(spawner, start);
	}
}

static void
on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	static const span_ms spans[] = { 1, 2, 5, 10, LOOK_MS };
	struct spawner *spawner = spawner_from(watcher->data);
	struct workers_job *slow[WORKERS_ROOM];
	mono_ms now = span_mono_now();
	size_t count = workers_slow(spawner->workers, now - LOOK_MS, slow);
	span_ms span = LOOK_MS;

	(void)loop, (void)events;
	for (size_t i = 0; i < count; i++) {
		struct start *start = (struct start *)(void *)slow[i];

		judge_slow(start, now);
		if (is_unkillable(start, now))
			leave_start(spawner, start);
	}
	give_up_queued(spawner, now);
	look_at_adopted(spawner, now);
	if (spawner->adopted != NULL && spawner->adopted_looks < sizeof(spans) / sizeof(spans[0]))
		span = spans[spawner->adopted_looks++];
	if (spawner->pending_count > 0)
		look_in(spawner, span);
}

void
spawn_adopt(
    struct spawner *spawner, uint32_t node, struct image_process *process, span_ms start_timeout)
{
	struct start *start = calloc(1, sizeof(*start));

	/*
	 * The engine that adopts has not committed yet: without memory it had better be the next
	 * one that tries.
	 */
	must(start != NULL && note_pending(spawner, node, start) == 0);
	start->job.plan.request.node = node;
	start->job.plan.process = process;
	start->job.plan.reached = STEP_EXEC; /* for all that is known */
	start->job.begun = span_mono_now();
	start->patience = start_timeout < PATIENCE_MS ? start_timeout : PATIENCE_MS;
	start->adopted = true;
	start->next_adopted = spawner->adopted;
	spawner->adopted = start;
	spawner->adopted_looks = 0;
	look_in(spawner, 0);
}

bool
spawn_is_pending(const struct spawner *spawner, uint32_t node)
{
	return find_pending(spawner, node) != NULL;
}

void
spawn_note_exit(struct spawner *spawner, uint32_t node)
{
	struct start *start = find_pending(spawner, node);

	if (start == NULL)
		return;
	start->exited = true;
	if (start->adopted) /* others end with their thread, which the end of the child has freed */
		look_in(spawner, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

/*
 * Which signals are not at their default. Read once, since asking for all of them costs 10 µs; the
 * engine sets its dispositions before it makes a spawner. The raw call: glibc hides two signals,
 * which may have been inherited ignored like any other.
 */
static uint64_t
changed_signals(void)
{
	uint64_t changed = 0;

	for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
		uintptr_t old[16] = {
			0
		}; /* the kernel's struct sigaction, which begins with the handler */

		if (syscall(SYS_rt_sigaction, signal, NULL, old, sizeof(uint64_t)) == 0 &&
		    old[0] != 0)
			changed |= UINT64_C(1) << (signal - 1);
	}
	return changed;
}

/*
 * Open for good where its number is low enough to be seen by the child; else each child opens its
 * own.
 */
static int
open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd >= CHILD_SETUP_STAGED)
		fd_close(&fd);
	return fd;
}

struct spawner *
spawner_new(struct ev_loop *loop, spawn_done_fn *done, void *context)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));

	if (spawner == NULL)
		return NULL;
	spawner->magic = SPAWNER_MAGIC;
	spawner->loop = loop;
	spawner->done = done;
	spawner->context = context;
	spawner->null_fd = open_null();
	spawner->signals = changed_signals();
	nearby_init(&spawner->nearby);
	spawner->stack = clone_stack_new();
	spawner->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spawner->wake != -1)
		spawner->workers = workers_new(spawner->wake);
	ev_init(&spawner->look, on_look);
	spawner->look.data = spawner;
	ev_io_init(&spawner->over, on_over, spawner->wake, EV_READ);
	spawner->over.data = spawner;
	if (spawner->stack == NULL || spawner->workers == NULL) {
		spawner_free(&spawner);
		return NULL;
	}
	ev_io_start(loop, &spawner->over);
	return spawner;
}

void
spawner_free(struct spawner **spawner_at)
{
	struct spawner *spawner = *spawner_at;

	*spawner_at = NULL;
	if (spawner == NULL)
		return;
	ev_io_stop(spawner->loop, &spawner->over);
	ev_timer_stop(spawner->loop, &spawner->look);
	workers_free(&spawner->workers);
	guard_free(&spawner->guard);
	clone_stack_free(&spawner->stack);
	fd_close(&spawner->wake);
	fd_close(&spawner->null_fd);
	for (uint32_t node = 0; node < spawner->node_count; node++) {
		if (spawner->pending[node] != NULL && spawner->pending[node]->adopted)
			free(spawner->pending[node]); /* the others are the workers' */
	}
	free(spawner->pending);
	free(spawner->scratch);
	spawner->magic = 0;
	free(spawner);
}
