/*
 * choice: one word out of those that a key has.
 */
#ifndef COPPICE_CONFIG_CHOICE_H
#define COPPICE_CONFIG_CHOICE_H

#include "config/keys.h"

/* Sets *index to the word's place among the key's .choices; or returns what is wrong, to be freed. */
char *choice_read(const struct keys_key *key, const char *text, int64_t *index);

#endif
