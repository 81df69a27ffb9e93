#include "engine/leftovers.h"

#include "engine/cgroup_file.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/exits.h"
#include "engine/process.h"
#include "engine/spawn.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VARIABLE      "COPPICE_INVOCATION="
#define VARIABLE_SIZE 512
#define TOKEN_SIZE    64
#define ENVIRON_SIZE  262144U /* more of an environment is not looked at */
#define LIST_SIZE     4096
#define REMEMBERED    32
#define SOON          0.02 /* seconds; after a look that has found some, for those that they leave */
#define PAUSE         0.1  /* between two looks … */
#define SHARE         20   /* … or that many times what the last one took */
#define LAST_LOOKS    10

struct leftovers {
	struct engine *engine;
	uint64_t seed;
	bool wanted;
	int list;      /* /proc/PID/task/PID/children of the reaper, while it is read; -1 */
	char rest[16]; /* of a number that was cut */
	int64_t began_us;
	unsigned killed;
	struct ev_timer pause;
	char *environ; /* room to read one in */
	char variable[VARIABLE_SIZE];
	const char **environment;
	size_t room;
	int32_t told[REMEMBERED]; /* that nobody is known to have left */
	unsigned told_next;
};

/* ---- marks ---- */

/* What an outer daemon has put there stays, in front: we are its child. */
static void
make_variable(struct leftovers *leftovers, uint32_t node, const struct spawn_request *request,
    const char *outer)
{
	char mark[64];

	snprintf(mark, sizeof(mark), "%016" PRIx64 ".%u.%u", leftovers->seed, (unsigned)node,
	    (unsigned)request->incarnation);
	if (outer == NULL ||
	    snprintf(leftovers->variable, VARIABLE_SIZE, "%s,%s", outer, mark) >= VARIABLE_SIZE)
		(void)snprintf(leftovers->variable, VARIABLE_SIZE, "%s%s", VARIABLE, mark);
}

int
leftovers_mark(struct leftovers *leftovers, uint32_t node, struct spawn_request *request)
{
	size_t count = 0, used = 0;
	const char *outer = NULL;

	while (request->envp[count] != NULL)
		count++;
	if (count + 2 > leftovers->room) {
		const char **grown = realloc(leftovers->environment, (count + 2) * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		leftovers->environment = grown;
		leftovers->room = count + 2;
	}
	for (size_t i = 0; i < count; i++) {
		if (str_starts(request->envp[i], VARIABLE)) {
			outer = request->envp[i];
			if (i < request->envp_own)
				request->envp_own--;
		} else {
			leftovers->environment[used++] = request->envp[i];
		}
	}
	make_variable(leftovers, node, request, outer);
	leftovers->environment[used++] = leftovers->variable;
	leftovers->environment[used] = NULL;
	request->envp = leftovers->environment;
	return 0;
}

/* ---- whose is it? ---- */

enum owner {
	OWNER_UNKNOWN,
	OWNER_LIVES, /* the child that it belongs to, or that does not mind what it leaves */
	OWNER_ENDED,
};

/* By one mark "SEED.NODE.INCARNATION". */
static enum owner
owner_of_token(const struct leftovers *leftovers, const char *token, uint32_t *left_by)
{
	const struct engine *engine = leftovers->engine;
	const struct image_process *process;
	unsigned long long seed, node, incarnation;
	char *end;

	seed = strtoull(token, &end, 16);
	node = *end == '.' ? strtoull(end + 1, &end, 10) : UINT64_MAX;
	incarnation = *end == '.' ? strtoull(end + 1, &end, 10) : UINT64_MAX;
	if (seed != leftovers->seed || node >= core_count(engine->core) || incarnation > UINT32_MAX)
		return OWNER_UNKNOWN;
	process = &engine->processes[node];
	*left_by = (uint32_t)node;
	if (core_spec_of(engine->core, *left_by)->kill_mode != KILL_TREE ||
	    process->incarnation < incarnation ||
	    (process->incarnation == incarnation &&
		(process->state == PROCESS_STARTED || process->state == PROCESS_STARTING)))
		return OWNER_LIVES;
	return OWNER_ENDED;
}

static enum owner
owner_of(struct leftovers *leftovers, int32_t pid, uint32_t *left_by)
{
	char file[32];
	ssize_t len;
	const char *at, *end;
	enum owner owner = OWNER_UNKNOWN;

	snprintf(file, sizeof(file), "/proc/%d/environ", pid);
	len = cgroup_file_read(-1, file, leftovers->environ, ENVIRON_SIZE);
	if (len <= 0 || leftovers->environ == NULL)
		return OWNER_UNKNOWN;
	end = leftovers->environ + len;
	for (at = leftovers->environ; at < end && owner == OWNER_UNKNOWN; at += strlen(at) + 1) {
		const char *token = str_starts(at, VARIABLE) ? at + strlen(VARIABLE) : NULL;

		while (token != NULL && owner == OWNER_UNKNOWN) {
			owner = owner_of_token(leftovers, token, left_by);
			token += strcspn(token, ",");
			token = *token == ',' ? token + 1 : NULL;
		}
	}
	return owner;
}

/* ---- one that the reaper has adopted ---- */

static void
tell_unknown(struct leftovers *leftovers, int32_t pid)
{
	char name[PROCESS_NAME_SIZE];

	for (unsigned i = 0; i < REMEMBERED; i++)
		if (leftovers->told[i] == pid)
			return;
	leftovers->told[leftovers->told_next++ % REMEMBERED] = pid;
	process_name(pid, name);
	log_line(NULL, "left over by somebody, and left alone: %d (%s)", pid, name);
}

/*
 * The descriptor first: then what is seen to be a leftover is what it holds, whatever happens to
 * the number.
 */
static void
judge(struct leftovers *leftovers, int32_t pid)
{
	const struct engine *engine = leftovers->engine;
	struct process_kin kin;
	enum owner owner;
	char name[PROCESS_NAME_SIZE], path[NODES_PATH_SIZE];
	uint32_t left_by = CORE_ROOT;
	int pidfd;

	if (pid == getpid() || exits_node(engine->exits, pid) != CORE_NONE)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return;
	if (process_kin(pid, &kin) == 0 && kin.parent == engine->reaper_pid && !kin.is_dead) {
		owner = owner_of(leftovers, pid, &left_by);
		if (owner == OWNER_UNKNOWN)
			tell_unknown(leftovers, pid);
		process_name(pid, name);
		if (owner == OWNER_ENDED &&
		    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0) {
			leftovers->killed++;
			if (!kin.is_before_exec) /* else of a start that came to nothing */
				log_line(nodes_path(engine->nodes, left_by, path),
				    "left over, and killed: %d (%s)", pid, name);
		}
	}
	fd_close(&pidfd);
}

/* ---- the look ---- */

static void
on_pause(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	/* that the loop turns is its purpose */
	(void)loop;
	(void)timer;
	(void)events;
}

static void
pause_for(struct leftovers *leftovers, double seconds)
{
	ev_now_update(leftovers->engine->loop);
	ev_timer_set(&leftovers->pause, seconds, 0.);
	ev_timer_start(leftovers->engine->loop, &leftovers->pause);
}

void
leftovers_look(struct leftovers *leftovers)
{
	leftovers->wanted = true;
}

static bool
begin_look(struct leftovers *leftovers)
{
	char file[64];
	int reaper = leftovers->engine->reaper_pid;

	leftovers->wanted = false;
	snprintf(file, sizeof(file), "/proc/%d/task/%d/children", reaper, reaper);
	leftovers->list = open(file, O_RDONLY | O_CLOEXEC);
	leftovers->began_us = span_mono_now_us();
	leftovers->killed = 0;
	leftovers->rest[0] = '\0';
	return leftovers->list >= 0;
}

static void
end_look(struct leftovers *leftovers)
{
	double took = (double)(span_mono_now_us() - leftovers->began_us) / 1e6;

	fd_close(&leftovers->list);
	/* what they leave in turn is adopted only when they are dead */
	leftovers->wanted = leftovers->wanted || leftovers->killed > 0;
	if (leftovers->killed > 0)
		pause_for(leftovers, SOON);
	else
		pause_for(leftovers, took * SHARE > PAUSE ? took * SHARE : PAUSE);
}

/* A piece of the list of children; false at its end. */
static bool
read_some(struct leftovers *leftovers)
{
	char text[LIST_SIZE], *at = text, *end;
	size_t kept = strlen(leftovers->rest);
	ssize_t len;

	memcpy(text, leftovers->rest, kept);
	leftovers->rest[0] = '\0';
	len = read(leftovers->list, text + kept, sizeof(text) - kept - 1);
	if (len <= 0)
		return false;
	text[kept + (size_t)len] = '\0';
	for (;;) {
		long pid = strtol(at, &end, 10); /* the kernel wrote it */

		if (end == at || pid <= 0 || pid > INT32_MAX)
			return true;
		if (*end == '\0') {
			snprintf(
			    leftovers->rest, sizeof(leftovers->rest), "%s", at + strspn(at, " "));
			return true;
		}
		judge(leftovers, (int32_t)pid);
		at = end;
	}
}

bool
leftovers_some(struct leftovers *leftovers)
{
	if (leftovers->engine->reaper_lost || ev_is_active(&leftovers->pause))
		return false;
	if (leftovers->list < 0 && (!leftovers->wanted || !begin_look(leftovers)))
		return false;
	if (read_some(leftovers))
		return true;
	end_look(leftovers);
	return false;
}

/* Each look may find those that the dead of the one before have left. */
void
leftovers_finish(struct leftovers *leftovers)
{
	const struct timespec soon = { .tv_nsec = (long)(SOON * 1e9) };

	for (unsigned looks = 0; looks < LAST_LOOKS && !leftovers->engine->reaper_lost; looks++) {
		if (leftovers->list < 0 && (!leftovers->wanted || !begin_look(leftovers)))
			return;
		while (read_some(leftovers))
			;
		end_look(leftovers);
		if (leftovers->wanted)
			nanosleep(&soon, NULL);
	}
}

/* ---- life ---- */

struct leftovers *
leftovers_new(struct engine *engine)
{
	struct leftovers *leftovers = calloc(1, sizeof(*leftovers));

	if (leftovers == NULL)
		return NULL;
	leftovers->engine = engine;
	leftovers->seed = checkpoint_seed(engine->checkpoint);
	leftovers->list = -1;
	leftovers->wanted = engine->generation > 1 && engine->cgroup.tree < 0;
	ev_timer_init(&leftovers->pause, on_pause, 0., 0.);
	leftovers->environ = malloc(ENVIRON_SIZE);
	if (leftovers->environ == NULL)
		leftovers_free(&leftovers);
	return leftovers;
}

void
leftovers_free(struct leftovers **leftovers)
{
	struct leftovers *old = *leftovers;

	*leftovers = NULL;
	if (old == NULL)
		return;
	if (ev_is_active(&old->pause))
		ev_timer_stop(old->engine->loop, &old->pause);
	fd_close(&old->list);
	free(old->environ);
	free(old->environment);
	free(old);
}
