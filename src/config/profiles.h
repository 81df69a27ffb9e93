/*
 * profiles: [profile:NAME], named values that children take with profile = NAME.
 */
#ifndef COPPICE_CONFIG_PROFILES_H
#define COPPICE_CONFIG_PROFILES_H

#include "config/build.h"

/* Takes a section in, unless its name is wrong or there already, which diag is told. */
void profiles_add(struct build *build, const char *name, struct raw_section *section);
/* The section of the profile that an entry names; NULL if there is none. */
const struct raw_section *profiles_named(const struct build *build, const struct raw_entry *entry);
/* Tells diag of profiles that are named but not there, and of those that nobody names. */
void profiles_check(const struct build *build);

#endif
