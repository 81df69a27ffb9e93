/*
 * source: the bytes of a configuration file, read in a way that cannot hang (a FIFO, a terminal)
 * and that root can trust.
 */
#ifndef COPPICE_CONFIG_SOURCE_H
#define COPPICE_CONFIG_SOURCE_H

#include "config/diag.h"

#include <stddef.h>

/*
 * The whole file, to be freed, and its length; NULL after telling diag why not. because is added to
 * the message: " (included in …)", or "".
 */
char *source_read(const char *path, const char *because, struct diag *diag, size_t *len);

#endif
