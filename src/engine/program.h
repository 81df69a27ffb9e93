/*
 * program: how a child is run: the part of its configuration that the core does not decide by.
 * Shared by the instances of a template; strings may hold the mark PROGRAM_INSTANCE_MARK, which
 * stands for the instance number.
 */
#ifndef COPPICE_ENGINE_PROGRAM_H
#define COPPICE_ENGINE_PROGRAM_H

#include "core/types.h"
#include "engine/spawn.h"

#include <jansson.h>

#define PROGRAM_INSTANCE_MARK '\x01'

struct program;
/*
 * From the "program" object of the compile product. NULL on error, with a static text in *problem.
 */
struct program *program_new(const json_t *object, const char **problem);
/* The command of our own command line, which a product may name; NULL: there is none. */
void program_set_given(char *const *command);
void program_free(struct program **program);
/* How many addresses it listens on. */
uint32_t program_sockets(const struct program *program);
/*
 * The request for an instance (0: no template); node, incarnation, files and start_timeout are left
 * for the caller to fill. The strings belong to the program and hold until the next call of
 * program_request for any program. 0 or -ENOMEM.
 */
int program_request(struct program *program, uint32_t instance, struct spawn_request *out);
/* The same for a hook, which differs in its words alone. -ENOENT: it has none. */
int program_hook(
    struct program *program, enum core_hook hook, uint32_t instance, struct spawn_request *out);

#endif
