/*
 * cgroup_tree: the mirror of the supervision tree below `tree` (cgroup.h): a node's cgroup is its
 * place's name with ".n", so that it cannot be mistaken for a file of the kernel's. They are made
 * before the first start that needs them, kept while a node is restarted, and removed when it is
 * down for good. All of it does nothing where there are no cgroups.
 */
#ifndef COPPICE_ENGINE_CGROUP_TREE_H
#define COPPICE_ENGINE_CGROUP_TREE_H

#include "core/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct cgroup_tree;

/*
 * For engine->cgroup and a core with all its nodes; NULL when memory is gone.
 */
struct cgroup_tree *cgroup_tree_new(struct engine *engine);
void cgroup_tree_free(struct cgroup_tree **tree);

/*
 * Before a start: the node's cgroup with its limits in force, as a directory that stays open until
 * the next call, in *dir (0: it starts without one); *joins: it has to go there by itself. 0, or a
 * negative errno: it must not start.
 */
int cgroup_tree_enter(struct cgroup_tree *tree, uint32_t node, int *dir, bool *joins);
/* A start in it has failed: nothing is taken for granted any more. */
void cgroup_tree_doubt(struct cgroup_tree *tree, uint32_t node);
/* Kills all that is in the node's cgroup, and says who that was. */
void cgroup_tree_kill(struct cgroup_tree *tree, uint32_t node);
/*
 * After a commit: kills what it said is left of children, groups and cgroups. The engine's tree may
 * be NULL.
 */
void cgroup_tree_act_kills(struct engine *engine);
/* What the core has decided about a node: those that are down for good are left. */
void cgroup_tree_note(struct cgroup_tree *tree, const struct core_record *record);
/* Removes some of those; whether more can be removed now. */
bool cgroup_tree_some(struct cgroup_tree *tree);
/* Everything is down: waits, a moment only, until all is empty. */
void cgroup_tree_end(struct cgroup_tree *tree);

/* Whether the kernel has killed a process of the node for want of memory since the last call. */
bool cgroup_tree_take_oom(struct cgroup_tree *tree, uint32_t node);
/*
 * Opens the node's cgroup, to be closed by the caller; -1: it has none.
 */
int cgroup_tree_open(const struct cgroup_tree *tree, uint32_t node);

#endif
