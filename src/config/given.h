/*
 * given: the configuration that a command line is, without any file: [child:main], which runs the
 * command once and decides with its end how the daemon leaves. Its stdin, output, directory, umask and
 * environment are the daemon's own. Messages name the option.
 */
#ifndef COPPICE_CONFIG_GIVEN_H
#define COPPICE_CONFIG_GIVEN_H

#include "config/raw.h"

/*
 * From "[--set KEY=VALUE]… -- COMMAND [ARGUMENT]…", NULL at the end. Never NULL, like raw_read's; of a
 * key that is set twice the last counts.
 */
struct raw_file *given_read(char **words, struct diag *diag);
/* Why no file could hold the command, to be freed; NULL: one could. */
char *given_unwritable(char *const *words);
/* What is wrong with the form of the words; NULL: nothing. */
const char *given_problem(char *const *words);

#endif
