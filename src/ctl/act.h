/*
 * act: one command to many nodes, and what is shown of its answers.
 */
#ifndef COPPICE_CTL_ACT_H
#define COPPICE_CTL_ACT_H

#include "ctl/paths.h"
#include "ctl/reply.h"

struct action {
	const char *method;
	const char *extra; /* further members of params, each with a comma before it */
	unsigned window;   /* so many requests are on one connection at most; 1: in order */
	span_ms patience;  /* how long an answer may take */
	bool backwards;    /* the last path first */
};

/* Puts an answer into ctl->out, or complains about it. Its exit status. */
int act_put_answer(struct ctl *ctl, const struct reply *reply, const char *path);

#endif
