#include "ctl/reply.h"

#include "lib/mem.h"
#include "wire/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
reply_lost(struct ctl *ctl, const struct client *client, int error)
{
	int status = error == -ETIMEDOUT ? CTL_TIMED_OUT : CTL_NO_DAEMON;

	return ctl_complain(ctl, status, client->hint, "%s", client->problem);
}

static int
reply_connect(struct ctl *ctl, struct client *client)
{
	int error = client_open(client, ctl->socket_path);

	if (error == 0) {
		client->tee = ctl->pass_through ? STDOUT_FILENO : -1;
		return 0;
	}
	return ctl_complain(
	    ctl, CTL_NO_DAEMON, client->hint, "cannot reach the daemon at %s", client->problem);
}

char *
reply_path_params(const char *path, const char *extra)
{
	struct buf params = { 0 };

	buf_puts(&params, "{\"path\":");
	buf_json_string(&params, path);
	buf_printf(&params, "%s}", extra);
	char *text = mem_strdup(params.failed ? "{}" : params.data);
	buf_free(&params);
	return text;
}

int
reply_request_on(struct ctl *ctl, struct client *client, const char *method, const char *params)
{
	int status = client->fd < 0 ? reply_connect(ctl, client) : 0;

	if (status != 0)
		return status;
	int error = client_send(client, ++ctl->last_id, method, params);
	return error == 0 ? 0 : reply_lost(ctl, client, error);
}

int
reply_request(struct ctl *ctl, const char *method, const char *params)
{
	return reply_request_on(ctl, &ctl->client, method, params);
}

static void
reply_scan_text(struct scan *scan, char **out)
{
	struct scan_text text;

	if (scan_string(scan, &text) && text.len > 0) {
		free(*out);
		*out = scan_text_decode(&text);
	}
}

static void
reply_scan_data(struct scan *scan, struct reply *reply)
{
	struct scan_text key;

	if (!scan_object(scan))
		return;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "hint"))
			reply_scan_text(scan, &reply->hint);
		else
			scan_skip(scan, NULL);
	}
}

/* The members of "error". */
static void
reply_scan_error(struct scan *scan, struct reply *reply)
{
	struct scan_text key;
	double code = 0;

	reply->is_error = true;
	if (!scan_object(scan))
		return;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "code"))
			scan_number(scan, &code);
		else if (scan_text_is(&key, "message"))
			reply_scan_text(scan, &reply->message);
		else if (scan_text_is(&key, "data"))
			reply_scan_data(scan, reply);
		else
			scan_skip(scan, NULL);
	}
	reply->code = code > -100000 && code < 100000 ? (int)code : 0;
}

/*
 * Finds "result" or "error" in the line. The result is not gone through here, since it may be
 * megabytes that the caller goes through anyway; all the more the line must look whole.
 */
const char *
reply_scan(struct reply *reply)
{
	struct scan scan;
	struct scan_text key;

	scan_begin(&scan, reply->line.at, reply->line.len);
	if (!scan_object(&scan))
		return "it is no JSON object";
	while (scan_key(&scan, &key)) {
		if (scan_text_is(&key, "result")) {
			reply->result = scan;
			return reply->line.at[reply->line.len - 1] == '}'
			    ? NULL
			    : "it does not end like an answer";
		}
		if (scan_text_is(&key, "error"))
			reply_scan_error(&scan, reply);
		else
			scan_skip(&scan, NULL);
	}
	if (scan.problem == NULL && !reply->is_error)
		return "it has neither a result nor an error";
	return scan.problem;
}

int
reply_garbled(struct ctl *ctl, const char *problem)
{
	return ctl_complain(ctl, CTL_REFUSED,
	    "is this the control socket of a coppiced of this version? see coppicectl ping",
	    "the answer at %s makes no sense: %s", ctl->socket_path, problem);
}

/* 0, or a negative errno of client_receive, about which nothing has been said yet. */
static int
reply_receive(struct client *client, span_ms patience, struct reply *reply, const char **problem)
{
	*reply = (struct reply){ 0 };
	*problem = NULL;
	int error = client_receive(client, patience, &reply->line);
	if (error == 0)
		*problem = reply_scan(reply);
	return error;
}

int
reply_next(struct ctl *ctl, span_ms patience, struct reply *reply)
{
	const char *problem;
	int error = reply_receive(&ctl->client, patience, reply, &problem);

	if (error != 0)
		return reply_lost(ctl, &ctl->client, error);
	return problem == NULL ? 0 : reply_garbled(ctl, problem);
}

int
reply_look_on(struct ctl *ctl, struct client *client, struct reply *reply)
{
	const char *problem;
	int error = reply_receive(client, 0, reply, &problem);

	if (error != 0)
		return error == -ETIMEDOUT ? 0 : reply_lost(ctl, client, error);
	return problem == NULL ? 0 : reply_garbled(ctl, problem);
}

int
reply_read(struct ctl *ctl, const char *method, const char *params, struct reply *reply)
{
	const char *problem;

	*reply = (struct reply){ 0 };
	for (int attempt = 1;; attempt++) {
		int status = reply_request(ctl, method, params);
		if (status != 0)
			return status;
		int error = reply_receive(&ctl->client, CLIENT_PATIENCE_MS, reply, &problem);
		if (error == 0)
			return problem == NULL ? 0 : reply_garbled(ctl, problem);
		if (error != -ECONNRESET || attempt == 2)
			return reply_lost(ctl, &ctl->client, error);
		client_close(&ctl->client);
	}
}

void
reply_put_line(struct ctl *ctl, const struct reply *reply)
{
	buf_append(&ctl->out, reply->line.at, reply->line.len);
	buf_puts(&ctl->out, "\n");
}

void
reply_free(struct reply *reply)
{
	free(reply->message);
	free(reply->hint);
	*reply = (struct reply){ 0 };
}

json_t *
reply_load(const struct reply *reply)
{
	json_t *line = json_loadb(reply->line.at, reply->line.len, JSON_ALLOW_NUL, NULL);
	json_t *result = json_incref(json_object_get(line, "result"));

	json_decref(line);
	return result;
}

int
reply_refused(struct ctl *ctl, const struct reply *reply)
{
	int status = reply->code == RPC_TIMEOUT ? CTL_TIMED_OUT : CTL_REFUSED;
	const char *message =
	    reply->message != NULL ? reply->message : "the daemon refused, without saying why";

	return ctl_complain(ctl, status, reply->hint, "%s", message);
}
