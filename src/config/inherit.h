/*
 * inherit: the effective values of each place. For a child the nearest wins: its own section, its
 * supervisors' child.* from inner to outer, its profile, [defaults], built in; environment variables each by
 * themselves. For a supervisor: its own section, built in.
 */
#ifndef COPPICE_CONFIG_INHERIT_H
#define COPPICE_CONFIG_INHERIT_H

#include "config/build.h"

/*
 * Fills the settings of all places; what is wrong only for one of them (%i outside a template) is
 * told to diag.
 */
void inherit_all(struct build *build);
/*
 * A child's success_exit, escalate_exit or no_restart_exit without what the earlier of them have,
 * which win.
 */
struct core_exit_set inherit_exits(const struct build_place *place, enum keys_id id);
/*
 * A message about a value of a place, at the line where it is written (if nowhere: at the place's
 * section).
 */
void inherit_error(const struct build *build, const struct build_place *place, enum keys_id id,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void inherit_warning(const struct build *build, const struct build_place *place, enum keys_id id,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
