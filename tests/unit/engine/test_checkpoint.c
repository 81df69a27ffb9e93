#include "engine/checkpoint.h"
#include "lib/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED   7
#define EVENTS 8

/*
 * A root with three children; the image is also mapped by the test, to play the engine's death at a
 * chosen moment.
 */
struct fixture {
	struct core *core;
	struct checkpoint *checkpoint;
	struct checkpoint_specs specs;
	struct image_head *head;
	int fd; /* what the reaper would keep */
};

#define HOOKS 2 /* slots behind those of the nodes */

static struct core *
make_core(void)
{
	struct core *core = core_new(SEED);
	struct core_spec super, child;

	spec_defaults(&super, KIND_SUPERVISOR);
	spec_defaults(&child, KIND_CHILD);
	assert_int_equal(core_add(core, CORE_NONE, &super, 1, NULL), 0);
	assert_int_equal(core_add(core, CORE_ROOT, &child, 3, NULL), 0);
	return core;
}

static void
handle(struct core *core, struct core_event event)
{
	struct core_action action;

	core_handle(core, 1000, &event);
	while (core_next_action(core, &action)) {
		;
	}
}

static int
setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	fixture.core = make_core();
	fixture.specs = checkpoint_specs_of("specs", 5);
	assert_int_equal(checkpoint_new(&fixture.checkpoint, fixture.core,
			     core_count(fixture.core) + HOOKS, SEED, &fixture.specs, EVENTS),
	    0);
	fixture.fd = dup(checkpoint_fd(fixture.checkpoint));
	assert_true(fixture.fd >= 0);
	fixture.head =
	    mmap(NULL, IMAGE_HEAD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fixture.fd, 0);
	assert_true(fixture.head != MAP_FAILED);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	checkpoint_free(&fixture->checkpoint);
	core_free(&fixture->core);
	assert_int_equal(munmap(fixture->head, IMAGE_HEAD_SIZE), 0);
	fd_close(&fixture->fd);
	return 0;
}

static int32_t killed[4];
static size_t kills;

static void
note_kill(int32_t pid)
{
	assert_true(kills < sizeof(killed) / sizeof(killed[0]));
	killed[kills++] = pid;
}

static void
note_tree(void *context, uint32_t node)
{
	assert_null(context);
	note_kill(-(int32_t)node);
}

/* As the engine does it: then the journal is free for the next. */
static void
commit(struct fixture *fixture)
{
	checkpoint_commit(fixture->checkpoint, fixture->core);
	checkpoint_act_kills(fixture->checkpoint, note_kill, note_tree, NULL);
}

/* The engine is gone, a new one comes: the same specs, the file that the reaper kept. */
static void
die_and_reopen(struct fixture *fixture)
{
	const char *problem = NULL;

	checkpoint_free(&fixture->checkpoint);
	core_free(&fixture->core);
	fixture->core = make_core();
	assert_int_equal(
	    checkpoint_open(&fixture->checkpoint, dup(fixture->fd), &fixture->specs, &problem), 0);
	assert_null(problem);
	assert_int_equal(checkpoint_load(fixture->checkpoint, fixture->core), 0);
}

static enum core_state
state_of(const struct fixture *fixture, uint32_t node)
{
	struct core_view view;

	core_view(fixture->core, node, &view);
	return view.state;
}

static void
test_survives(void **state)
{
	struct fixture *fixture = *state;

	assert_false(checkpoint_is_committed(fixture->fd));
	handle(fixture->core, (struct core_event){ .type = ON_BOOT });
	checkpoint_state(fixture->checkpoint)->exit_number = 42;
	checkpoint_state(fixture->checkpoint)->leave = 3;
	checkpoint_commit(fixture->checkpoint, fixture->core);
	assert_true(checkpoint_is_committed(fixture->fd));
	die_and_reopen(fixture);
	assert_int_equal(checkpoint_seed(fixture->checkpoint), SEED);
	assert_int_equal(checkpoint_state(fixture->checkpoint)->exit_number, 42);
	assert_int_equal(checkpoint_state(fixture->checkpoint)->leave, 3);
	assert_int_equal(state_of(fixture, 1), STATE_STARTING);
	handle(fixture->core, (struct core_event){ .type = ON_RESUME });
	assert_null(core_check(fixture->core));
}

/* What is handled but not committed has not happened. */
static void
test_uncommitted_is_forgotten(void **state)
{
	struct fixture *fixture = *state;

	commit(fixture);
	handle(fixture->core, (struct core_event){ .type = ON_BOOT });
	checkpoint_state(fixture->checkpoint)->exit_number = 42;
	checkpoint_add_ended(fixture->checkpoint, 1);
	die_and_reopen(fixture);
	assert_int_equal(state_of(fixture, 1), STATE_STOPPED);
	assert_int_equal(checkpoint_state(fixture->checkpoint)->exit_number, 0);
	assert_int_equal(checkpoint_processes(fixture->checkpoint)[1].state, PROCESS_NONE);
}

/*
 * Dead between `committed` and `applied`, with the areas in any condition: the journal makes them
 * whole.
 */
static void
test_journal_is_applied(void **state)
{
	struct fixture *fixture = *state;
	size_t size;
	char *base;

	handle(fixture->core, (struct core_event){ .type = ON_BOOT });
	checkpoint_state(fixture->checkpoint)->event_number = 9;
	checkpoint_add_ended(fixture->checkpoint, 2);
	checkpoint_commit(fixture->checkpoint, fixture->core);

	size = fixture->head->size;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->fd, 0);
	assert_true(base != MAP_FAILED);
	fixture->head->applied--;
	fixture->head->state.event_number = 3;
	/* node 1 was changed by the boot, so it is in the journal */
	memset(base + fixture->head->areas[CORE_AREA_NODES].offset +
		fixture->head->areas[CORE_AREA_NODES].size,
	    0xa5, fixture->head->areas[CORE_AREA_NODES].size);
	checkpoint_processes(fixture->checkpoint)[2].state = PROCESS_STARTED;
	assert_int_equal(munmap(base, size), 0);

	die_and_reopen(fixture);
	assert_int_equal(state_of(fixture, 1), STATE_STARTING);
	assert_int_equal(checkpoint_state(fixture->checkpoint)->event_number, 9);
	assert_int_equal(checkpoint_processes(fixture->checkpoint)[2].state, PROCESS_ENDED);
	assert_int_equal(fixture->head->applied, fixture->head->committed);
	handle(fixture->core, (struct core_event){ .type = ON_RESUME });
	assert_null(core_check(fixture->core));
}

static void
test_kills_are_repeated_until_done(void **state)
{
	struct fixture *fixture = *state;

	kills = 0;
	checkpoint_add_kill(fixture->checkpoint, 11);
	checkpoint_add_kill(fixture->checkpoint, 12);
	checkpoint_add_kill_tree(fixture->checkpoint, 1);
	checkpoint_commit(fixture->checkpoint, fixture->core);
	die_and_reopen(fixture);
	checkpoint_act_kills(fixture->checkpoint, note_kill, note_tree, NULL);
	assert_int_equal(kills, 3);
	assert_int_equal(killed[0], 11);
	assert_int_equal(killed[1], 12);
	assert_int_equal(killed[2], -1);
	checkpoint_act_kills(fixture->checkpoint, note_kill, note_tree, NULL);
	die_and_reopen(fixture);
	checkpoint_act_kills(fixture->checkpoint, note_kill, note_tree, NULL);
	assert_int_equal(kills, 3);
	/* the next commit has none */
	commit(fixture);
	assert_int_equal(kills, 3);
}

/* A slot behind those of the nodes is one like others, up to the last. */
static void
test_slots_of_hooks(void **state)
{
	struct fixture *fixture = *state;
	uint32_t nodes = core_count(fixture->core), slots = nodes + HOOKS;
	struct checkpoint *none = NULL;
	const char *problem = NULL;

	assert_int_equal(checkpoint_slots(fixture->checkpoint), slots);
	checkpoint_add_ended(fixture->checkpoint, slots - 1);
	checkpoint_add_kill(fixture->checkpoint, 11);
	checkpoint_commit(fixture->checkpoint, fixture->core);
	fixture->head->applied--;
	checkpoint_processes(fixture->checkpoint)[slots - 1].state = PROCESS_STARTED;
	die_and_reopen(fixture); /* before it has applied and acted */
	assert_int_equal(checkpoint_processes(fixture->checkpoint)[slots - 1].state, PROCESS_ENDED);
	commit(fixture);
	for (int tree = 0; tree < 2; tree++) {
		if (tree)
			checkpoint_add_kill_tree(fixture->checkpoint, nodes);
		else
			checkpoint_add_ended(fixture->checkpoint, slots - 1);
		checkpoint_commit(fixture->checkpoint, fixture->core);
		if (!tree)
			fixture->head->processes.count--;
		assert_int_equal(
		    checkpoint_open(&none, dup(fixture->fd), &fixture->specs, &problem), -EINVAL);
		assert_string_equal(problem, "it is damaged (its journal)");
		if (!tree) {
			fixture->head->processes.count++;
			fixture->head->acted = fixture->head->committed;
		}
	}
}

/* A journal that is half-filled for a commit that never came is nobody's business. */
static void
test_half_filled_journal(void **state)
{
	struct fixture *fixture = *state;

	handle(fixture->core, (struct core_event){ .type = ON_BOOT });
	commit(fixture);
	checkpoint_add_kill(fixture->checkpoint, -1);
	checkpoint_add_ended(fixture->checkpoint, 3);
	die_and_reopen(fixture);
	assert_int_equal(state_of(fixture, 1), STATE_STARTING);
	assert_int_equal(checkpoint_processes(fixture->checkpoint)[3].state, PROCESS_NONE);
}

static void
test_ring(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(checkpoint_events(fixture->checkpoint), EVENTS);
	for (uint64_t number = 1; number <= EVENTS + 2; number++)
		checkpoint_event(fixture->checkpoint, number)->number = number;
	*checkpoint_logged(fixture->checkpoint) = 5;
	checkpoint_commit(fixture->checkpoint, fixture->core);
	die_and_reopen(fixture);
	assert_int_equal(checkpoint_event(fixture->checkpoint, EVENTS + 2)->number, EVENTS + 2);
	assert_int_equal(checkpoint_event(fixture->checkpoint, 3)->number, 3);
	assert_int_equal(checkpoint_event(fixture->checkpoint, 1)->number, EVENTS + 1);
	assert_int_equal(*checkpoint_logged(fixture->checkpoint), 5);
}

static void
expect_refused(struct fixture *fixture, const struct checkpoint_specs *specs, const char *what)
{
	struct checkpoint *checkpoint = NULL;
	const char *problem = NULL;

	assert_int_equal(checkpoint_open(&checkpoint, dup(fixture->fd), specs, &problem), -EINVAL);
	assert_null(checkpoint);
	assert_non_null(problem);
	assert_non_null(strstr(problem, what));
}

/* FIELD 2.G.5 */
static void
test_strange_images_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct checkpoint_specs others = checkpoint_specs_of("Specs", 5);
	struct image_head saved;

	checkpoint_commit(fixture->checkpoint, fixture->core);
	expect_refused(fixture, &others, "other specs");
	saved = *fixture->head;
#define WITH(change, what)                                      \
	do {                                                    \
		change;                                         \
		expect_refused(fixture, &fixture->specs, what); \
		*fixture->head = saved;                         \
	} while (0)
	WITH(fixture->head->magic++, "no checkpoint");
	WITH(fixture->head->version++, "another version");
	WITH(fixture->head->core_layout++, "another version");
	WITH(fixture->head->size++, "layout");
	WITH(fixture->head->nodes = fixture->head->processes.count + 1, "layout");
	WITH(fixture->head->nodes = fixture->head->processes.count / 2 - 1, "layout");
	WITH(fixture->head->events.offset = UINT64_MAX - 8, "layout");
	WITH(fixture->head->events.count = UINT32_MAX, "layout");
	WITH(fixture->head->areas[1].size *= 1000, "areas");
	WITH(fixture->head->applied += 1, "commits");
	WITH(fixture->head->committed += 2, "commits");
	WITH((fixture->head->acted = 0, fixture->head->journal.count = 0), "journal");
	WITH((memset(fixture->head, 0, sizeof(saved)),
		 assert_true(checkpoint_is_committed(fixture->fd))),
	    "no checkpoint");
#undef WITH
	die_and_reopen(fixture);
}

/*
 * Any bytes in the journal: refused or applied, never written beyond the areas. The sanitizers
 * watch.
 */
static void
test_journal_of_noise(void **state)
{
	struct fixture *fixture = *state;
	struct image_head saved;
	uint32_t *words;
	uint32_t noise = 12345;
	size_t size, count;
	char *base;

	checkpoint_commit(fixture->checkpoint, fixture->core);
	saved = *fixture->head;
	size = fixture->head->size;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->fd, 0);
	assert_true(base != MAP_FAILED);
	words = (uint32_t *)(void *)(base + saved.journal.offset + sizeof(struct image_journal));
	count = saved.journal.count * 16 - sizeof(struct image_journal) / 4;
	for (int round = 0; round < 2000; round++) {
		struct image_journal *journal = (void *)(base + saved.journal.offset);
		struct checkpoint *checkpoint = NULL;
		const char *problem;
		for (size_t i = 0; i < count; i++) {
			noise = noise * 1664525 + 1013904223;
			words[i] = noise >> 28; /* small numbers look most like entries */
		}
		*fixture->head = saved;
		fixture->head->applied--;
		journal->number = saved.committed;
		journal->length = (noise >> 8) % (count * 4 + 16);
		if (checkpoint_open(&checkpoint, dup(fixture->fd), &fixture->specs, &problem) == 0)
			checkpoint_free(&checkpoint);
	}
	*fixture->head = saved;
	assert_int_equal(munmap(base, size), 0);
}

/* FIELD 2.G.5 */
static void
test_another_tree_is_not_loaded(void **state)
{
	struct fixture *fixture = *state;
	struct core *other = make_core();
	struct core_spec child;

	spec_defaults(&child, KIND_CHILD);
	assert_int_equal(core_add(other, CORE_ROOT, &child, 1, NULL), 0);
	assert_int_equal(checkpoint_load(fixture->checkpoint, other), -EINVAL);
	core_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uncommitted_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_is_applied, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_kills_are_repeated_until_done, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slots_of_hooks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_filled_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strange_images_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_of_noise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_tree_is_not_loaded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
