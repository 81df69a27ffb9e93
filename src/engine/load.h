/*
 * load: effective specs: made by the compile role from the files on disk, or read again from the
 * memory file that it filled.
 */
#ifndef COPPICE_ENGINE_LOAD_H
#define COPPICE_ENGINE_LOAD_H

#include "wire/link.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Runs `coppice-engine compile` on the configuration. The descriptor of its product (CLOEXEC), or
 * −1 and in *status what the daemon is to exit with; everything has been said on stderr then.
 */
int load_compile(const char *config, enum link_mode mode, int *status);

struct load_product {
	char *text; /* mapped */
	size_t size;
	json_t *root;
};
/* Maps and parses a product. 0 or a negative errno with a static text in *problem. */
int load_read(struct load_product *product, int fd, const char **problem);
/* Frees it and gives the memory that parsing took back to the system. */
void load_release(struct load_product *product);

#endif
