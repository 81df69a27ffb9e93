/*
 * dump: a configuration as it takes effect, as the text of one file that reads the same: every
 * place with all that is set for it, from wherever, and as comments the origins and what is built
 * in.
 */
#ifndef COPPICE_CONFIG_DUMP_H
#define COPPICE_CONFIG_DUMP_H

#include "config/build.h"
#include "config/daemon.h"

/*
 * Appends the text, for a configuration without errors. NULL, or what cannot be written and why, to
 * be freed.
 */
char *dump_write(
    const struct build *build, const struct daemon_settings *settings, struct buf *out);

#endif
