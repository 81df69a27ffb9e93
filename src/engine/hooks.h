/*
 * hooks: the processes of pre_start, stop_command and post_stop. The table of processes has, behind
 * the slots of the nodes, one slot for each node that has hooks; whoever starts, watches and takes
 * over processes works by slot and needs to know no more of it. The incarnation in such a slot is
 * the node's times HOOK_COUNT plus the hook.
 */
#ifndef COPPICE_ENGINE_HOOKS_H
#define COPPICE_ENGINE_HOOKS_H

#include "core/core.h"

struct engine;
struct hooks;
struct spawn_request;

/* For a core with all its nodes; NULL when memory is gone. Only hooks_request allocates later. */
struct hooks *hooks_new(const struct core *core);
void hooks_free(struct hooks **hooks);

/* How many slots there are, those of the nodes among them. */
uint32_t hooks_slots(const struct hooks *hooks);
/* Whether the slot is that of a node's hooks. */
bool hooks_has(const struct hooks *hooks, uint32_t slot);
/* The node of any slot; the slot of the hooks that a node has. */
uint32_t hooks_node(const struct hooks *hooks, uint32_t slot);
uint32_t hooks_slot(const struct hooks *hooks, uint32_t node);
uint32_t hooks_incarnation(uint32_t incarnation, enum core_hook hook);

/* Whether the core still waits for the end of this hook. */
bool hooks_is_wanted(const struct engine *engine, uint32_t slot, uint32_t incarnation);
/* Whether it is begun also during a hold: it belongs to an end, not to a start. */
bool hooks_ends(uint32_t incarnation);
/*
 * What starts it: as its child is started, with other words and more variables (coppice.conf(5)).
 * Good until the next request of any program. 0 or -ENOMEM.
 */
int hooks_request(
    const struct engine *engine, uint32_t slot, uint32_t incarnation, struct spawn_request *out);

/* It could not be started; it has ended (what it left is killed with the commit to come). */
struct core_event hooks_failed(
    const struct engine *engine, uint32_t slot, uint32_t incarnation, int32_t step, int32_t error);
struct core_event hooks_ended(const struct engine *engine, uint32_t slot, int32_t status);

#endif
