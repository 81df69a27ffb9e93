/*
 * daemon: [coppice] as the daemon uses it: values, defaults that depend on who we are, look-ups.
 */
#ifndef COPPICE_CONFIG_DAEMON_H
#define COPPICE_CONFIG_DAEMON_H

#include "config/build.h"

#include <sys/types.h>

struct daemon_settings {
	char *runtime_dir, *control_socket, *log_dir; /* control_socket NULL: none */
	const char *cgroup_root;                      /* the build's; NULL: not set */
	/* the socket is in runtime_dir, which the daemon makes where it is missing */
	bool make_runtime_dir;
	int64_t control_mode, shutdown_timeout, event_history;
	bool has_control_gid;
	gid_t control_gid;
	uid_t *operator_uids;
	size_t operator_uid_count;
	gid_t *operator_gids;
	size_t operator_gid_count;
};

/* Fills settings; what is wrong is told to diag. */
void daemon_read(const struct build *build, struct daemon_settings *settings);
/* How long a shutdown may take: what is set, or built in. */
span_ms daemon_shutdown_timeout(const struct build *build);
void daemon_free(struct daemon_settings *settings);

#endif
