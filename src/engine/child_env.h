/*
 * child_env: the environment of a program that has an env_file; a step of child_setup.
 */
#ifndef COPPICE_ENGINE_CHILD_ENV_H
#define COPPICE_ENGINE_CHILD_ENV_H

#include "engine/child_setup.h"

/* Makes plan->envp. 0 or a negative errno: -EBADMSG where a line is no variable. */
long child_env_read(struct child_plan *plan);

#endif
