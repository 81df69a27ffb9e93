#include "ctl/hook.h"

#include "ctl/member.h"
#include "lib/fd.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK_QUEUE 10000U /* events that wait; each is some hundred bytes */

bool
hook_is_full(const struct hook *hook)
{
	return hook->count - hook->first >= HOOK_QUEUE;
}

void
hook_add(struct hook *hook, const char *text, size_t len)
{
	if (hook->first > 0 && hook->count == hook->cap) {
		hook->count -= hook->first;
		memmove(hook->queue, hook->queue + hook->first, hook->count * sizeof *hook->queue);
		hook->first = 0;
	}
	if (hook->count == hook->cap) {
		hook->cap = hook->cap == 0 ? 64 : hook->cap * 2;
		hook->queue = mem_grow(hook->queue, hook->cap, sizeof *hook->queue);
	}
	hook->queue[hook->count++] = mem_strndup(text, len);
}

void
hook_drop(struct hook *hook)
{
	while (hook->first < hook->count)
		free(hook->queue[hook->first++]);
	hook->first = hook->count = 0;
}

void
hook_free(struct hook *hook)
{
	hook_drop(hook);
	free(hook->queue);
}

/* What the command is told in its environment: our own, since nobody else reads it. */
static void
hook_tell(struct hook *hook, const json_t *event)
{
	static const char *const told[][2] = {
		{ "COPPICE_EVENT_TYPE", "type" },
		{ "COPPICE_EVENT_PATH", "path" },
		{ "COPPICE_EVENT_NUMBER", "number" },
		{ "COPPICE_EVENT_AT", "at" },
		{ "COPPICE_EVENT_SEVERITY", "severity" },
	};

	hook->number = member_number(event, "number", 0);
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		const json_t *value = json_object_get(event, told[i][1]);
		char *number = json_is_number(value)
		    ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(13))
		    : NULL;
		const char *text = number != NULL ? number : member_text(event, told[i][1]);
		if (setenv(told[i][0], text, 1) != 0)
			ctl_complain(hook->ctl, 0, NULL, "cannot set %s for --exec: %s", told[i][0],
			    strerror(errno));
		free(number);
	}
}

/* A file in memory with the text and a newline, read from its beginning; a pipe could be full. */
static int
hook_input(const char *text)
{
	size_t len = strlen(text);
	int fd = fd_memfile("event", len + 1);

	if (fd < 0)
		return fd;
	int error = fd_write_all(fd, text, len);
	if (error == 0)
		error = fd_write_all(fd, "\n", 1);
	if (error == 0 && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	if (error != 0)
		fd_close(&fd);
	return error != 0 ? error : fd;
}

/* sh -c with the input, and signals as a program expects them. */
static int
hook_spawn(struct hook *hook, int input)
{
	char shell[] = "sh", option[] = "-c", *command = mem_strdup(hook->command);
	char *argv[] = { shell, option, command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, usual;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	int error = posix_spawn_file_actions_init(&actions);
	if (error == 0)
		error = posix_spawnattr_init(&attributes);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (error == 0)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(&attributes, &usual);
	if (error == 0)
		error = posix_spawnattr_setflags(
		    &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawn(&hook->pid, "/bin/sh", &actions, &attributes, argv, environ);
	if (error != 0)
		hook->pid = 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(command);
	return -error;
}

static void
hook_failed(struct hook *hook, const char *what, int number)
{
	hook->status = ctl_complain(hook->ctl, CTL_REFUSED, NULL,
	    "the command of --exec %s %d for event %.0f; the next event goes on", what, number,
	    hook->number);
}

static void
hook_start(struct hook *hook)
{
	char *text = hook->queue[hook->first++];
	json_t *event = json_loads(text, 0, NULL);

	hook_tell(hook, event);
	int input = hook_input(text);
	int error = input < 0 ? input : hook_spawn(hook, input);
	if (error != 0)
		hook->status = ctl_complain(hook->ctl, CTL_REFUSED, NULL,
		    "the command of --exec could not be started for event %.0f: %s", hook->number,
		    strerror(-error));
	fd_close(&input);
	json_decref(event);
	free(text);
}

/* True when none runs any more. */
static bool
hook_reap(struct hook *hook)
{
	int status = 0;
	pid_t ended = hook->pid == 0 ? 0 : waitpid(hook->pid, &status, WNOHANG);

	if (hook->pid == 0 || ended == 0)
		return hook->pid == 0;
	hook->pid = 0;
	if (ended > 0 && WIFSIGNALED(status))
		hook_failed(hook, "was killed by signal", WTERMSIG(status));
	else if (ended > 0 && WEXITSTATUS(status) != 0)
		hook_failed(hook, "ended with status", WEXITSTATUS(status));
	return true;
}

void
hook_step(struct hook *hook)
{
	while (hook_reap(hook) && hook->first < hook->count)
		hook_start(hook);
}
