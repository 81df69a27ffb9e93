/*
 * A checkpoint with bytes changed here and there: refused, or loaded into a core that is sound and can go on. The input is
 * a list of {offset, number of bytes, bytes}.
 */
#include "fuzz.h"

#include "core/core.h"
#include "engine/checkpoint.h"
#include "lib/fd.h"
#include "lib/must.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED   7
#define EVENTS 16

static const struct checkpoint_specs specs = { .size = 1, .hash = 2 };

static struct core *
make_core(void)
{
	struct core *core = core_new(SEED);
	struct core_spec super, child;
	uint32_t inner;

	must(core != NULL);
	spec_defaults(&super, KIND_SUPERVISOR);
	spec_defaults(&child, KIND_CHILD);
	must(core_add(core, CORE_NONE, &super, 1, NULL) == 0);
	super.strategy = STRATEGY_REST_FOR_ONE;
	must(core_add(core, CORE_ROOT, &super, 1, &inner) == 0);
	must(core_add(core, inner, &child, 3, NULL) == 0);
	must(core_add(core, CORE_ROOT, &child, 2, NULL) == 0);
	return core;
}

static void
drain(struct core *core)
{
	struct core_action action;

	while (core_next_action(core, &action)) {
		/* nobody carries it out */
	}
}

static void
patch(int fd, struct fuzz_input *input)
{
	struct stat st;
	uint32_t offset;
	uint8_t count, bytes[256];

	must(fstat(fd, &st) == 0);
	while (input->left > 0) {
		fuzz_take(input, &offset, sizeof offset);
		fuzz_take(input, &count, sizeof count);
		fuzz_take(input, bytes, count);
		if (offset + (off_t)count <= st.st_size)
			must(pwrite(fd, bytes, count, offset) == count);
	}
}

/* A tree of which some runs, committed. */
static int
make_image(void)
{
	struct core *core = make_core();
	struct checkpoint *checkpoint;
	int fd;

	must(checkpoint_new(&checkpoint, core, core_count(core), SEED, &specs, EVENTS) == 0);
	core_handle(core, 1000, &(struct core_event){ .type = ON_BOOT });
	drain(core);
	core_handle(core, 1001,
	    &(struct core_event){ .type = ON_SPAWNED, .node = 2, .incarnation = 1, .pid = 99 });
	drain(core);
	checkpoint_commit(checkpoint, core);
	fd = fcntl(checkpoint_fd(checkpoint), F_DUPFD_CLOEXEC, 0);
	must(fd >= 0);
	checkpoint_free(&checkpoint);
	core_free(&core);
	return fd;
}

static void
no_kill(int32_t pid)
{
	(void)pid;
}

static void
no_kill_tree(void *context, uint32_t node)
{
	(void)context, (void)node;
}

static void
go_on(struct core *core)
{
	core_handle(core, 5000, &(struct core_event){ .type = ON_RESUME });
	drain(core);
	must(core_check(core) == NULL);
	for (uint32_t node = 0; node < core_count(core); node++) {
		struct core_view view;
		core_view(core, node, &view);
		core_handle(core, 6000,
		    &(struct core_event){
			.type = ON_EXITED, .node = node, .incarnation = view.incarnation });
		drain(core);
	}
	core_handle(core, 100000, &(struct core_event){ .type = ON_TIMER });
	drain(core);
	must(core_check(core) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct checkpoint *checkpoint;
	const char *problem;
	int fd = make_image();

	patch(fd, &input);
	if (checkpoint_open(&checkpoint, fd, &specs, &problem) != 0) {
		must(problem != NULL);
		return 0;
	}
	struct core *core = make_core();
	if (checkpoint_load(checkpoint, core) == 0) {
		checkpoint_act_kills(checkpoint, no_kill, no_kill_tree, NULL);
		go_on(core);
	}
	core_free(&core);
	checkpoint_free(&checkpoint);
	return 0;
}
