/*
 * api: the handlers of the methods, one file a family, and what they share.
 */
#ifndef COPPICE_ENGINE_API_H
#define COPPICE_ENGINE_API_H

#include "engine/rpc.h"

/* api_daemon.c */
rpc_step_fn api_ping, api_shutdown;
/* api_help.c */
rpc_step_fn api_help;
/* api_show.c */
rpc_step_fn api_show;
/* api_why.c */
rpc_step_fn api_why;
/* api_tree.c */
rpc_step_fn api_status, api_tree;
/* api_events.c */
rpc_step_fn api_events, api_subscribe;
/* api_node.c */
rpc_step_fn api_start, api_stop, api_restart, api_reset, api_drain, api_signal;

/*
 * Sets the nodes that call->args.path means: one, or the instances of a template. False after
 * answering that there is no such node, with the likeliest meant one as a hint.
 */
bool api_find(struct rpc_call *call);
/* Logs that the caller asked for something. */
void api_log(const struct rpc_call *call, const char *path, const char *what);

#endif
