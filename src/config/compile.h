/*
 * compile: the role that reads INI files and hands over effective specs. Exit status 0, or 78 with every error on stderr as
 * "file:line: [section] key: what is wrong (did you mean …?)".
 *
 *   coppice-engine compile (--product FD | --check | --dump) [--container | --machine]
 *       (-c FILE | [--set KEY=VALUE]… -- COMMAND [ARGUMENT]…)
 *   coppice-engine compile --keys        the table of keys, for people
 *   coppice-engine compile --example     etc/coppice.conf
 *
 * The product, written to the memory file FD, is JSON, one object a line: first the daemon's, then one for each place, parents
 * before children, in start order; the first of them is "/". Strings of a template may hold the byte 0x01 (\u0001), which stands
 * for the instance number; all other expansions are done. Durations are in milliseconds, null is infinity. "settings" has what
 * some file sets for the place, by key: the value as text that a file can hold, and where it stands.
 *
 * {"version": 2,
 *  "coppice": {"control_socket": null (none)|"/run/coppice/control.sock", "control_mode": 432, "control_gid": null|n, "make_runtime_dir": bool,
 *              "operator_uids": [0], "operator_gids": [], "shutdown_timeout": 90000, "event_history": 4096}}, and "cgroup_root": "/path"|"none" where it is set
 *   {"path": "shop", "kind": "supervisor",
 *     "restart": "permanent", "significant": false, "autostart": true, "backoff": "exponential", "backoff_delay": 100, "backoff_max": 30000,
 *     "backoff_factor_milli": 2000, "backoff_jitter_ppm": 100000, "stable_after": 10000,
 *     "strategy": "one_for_one", "on_limit": "escalate", "intensity": 5, "period": 60000, "auto_shutdown": "never",
 *     "start_order": "ordered", "stop_order": "ordered", "max_starting": 0, "start_queue_timeout": null, "on_start_failure": "retry",
 *     "cgroup": {"memory_max": 536870912, "cpu_max": null, …} (only where some are set; null is no limit; cpu_max in percent),
 *     "settings": {"strategy": ["one_for_one", "/etc/coppice/coppice.conf:12"]}}
 *   {"path": "shop/web", "kind": "child", "instances": 4|null (null: no template),
 *     …the first eleven keys as above…,
 *     "ready": "spawn", "start_timeout": 10000, "stop": [["TERM", 5000], ["KILL", null]], "stop_group": false, "kill_mode": "tree",
 *     "success_exit": [0, "TERM"], "no_restart_exit": [], "escalate_exit": [],
 *     …and only where they are set, "after": ["shop/db"] and "on_demand": true,
 *     "program": {"argv": ["/srv/shop/web"] ("given": true beside it: to show only; what runs is the command of the command line), "env": ["NAME=value", …] (the child's own, after `user`'s, and its path), "clear_env": false,
 *        "directory": null|"/srv", "stdin": "null"|"inherit"|"/path", "log": "inherit"|"null"|"file", "log_file": null|"/path",
 *        "log_stderr": "same"|"inherit"|"null"|"file"…, "log_stderr_file": null|"/path", "umask": 18,
 *        "identity": null | {"uid": 1000, "gid": 1000, "groups": [1000], "home": "/home/shop", "name": "shop", "shell": "/bin/sh"},
 *        …and only where they are set, "env_file": "/path", "env_file_optional": bool, "limits": [[7, [1024, null]]] (number, soft, hard),
 *        "nice": 5, "oom_score_adj": 500, "cpu_affinity": [[0, 3], [8, 8]] (first, last), "capabilities": 1024 (bit n is number n),
 *        "no_new_privileges": true},
 *     "settings": {"command": ["/srv/shop/web", "/etc/coppice/coppice.conf:20"], "env.TZ": ["UTC", "/etc/coppice/coppice.conf:14"]}}
 */
#ifndef COPPICE_CONFIG_COMPILE_H
#define COPPICE_CONFIG_COMPILE_H

int compile_main(int argc, char **argv);

#endif
