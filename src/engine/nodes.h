/*
 * nodes: from effective specs (the JSON that `compile` makes) to the core's tree, and names for its
 * nodes. A node's path is its place's path, with @N for an instance; nothing is stored per
 * instance.
 */
#ifndef COPPICE_ENGINE_NODES_H
#define COPPICE_ENGINE_NODES_H

#include "core/core.h"
#include "engine/cgroup_limit.h"
#include "engine/program.h"

#define NODES_PATH_SIZE 272 /* 255 bytes, @65535, NUL */

/* One place of the configuration: a supervisor, a child, or a template with its instances. */
struct place {
	char *path;
	struct core_spec spec;
	struct program *program; /* NULL for a supervisor */
	bool is_template;
	struct cgroup_limits limits;
	bool ready_notify;     /* READY_TOLD by NOTIFY_SOCKET, or … */
	int ready_fd;          /* … by this descriptor of the child; 0: not so */
	uint32_t first, count; /* node ids first … first+count−1 */
	uint32_t specs_len;    /* its line in the compile product, without the line end, and … */
	size_t specs_at;       /* … where it begins */
	json_t *after;         /* while nodes_new runs: the paths of what it comes after */
};

struct nodes;
/*
 * Reads the lines of the places (config/compile.h) in a compile product, from offset `at` on, and
 * adds every place to the core. NULL on error, with a text in *problem (static or to be freed
 * never).
 */
struct nodes *nodes_new(
    struct core *core, const char *product, size_t size, size_t at, const char **problem);
void nodes_free(struct nodes **nodes);

/* The node with that path, or CORE_NONE. "/" is the root. The path of a template is no node. */
uint32_t nodes_find(const struct nodes *nodes, const char *path);
/* The place with that path (a template's too), or NULL. */
const struct place *nodes_find_place(const struct nodes *nodes, const char *path);
const struct place *nodes_place(const struct nodes *nodes, uint32_t node);
/* Instance number of a node, 0 when its place is no template. */
uint32_t nodes_instance(const struct nodes *nodes, uint32_t node);
/* "one_for_one" …, as in the configuration; static storage. */
const char *nodes_strategy_text(enum core_strategy strategy);
const char *nodes_limit_text(enum core_on_limit on_limit);
const char *nodes_backoff_text(enum core_backoff backoff);
/* Writes the path and returns out. */
const char *nodes_path(const struct nodes *nodes, uint32_t node, char out[NODES_PATH_SIZE]);

#endif
