/*
 * help: the help texts, made from commands.def and options.def.
 */
#ifndef COPPICE_CTL_HELP_H
#define COPPICE_CTL_HELP_H

#include "ctl/ctl.h"

/* Help on one command, or on all with NULL. */
void help_put(struct buf *out, const struct command *command);

#endif
