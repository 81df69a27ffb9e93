/*
 * compiled: a configuration compiled in memory, for tests.
 */
#ifndef COPPICE_TESTS_CONFIG_COMPILED_H
#define COPPICE_TESTS_CONFIG_COMPILED_H

#include "config/build.h"
#include "config/daemon.h"

struct compiled {
	struct diag *diag;
	struct raw_file *file;
	struct build *build;
	struct daemon_settings settings;
	struct buf messages; /* never NULL data */
};

void compiled_make(struct compiled *compiled, const char *text, size_t len, enum build_mode mode);
void compiled_free(struct compiled *compiled);
/* The place of that path; fails the test if there is none. */
struct build_place *compiled_place(struct compiled *compiled, const char *path);
/* A value as text, as value_print writes it; "(none)" for NULL. Static storage. */
const char *compiled_value(struct compiled *compiled, const char *path, const char *key);

#endif
