#include "engine/checkpoint.h"

#include "lib/fd.h"
#include "lib/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)CORE_AREAS == IMAGE_CORE_AREAS, "the head has a place for each area");

/*
 * Commits are small but for those that stop or start everything. What a big one has used of the
 * journal is given back to the system; the next big one asks for it again before it writes: a hole
 * must never be found by a write.
 */
#define JOURNAL_KEEP 65536

struct checkpoint {
	int fd;
	char *base;
	size_t size; /* mapped */
	struct image_head *head;
	struct image_state next; /* of the commit to come */
	uint64_t filled;         /* bytes of its entries that are in the journal already */
	bool is_whole;           /* the journal's space is all allocated */
};

static uint64_t
padded(uint64_t size)
{
	return (size + 7) & ~(uint64_t)7;
}

struct checkpoint_specs
checkpoint_specs_of(const void *text, size_t size)
{
	const unsigned char *bytes = text;
	uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3U;
	return (struct checkpoint_specs){ .size = size, .hash = hash };
}

/* Places an area behind what is there already. */
static void
place(struct image_head *head, struct image_area *area, uint64_t count, uint64_t size)
{
	area->offset = (head->size + 63) & ~(uint64_t)63;
	area->count = (uint32_t)count;
	area->size = (uint32_t)size;
	head->size = area->offset + count * size;
}

/*
 * The journal has room for everything at once: each item dirty, each process ended, its group and
 * its cgroup to be killed.
 */
static void
lay_out(struct image_head *head, const struct core *core, uint32_t slots, uint32_t events)
{
	uint64_t journal =
	    sizeof(struct image_journal) + 3 * (uint64_t)slots * sizeof(struct image_entry);

	head->size = IMAGE_HEAD_SIZE;
	head->nodes = core_count(core);
	place(head, &head->processes, slots, sizeof(struct image_process));
	place(head, &head->events, events, sizeof(struct image_event));
	for (uint32_t i = 0; i < CORE_AREAS; i++) {
		uint32_t count = core_area_count(core, (enum core_area)i);
		uint32_t size = core_area_size(core, (enum core_area)i);
		place(head, &head->areas[i], count, padded(size));
		journal += count * (sizeof(struct image_entry) + padded(size));
	}
	place(head, &head->journal, (journal + 63) / 64, 64);
}

static int
map(struct checkpoint *checkpoint, size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, checkpoint->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	checkpoint->base = base;
	checkpoint->size = size;
	checkpoint->head = base;
	return 0;
}

/* All items as the core has them now: the first commit needs to journal only what changes after. */
static void
copy_core(struct checkpoint *checkpoint, const struct core *core)
{
	for (uint32_t i = 0; i < CORE_AREAS; i++) {
		const struct image_area *area = &checkpoint->head->areas[i];
		size_t size = core_area_size(core, (enum core_area)i);
		for (uint32_t k = 0; k < area->count; k++)
			memcpy(checkpoint->base + area->offset + (uint64_t)k * area->size,
			    core_area_item(core, (enum core_area)i, k), size);
	}
}

int
checkpoint_new(struct checkpoint **out, const struct core *core, uint32_t slots, uint64_t seed,
    const struct checkpoint_specs *specs, uint32_t events)
{
	struct image_head head = {
		.magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .core_layout = CORE_LAYOUT
	};
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	int error;

	if (!checkpoint)
		return -ENOMEM;
	head.seed = seed;
	head.specs_size = specs->size;
	head.specs_hash = specs->hash;
	head.state.leave = -1;
	lay_out(&head, core, slots, events);
	checkpoint->fd = fd_memfile("coppice-checkpoint", head.size);
	error = checkpoint->fd < 0 ? checkpoint->fd : map(checkpoint, head.size);
	if (error) {
		checkpoint_free(&checkpoint);
		return error;
	}
	must(checkpoint->head != NULL);
	*checkpoint->head = head;
	checkpoint->is_whole = true;
	checkpoint->next = head.state;
	copy_core(checkpoint, core);
	*out = checkpoint;
	return 0;
}

static bool
fits(const struct image_head *head, const struct image_area *area, uint64_t size)
{
	return area->size == size && size > 0 && size % 8 == 0 && area->offset % 8 == 0 &&
	    area->offset >= IMAGE_HEAD_SIZE && area->offset <= head->size &&
	    area->count <= (head->size - area->offset) / size;
}

/* NULL, or why the image cannot be used. */
static const char *
judge(const struct image_head *head, uint64_t size, const struct checkpoint_specs *specs)
{
	if (head->magic != IMAGE_MAGIC)
		return "it is no checkpoint";
	if (head->version != IMAGE_VERSION || head->core_layout != CORE_LAYOUT)
		return "it was written by another version";
	if (head->size != size || !fits(head, &head->processes, sizeof(struct image_process)) ||
	    !fits(head, &head->events, sizeof(struct image_event)) ||
	    !fits(head, &head->journal, 64) || head->processes.count < head->nodes ||
	    head->processes.count / 2 > head->nodes || head->events.count == 0)
		return "it is damaged (its layout)";
	for (int i = 0; i < IMAGE_CORE_AREAS; i++)
		if (head->areas[i].count && !fits(head, &head->areas[i], head->areas[i].size))
			return "it is damaged (its areas)";
	if (head->specs_size != specs->size || head->specs_hash != specs->hash)
		return "it belongs to other specs";
	if (head->committed != head->applied && head->committed != head->applied + 1)
		return "it is damaged (its commits)";
	return NULL;
}

static struct image_journal *
journal_of(const struct checkpoint *checkpoint)
{
	return (
	    struct image_journal *)(void *)(checkpoint->base + checkpoint->head->journal.offset);
}

static uint64_t
entry_size(const struct image_head *head, uint32_t kind)
{
	return sizeof(struct image_entry) + (kind < IMAGE_CORE_AREAS ? head->areas[kind].size : 0);
}

/* Else it is of no use any more, and may be half-filled for the next commit. */
static bool
needs_journal(const struct image_head *head)
{
	return head->applied != head->committed || head->acted != head->committed;
}

/* Whether the journal can be applied without writing outside its areas. */
static bool
journal_is_sound(const struct checkpoint *checkpoint)
{
	const struct image_head *head = checkpoint->head;
	const struct image_journal *journal = journal_of(checkpoint);
	uint64_t room = (uint64_t)head->journal.count * 64;
	const char *at = (const char *)(journal + 1);
	uint64_t left = journal->length;

	if (room < sizeof(*journal) || journal->number != head->committed ||
	    left > room - sizeof(*journal))
		return false;
	while (left >= sizeof(struct image_entry)) {
		const struct image_entry *entry = (const void *)at;
		uint64_t size = entry_size(head, entry->kind);
		bool known = entry->kind < IMAGE_CORE_AREAS
		    ? entry->index < head->areas[entry->kind].count
		    : entry->kind == IMAGE_ENTRY_KILL ||
			(entry->kind == IMAGE_ENTRY_ENDED &&
			    entry->index < head->processes.count) ||
			(entry->kind == IMAGE_ENTRY_KILL_TREE && entry->index < head->nodes);
		if (!known || size > left)
			return false;
		at += size;
		left -= size;
	}
	return left == 0;
}

/* Gives space behind JOURNAL_KEEP back, or takes it again. 0 or a negative errno. */
static int
size_journal(struct checkpoint *checkpoint, bool whole)
{
	const struct image_area *area = &checkpoint->head->journal;
	uint64_t from = (area->offset + JOURNAL_KEEP + 4095) & ~(uint64_t)4095;
	uint64_t end = area->offset + (uint64_t)area->count * area->size;
	int mode = whole ? FALLOC_FL_KEEP_SIZE : FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;

	if (from < end && fallocate(checkpoint->fd, mode, (off_t)from, (off_t)(end - from)))
		return -errno;
	checkpoint->is_whole = whole;
	return 0;
}

/* Adds an entry for the commit to come. The last one's journal is done with by now. */
static void
append(struct checkpoint *checkpoint, uint32_t kind, uint32_t index, const void *item, size_t size)
{
	struct image_head *head = checkpoint->head;
	struct image_journal *journal = journal_of(checkpoint);
	uint64_t needs = entry_size(head, kind);
	struct image_entry *entry = (void *)((char *)(journal + 1) + checkpoint->filled);

	must(!needs_journal(head));
	must(sizeof(*journal) + checkpoint->filled + needs <= (uint64_t)head->journal.count * 64);
	/* without memory for the commit this engine cannot go on; the reaper makes another try */
	if (!checkpoint->is_whole && sizeof(*journal) + checkpoint->filled + needs > JOURNAL_KEEP)
		must(size_journal(checkpoint, true) == 0);
	*entry = (struct image_entry){ .kind = kind, .index = index };
	if (item)
		memcpy(entry + 1, item, size);
	checkpoint->filled += needs;
}

void
checkpoint_add_ended(struct checkpoint *checkpoint, uint32_t node)
{
	append(checkpoint, IMAGE_ENTRY_ENDED, node, NULL, 0);
}

void
checkpoint_add_kill(struct checkpoint *checkpoint, int32_t pid)
{
	append(checkpoint, IMAGE_ENTRY_KILL, (uint32_t)pid, NULL, 0);
}

void
checkpoint_add_kill_tree(struct checkpoint *checkpoint, uint32_t node)
{
	append(checkpoint, IMAGE_ENTRY_KILL_TREE, node, NULL, 0);
}

/* Writes the journal's content into its places; doing it twice changes nothing. */
static void
apply(struct checkpoint *checkpoint)
{
	struct image_head *head = checkpoint->head;
	const struct image_journal *journal = journal_of(checkpoint);
	struct image_process *processes = checkpoint_processes(checkpoint);
	const char *at = (const char *)(journal + 1);
	const char *end = at + journal->length;

	while (at < end) {
		const struct image_entry *entry = (const void *)at;
		uint64_t size = entry_size(head, entry->kind);
		if (entry->kind < IMAGE_CORE_AREAS) {
			const struct image_area *area = &head->areas[entry->kind];
			memcpy(
			    checkpoint->base + area->offset + (uint64_t)entry->index * area->size,
			    entry + 1, area->size);
		} else if (entry->kind == IMAGE_ENTRY_ENDED) {
			processes[entry->index].state = PROCESS_ENDED;
		}
		at += size;
	}
	head->state = journal->state;
	atomic_thread_fence(memory_order_release);
	head->applied = journal->number;
}

int
checkpoint_open(
    struct checkpoint **out, int fd, const struct checkpoint_specs *specs, const char **problem)
{
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	struct stat st;
	int error;

	*problem = "out of memory";
	if (!checkpoint)
		return -ENOMEM;
	checkpoint->fd = fd;
	*problem = "it cannot be mapped";
	error = fstat(fd, &st)             ? -errno
	    : st.st_size < IMAGE_HEAD_SIZE ? -EINVAL
					   : map(checkpoint, (size_t)st.st_size);
	if (!error) {
		must(checkpoint->head != NULL);
		*problem = judge(checkpoint->head, (uint64_t)st.st_size, specs);
		if (!*problem && needs_journal(checkpoint->head) && !journal_is_sound(checkpoint))
			*problem = "it is damaged (its journal)";
		error = *problem ? -EINVAL : 0;
	}
	if (error) {
		checkpoint_free(&checkpoint);
		return error;
	}
	if (checkpoint->head->committed != checkpoint->head->applied)
		apply(checkpoint);
	checkpoint->next = checkpoint->head->state;
	*out = checkpoint;
	return 0;
}

void
checkpoint_free(struct checkpoint **checkpoint)
{
	struct checkpoint *old = *checkpoint;

	*checkpoint = NULL;
	if (!old)
		return;
	/* failing to unmap loses address space only, and the process is about to end */
	if (old->base)
		(void)munmap(old->base, old->size);
	if (old->fd >= 0)
		fd_close(&old->fd);
	free(old);
}

int
checkpoint_fd(const struct checkpoint *checkpoint)
{
	return checkpoint->fd;
}

bool
checkpoint_is_committed(int fd)
{
	struct image_head head;
	ssize_t n;

	do
		n = pread(fd, &head, sizeof(head), 0);
	while (n < 0 && errno == EINTR);
	/* Nothing is begun beside a tree that may be running (FIELD 2.G.5). */
	return n != (ssize_t)sizeof(head) || head.magic != IMAGE_MAGIC || head.committed > 0;
}

uint64_t
checkpoint_seed(const struct checkpoint *checkpoint)
{
	return checkpoint->head->seed;
}

struct image_process *
checkpoint_processes(struct checkpoint *checkpoint)
{
	return (
	    struct image_process *)(void *)(checkpoint->base + checkpoint->head->processes.offset);
}

uint32_t
checkpoint_slots(const struct checkpoint *checkpoint)
{
	return checkpoint->head->processes.count;
}

int
checkpoint_load(const struct checkpoint *checkpoint, struct core *core)
{
	const struct image_head *head = checkpoint->head;

	if (core_count(core) != head->nodes)
		return -EINVAL;
	for (uint32_t i = 0; i < CORE_AREAS; i++)
		if (core_area_count(core, (enum core_area)i) != head->areas[i].count ||
		    padded(core_area_size(core, (enum core_area)i)) != head->areas[i].size)
			return -EINVAL;
	for (uint32_t i = 0; i < CORE_AREAS; i++)
		for (uint32_t k = 0; k < head->areas[i].count; k++)
			if (!core_load(core, (enum core_area)i, k,
				checkpoint->base + head->areas[i].offset +
				    (uint64_t)k * head->areas[i].size))
				return -EINVAL;
	return core_load_end(core) == NULL ? 0 : -EINVAL;
}

struct image_state *
checkpoint_state(struct checkpoint *checkpoint)
{
	return &checkpoint->next;
}

void
checkpoint_commit(struct checkpoint *checkpoint, struct core *core)
{
	struct image_head *head = checkpoint->head;
	struct image_journal *journal = journal_of(checkpoint);
	enum core_area area;
	uint32_t index;

	while (core_next_dirty(core, &area, &index))
		append(checkpoint, (uint32_t)area, index, core_area_item(core, area, index),
		    core_area_size(core, area));
	journal->number = head->committed + 1;
	journal->length = checkpoint->filled;
	journal->state = checkpoint->next;
	/* nobody reads at the same time: only the order in which this one program writes matters */
	atomic_thread_fence(memory_order_release);
	head->committed = journal->number;
	atomic_thread_fence(memory_order_release);
	checkpoint->filled = 0;
	apply(checkpoint);
}

void
checkpoint_act_kills(struct checkpoint *checkpoint, void (*kill)(int32_t pid),
    void (*kill_tree)(void *context, uint32_t node), void *context)
{
	struct image_head *head = checkpoint->head;
	const struct image_journal *journal = journal_of(checkpoint);
	const char *at = (const char *)(journal + 1);
	const char *end = at + journal->length;

	if (head->acted == head->committed)
		return;
	while (at < end) {
		const struct image_entry *entry = (const void *)at;
		if (entry->kind == IMAGE_ENTRY_KILL)
			kill((int32_t)entry->index);
		else if (entry->kind == IMAGE_ENTRY_KILL_TREE)
			kill_tree(context, entry->index);
		at += entry_size(head, entry->kind);
	}
	atomic_thread_fence(memory_order_release);
	head->acted = head->committed;
	if (checkpoint->is_whole) /* where holes cannot be made the space just stays */
		(void)size_journal(checkpoint, false);
}

struct image_event *
checkpoint_event(struct checkpoint *checkpoint, uint64_t number)
{
	const struct image_area *area = &checkpoint->head->events;
	struct image_event *ring = (struct image_event *)(void *)(checkpoint->base + area->offset);

	return &ring[number % area->count];
}

uint32_t
checkpoint_events(const struct checkpoint *checkpoint)
{
	return checkpoint->head->events.count;
}

uint64_t *
checkpoint_logged(struct checkpoint *checkpoint)
{
	return &checkpoint->head->logged;
}
