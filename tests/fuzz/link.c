/*
 * Messages on the link, both ways: what a mad engine says to the reaper, and a mad reaper to the engine. The input is a list
 * of {direction and descriptor, length, bytes}.
 */
#include "fuzz.h"

int reaper_main(int argc, char **argv);
#define main reaper_main
#include "reaper/reaper.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include "../unit/engine/shell.h"
#include "engine/act.h"
#include "engine/exits.h"
#include "engine/notify.h"
#include "lib/fd.h"
#include "lib/must.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

static const char *const tree[] = { "/", "shop/", "shop/db", "shop/web spawn 3", "shot exit",
	NULL };

static void
to_reaper(struct reaper *reaper, const void *message, size_t len, bool with_fd)
{
	int fd = with_fd ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	must(sockmsg_send(reaper->engine_link, message, len, &fd, fd >= 0) == 0);
	fd_close(&fd);
	read_link(reaper);
}

static void
to_engine(struct shell *shell, int link, const void *message, size_t len)
{
	const struct link_value *value = message;

	if (len >= sizeof *value && value->head.type == LINK_SIGNAL && (int)value->value == SIGUSR1)
		return; /* the shell has no control socket */
	must(sockmsg_send(link, message, len, NULL, 0) == 0);
	(void)exits_poll(shell->engine.exits);
	must(core_check(shell->engine.core) == NULL);
}

static void
begin(struct shell *shell, struct reaper *reaper)
{
	int pair[2];

	shell_submit(shell, ON_BOOT, NULL);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	reaper->link = fcntl(pair[0], F_DUPFD_CLOEXEC, LINK_FD + 1);
	int other = fcntl(pair[1], F_DUPFD_CLOEXEC, LINK_FD + 1);
	must(reaper->link >= 0 && other >= 0);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	must(dup3(other, LINK_FD, O_CLOEXEC) == LINK_FD);
	fd_close(&other);
	reaper->engine_link = LINK_FD;
	leave_init(&reaper->leave, MODE_SERVICE);
	shell->engine.act = act_new(&shell->engine);
	shell->engine.exits = exits_new(&shell->engine);
	shell->engine.notify = notify_new(&shell->engine);
	must(shell->engine.act != NULL && shell->engine.exits != NULL &&
	    shell->engine.notify != NULL);
	for (uint32_t node = 0; node < core_count(shell->engine.core); node++)
		if (shell->processes[node].pid > 0)
			exits_track(shell->engine.exits, shell->processes[node].pid, node);
}

static void
finish(struct shell *shell, struct reaper *reaper)
{
	while (reaper->store.count > 0)
		must(store_drop(&reaper->store, reaper->store.entry[0].key) == 0);
	exits_free(&shell->engine.exits);
	notify_free(&shell->engine.notify);
	act_free(&shell->engine.act);
	shell_free(shell);
	fd_close(&reaper->link);
	fd_close(&reaper->engine_link);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct shell *shell = shell_new(tree);
	struct reaper reaper = { .link = -1, .engine_link = -1 };

	begin(shell, &reaper);
	while (input.left > 0) {
		uint8_t direction;
		uint16_t len;
		union {
			struct link_exits exits;
			uint8_t bytes[sizeof(struct link_exits) + 16];
		} message;

		fuzz_take(&input, &direction, 1);
		fuzz_take(&input, &len, sizeof len);
		len %= sizeof message;
		if (len == 0)
			continue;
		fuzz_take(&input, &message, len);
		if (direction & 1)
			to_reaper(&reaper, &message, len, (direction & 2) != 0);
		else
			to_engine(shell, reaper.link, &message, len);
	}
	finish(shell, &reaper);
	return 0;
}
