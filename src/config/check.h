/*
 * check: what is wrong or unwise between values that are each fine by themselves.
 */
#ifndef COPPICE_CONFIG_CHECK_H
#define COPPICE_CONFIG_CHECK_H

#include "config/build.h"

/* After inherit_all. */
void check_all(const struct build *build);
/*
 * Whether a child's output goes to a file: log = file, or a log_file that stands nearer than any
 * log.
 */
bool check_logs_to_file(const struct build_place *place);
/* Why a key of supervisors means nothing to the root; NULL: it does. The text is static. */
const char *check_root_ignores(enum keys_id id);

#endif
