/* status, tree, ping: what is. */
#include "ctl/ctl.h"
#include "ctl/paths.h"
#include "ctl/reply.h"
#include "ctl/term.h"

#include "lib/mem.h"
#include "lib/str.h"
#include "wire/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH 64 /* of the drawing; the daemon allows 32 */

/* {"path":…,"recursive":true} as text of the caller. */
static char *
show_params(const char *path)
{
	struct buf params = { 0 };

	buf_puts(&params, "{\"path\":");
	buf_json_string(&params, path);
	buf_puts(&params, ",\"recursive\":true}");
	char *text = mem_strdup(params.failed ? "{}" : params.data);
	buf_free(&params);
	return text;
}

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

	if (!ctl->pass_through && reply.line.len > 0) {
		buf_append(&ctl->out, reply.line.at, reply.line.len);
		buf_puts(&ctl->out, "\n");
	}
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
		char *params = judge ? show_params(paths.all[i]) : NULL;
		struct buf tree = { 0 };
		if (!judge) {
			buf_puts(&tree, "{\"path\":");
			buf_json_string(&tree, paths.all[i]);
			buf_puts(&tree, "}");
		}
		int one = show_json(ctl, method, judge ? params : tree.data, judge);
		worst = one > worst ? one : worst;
		free(params);
		buf_free(&tree);
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

/* The nodes that the arguments name, all without arguments. The rows point into the reply. */
static int
show_fetch(struct ctl *ctl, struct reply *reply, struct node_list *list)
{
	char *params = NULL;

	for (unsigned i = 0; i < ctl->arg_count; i++)
		ctl->args[i] = paths_tidy(ctl->args[i]);
	bool one = ctl->arg_count == 1 && !paths_is_pattern(ctl->args[0]);
	if (one)
		params = show_params(ctl->args[0]);
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

/* Digits are most of the work of a big table, and printf is slow at them. */
static void
put_whole(struct buf *out, double number, size_t width)
{
	char digits[24];
	size_t at = sizeof digits;
	unsigned long long left = number > 0 && number < 1e15 ? (unsigned long long)number : 0;

	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	size_t len = sizeof digits - at;
	if (len < width)
		term_put_blanks(out, width - len);
	buf_append(out, digits + at, len);
}

static void
put_row(struct buf *out, const struct term *term, const struct node *node, size_t path_width)
{
	size_t start = out->len;

	term_put_state(out, term, node, 10);
	buf_puts(out, "  ");
	buf_append(out, node->path.at, node->path.len);
	term_put_blanks(out, path_width - node->path.len);
	if (node->pid > 0)
		put_whole(out, node->pid, 9);
	else
		buf_puts(out, "        -");
	size_t before = out->len;
	buf_puts(out, "  ");
	if (node->uptime_s >= 0)
		node_put_span(out, node->uptime_s);
	else
		buf_puts(out, "-");
	term_put_blanks(out, out->len < before + 10 ? before + 10 - out->len : 0);
	put_whole(out, node->restarts, 8);
	buf_puts(out, "  ");
	node_put_why(out, node, false);
	term_trim(out, start);
	buf_puts(out, "\n");
}

static void
put_table(struct buf *out, const struct node_list *list)
{
	struct term term = term_look();
	size_t width = 4;

	for (size_t i = 0; i < list->count; i++) {
		if (list->nodes[i].path.len > width)
			width = list->nodes[i].path.len;
	}
	buf_puts(out, "STATE       PATH");
	term_put_blanks(out, width - 4);
	buf_puts(out, "      PID  UPTIME  RESTARTS  WHY\n");
	for (size_t i = 0; i < list->count; i++)
		put_row(out, &term, &list->nodes[i], width);
}

int
show_status(struct ctl *ctl)
{
	struct node_list list = { 0 };
	struct reply reply = { 0 };

	if (ctl->options[OPT_JSON] != NULL)
		return show_all_json(ctl, "status", true);
	int status = show_fetch(ctl, &reply, &list);
	if (list.count > 0)
		put_table(&ctl->out, &list);
	if (status == 0 && ctl->arg_count > 0)
		status = show_judge(&list);
	node_list_free(&list);
	reply_free(&reply);
	return status;
}

static unsigned
path_depth(const struct scan_text *path)
{
	unsigned depth = 1;

	if (scan_text_is(path, "/"))
		return 0;
	for (size_t i = 0; i < path->len; i++)
		depth += path->at[i] == '/';
	return depth < MAX_DEPTH ? depth : MAX_DEPTH - 1;
}

/* Which of the nodes, parents before children, is the last below its supervisor. */
static bool *
find_last(const struct node_list *list)
{
	bool *last = mem_zalloc(list->count + 1, sizeof *last);
	bool more[MAX_DEPTH + 1] = { false };

	for (size_t i = list->count; i-- > 0;) {
		unsigned depth = path_depth(&list->nodes[i].path);
		last[i] = !more[depth];
		more[depth] = true;
		memset(more + depth + 1, 0, MAX_DEPTH - depth);
	}
	return last;
}

/*
 * The branch and the name of a node; returns how many columns they take. `bars` says where a line
 * from above goes on.
 */
static size_t
put_branch(struct buf *out, const struct term *term, const struct node *node, unsigned from,
    const bool *bars, bool is_last)
{
	unsigned depth = path_depth(&node->path);
	size_t columns = 0;
	struct scan_text name = node->path;

	if (depth > from) {
		for (unsigned i = from + 1; i < depth; i++, columns += 3)
			buf_puts(out, !bars[i] ? "   " : term->unicode ? "│  " : "|  ");
		buf_puts(
		    out, term->unicode ? (is_last ? "└─ " : "├─ ") : (is_last ? "`- " : "|- "));
		columns += 3;
		const char *slash = memrchr(name.at, '/', name.len);
		if (slash != NULL)
			name = (struct scan_text){ slash + 1,
				name.len - (size_t)(slash + 1 - name.at) };
	}
	buf_append(out, name.at, name.len);
	columns += name.len;
	if (node->strategy.len > 0) {
		buf_printf(out, "  (%.*s)", (int)node->strategy.len, node->strategy.at);
		columns += node->strategy.len + 4;
	}
	return columns;
}

static void
put_rest(struct buf *out, const struct term *term, const struct node *node)
{
	size_t start = out->len;

	term_put_state(out, term, node, 10);
	if (node->pid > 0)
		buf_printf(out, "  pid %.0f", node->pid);
	if (node->restarts > 0)
		buf_printf(out, "  restarts %.0f", node->restarts);
	buf_puts(out, "  ");
	node_put_why(out, node, true);
	term_trim(out, start);
	buf_puts(out, "\n");
}

static void
put_tree(struct buf *out, const struct node_list *list)
{
	struct term term = term_look();
	bool *last = find_last(list);
	bool bars[MAX_DEPTH + 1] = { false };
	unsigned from = MAX_DEPTH;
	size_t widest = 0;
	struct buf scratch = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		unsigned depth = path_depth(&list->nodes[i].path);
		from = depth < from ? depth : from;
	}
	/* Twice: to measure, and to print. */
	for (int print = 0; print < 2; print++) {
		for (size_t i = 0; i < list->count; i++) {
			const struct node *node = &list->nodes[i];
			scratch.len = 0;
			bars[path_depth(&node->path)] = !last[i];
			size_t columns = put_branch(&scratch, &term, node, from, bars, last[i]);
			widest = columns > widest ? columns : widest;
			if (!print)
				continue;
			buf_append(out, scratch.data, scratch.len);
			term_put_blanks(out, widest - columns + 2);
			put_rest(out, &term, node);
		}
	}
	buf_free(&scratch);
	free(last);
}

int
show_tree(struct ctl *ctl)
{
	struct node_list list = { 0 };
	struct reply reply = { 0 };

	if (ctl->options[OPT_JSON] != NULL)
		return show_all_json(ctl, "tree", false);
	int status = show_fetch(ctl, &reply, &list);
	if (list.count > 0)
		put_tree(&ctl->out, &list);
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
