/*
 * cells: counts which event comes to which state in the two machines of the core, in a build with COVERAGE=1, which is linked with
 * --wrap (Makefile). When the program ends, a line a cell is added to the file $CELLS: "child 3 0 17".
 */
#include "core/child.h"
#include "core/super.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_LEN 64

/* NOLINTBEGIN(readability-identifier-naming): so does the linker name them */
void __real_child_handle(struct core *core, uint32_t id, const struct child_event *event);
void __real_super_handle(struct core *core, uint32_t id, const struct super_event *event);
void __wrap_child_handle(struct core *core, uint32_t id, const struct child_event *event);
void __wrap_super_handle(struct core *core, uint32_t id, const struct super_event *event);
/* NOLINTEND(readability-identifier-naming) */

static unsigned long child_cells[STATE_COUNT][CHILD_EVENT_COUNT];
static unsigned long super_cells[STATE_COUNT][SUPER_EVENT_COUNT];

void
__wrap_child_handle(struct core *core, uint32_t id, const struct child_event *event)
{
	child_cells[node_get(core, id)->state][event->type]++;
	__real_child_handle(core, id, event);
}

void
__wrap_super_handle(struct core *core, uint32_t id, const struct super_event *event)
{
	super_cells[node_get(core, id)->state][event->type]++;
	__real_super_handle(core, id, event);
}

static void
tell(int fd, const char *machine, int state, int event, unsigned long count)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof line, "%s %d %d %lu\n", machine, state, event, count);

	if (count > 0 && write(fd, line, (size_t)len) != len)
		perror("cells: write");
}

__attribute__((destructor)) static void
tell_all(void)
{
	const char *path = getenv("CELLS");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

	if (fd < 0)
		return;
	for (int state = 0; state < STATE_COUNT; state++) {
		for (int event = 0; event < CHILD_EVENT_COUNT; event++)
			tell(fd, "child", state, event, child_cells[state][event]);
		for (int event = 0; event < SUPER_EVENT_COUNT; event++)
			tell(fd, "super", state, event, super_cells[state][event]);
	}
	close(fd);
}
