/*
 * reply: requests and answers of the API, and what an error answer means for the exit status.
 * Whatever goes wrong has been said on stderr when one of these returns an exit status other than
 * 0.
 */
#ifndef COPPICE_CTL_REPLY_H
#define COPPICE_CTL_REPLY_H

#include "ctl/ctl.h"

#include <jansson.h>

/* One answer: either `result` stands at its value, or is_error. */
struct reply {
	/* as it came; belongs to the client, until the next answer is read */
	struct scan_text line;
	struct scan result;
	bool is_error;
	int code;             /* enum rpc_error, or a number that this program does not know */
	char *message, *hint; /* hint may be NULL */
};

/* {"path": …} with `extra`: further members, each with a comma before it. To be freed. */
char *reply_path_params(const char *path, const char *extra);
/* Sends a request; `params` is the text of a JSON value, or NULL. */
int reply_request(struct ctl *ctl, const char *method, const char *params);
/* The next answer, be it an error. reply_free in any case. */
int reply_next(struct ctl *ctl, span_ms patience, struct reply *reply);
/* The same on another connection, which is made when it is not there yet (fd −1). */
int reply_request_on(
    struct ctl *ctl, struct client *client, const char *method, const char *params);
/* Without waiting: an answer without a line is none yet. */
int reply_look_on(struct ctl *ctl, struct client *client, struct reply *reply);
/*
 * Finds result or error in reply->line. NULL or what is wrong (static text). For callers that go
 * without the other functions since nothing is to be said.
 */
const char *reply_scan(struct reply *reply);
/*
 * Both, for a method that changes nothing: asked once more when the connection breaks, since then
 * there is a new engine.
 */
int reply_read(struct ctl *ctl, const char *method, const char *params, struct reply *reply);
/* Puts the answer out as it came. */
void reply_put_line(struct ctl *ctl, const struct reply *reply);
void reply_free(struct reply *reply);
/* The result as a value of the caller's; NULL when it is no JSON. For answers that are not large. */
json_t *reply_load(const struct reply *reply);

/* Complains about an error answer and returns the exit status that belongs to its code. */
int reply_refused(struct ctl *ctl, const struct reply *reply);
/* Complains about an answer that is not what the API promises. */
int reply_garbled(struct ctl *ctl, const char *problem);

#endif
