/*
 * present: whether the files that a configuration names are there. They may come later, and looking
 * may take its time, so these are warnings, and of --check alone.
 */
#ifndef COPPICE_CONFIG_PRESENT_H
#define COPPICE_CONFIG_PRESENT_H

#include "config/build.h"

/* After inherit_all: programs, directories, files to read, and log files with an absolute path. */
void present_check(const struct build *build);

#endif
