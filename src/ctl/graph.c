/* graph: the tree with its states, in the language of Graphviz's dot. */
#include "ctl/ctl.h"
#include "ctl/node.h"
#include "ctl/reply.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "ctl/tree.h"

#include "lib/str.h"

#include <string.h>

static const char graph_head[] =
    "digraph coppice {\n"
    "\trankdir=LR; ordering=out; nodesep=0.12; ranksep=0.5;\n"
    "\tnode [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11,\n"
    "\t\theight=0.3, margin=\"0.12,0.04\", fontcolor=\"#1f2328\"];\n"
    "\tedge [color=\"#8c959f\", arrowsize=0.6];\n";

static const struct {
	const char *state, *fill, *line;
} looks[] = {
	{ "running", "#dafbe1", "#2da44e" },
	{ "finished", "#eaeef2", "#8c959f" },
	{ "stopped", "#ffffff", "#8c959f" },
	{ "waiting", "#fff8c5", "#d4a72c" },
	{ "starting", "#fff8c5", "#d4a72c" },
	{ "stopping", "#fbefff", "#a475f9" },
	{ "restarting", "#fff1e5", "#fb8f44" },
	{ "failed", "#ffebe9", "#cf222e" },
};

/* Inside a quoted string of dot, where backslashes mean something too. */
static void
graph_put_text(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buf_puts(out, "\\");
		buf_append(out, text + i, 1);
	}
}

static void
graph_put_name(struct buf *out, const char *path, size_t len)
{
	buf_puts(out, "\"");
	graph_put_text(out, path, len);
	buf_puts(out, "\"");
}

/* Name, rule or process, and what is to be known of the state, below each other. */
static void
graph_put_label(struct buf *out, const struct node *node, const char *name)
{
	bool runs = scan_text_is(&node->state, "running");
	struct buf text = { 0 };

	buf_puts(out, "label=\"");
	graph_put_text(out, name, strlen(name));
	text_put(&text, &node->strategy);
	if (text.len > 0) {
		buf_puts(out, "\\n");
		graph_put_text(out, text.data, text.len);
	}
	if (node->pid > 0)
		buf_printf(out, "\\npid %.0f", node->pid);
	if (!runs) {
		text.len = 0;
		text_put(&text, &node->state);
		buf_puts(out, "\\n");
		graph_put_text(out, text.data, text.len);
		text.len = 0;
		node_put_why(&text, node, true);
		if (text.len > 0) {
			buf_puts(out, ": ");
			graph_put_text(out, text.data, text.len);
		}
	}
	if (node->restarts > 0)
		buf_printf(out, "\\n%.0f restart%s", node->restarts, node->restarts > 1 ? "s" : "");
	buf_puts(out, "\"");
	buf_free(&text);
}

static void
graph_put_node(struct buf *out, const struct node *node, bool topmost)
{
	const char *fill = "#ffffff", *line = "#1f2328";
	struct buf path = { 0 };

	text_put(&path, &node->path);
	if (path.failed || path.data == NULL)
		return;
	const char *slash = strrchr(path.data, '/');
	bool root = str_equal(path.data, "/");
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		if (scan_text_is(&node->state, looks[i].state)) {
			fill = looks[i].fill;
			line = looks[i].line;
		}
	}
	buf_puts(out, "\t");
	graph_put_name(out, path.data, path.len);
	buf_puts(out, " [");
	graph_put_label(out, node, topmost || slash == NULL ? path.data : slash + 1);
	buf_printf(out, ", fillcolor=\"%s\", color=\"%s\"%s];\n", fill, line,
	    scan_text_is(&node->kind, "supervisor") ? ", penwidth=2" : "");
	if (!topmost && !root) {
		buf_puts(out, "\t");
		if (slash != NULL)
			graph_put_name(out, path.data, (size_t)(slash - path.data));
		else
			buf_puts(out, "\"/\"");
		buf_puts(out, " -> ");
		graph_put_name(out, path.data, path.len);
		buf_puts(out, ";\n");
	}
	buf_free(&path);
}

int
graph_run(struct ctl *ctl)
{
	struct node_list list = { 0 };
	struct reply reply = { 0 };
	unsigned top = UINT32_MAX;

	if (ctl->options[OPT_JSON] != NULL)
		return show_tree(ctl);
	int status = show_fetch(ctl, &reply, &list);
	for (size_t i = 0; i < list.count; i++) {
		unsigned depth = tree_depth(&list.nodes[i].path);
		top = depth < top ? depth : top;
	}
	if (status == 0 || list.count > 0) {
		buf_puts(&ctl->out, graph_head);
		for (size_t i = 0; i < list.count; i++)
			graph_put_node(
			    &ctl->out, &list.nodes[i], tree_depth(&list.nodes[i].path) == top);
		buf_puts(&ctl->out, "}\n");
	}
	node_list_free(&list);
	reply_free(&reply);
	return status;
}
