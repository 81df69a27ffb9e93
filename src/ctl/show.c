/* status, tree, ping: what is. */
#include "ctl/show.h"
#include "ctl/ctl.h"
#include "ctl/paths.h"
#include "ctl/reply.h"
#include "ctl/table.h"
#include "ctl/term.h"
#include "ctl/text.h"
#include "ctl/tree.h"
#include "ctl/watch.h"

#include "lib/mem.h"
#include "lib/str.h"
#include "wire/rpc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_BELOW ",\"recursive\":true" /* further parameters */

/*
 * An error answer to a question about a node. Not knowing the path is the 4 of init scripts
 * ("unknown").
 */
static int
show_refused(struct ctl *ctl, const struct reply *reply)
{
	int status = reply_refused(ctl, reply);

	return reply->code == RPC_UNKNOWN_PATH ? CTL_NO_DAEMON : status;
}

/* 0 or CTL_NOT_ALL. */
static int
show_judge(const struct node_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!node_is_well(&list->nodes[i]))
			return CTL_NOT_ALL;
	}
	return CTL_DONE;
}

/* One answer of the API, printed as it is. `judge`: the exit status tells how its nodes are. */
static int
show_json(struct ctl *ctl, const char *method, const char *params, bool judge)
{
	struct node_list list = { 0 };
	struct reply reply;
	int status = reply_read(ctl, method, params, &reply);

	if (!ctl->pass_through && reply.line.len > 0)
		reply_put_line(ctl, &reply);
	if (ctl->client.tee_error != 0 && ctl->client.tee_error != -EPIPE)
		status = ctl_complain(ctl, CTL_REFUSED, NULL, "cannot write the output: %s",
		    strerror(-ctl->client.tee_error));
	if (status == 0 && reply.is_error)
		status = show_refused(ctl, &reply);
	if (status == 0 && judge) {
		const char *problem = node_scan_status(&reply.result, &list);
		status = problem != NULL ? reply_garbled(ctl, problem) : show_judge(&list);
	}
	node_list_free(&list);
	reply_free(&reply);
	return status;
}

static int
show_all_json(struct ctl *ctl, const char *method, bool judge)
{
	struct paths paths = { 0 };
	int worst = 0;

	if (ctl->arg_count == 0) {
		ctl->pass_through = true; /* 10,000 nodes are a lot to keep */
		return show_json(ctl, method, NULL, false);
	}
	int status = paths_expand(ctl, ctl->arg_count, CTL_NO_DAEMON, &paths);
	for (unsigned i = 0; i < paths.count && status == 0; i++) {
		char *params = reply_path_params(paths.all[i], judge ? SHOW_BELOW : "");
		int one = show_json(ctl, method, params, judge);
		worst = one > worst ? one : worst;
		free(params);
	}
	paths_free(&paths);
	return status != 0 ? status : worst;
}

/* Keeps of the list what the arguments name; an argument that names nothing is complained about. */
static int
show_filter(struct ctl *ctl, struct node_list *list)
{
	bool *keep = mem_zalloc(list->count + 1, sizeof *keep);
	size_t kept = 0;
	int status = 0;

	for (unsigned arg = 0; arg < ctl->arg_count; arg++) {
		bool found = false;
		for (size_t i = 0; i < list->count; i++) {
			if (paths_match(ctl->args[arg], &list->nodes[i], true))
				found = keep[i] = true;
		}
		if (!found)
			status = ctl_complain(ctl, CTL_NO_DAEMON,
			    "coppicectl status lists all nodes; * stands for anything but /",
			    "no node fits \"%s\"", ctl->args[arg]);
	}
	for (size_t i = 0; i < list->count; i++) {
		if (keep[i])
			list->nodes[kept++] = list->nodes[i];
	}
	list->count = kept;
	free(keep);
	return status;
}

int
show_fetch(struct ctl *ctl, struct reply *reply, struct node_list *list)
{
	char *params = NULL;

	for (unsigned i = 0; i < ctl->arg_count; i++)
		ctl->args[i] = paths_tidy(ctl->args[i]);
	bool one = ctl->arg_count == 1 && !paths_is_pattern(ctl->args[0]);
	if (one)
		params = reply_path_params(ctl->args[0], SHOW_BELOW);
	int status = reply_read(ctl, "status", params, reply);
	free(params);
	if (status == 0 && reply->is_error)
		status = show_refused(ctl, reply);
	if (status != 0)
		return status;
	const char *problem = node_scan_status(&reply->result, list);
	if (problem != NULL)
		return reply_garbled(ctl, problem);
	if (list->notice.len > 0) /* not among the rows, which programs may read */
		ctl_complain(ctl, 0, NULL, "%.*s", (int)list->notice.len, list->notice.at);
	return ctl->arg_count > 0 && !one ? show_filter(ctl, list) : 0;
}

/* The line below what a terminal shows; a program can count for itself. */
static void
show_summary(struct ctl *ctl, const struct term *term, const struct node_list *list)
{
	const struct node *failed = NULL;

	if (term->width == UINT_MAX || list->count < 2)
		return;
	size_t start = ctl->out.len;
	table_put_summary(&ctl->out, term, list);
	for (size_t i = 0; i < list->count && failed == NULL; i++) {
		if (scan_text_is(&list->nodes[i].state, "failed"))
			failed = &list->nodes[i];
	}
	if (failed != NULL) {
		size_t columns = term_columns(&ctl->out, start);
		bool fits =
		    columns + strlen(" - coppicectl why ") + failed->path.len <= term->width;
		if (!fits) {
			term_end_row(&ctl->out, term, start);
			start = ctl->out.len;
		}
		buf_puts(&ctl->out, fits ? term->unicode ? " — " : " - " : "");
		buf_puts(&ctl->out, "coppicectl why ");
		text_put(&ctl->out, &failed->path);
	}
	term_end_row(&ctl->out, term, start);
}

/* -w, once it is sure that there is something to look at. */
static int
show_watch(struct ctl *ctl, bool as_tree)
{
	struct term term = term_look();
	struct node_list list = { 0 };
	struct reply reply = { 0 };

	if (ctl->options[OPT_JSON] != NULL)
		return ctl_complain(ctl, CTL_USAGE,
		    "coppicectl events --follow --json tells each change",
		    "--watch is for people, --json for programs");
	if (!term.terminal)
		return ctl_complain(ctl, CTL_USAGE,
		    "coppicectl events --follow tells each change, a line at a time",
		    "--watch needs a terminal that can move its cursor");
	int status = show_fetch(ctl, &reply, &list);
	node_list_free(&list);
	reply_free(&reply);
	client_close(&ctl->client);
	if (status != 0)
		return status;
	bool one = ctl->arg_count == 1 && !paths_is_pattern(ctl->args[0]);
	char *params = one ? reply_path_params(ctl->args[0], SHOW_BELOW) : NULL;
	status = watch_run(ctl, params, as_tree);
	free(params);
	return status;
}

int
show_status(struct ctl *ctl)
{
	struct term term = term_look();
	struct node_list list = { 0 };
	struct reply reply = { 0 };

	if (ctl->options[OPT_WATCH] != NULL)
		return show_watch(ctl, false);
	if (ctl->options[OPT_JSON] != NULL)
		return show_all_json(ctl, "status", true);
	int status = show_fetch(ctl, &reply, &list);
	if (list.count > 0)
		table_put(&ctl->out, &term, &list);
	show_summary(ctl, &term, &list);
	if (status == 0 && ctl->arg_count > 0)
		status = show_judge(&list);
	node_list_free(&list);
	reply_free(&reply);
	return status;
}

int
show_tree(struct ctl *ctl)
{
	struct term term = term_look();
	struct node_list list = { 0 };
	struct reply reply = { 0 };

	if (ctl->options[OPT_WATCH] != NULL)
		return show_watch(ctl, true);
	if (ctl->options[OPT_JSON] != NULL)
		return show_all_json(ctl, "tree", false);
	int status = show_fetch(ctl, &reply, &list);
	if (list.count > 0)
		tree_put(&ctl->out, &term, &list);
	show_summary(ctl, &term, &list);
	node_list_free(&list);
	reply_free(&reply);
	return status;
}

/* The members of a flat object, one a line. */
static const char *
put_members(struct buf *out, struct scan *result)
{
	struct scan_text key, value;

	if (!scan_object(result))
		return result->problem;
	while (scan_key(result, &key) && scan_skip(result, &value)) {
		bool quoted = value.len >= 2 && value.at[0] == '"';
		struct scan_text inside =
		    quoted ? (struct scan_text){ value.at + 1, value.len - 2 } : value;
		char *text = scan_text_decode(&inside);
		buf_printf(out, "%-18.*s %s\n", (int)key.len, key.at, text);
		free(text);
	}
	return result->problem;
}

int
show_ping(struct ctl *ctl)
{
	struct reply reply;

	if (ctl->options[OPT_JSON] != NULL)
		return show_all_json(ctl, "ping", false);
	int status = reply_read(ctl, "ping", NULL, &reply);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	const char *problem = status == 0 ? put_members(&ctl->out, &reply.result) : NULL;
	if (problem != NULL)
		status = reply_garbled(ctl, problem);
	reply_free(&reply);
	return status;
}
