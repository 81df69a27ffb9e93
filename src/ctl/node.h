/*
 * node: what the API says of a node, as rows that point into the answer, and the words for people
 * made from it.
 */
#ifndef COPPICE_CTL_NODE_H
#define COPPICE_CTL_NODE_H

#include "ctl/scan.h"
#include "lib/buf.h"

#include <stdint.h>

struct node {
	struct scan_text path, kind, state, reason, strategy;
	struct scan_text waits_for;   /* the path of another */
	struct scan_text hook;        /* that runs */
	struct scan_text status_text; /* what a program says of itself (STATUS=) */
	struct scan_text exit_signal; /* "KILL"; empty: none */
	/* where and why the last start came to nothing: a text, ENOENT */
	struct scan_text start_step, start_error;
	double pid, restarts, streak;
	double since_at;                  /* 0: unknown */
	double uptime_s, next_start_in_s; /* −1: none */
	double age_s;                     /* how long it has been in its state; −1: unknown */
	double exit_code;                 /* −1: none */
	double cpu_s, memory_bytes;       /* what its processes use; −1: unknown */
	bool core_dumped, exit_unknown, reloading, drained;
};

struct node_list {
	struct node *nodes;
	size_t count, cap;
	struct scan_text notice; /* what the daemon wants people to know; empty: nothing */
};

/* Reads one node. false: scan->problem says what is wrong. */
bool node_scan(struct scan *scan, struct node *node);
/* Reads the result of `status`, appending. NULL or what is wrong (static text). */
const char *node_scan_status(struct scan *result, struct node_list *list);
/* So much time has passed since the answer: ages grow, what comes next comes nearer. */
void node_list_pass(struct node_list *list, double seconds);
void node_list_free(struct node_list *list);

/* Up and doing, or done. */
bool node_is_well(const struct node *node);

/* Texts for people, appended: "2d03h", "5m12s", "3.2s"; … */
void node_put_span(struct buf *out, double seconds);
/* … the same in whole seconds, for what goes on; nothing for what is negative; … */
void node_put_age(struct buf *out, double seconds);
/* … "812K", "3.2M"; nothing for what is negative; … */
void node_put_size(struct buf *out, double bytes);
/*
 * … and why it is in its state, the last first: "exit status 1; too many restarts; next try in
 * 0.8s; 3 failures in a row". When brief, only what came last and what comes next: "exit 1; next
 * try in 0.8s".
 */
void node_put_why(struct buf *out, const struct node *node, bool brief);

#endif
