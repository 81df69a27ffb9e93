/*
 * child_rights: what a program may do and how much it gets; steps of child_setup. Each returns 0 or
 * a negative errno, and does nothing where nothing is asked for or it holds already.
 */
#ifndef COPPICE_ENGINE_CHILD_RIGHTS_H
#define COPPICE_ENGINE_CHILD_RIGHTS_H

#include "engine/child_setup.h"

/* As what we are. */
long child_rights_oom(struct child_plan *plan);
long child_rights_limits(struct child_plan *plan);
long child_rights_nice(struct child_plan *plan);
long child_rights_affinity(struct child_plan *plan);
/* Capabilities that it is never to have; those that are to outlive the change of user. */
long child_rights_drop(struct child_plan *plan);
long child_rights_keep(struct child_plan *plan);
/* Who it is. */
long child_rights_groups(struct child_plan *plan);
long child_rights_group(struct child_plan *plan);
long child_rights_user(struct child_plan *plan);
/* As that. */
long child_rights_capabilities(struct child_plan *plan);
long child_rights_forbid(struct child_plan *plan);

#endif
