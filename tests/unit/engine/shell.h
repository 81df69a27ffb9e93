/*
 * shell: an engine without processes for unit tests: the real core and the real nodes, and an
 * engine_commit that carries the core's actions out by pretending. Nothing in it sleeps or reads a
 * clock of its own.
 */
#ifndef TESTS_ENGINE_SHELL_H
#define TESTS_ENGINE_SHELL_H

#include "engine/engine.h"
#include "engine/wait.h"

#define SHELL_NODES  2048
#define SHELL_EVENTS 4096 /* in the ring */

struct shell {
	struct engine engine; /* first: the engine's functions find the shell by it */
	struct image_process processes[SHELL_NODES];
	int32_t next_pid;
	/* starts and signals are not answered: the test does it with shell_answer and shell_end */
	bool manual;
	const char *bad;         /* starts of the node with that path fail in exec with ENOENT */
	struct wait_list *waits; /* gets the records, like engine.control */
	unsigned commits;
	enum link_leave_how leave;
	bool leaving; /* DO_EXIT has come */
	uint32_t signalled;
	int signal, signal_error;
	bool signal_group;
};

/*
 * A tree: one row a place, in order, as "path" for a child and "path/" for a supervisor ("/" the
 * root, first); behind a blank the child's ready and the number of instances, if it is a template:
 * "shop/web exit", "shop/web spawn 3", "x spawn off" (autostart = no).
 */
struct shell *shell_new(const char *const *rows);
/* Reports what is still alive to nobody, and frees everything. */
void shell_free(struct shell *shell);
uint32_t shell_node(const struct shell *shell, const char *path);
void shell_submit(struct shell *shell, enum core_event_type type, const char *path);
/* The start of a node succeeds (error 0) or fails in exec with that errno. */
void shell_answer(struct shell *shell, const char *path, int error);
/* The process of a node ends with that wait status. */
void shell_end(struct shell *shell, const char *path, int32_t status);

#endif
