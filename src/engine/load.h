/*
 * load: effective specs: made by the compile role from the files on disk, or read again from the
 * memory file that it filled.
 */
#ifndef COPPICE_ENGINE_LOAD_H
#define COPPICE_ENGINE_LOAD_H

#include "engine/nodes.h"
#include "wire/link.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Runs the compile role on the configuration, as the command line `given` has it (arguments.h). The descriptor of its product (CLOEXEC), or
 * −1 and in *status what the daemon is to exit with; everything has been said on stderr then.
 */
int load_compile(char *const *given, enum link_mode mode, int *status);

struct load_product {
	char *text; /* mapped */
	size_t size;
	size_t nodes_at; /* where the lines of the places begin */
	json_t *coppice;
};
/*
 * Maps a product and reads its first line. 0 or a negative errno with a static text in *problem.
 */
int load_read(struct load_product *product, int fd, const char **problem);
/* Frees it and gives the memory that parsing took back to the system. */
void load_release(struct load_product *product);
/*
 * What the product in the memory file says of a place, as in config/compile.h, to be json_decref'd;
 * NULL when memory is gone or the file is damaged. Reads that line alone.
 */
json_t *load_place(int specs, const struct place *place);

#endif
