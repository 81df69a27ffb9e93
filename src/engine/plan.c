#include "engine/plan.h"

#include "engine/clone.h"
#include "engine/process.h"
#include "engine/room.h"
#include "lib/fd.h"
#include "lib/must.h"
#include "lib/span.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The pointers must have been taken already, before any text: that keeps them aligned. */
static void
copy_texts(struct room *room, const char **to, const char *const *from)
{
	size_t count;

	for (count = 0; from[count] != NULL; count++) {
		const char *copy = room_text(room, from[count]);

		if (to != NULL)
			to[count] = copy;
	}
	if (to != NULL)
		to[count] = NULL;
}

static size_t
count_places(const char *path)
{
	size_t count = 1;

	for (; *path != '\0'; path++)
		count += *path == ':';
	return count;
}

/*
 * "place/command" for each place of the search path; an empty place is the current directory, as
 * ever.
 */
static void
fill_commands(struct room *room, const char **commands, const char *path, const char *command)
{
	size_t command_size = strlen(command) + 1;

	for (size_t i = 0;; i++) {
		size_t length = strcspn(path, ":");
		char *text = room_take(room, length + 1 + command_size);

		if (text != NULL) {
			memcpy(text, path, length);
			if (length > 0)
				text[length++] = '/';
			memcpy(text + length, command, command_size);
			commands[i] = text;
		}
		path += strcspn(path, ":");
		if (*path == '\0')
			break;
		path++;
	}
}

static void
lay_out_commands(struct room *room, struct child_plan *plan, const struct spawn_request *request,
    const char **commands)
{
	const char *command = request->argv[0];
	bool is_searched = command[0] != '\0' && strchr(command, '/') == NULL;

	if (is_searched) {
		fill_commands(room, commands, request->search_path, command);
		if (commands != NULL)
			commands[count_places(request->search_path)] = NULL;
	} else if (commands != NULL) {
		commands[0] = plan->request.argv[0];
		commands[1] = NULL;
	}
	if (commands != NULL)
		plan->commands = commands;
}

static void
copy_request(struct room *room, struct child_plan *plan, const struct spawn_request *from,
    const char **vectors[2], const struct contract *contract, gid_t *groups)
{
	struct spawn_request copy = *from;

	copy.argv = vectors[0];
	copy.envp = vectors[1];
	copy_texts(room, vectors[0], from->argv);
	copy_texts(room, vectors[1], from->envp);
	copy.search_path = room_text(room, from->search_path);
	copy.directory = room_text(room, from->directory);
	copy.input_path = room_text(room, from->input_path);
	copy.output_path = room_text(room, from->output_path);
	copy.error_path = room_text(room, from->error_path);
	copy.contract = *contract;
	copy.contract.env_file = room_text(room, from->contract.env_file);
	copy.groups = groups;
	copy.listen = NULL;
	copy.sockets = NULL;
	if (room->base == NULL)
		return;
	if (from->group_count > 0)
		memcpy(groups, from->groups, from->group_count * sizeof(*groups));
	plan->request = copy;
}

static int *
copy_sockets(struct room *room, const struct spawn_request *request)
{
	size_t size = request->socket_count * sizeof(int);
	int *copy = room_take(room, size);

	return copy != NULL && size > 0 ? memcpy(copy, request->sockets, size) : NULL;
}

static void
sort_kept(struct child_plan *plan)
{
	const struct spawn_request *request = &plan->request;
	uint32_t count = 0;

	must(request->socket_count <= SPAWN_MAX_SOCKETS);
	must(request->socket_count == 0 || request->sockets != NULL);
	for (uint32_t i = 0; i < request->socket_count + (request->ready_number != 0); i++) {
		int fd = i < request->socket_count ? request->sockets[i] : request->ready_fd;
		uint32_t at = count++;

		for (; at > 0 && plan->kept[at - 1] > fd; at--)
			plan->kept[at] = plan->kept[at - 1];
		plan->kept[at] = fd;
	}
	plan->kept_count = count;
}

size_t
plan_lay_out(struct child_plan *plan, const struct spawn_request *request, bool deep, void *memory)
{
	struct room room = { memory, 0 };
	size_t places = request->search_path == NULL ? 1 : count_places(request->search_path);
	const char **commands = room_take(&room, (places + 1) * sizeof(*commands));

	must(request->argv[0] != NULL);
	if (deep) {
		struct contract contract = request->contract;
		const char **vectors[2];
		gid_t *groups;
		int *sockets;

		vectors[0] = room_vector(&room, request->argv);
		vectors[1] = room_vector(&room, request->envp);
		contract_copy(&room, &contract);
		groups = room_take(&room, request->group_count * sizeof(*groups));
		sockets = copy_sockets(&room, request);
		copy_request(&room, plan, request, vectors, &contract, groups);
		if (sockets != NULL)
			plan->request.sockets = sockets;
	} else if (memory != NULL) {
		plan->request = *request;
	}
	if (memory != NULL) {
		plan->envp = plan->request.envp;
		sort_kept(plan);
	}
	lay_out_commands(&room, plan, request, commands);
	return room.used;
}

/*
 * The raw call: glibc's keeps two signals for itself unblocked, and their handlers are the last we
 * want in a child.
 */
static void
set_mask(const uint64_t *mask, uint64_t *old)
{
	must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, sizeof(*mask)) == 0);
}

/* In the child, on its stack (see child_setup.c): from now on it surely has its PID. */
__attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread"))) static int
be_born(void *argument)
{
	struct child_plan *plan = argument;

	__atomic_store_n(&plan->process->born_us, span_mono_now_us(), __ATOMIC_RELEASE);
	return child_setup(plan);
}

/*
 * In its cgroup from its first moment on; where that is not to be had it is asked to go there by
 * itself, and finds out why it cannot.
 */
static int
clone_into(struct child_plan *plan, void *stack)
{
	int32_t *pid = &plan->process->pid;
	bool copy = plan->kept_count > 0;
	int result = -EOPNOTSUPP;

	if (!plan->request.joins_cgroup)
		result = clone_child(be_born, plan, stack, pid, copy, plan->request.cgroup);
	if (result != -EOPNOTSUPP || plan->request.cgroup == 0)
		return result;
	plan->join_fd = openat(plan->request.cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (plan->join_fd < 0)
		return -errno;
	result = clone_child(be_born, plan, stack, pid, copy, 0);
	fd_close(&plan->join_fd);
	return result;
}

int
plan_run(struct child_plan *plan, void *stack)
{
	const uint64_t all = ~UINT64_C(0);
	struct image_process *process = plan->process;
	uint64_t old;
	int result;

	plan->reached = STEP_CLONE;
	plan->scratch = clone_scratch(stack);
	plan->join_fd = 0;
	__atomic_store_n(&process->born_us, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&process->start_min, process_ticks_now(), __ATOMIC_RELAXED);
	set_mask(&all, &old);
	result = clone_into(plan, stack);
	if (plan->pid_text != NULL)
		memset(plan->pid_text, '0', CHILD_SETUP_PID_SIZE);
	set_mask(&old, NULL);
	__atomic_store_n(&process->start_max, process_ticks_now(), __ATOMIC_RELAXED);
	return result;
}
