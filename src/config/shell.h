/*
 * shell: shell syntax in a command, which no shell ever sees.
 */
#ifndef COPPICE_CONFIG_SHELL_H
#define COPPICE_CONFIG_SHELL_H

#include "config/build.h"

/* Warns of the first word that people seem to have written for a shell. After inherit_all. */
void shell_check(const struct build *build, const struct build_place *place);

#endif
