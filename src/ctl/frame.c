#include "ctl/frame.h"

#include "ctl/table.h"
#include "ctl/tree.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX_DEPTH 64
#define FRAME_NO_PARENT SIZE_MAX

/* For each node, parents before children, where in the list its supervisor is. */
static size_t *
frame_find_parents(const struct node_list *list)
{
	size_t *parents = mem_zalloc(list->count + 1, sizeof *parents);
	size_t at_depth[FRAME_MAX_DEPTH + 1];

	for (size_t depth = 0; depth <= FRAME_MAX_DEPTH; depth++)
		at_depth[depth] = FRAME_NO_PARENT;
	for (size_t i = 0; i < list->count; i++) {
		unsigned depth = tree_depth(&list->nodes[i].path);
		parents[i] = depth > 0 ? at_depth[depth - 1] : FRAME_NO_PARENT;
		at_depth[depth] = i;
	}
	return parents;
}

/* Keeps a node and, where there are `parents`, those above it, if so many fit. */
static void
frame_keep(bool *keep, const size_t *parents, size_t node, size_t *room)
{
	size_t missing = 0;

	for (size_t i = node; i != FRAME_NO_PARENT && !keep[i]; i = parents[i])
		missing++;
	if (missing > *room)
		return;
	*room -= missing;
	for (size_t i = node; i != FRAME_NO_PARENT && !keep[i]; i = parents[i])
		keep[i] = true;
}

/*
 * Puts those of the nodes that fit to the front of `chosen`, a copy of the list: what does not run
 * first of all. A drawing keeps its order, and has those above them in it.
 */
static void
frame_choose(struct node_list *chosen, const struct node_list *list, bool as_tree, size_t room)
{
	bool *keep = mem_zalloc(list->count + 1, sizeof *keep);
	size_t *parents = frame_find_parents(list);

	for (size_t i = 0; i < list->count && !as_tree; i++)
		parents[i] = FRAME_NO_PARENT;
	for (int well = 0; well < 2; well++) {
		for (size_t i = 0; i < list->count && room > 0; i++) {
			if (node_is_well(&list->nodes[i]) == (well == 1))
				frame_keep(keep, parents, i, &room);
		}
	}
	chosen->count = 0;
	for (int well = 0; well < 2; well++) {
		for (size_t i = 0; i < list->count; i++) {
			if (keep[i] && (as_tree || node_is_well(&list->nodes[i]) == (well == 1)))
				chosen->nodes[chosen->count++] = list->nodes[i];
		}
		if (as_tree)
			break;
	}
	free(parents);
	free(keep);
}

static void
frame_put_title(
    struct buf *out, const struct term *term, const struct node_list *list, const char *trouble)
{
	static const char help[] = "q quits";
	size_t start = out->len;

	if (trouble != NULL) {
		term_put_colour(out, term, "\033[1;31m");
		buf_puts(out, trouble);
		term_put_colour(out, term, TERM_PLAIN);
	} else {
		table_put_summary(out, term, list);
	}
	size_t columns = term_columns(out, start);
	if (columns + strlen(help) + 2 <= term->width) {
		term_put_blanks(out, term->width - columns - strlen(help));
		term_put_colour(out, term, TERM_DIM);
		buf_puts(out, help);
		term_put_colour(out, term, TERM_PLAIN);
	}
	term_end_row(out, term, start);
}

static void
frame_put_more(struct buf *out, const struct term *term, const struct node_list *list,
    const struct node_list *chosen)
{
	size_t ill = 0, start = out->len;

	for (size_t i = 0; i < list->count; i++)
		ill += !node_is_well(&list->nodes[i]);
	for (size_t i = 0; i < chosen->count; i++)
		ill -= !node_is_well(&chosen->nodes[i]);
	term_put_colour(out, term, TERM_DIM);
	buf_printf(out, "%s %zu more", term->unicode ? "…" : "...", list->count - chosen->count);
	if (ill > 0)
		buf_printf(out, ", %zu of which do not run", ill);
	else
		buf_puts(out, ", all running or finished");
	term_put_colour(out, term, TERM_PLAIN);
	term_end_row(out, term, start);
}

void
frame_put(struct buf *out, const struct term *term, const struct node_list *list, bool as_tree,
    const char *trouble)
{
	struct node_list chosen = { .nodes = mem_zalloc(list->count + 1, sizeof *list->nodes) };
	size_t taken = as_tree ? 1 : 2; /* the title, and the table's heading */
	size_t room = term->height > taken ? term->height - taken : 0;
	bool all = list->count <= room;

	if (all) {
		for (size_t i = 0; i < list->count; i++)
			chosen.nodes[chosen.count++] = list->nodes[i];
	} else {
		frame_choose(&chosen, list, as_tree, room > 0 ? room - 1 : 0);
	}
	frame_put_title(out, term, list, trouble);
	if (term->height > taken && as_tree)
		tree_put(out, term, &chosen);
	else if (term->height > taken)
		table_put(out, term, &chosen);
	if (!all && room > 0)
		frame_put_more(out, term, list, &chosen);
	free(chosen.nodes);
}
