/* start, stop, restart, signal, shutdown, raw: what is to be. */
#include "ctl/act.h"
#include "ctl/crowd.h"

#include "lib/mem.h"
#include "lib/names.h"
#include "lib/str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Requests sent ahead of their answers; so few fit into the socket whoever reads. */
#define ACT_WINDOW 64U

static void
act_put_node(struct buf *out, const struct node *node)
{
	buf_printf(out, "%.*s: %.*s", (int)node->path.len, node->path.at, (int)node->state.len,
	    node->state.at);
	if (node->pid > 0)
		buf_printf(out, ", pid %.0f", node->pid);
	size_t before = out->len;
	buf_puts(out, " (");
	node_put_why(out, node, false);
	if (out->len == before + 2)
		out->len = before;
	else
		buf_puts(out, ")");
	buf_puts(out, "\n");
}

/* The result is a node, or the nodes of a template, or something shorter. */
static void
act_put_result(struct buf *out, const struct reply *reply, const char *path)
{
	struct node_list list = { 0 };
	struct scan as_node = reply->result, as_list = reply->result;
	struct node node;

	if (node_scan(&as_node, &node)) {
		act_put_node(out, &node);
	} else if (node_scan_status(&as_list, &list) == NULL) {
		for (size_t i = 0; i < list.count; i++)
			act_put_node(out, &list.nodes[i]);
	} else {
		buf_printf(out, "%s: done\n", path);
	}
	node_list_free(&list);
}

int
act_put_answer(struct ctl *ctl, const struct reply *reply, const char *path)
{
	if (ctl->options[OPT_JSON] != NULL)
		reply_put_line(ctl, reply);
	if (reply->is_error)
		return reply_refused(ctl, reply);
	if (ctl->options[OPT_JSON] == NULL)
		act_put_result(&ctl->out, reply, path);
	return 0;
}

static int
act_send(struct ctl *ctl, const struct action *action, const char *path)
{
	char *params = reply_path_params(path, action->extra);
	int status = reply_request(ctl, action->method, params);

	free(params);
	return status;
}

/* Takes one answer; its exit status goes to *worst, what is returned ends everything. */
static int
act_take(struct ctl *ctl, const struct action *action, const char *path, int *worst)
{
	struct reply reply;
	int status = reply_next(ctl, action->patience, &reply);

	if (status == 0) {
		int one = act_put_answer(ctl, &reply, path);
		*worst = one > *worst ? one : *worst;
	}
	reply_free(&reply);
	return status;
}

/* The command for the nodes that the first `count` arguments name; none of them waits. */
static int
act_on(struct ctl *ctl, const struct action *action, unsigned count)
{
	struct paths paths;
	int status = paths_expand(ctl, count, CTL_REFUSED, &paths);
	unsigned sent = 0, taken = 0;
	int worst = 0;

	while (status == 0 && taken < paths.count) {
		bool send = sent < paths.count && sent - taken < action->window;
		unsigned turn = send ? sent++ : taken++;
		const char *path = paths.all[action->backwards ? paths.count - 1 - turn : turn];
		status = send ? act_send(ctl, action, path) : act_take(ctl, action, path, &worst);
	}
	paths_free(&paths);
	return status != 0 ? status : worst;
}

/* A start, stop or restart, which waits unless told not to. */
static int
act_waiting(struct ctl *ctl, struct action action)
{
	bool wait = ctl->options[OPT_NO_WAIT] == NULL;
	const char *timeout = ctl->options[OPT_TIMEOUT];
	span_ms span = 0;
	struct buf extra = { 0 };
	struct paths paths;

	action.patience = wait ? SPAN_INFINITE : CLIENT_PATIENCE_MS;
	buf_printf(&extra, ",\"wait\":%s", wait ? "true" : "false");
	if (wait && timeout != NULL && span_parse(timeout, &span) == 0) {
		if (span < SPAN_INFINITE - CLIENT_PATIENCE_MS)
			action.patience = span + CLIENT_PATIENCE_MS;
		buf_puts(&extra, ",\"timeout\":");
		buf_json_string(&extra, timeout);
	}
	buf_puts(&extra, ctl->options[OPT_NOW] != NULL ? ",\"now\":true" : "");
	buf_puts(&extra, ctl->options[OPT_GROUP] != NULL ? ",\"group\":true" : "");
	action.extra = extra.data;
	int status = wait ? paths_expand(ctl, ctl->arg_count, CTL_REFUSED, &paths)
			  : act_on(ctl, &action, ctl->arg_count);
	if (wait) {
		status = status != 0 ? status : crowd_run(ctl, &action, &paths);
		paths_free(&paths);
	}
	buf_free(&extra);
	return status;
}

int
act_start(struct ctl *ctl)
{
	return act_waiting(ctl, (struct action){ .method = "start", .window = ACT_WINDOW });
}

int
act_stop(struct ctl *ctl)
{
	return act_waiting(
	    ctl, (struct action){ .method = "stop", .window = ACT_WINDOW, .backwards = true });
}

int
act_restart(struct ctl *ctl)
{
	/* One after the other, so that of several instances only one is ever missing. */
	return act_waiting(ctl, (struct action){ .method = "restart", .window = 1 });
}

/* A command that is done when it is answered. */
static int
act_at_once(struct ctl *ctl, const char *method)
{
	struct action action = {
		.method = method, .extra = "", .window = ACT_WINDOW, .patience = CLIENT_PATIENCE_MS
	};

	return act_on(ctl, &action, ctl->arg_count);
}

int
act_reset(struct ctl *ctl)
{
	return act_at_once(ctl, "reset");
}

int
act_drain(struct ctl *ctl)
{
	return act_at_once(ctl, "drain");
}

static int
act_no_signal(struct ctl *ctl, const char *name)
{
	static const char *const usual[] = { "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM",
		"STOP", "CONT", "WINCH", "ALRM", "ABRT", "PIPE", "CHLD", "TSTP", "SIGHUP", "SIGINT",
		"SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGSTOP", "SIGCONT",
		"SIGWINCH" };
	const char *near = str_nearest(name, usual, sizeof usual / sizeof *usual);
	char *hint = near != NULL
	    ? mem_printf("did you mean \"%s\"?", near)
	    : mem_strdup("signals are named like TERM, SIGHUP, RTMIN+1 or 15, after the path");

	ctl_complain(ctl, CTL_USAGE, hint, "\"%s\" is no signal", name);
	free(hint);
	return CTL_USAGE;
}

int
act_signal(struct ctl *ctl)
{
	const char *name = ctl->args[ctl->arg_count - 1];
	struct action action = {
		.method = "signal", .window = ACT_WINDOW, .patience = CLIENT_PATIENCE_MS
	};
	struct buf extra = { 0 };

	if (names_signal(name) < 0)
		return act_no_signal(ctl, name);
	buf_puts(&extra, ",\"signal\":");
	buf_json_string(&extra, name);
	buf_puts(&extra, ctl->options[OPT_WHOLE_TREE] != NULL ? ",\"whole_tree\":true" : "");
	action.extra = extra.data;
	int status = act_on(ctl, &action, ctl->arg_count - 1);
	buf_free(&extra);
	return status;
}

/* One request that has one answer, printed as it is or, if not NULL, as `done`. */
static int
act_once(
    struct ctl *ctl, const char *method, const char *params, span_ms patience, const char *done)
{
	struct reply reply = { 0 };
	int status = reply_request(ctl, method, params);

	if (status == 0)
		status = reply_next(ctl, patience, &reply);
	if (status == 0 && (done == NULL || ctl->options[OPT_JSON] != NULL))
		reply_put_line(ctl, &reply);
	else if (status == 0 && !reply.is_error)
		buf_puts(&ctl->out, done);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	reply_free(&reply);
	return status;
}

int
act_shutdown(struct ctl *ctl)
{
	const char *action = ctl->command->name;
	struct buf params = { 0 };

	buf_printf(&params, "{\"now\":%s", ctl->options[OPT_NOW] != NULL ? "true" : "false");
	if (!str_equal(action, "shutdown"))
		buf_printf(&params, ",\"action\":\"%s\"", action);
	if (ctl->options[OPT_TIMEOUT] != NULL) {
		buf_puts(&params, ",\"timeout\":");
		buf_json_string(&params, ctl->options[OPT_TIMEOUT]);
	}
	buf_puts(&params, "}");
	int status = act_once(ctl, "shutdown", params.data, CLIENT_PATIENCE_MS,
	    "the daemon stops everything in order and leaves\n");
	buf_free(&params);
	return status;
}

int
act_raw(struct ctl *ctl)
{
	json_error_t error;
	char *params = NULL;

	if (ctl->arg_count == 2) {
		json_t *value = json_loads(ctl->args[1], JSON_REJECT_DUPLICATES, &error);
		if (value == NULL)
			return ctl_complain(ctl, CTL_USAGE,
			    "parameters look like '{\"path\": \"shop\"}' (mind the shell's quotes)",
			    "the parameters are no JSON object: %s, at column %d", error.text,
			    error.column);
		params = json_dumps(value, JSON_COMPACT);
		json_decref(value);
	}
	/* What is asked may have asked to wait. */
	int status = act_once(ctl, ctl->args[0], params, SPAN_INFINITE, NULL);
	free(params);
	return status;
}
