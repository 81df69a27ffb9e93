/*
 * include: a configuration file and all that its include = globs name, taken together. A file's
 * sections come before those of what it includes; files that one glob names are in byte order.
 */
#ifndef COPPICE_CONFIG_INCLUDE_H
#define COPPICE_CONFIG_INCLUDE_H

#include "config/raw.h"

/* Like raw_read. A file that is named several times is read once. */
struct raw_file *include_read(const char *path, struct diag *diag);

#endif
