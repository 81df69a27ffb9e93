#include "engine/cgroup_tree.h"

#include "engine/cgroup.h"
#include "engine/cgroup_file.h"
#include "engine/cgroup_kill.h"
#include "engine/cgroup_report.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "engine/hooks.h"
#include "engine/leftovers.h"
#include "engine/process.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MODE       0755
#define ENDING     ".n"
#define PATH_SIZE  (NODES_PATH_SIZE + 2 * DEPTH + 8)
#define DEPTH      34
#define OPEN_COUNT 256U /* directories that stay open, for what is restarted often … */
#define OPEN_SHARE 64U  /* … and at most this part of all descriptors */
#define A_TURN     16
#define PATIENCE   24 /* rounds in which nothing could be removed */
#define LOOK       0.02
#define LOOK_MOST  1.0
#define END_MS     500

enum flag {
	MADE = 1,     /* it may be there */
	READY = 2,    /* it is there, with its limits and, of a supervisor, its controllers */
	LEAVING = 4,  /* in the queue of those to be removed */
	LIMITED = 8,  /* a limit of its own or of a supervisor above is to be in force */
	KILLING = 16, /* not all that was in it could be told to die */
	KILLED = 32,  /* cgroup.kill was used */
};

struct cgroup_tree {
	struct engine *engine;
	struct cgroup *cgroup;
	uint8_t *flags; /* [node] */
	uint8_t *needs; /* [node] of a supervisor: controllers for those in it */
	uint32_t *ooms; /* [node] processes killed for want of memory that are known */
	struct {
		uint32_t node;
		int dir;    /* -1: none */
		int events; /* its cgroup.events, once asked for; -1 */
	} open[OPEN_COUNT];
	unsigned open_count;
	uint32_t *leaving, first, count; /* ring */
	unsigned patience;               /* rounds left */
	struct ev_timer look;
	bool told;
};

/* ---- names ---- */

/* shop/web@3 → shop.n/web@3.n; the root is ".". */
static const char *
path_of(const struct cgroup_tree *tree, uint32_t node, char out[PATH_SIZE])
{
	char path[NODES_PATH_SIZE], *to = out;

	if (node == CORE_ROOT)
		return strcpy(out, ".");
	nodes_path(tree->engine->nodes, node, path);
	for (const char *from = path; *from != '\0'; from++) {
		must(to - out < PATH_SIZE - 8);
		if (*from == '/')
			to = stpcpy(to, ENDING);
		*to++ = *from;
	}
	strcpy(to, ENDING);
	return out;
}

static uint32_t
parent_of(const struct cgroup_tree *tree, uint32_t node)
{
	struct core_view view;

	core_view(tree->engine->core, node, &view);
	return view.parent;
}

static const struct cgroup_limits *
limits_of(const struct cgroup_tree *tree, uint32_t node)
{
	return &nodes_place(tree->engine->nodes, node)->limits;
}

static bool
is_supervisor(const struct cgroup_tree *tree, uint32_t node)
{
	return core_spec_of(tree->engine->core, node)->kind == KIND_SUPERVISOR;
}

/* ---- directories that are open ---- */

static void
forget(struct cgroup_tree *tree, uint32_t node)
{
	unsigned at = node % tree->open_count;

	if (tree->open[at].node == node) {
		fd_close(&tree->open[at].dir);
		fd_close(&tree->open[at].events);
	}
}

static int
remember(struct cgroup_tree *tree, uint32_t node, int dir)
{
	unsigned at = node % tree->open_count;

	fd_close(&tree->open[at].dir);
	fd_close(&tree->open[at].events);
	tree->open[at].node = node;
	tree->open[at].dir = dir;
	return dir;
}

static int
open_path(const struct cgroup_tree *tree, uint32_t node)
{
	char path[PATH_SIZE];
	int dir = openat(
	    tree->cgroup->tree, path_of(tree, node, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	/* cppcheck-suppress resourceLeak ; it is the caller's */
	return dir;
}

int
cgroup_tree_open(const struct cgroup_tree *tree, uint32_t node)
{
	int dir;

	if (tree->cgroup->tree < 0 || (tree->flags[node] & MADE) == 0)
		return -1;
	dir = open_path(tree, node);
	return dir < 0 ? -1 : dir;
}

/* ---- making ---- */

/* Controllers that are to be had by what is in the directory. */
static int
enable(const struct cgroup_tree *tree, uint32_t node, int dir)
{
	unsigned wanted = (tree->needs[node] | CGROUP_MEMORY) & tree->cgroup->controllers;
	char text[64];

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		int error;

		if ((wanted >> i & 1) == 0)
			continue;
		snprintf(text, sizeof(text), "+%s", cgroup_controller_texts[i]);
		error = cgroup_file_write(dir, "cgroup.subtree_control", text);
		/* memory is for being shown too; without it nothing is let loose */
		if (error != 0 && (tree->needs[node] >> i & 1) != 0)
			return error;
	}
	return 0;
}

/* The node's cgroup as it has to be, below its parent's; a descriptor or a negative errno. */
static int
prepare(struct cgroup_tree *tree, uint32_t node)
{
	char path[PATH_SIZE], name[NODES_PATH_SIZE];
	const char *file = "";
	int dir, error = 0;

	path_of(tree, node, path);
	if (mkdirat(tree->cgroup->tree, path, MODE) == 0)
		tree->flags[node] &= (uint8_t)~READY;
	else if (errno != EEXIST)
		return -errno;
	tree->flags[node] |= MADE;
	dir = open_path(tree, node);
	if (dir < 0 || (tree->flags[node] & READY) != 0)
		return dir;
	error = cgroup_limit_apply(dir, limits_of(tree, node), tree->cgroup->controllers, &file);
	if (error != 0)
		log_line(nodes_path(tree->engine->nodes, node, name),
		    "its limit in %s cannot be set: %s", file, strerror(-error));
	else if (is_supervisor(tree, node))
		error = enable(tree, node, dir);
	if (error != 0)
		fd_close(&dir);
	else
		tree->flags[node] |= READY;
	return error != 0 ? error : dir;
}

/* With all above it. */
static int
make(struct cgroup_tree *tree, uint32_t node)
{
	uint32_t line[DEPTH];
	int count = 0, dir = -ENAMETOOLONG;

	for (uint32_t at = node; at != CORE_NONE && count < DEPTH; at = parent_of(tree, at))
		line[count++] = at;
	while (count > 0) {
		uint32_t at = line[--count];

		tree->flags[at] &= (uint8_t)~LEAVING;
		dir = prepare(tree, at);
		if (dir < 0 || at == node)
			break;
		fd_close(&dir);
	}
	return dir;
}

/*
 * So that what is counted in it is counted from this start on; and because Linux 6.14 and some
 * before it kill at once whatever is cloned into a cgroup in which cgroup.kill has ever been used
 * (they compare its count of kills with that of the parent's cgroup).
 */
static void
begin_anew(struct cgroup_tree *tree, uint32_t node)
{
	char path[PATH_SIZE];

	forget(tree, node);
	if (cgroup_remove(tree->cgroup->tree, path_of(tree, node, path)) != 0)
		return;
	tree->flags[node] &= (uint8_t) ~(READY | KILLED);
	if (tree->ooms != NULL)
		tree->ooms[node] = 0;
}

static int
find(struct cgroup_tree *tree, uint32_t node)
{
	unsigned at = node % tree->open_count;
	int dir;

	if (tree->open[at].node == node && tree->open[at].dir >= 0)
		return tree->open[at].dir;
	dir = (tree->flags[node] & READY) != 0 ? open_path(tree, node) : -ENOENT;
	if (dir == -ENOENT)
		dir = make(tree, node);
	return dir < 0 ? dir : remember(tree, node, dir);
}

int
cgroup_tree_enter(struct cgroup_tree *tree, uint32_t node, int *dir, bool *joins)
{
	char path[NODES_PATH_SIZE];
	int result;

	*dir = 0;
	*joins = false;
	if (tree->cgroup->tree < 0)
		return tree->cgroup->lost && (tree->flags[node] & LIMITED) != 0 ? -ENODEV : 0;
	tree->flags[node] &= (uint8_t)~LEAVING;
	if ((tree->flags[node] & KILLING) != 0)
		cgroup_tree_kill(tree, node);
	if ((tree->flags[node] & KILLING) != 0)
		return -EBUSY;
	if ((tree->flags[node] & KILLED) != 0 || (tree->ooms != NULL && tree->ooms[node] > 0))
		begin_anew(tree, node);
	*joins = (tree->flags[node] & KILLED) != 0;
	result = find(tree, node);
	if (result >= 0) {
		*dir = result;
		return 0;
	}
	if ((tree->flags[node] & LIMITED) != 0)
		return result;
	if (!tree->told)
		log_line(nodes_path(tree->engine->nodes, node, path),
		    "there is no cgroup to be had for it, so it starts without one, as others will: %s",
		    strerror(-result));
	tree->told = true;
	return 0;
}

void
cgroup_tree_doubt(struct cgroup_tree *tree, uint32_t node)
{
	if (tree->cgroup->tree < 0)
		return;
	forget(tree, node);
	tree->flags[node] &= (uint8_t)~READY;
}

/* ---- killing ---- */

/* Of one that is open: asked at each end of a child, so it must not cost much. */
static bool
is_empty(struct cgroup_tree *tree, unsigned at)
{
	int *events = &tree->open[at].events;
	char text[128];
	uint64_t populated = 1;
	ssize_t len;

	if (*events < 0)
		*events = openat(tree->open[at].dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	len = *events < 0 ? -1 : pread(*events, text, sizeof(text) - 1, 0);
	if (len < 0)
		return cgroup_is_empty(tree->open[at].dir);
	text[len] = '\0';
	return cgroup_file_number(text, "populated", &populated) && populated == 0;
}

void
cgroup_tree_kill(struct cgroup_tree *tree, uint32_t node)
{
	char path[NODES_PATH_SIZE];
	unsigned at = node % tree->open_count;
	bool is_open = tree->open[at].node == node && tree->open[at].dir >= 0;
	int dir = is_open ? tree->open[at].dir : cgroup_tree_open(tree, node);

	tree->flags[node] &= (uint8_t)~KILLING;
	if (dir < 0 || tree->cgroup->tree < 0)
		return;
	if (!(is_open ? is_empty(tree, at) : cgroup_is_empty(dir))) {
		bool done = cgroup_kill(dir, nodes_path(tree->engine->nodes, node, path));

		tree->flags[node] |= done ? KILLED : KILLING;
	}
	if (!is_open)
		fd_close(&dir);
}

static void
kill_tree(void *context, uint32_t node)
{
	struct engine *engine = context;

	if (engine->cgroups == NULL)
		return;
	cgroup_tree_kill(engine->cgroups, node);
	if ((engine->cgroups->flags[node] & MADE) == 0)
		leftovers_look(engine->leftovers);
}

void
cgroup_tree_act_kills(struct engine *engine)
{
	checkpoint_act_kills(engine->checkpoint, process_kill_leftovers, kill_tree, engine);
}

/* ---- leaving ---- */

static void
push(struct cgroup_tree *tree, uint32_t node)
{
	uint32_t size = core_count(tree->engine->core);

	must(tree->count < size);
	tree->leaving[(tree->first + tree->count++) % size] = node;
}

static uint32_t
pop(struct cgroup_tree *tree)
{
	uint32_t node = tree->leaving[tree->first];

	tree->first = (tree->first + 1) % core_count(tree->engine->core);
	tree->count--;
	return node;
}

static bool
is_down(enum core_state state)
{
	return state == STATE_STOPPED || state == STATE_FINISHED || state == STATE_FAILED;
}

void
cgroup_tree_note(struct cgroup_tree *tree, const struct core_record *record)
{
	uint32_t node = record->node;

	if (record->type != RECORD_STATE || node == CORE_ROOT || !is_down(record->state) ||
	    (tree->flags[node] & (MADE | LEAVING)) != MADE ||
	    tree->count == core_count(tree->engine->core))
		return;
	tree->flags[node] |= LEAVING;
	tree->patience = PATIENCE;
	push(tree, node);
}

/* Whether it need not be looked at any more. */
static bool
leave(struct cgroup_tree *tree, uint32_t node)
{
	char path[PATH_SIZE];
	struct core_view view;

	core_view(tree->engine->core, node, &view);
	if ((tree->flags[node] & LEAVING) == 0 || !is_down(view.state))
		return true;
	forget(tree, node);
	if (cgroup_remove(tree->cgroup->tree, path_of(tree, node, path)) != 0) {
		/* what a hook has left behind it */
		if (core_spec_of(tree->engine->core, node)->kill_mode == KILL_TREE &&
		    !is_supervisor(tree, node) && (tree->flags[node] & KILLED) == 0)
			cgroup_tree_kill(tree, node);
		return false;
	}
	tree->flags[node] &= (uint8_t) ~(MADE | READY | KILLING | KILLED);
	if (tree->ooms != NULL)
		tree->ooms[node] = 0;
	return true;
}

static void
on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	/* that the loop turns is its purpose */
	(void)loop;
	(void)timer;
	(void)events;
}

/* What cannot be removed yet (a process takes its time to die) is tried again a little later. */
bool
cgroup_tree_some(struct cgroup_tree *tree)
{
	struct ev_loop *loop = tree->engine->loop;
	bool progress = false;

	if (tree->count == 0 || ev_is_active(&tree->look))
		return false;
	for (uint32_t left = tree->count < A_TURN ? tree->count : A_TURN; left > 0; left--) {
		uint32_t node = pop(tree);

		if (leave(tree, node)) {
			tree->flags[node] &= (uint8_t)~LEAVING;
			progress = true;
		} else if (tree->patience > 0) {
			push(tree, node);
		} else {
			tree->flags[node] &= (uint8_t)~LEAVING; /* it stays, until the next time */
		}
	}
	if (progress)
		tree->patience = PATIENCE;
	if (tree->count == 0 || progress)
		return tree->count > 0;
	if (tree->patience > 0) {
		double wait = LOOK * (PATIENCE + 1 - tree->patience--);

		ev_now_update(loop);
		ev_timer_set(&tree->look, wait < LOOK_MOST ? wait : LOOK_MOST, 0.);
		ev_timer_start(loop, &tree->look);
	}
	return tree->patience == 0;
}

void
cgroup_tree_end(struct cgroup_tree *tree)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	mono_ms until = span_mono_now() + END_MS;

	if (tree->cgroup->tree < 0)
		return;
	while (cgroup_remove(tree->cgroup->home, "tree") != 0 && span_mono_now() < until)
		(void)nanosleep(&moment, NULL);
}

/* ---- what is asked ---- */

bool
cgroup_tree_take_oom(struct cgroup_tree *tree, uint32_t node)
{
	char text[512];
	uint64_t count = 0;
	int dir = tree->ooms == NULL ? -1 : cgroup_tree_open(tree, node);
	bool grown;

	if (dir < 0)
		return false;
	(void)cgroup_file_read(dir, "memory.events", text, sizeof(text));
	fd_close(&dir);
	grown = cgroup_file_number(text, "oom_kill", &count) && count > tree->ooms[node];
	tree->ooms[node] = (uint32_t)count;
	return grown;
}

/* ---- life ---- */

/* From the leaves to the root, what each supervisor's directory has to give to those in it. */
static void
add_up(struct cgroup_tree *tree)
{
	uint32_t count = core_count(tree->engine->core);

	for (uint32_t node = 0; node < count; node++) {
		uint32_t parent = parent_of(tree, node);
		bool above = parent != CORE_NONE && (tree->flags[parent] & LIMITED) != 0;

		if (above || cgroup_limit_needs(limits_of(tree, node)) != 0)
			tree->flags[node] |= LIMITED;
	}
	for (uint32_t node = count; node-- > 1;) {
		uint32_t parent = parent_of(tree, node);

		tree->needs[parent] |=
		    (uint8_t)(tree->needs[node] | cgroup_limit_needs(limits_of(tree, node)));
	}
}

/*
 * What the dead engine may have made, and used cgroup.kill in: of a start that it was about to make
 * the table of processes does not tell.
 */
static void
assume_made(struct cgroup_tree *tree)
{
	for (uint32_t node = 1; node < core_count(tree->engine->core); node++)
		tree->flags[node] |= MADE | KILLED;
}

static unsigned
count_open(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < OPEN_SHARE)
		return 1;
	return files.rlim_cur / OPEN_SHARE < OPEN_COUNT ? (unsigned)(files.rlim_cur / OPEN_SHARE)
							: OPEN_COUNT;
}

struct cgroup_tree *
cgroup_tree_new(struct engine *engine)
{
	uint32_t count = core_count(engine->core);
	struct cgroup_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL)
		return NULL;
	tree->engine = engine;
	tree->cgroup = &engine->cgroup;
	for (unsigned i = 0; i < OPEN_COUNT; i++)
		tree->open[i].dir = tree->open[i].events = -1;
	tree->open_count = count_open();
	ev_timer_init(&tree->look, on_look, 0., 0.);
	tree->flags = calloc(count, sizeof(*tree->flags));
	tree->needs = calloc(count, sizeof(*tree->needs));
	tree->leaving = calloc(count, sizeof(*tree->leaving));
	if ((tree->cgroup->controllers & CGROUP_MEMORY) != 0)
		tree->ooms = calloc(count, sizeof(*tree->ooms));
	if (tree->flags == NULL || tree->needs == NULL || tree->leaving == NULL ||
	    ((tree->cgroup->controllers & CGROUP_MEMORY) != 0 && tree->ooms == NULL)) {
		cgroup_tree_free(&tree);
		return NULL;
	}
	add_up(tree);
	if (engine->generation == 1)
		cgroup_report(engine);
	else if (engine->cgroup.tree >= 0)
		assume_made(tree);
	return tree;
}

void
cgroup_tree_free(struct cgroup_tree **tree)
{
	struct cgroup_tree *old = *tree;

	*tree = NULL;
	if (old == NULL)
		return;
	if (ev_is_active(&old->look))
		ev_timer_stop(old->engine->loop, &old->look);
	for (unsigned i = 0; i < OPEN_COUNT; i++) {
		fd_close(&old->open[i].dir);
		fd_close(&old->open[i].events);
	}
	free(old->flags);
	free(old->needs);
	free(old->ooms);
	free(old->leaving);
	free(old);
}
