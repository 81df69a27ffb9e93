#include "ctl/table.h"

#include "ctl/text.h"

#include <limits.h>
#include <string.h>

#define TABLE_STATE    10 /* "restarting" */
#define TABLE_MIN_PATH 14
#define TABLE_MIN_WHY  24 /* "exit 1; next try in 1.3s" */
#define TABLE_GAP      2

/* How many characters each column has; 0: it is not shown. */
struct columns {
	size_t sign, path, pid, age, restarts, cpu, memory, why;
};

static size_t
table_larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t
table_digits(double number)
{
	size_t digits = 1;

	for (; number >= 10 && digits < 20; number /= 10)
		digits++;
	return digits;
}

/* The columns of a text of the API. */
static size_t
table_width(struct buf *scratch, const struct scan_text *text)
{
	scratch->len = 0;
	text_put(scratch, text);
	return text_columns(scratch->data, scratch->len);
}

static void
table_put_why(struct buf *out, const struct node *node, const struct columns *columns, bool brief)
{
	size_t start = out->len;

	node_put_why(out, node, brief);
	/* The number has no column of its own, and it runs: that it did not always is told here. */
	if (columns->restarts == 0 && node->restarts > 0 && scan_text_is(&node->state, "running"))
		buf_printf(out, "%s%.0f restart%s", out->len > start ? "; " : "", node->restarts,
		    node->restarts > 1 ? "s" : "");
}

typedef void table_words(struct buf *out, double number);

static size_t
table_words_width(struct buf *scratch, table_words *put, double number)
{
	scratch->len = 0;
	put(scratch, number);
	return scratch->len;
}

/* What is known of no node has no column on a terminal. */
static void
table_need_usage(struct buf *scratch, const struct node *node, struct columns *need)
{
	if (node->memory_bytes < 0)
		return;
	need->cpu = table_larger(
	    table_larger(need->cpu, 3), table_words_width(scratch, node_put_span, node->cpu_s));
	need->memory = table_larger(table_larger(need->memory, 6),
	    table_words_width(scratch, node_put_size, node->memory_bytes));
}

/* What the widest of each column needs; WHY is what then would be needed to tell all. */
static struct columns
table_need(const struct term *term, const struct node_list *list)
{
	struct columns need = { .path = 4, .pid = 3, .age = 3, .restarts = 8, .why = 3 };
	struct buf scratch = { 0 };
	double pid = 0;

	if (term->width == UINT_MAX)
		need.cpu = need.memory = 6;
	need.sign = term->unicode ? TERM_SIGN : 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct node *node = &list->nodes[i];
		need.path = table_larger(need.path, table_width(&scratch, &node->path));
		pid = node->pid > pid ? node->pid : pid;
		need.age =
		    table_larger(need.age, table_words_width(&scratch, node_put_age, node->age_s));
		table_need_usage(&scratch, node, &need);
		scratch.len = 0;
		if (term->width == UINT_MAX)
			continue;
		table_put_why(&scratch, node, &need, false);
		need.why = table_larger(need.why, text_columns(scratch.data, scratch.len));
	}
	need.pid = table_larger(need.pid, table_digits(pid));
	buf_free(&scratch);
	return need;
}

static size_t
table_shown(size_t width)
{
	return width > 0 ? width + TABLE_GAP : 0;
}

/* What a row takes without WHY. */
static size_t
table_taken(const struct columns *columns)
{
	return columns->sign + TABLE_STATE + TABLE_GAP + table_shown(columns->path) +
	    table_shown(columns->pid) + table_shown(columns->age) + table_shown(columns->restarts) +
	    table_shown(columns->cpu) + table_shown(columns->memory);
}

static size_t
table_less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/*
 * WHY gets what it needs, or at least what it needs to be useful: the less telling columns give way
 * to it, one after the other.
 */
static struct columns
table_fit(const struct term *term, const struct node_list *list)
{
	struct columns columns = table_need(term, list);
	size_t useful = columns.why < TABLE_MIN_WHY ? columns.why : TABLE_MIN_WHY;
	size_t width = term->width;

	if (table_taken(&columns) + columns.why > width)
		columns.cpu = columns.memory = 0;
	if (table_taken(&columns) + columns.why > width)
		columns.restarts = 0;
	if (table_taken(&columns) + useful > width && columns.path > TABLE_MIN_PATH) {
		size_t others = table_taken(&columns) - columns.path;
		columns.path = table_larger(TABLE_MIN_PATH, table_less(width, others + useful));
	}
	if (table_taken(&columns) + useful > width)
		columns.pid = 0;
	if (table_taken(&columns) + useful > width)
		columns.age = 0;
	columns.why = table_less(width, table_taken(&columns));
	return columns;
}

/* Digits are most of the work of a big table, and printf is slow at them. */
static void
table_put_whole(struct buf *out, double number, size_t width)
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

/* A number column; what is not known is a dash for programs and nothing for people. */
static void
table_put_number(struct buf *out, bool people, double number, size_t width)
{
	if (width == 0)
		return;
	term_put_blanks(out, TABLE_GAP);
	if (number > 0 || (number == 0 && !people)) {
		table_put_whole(out, number, width);
	} else {
		term_put_blanks(out, width - 1);
		buf_puts(out, people ? " " : "-");
	}
}

static void
table_put_words(struct buf *out, bool people, table_words *put, double number, size_t width)
{
	if (width == 0)
		return;
	term_put_blanks(out, TABLE_GAP);
	size_t start = out->len;
	put(out, number);
	if (out->len == start && !people)
		buf_puts(out, "-");
	term_to_right(out, start, width);
}

/* All of it if that fits, else less. */
static void
table_put_last(struct buf *out, const struct term *term, const struct node *node,
    const struct columns *columns)
{
	size_t start = out->len;

	table_put_why(out, node, columns, false);
	if (term->width == UINT_MAX || out->len == start)
		return;
	if (text_columns(out->data + start, out->len - start) > columns->why) {
		out->len = start;
		table_put_why(out, node, columns, true);
	}
	text_fit(out, start, columns->why, TEXT_CUT_END, term->unicode);
}

static void
table_put_row(struct buf *out, const struct term *term, const struct node *node,
    const struct columns *columns)
{
	bool people = term->width != UINT_MAX;
	bool failed = scan_text_is(&node->state, "failed");
	size_t start = out->len, path;

	term_put_signed_state(out, term, node, TABLE_STATE);
	term_put_blanks(out, TABLE_GAP);
	term_put_colour(out, term, failed ? TERM_BOLD : NULL);
	path = out->len;
	text_put(out, &node->path);
	size_t taken = people ? text_fit(out, path, columns->path, TEXT_CUT_MIDDLE, term->unicode)
			      : text_columns(out->data + path, out->len - path);
	term_put_colour(out, term, failed ? TERM_PLAIN : NULL);
	term_put_blanks(out, columns->path - taken);
	/* A supervisor has no process; that is not "0". */
	table_put_number(out, people, node->pid > 0 ? node->pid : -1, columns->pid);
	table_put_words(out, people, node_put_age, node->age_s, columns->age);
	table_put_number(out, people, node->restarts, columns->restarts);
	table_put_words(out, people, node_put_span, node->cpu_s, columns->cpu);
	table_put_words(out, people, node_put_size, node->memory_bytes, columns->memory);
	term_put_blanks(out, TABLE_GAP);
	table_put_last(out, term, node, columns);
	term_end_row(out, term, start);
}

static void
table_put_title(struct buf *out, const char *title, size_t width)
{
	if (width == 0)
		return;
	term_put_blanks(out, TABLE_GAP + width - strlen(title));
	buf_puts(out, title);
}

void
table_put(struct buf *out, const struct term *term, const struct node_list *list)
{
	struct columns columns = table_fit(term, list);

	size_t start = out->len;

	term_put_colour(out, term, TERM_BOLD);
	term_put_blanks(out, columns.sign);
	buf_puts(out, "STATE       PATH");
	term_put_blanks(out, columns.path - strlen("PATH"));
	table_put_title(out, "PID", columns.pid);
	table_put_title(out, "FOR", columns.age);
	table_put_title(out, "RESTARTS", columns.restarts);
	table_put_title(out, "CPU", columns.cpu);
	table_put_title(out, "MEMORY", columns.memory);
	buf_puts(out, columns.why >= strlen("WHY") ? "  WHY" : "");
	term_put_colour(out, term, TERM_PLAIN);
	term_end_row(out, term, start);
	for (size_t i = 0; i < list->count; i++)
		table_put_row(out, term, &list->nodes[i], &columns);
}

/* The states, those first that want to be looked at. */
static const char *const states[] = { "failed", "restarting", "stopping", "starting", "waiting",
	"running", "finished", "stopped" };
#define STATE_COUNT (sizeof states / sizeof *states)

/* Columns that the states after this one take: ", 3 failed", and so on. */
static size_t
table_after(const size_t counts[STATE_COUNT], size_t state)
{
	size_t columns = 0;

	while (++state < STATE_COUNT)
		columns += counts[state] > 0
		    ? strlen(",  ") + table_digits((double)counts[state]) + strlen(states[state])
		    : 0;
	return columns;
}

void
table_put_summary(struct buf *out, const struct term *term, const struct node_list *list)
{
	const char *more = term->unicode ? ", …" : ", ...";
	size_t counts[STATE_COUNT] = { 0 }, start = out->len;
	const char *separator = ": ";

	for (size_t i = 0; i < list->count; i++) {
		for (size_t state = 0; state < STATE_COUNT; state++)
			counts[state] += scan_text_is(&list->nodes[i].state, states[state]);
	}
	buf_printf(out, "%zu node%s", list->count, list->count == 1 ? "" : "s");
	for (size_t state = 0; state < STATE_COUNT; state++) {
		if (counts[state] == 0)
			continue;
		const struct scan_text text = { states[state], strlen(states[state]) };
		size_t before = out->len, after = table_after(counts, state);
		buf_puts(out, separator);
		term_put_colour(out, term, term_state_colour(&text));
		buf_printf(out, "%zu %s", counts[state], states[state]);
		term_put_colour(out, term, TERM_PLAIN);
		separator = ", ";
		size_t left = table_less(term->width, term_columns(out, start));
		if (term_columns(out, start) <= term->width &&
		    (after <= left || left >= text_columns(more, strlen(more))))
			continue;
		out->len = before;
		buf_puts(out, more);
		break;
	}
}
