/*
 * settings: [coppice] as the engine uses it, from the "coppice" object of the compile product.
 */
#ifndef COPPICE_ENGINE_SETTINGS_H
#define COPPICE_ENGINE_SETTINGS_H

#include "lib/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SETTINGS_MAX_OPERATORS 64

struct settings {
	char control_socket[108]; /* "": none */
	char cgroup_root[1024];   /* "": where we are; "none" */
	mode_t control_mode;
	gid_t control_gid; /* (gid_t)-1: unchanged */
	/*
	 * control_socket is in runtime_dir: made 0700 (0755 as root) where missing, owner checked
	 */
	bool make_runtime_dir;
	uid_t operator_uids[SETTINGS_MAX_OPERATORS];
	uint32_t operator_uid_count;
	gid_t operator_gids[SETTINGS_MAX_OPERATORS];
	uint32_t operator_gid_count;
	span_ms shutdown_timeout;
	uint32_t event_history;
};

/* 0, or -EINVAL with a static text in *problem. */
int settings_read(struct settings *settings, const json_t *object, const char **problem);

#endif
