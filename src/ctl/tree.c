#include "ctl/tree.h"

#include "ctl/text.h"
#include "lib/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TREE_MAX_DEPTH 64 /* of the drawing; the daemon allows 32 */
#define TREE_STATE     10
#define TREE_MIN_NAME  14
#define TREE_MIN_REST  24 /* "exit 1; next try in 1.3s" */

/* What is drawn from the first row to the last. */
struct tree {
	const struct term *term;
	unsigned from;                   /* the depth of the topmost node */
	bool bars[TREE_MAX_DEPTH + 1];   /* where a line from above goes on */
	size_t sign, name, age, details; /* columns; age is 0 when it is not shown */
	bool rules;                      /* strategies are shown */
};

unsigned
tree_depth(const struct scan_text *path)
{
	unsigned depth = 1;

	if (scan_text_is(path, "/"))
		return 0;
	for (size_t i = 0; i < path->len; i++)
		depth += path->at[i] == '/';
	return depth < TREE_MAX_DEPTH ? depth : TREE_MAX_DEPTH - 1;
}

/* Which of the nodes, parents before children, is the last below its supervisor. */
static bool *
tree_find_last(const struct node_list *list)
{
	bool *last = mem_zalloc(list->count + 1, sizeof *last);
	bool more[TREE_MAX_DEPTH + 1] = { false };

	for (size_t i = list->count; i-- > 0;) {
		unsigned depth = tree_depth(&list->nodes[i].path);
		last[i] = !more[depth];
		more[depth] = true;
		memset(more + depth + 1, 0, TREE_MAX_DEPTH - depth);
	}
	return last;
}

/* The last part of the path. */
static struct scan_text
tree_name(const struct node *node)
{
	const char *slash = memrchr(node->path.at, '/', node->path.len);

	if (slash == NULL || node->path.len == 1)
		return node->path;
	return (
	    struct scan_text){ slash + 1, node->path.len - (size_t)(slash + 1 - node->path.at) };
}

/* The lines that lead to a node; returns how many columns they take. */
static size_t
tree_put_lines(struct buf *out, const struct tree *tree, unsigned depth, bool is_last)
{
	bool unicode = tree->term->unicode;

	if (depth <= tree->from)
		return 0;
	term_put_colour(out, tree->term, TERM_DIM);
	for (unsigned i = tree->from + 1; i < depth; i++)
		buf_puts(out, !tree->bars[i] ? "   " : unicode ? "│  " : "|  ");
	buf_puts(out, unicode ? (is_last ? "└─ " : "├─ ") : (is_last ? "`- " : "|- "));
	term_put_colour(out, tree->term, TERM_PLAIN);
	return (size_t)(depth - tree->from) * 3;
}

/* Lines, name and rule; returns how many columns they take, at most `room`. */
static size_t
tree_put_name(
    struct buf *out, const struct tree *tree, const struct node *node, bool is_last, size_t room)
{
	const struct term *term = tree->term;
	size_t columns = tree_put_lines(out, tree, tree_depth(&node->path), is_last);
	bool failed = scan_text_is(&node->state, "failed");
	/* The topmost tells where it is. */
	struct scan_text name = columns > 0 ? tree_name(node) : node->path;

	term_put_colour(out, term, failed ? TERM_BOLD : NULL);
	size_t start = out->len;
	text_put(out, &name);
	columns += term->width == UINT_MAX
	    ? text_columns(out->data + start, out->len - start)
	    : text_fit(out, start, room > columns + 1 ? room - columns : 1, TEXT_CUT_MIDDLE,
		  term->unicode);
	term_put_colour(out, term, failed ? TERM_PLAIN : NULL);
	if (node->strategy.len > 0 && tree->rules) {
		term_put_colour(out, term, TERM_DIM);
		buf_puts(out, "  (");
		start = out->len;
		text_put(out, &node->strategy);
		columns += 4 + text_columns(out->data + start, out->len - start);
		buf_puts(out, ")");
		term_put_colour(out, term, TERM_PLAIN);
	}
	return columns;
}

/* What else there is to say, in words: "pid 42, 2 restarts", "exit 1; next try in 0.8s". */
static void
tree_put_details(struct buf *out, const struct node *node, bool brief)
{
	bool runs = scan_text_is(&node->state, "running");
	size_t start = out->len;

	if (node->pid > 0)
		buf_printf(out, "pid %.0f", node->pid);
	if (node->restarts > 0 && runs)
		buf_printf(out, "%s%.0f restart%s", out->len > start ? ", " : "", node->restarts,
		    node->restarts > 1 ? "s" : "");
	size_t before = out->len;
	buf_puts(out, before > start ? "; " : "");
	size_t why = out->len;
	node_put_why(out, node, brief);
	if (out->len == why)
		out->len = before;
}

static void
tree_put_row(struct buf *out, const struct tree *tree, const struct node *node, bool is_last)
{
	const struct term *term = tree->term;
	size_t start = out->len;
	size_t columns = tree_put_name(out, tree, node, is_last, tree->name);

	term_put_blanks(out, tree->name > columns ? tree->name - columns + 2 : 2);
	term_put_signed_state(out, term, node, TREE_STATE);
	if (tree->age > 0) {
		size_t age = out->len;
		node_put_age(out, node->age_s);
		term_to_right(out, age, tree->age + 2);
	}
	buf_puts(out, "  ");
	size_t details = out->len;
	tree_put_details(out, node, false);
	if (term->width != UINT_MAX) {
		if (text_columns(out->data + details, out->len - details) > tree->details) {
			out->len = details;
			tree_put_details(out, node, true);
		}
		text_fit(out, details, tree->details, TEXT_CUT_END, term->unicode);
	}
	term_end_row(out, term, start);
}

/* The widest name, with its lines and, if they are shown, its rule. */
static size_t
tree_widest(const struct tree *tree, const struct node_list *list, const bool *last)
{
	struct buf scratch = { 0 };
	size_t widest = 0;

	for (size_t i = 0; i < list->count; i++) {
		scratch.len = 0;
		size_t columns = tree_put_name(&scratch, tree, &list->nodes[i], last[i], SIZE_MAX);
		widest = columns > widest ? columns : widest;
	}
	buf_free(&scratch);
	return widest;
}

/* How wide the ages are, and the details, which only a terminal limits. */
static void
tree_measure(struct tree *tree, const struct node_list *list)
{
	struct buf scratch = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		scratch.len = 0;
		node_put_age(&scratch, list->nodes[i].age_s);
		tree->age = scratch.len > tree->age ? scratch.len : tree->age;
		scratch.len = 0;
		if (tree->term->width == UINT_MAX)
			continue;
		tree_put_details(&scratch, &list->nodes[i], false);
		size_t columns = text_columns(scratch.data, scratch.len);
		tree->details = columns > tree->details ? columns : tree->details;
	}
	buf_free(&scratch);
}

/*
 * The details get at least what they need to be useful: ages, then rules, then the ends of names
 * give way to them.
 */
static void
tree_fit(struct tree *tree, const struct node_list *list, const bool *last)
{
	size_t width = tree->term->width, fixed = tree->sign + TREE_STATE + 4;

	tree_measure(tree, list);
	size_t wanted = tree->details < TREE_MIN_REST ? tree->details : TREE_MIN_REST;
	tree->rules = true;
	tree->name = tree_widest(tree, list, last);
	if (tree->name + fixed + tree->age + 2 + wanted > width)
		tree->age = 0;
	fixed += tree->age > 0 ? tree->age + 2 : 0;
	if (tree->name + fixed + wanted > width) {
		tree->rules = false;
		tree->name = tree_widest(tree, list, last);
	}
	if (tree->name + fixed + wanted > width) {
		size_t room = width > fixed + wanted ? width - fixed - wanted : 0;
		tree->name = room > TREE_MIN_NAME ? room : TREE_MIN_NAME;
	}
	fixed += tree->name;
	tree->details = width > fixed ? width - fixed : 0;
}

void
tree_put(struct buf *out, const struct term *term, const struct node_list *list)
{
	struct tree tree = { .term = term, .from = TREE_MAX_DEPTH };
	bool *last = tree_find_last(list);

	tree.sign = term->unicode ? TERM_SIGN : 0;
	for (size_t i = 0; i < list->count; i++) {
		unsigned depth = tree_depth(&list->nodes[i].path);
		tree.from = depth < tree.from ? depth : tree.from;
	}
	tree_fit(&tree, list, last);
	for (size_t i = 0; i < list->count; i++) {
		tree.bars[tree_depth(&list->nodes[i].path)] = !last[i];
		tree_put_row(out, &tree, &list->nodes[i], last[i]);
	}
	free(last);
}
