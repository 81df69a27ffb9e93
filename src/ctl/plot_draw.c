/* The time line as SVG. Colours are classes, so that one picture is readable on light and dark. */
#include "ctl/plot.h"

#include "ctl/axis.h"
#include "ctl/event.h"
#include "ctl/member.h"
#include "ctl/node.h"
#include "ctl/text.h"
#include "ctl/xml.h"

#include "lib/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEFT       250 /* of the line; the names stand there */
#define WIDTH      1000
#define RIGHT      24
#define TOP        92
#define ROW        20
#define BOTTOM     74
#define NAME_WIDTH 36 /* characters */
#define TICK       80 /* pixels from one to the next, at least */

/* States as bars: what is alive is thick. The class is the state's name. */
static const struct {
	const char *state;
	int height;
} bars[] = {
	{ "running", 10 },
	{ "starting", 10 },
	{ "stopping", 10 },
	{ "restarting", 6 },
	{ "waiting", 4 },
	{ "finished", 6 },
	{ "stopped", 2 },
	{ "failed", 4 },
};
#define BAR_COUNT (sizeof bars / sizeof *bars)

/* Marks as paths around the middle of a row. */
static const struct {
	const char *name, *words, *shape;
} marks[PLOT_MARKS] = {
	[PLOT_START] = { "start", "start", "m-.75-7h1.5v14h-1.5z" },
	[PLOT_READY] = { "ready", "ready", "m0-4l4 4l-4 4l-4-4z" },
	[PLOT_END] = { "end", "end", "m-3-3h6v6h-6z" },
	[PLOT_FAIL] = { "fail", "failure", "m-4-4l8 8m0-8l-8 8" },
	[PLOT_LIMIT] = { "limit", "limit reached", "m0-7l6 12h-12z" },
	[PLOT_OPERATOR] = { "operator", "operator", "m0 5l-5-11h10z" },
};

static const char style[] =
    "<style>\n"
    ".paper{fill:#fff}.text{fill:#1f2328}.faint{fill:#59636e}\n"
    ".grid{stroke:#d1d9e0;stroke-width:1}.band{fill:#eaeef2}\n"
    ".running{fill:#2da44e}.starting{fill:#d4a72c}.stopping{fill:#a475f9}.restarting{fill:#fb8f44}\n"
    ".waiting{fill:#d4a72c}.finished{fill:#94cfa2}.stopped{fill:#8c959f}.failed{fill:#cf222e}\n"
    ".start{fill:#1f2328}.ready{fill:#116329;stroke:#fff;stroke-width:.7}\n"
    ".end{fill:#fff;stroke:#59636e;stroke-width:1.2}.fail{fill:none;stroke:#cf222e;stroke-width:2.2}\n"
    ".limit{fill:#cf222e;stroke:#fff;stroke-width:.7}.operator{fill:#0969da;stroke:#fff;stroke-width:.7}\n"
    ".engine{stroke:#8250df;stroke-width:1.2;stroke-dasharray:4 3}\n"
    "@media(prefers-color-scheme:dark){\n"
    ".paper{fill:#0d1117}.text{fill:#f0f6fc}.faint{fill:#9198a1}\n"
    ".grid{stroke:#30363d}.band{fill:#1c2129}\n"
    ".start{fill:#f0f6fc}.ready{fill:#56d364;stroke:#0d1117}\n"
    ".end{fill:#0d1117;stroke:#9198a1}.fail{stroke:#ff7b72}\n"
    ".limit{fill:#ff7b72;stroke:#0d1117}.operator{fill:#58a6ff;stroke:#0d1117}\n"
    ".engine{stroke:#bc8cff}.finished{fill:#3d6b48}.failed{fill:#f85149}}\n"
    "</style>\n";

static void
draw_text(
    struct buf *out, double x, double y, const char *class, const char *anchor, const char *text)
{
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class,
	    anchor);
	xml_put(out, text);
	buf_puts(out, "</text>\n");
}

/* "2026-11-21 11:22:43 UTC". */
static void
put_moment(struct buf *out, double at)
{
	char text[64] = "";
	time_t seconds = (time_t)at;
	struct tm parts;

	if (gmtime_r(&seconds, &parts) != NULL)
		(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
	buf_puts(out, text);
}

static void
draw_head(struct buf *out, const struct plot *plot, size_t shown, double height)
{
	struct buf line = { 0 };
	double from = plot->times[0], to = plot->times[plot->time_count - 1];

	buf_printf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
	    "viewBox=\"0 0 %d %.0f\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n"
	    "<title>coppice: what happened</title>\n",
	    LEFT + WIDTH + RIGHT, height, LEFT + WIDTH + RIGHT, height);
	buf_puts(out, style);
	buf_printf(out, "<rect width=\"%d\" height=\"%.0f\" class=\"paper\"/>\n",
	    LEFT + WIDTH + RIGHT, height);
	put_moment(&line, from);
	buf_puts(&line, " + ");
	node_put_span(&line, to - from);
	buf_printf(
	    &line, ": %zu node%s, %zu events", shown, shown == 1 ? "" : "s", plot->time_count - 1);
	if (plot->lost > 0)
		buf_printf(&line, "; what was before is no longer known (%zu events)", plot->lost);
	if (plot->left_out > 0)
		buf_printf(
		    &line, "; %zu nodes are left out: name those to be shown", plot->left_out);
	buf_printf(out, "<g font-size=\"14\" font-weight=\"bold\">\n");
	draw_text(out, 12, 24, "text", "start", "What happened under coppice");
	buf_puts(out, "</g>\n");
	draw_text(out, 12, 44, "faint", "start", line.data == NULL ? "" : line.data);
	buf_free(&line);
}

/* Lines at round times, with those at the top; gaps as bands. */
static void
draw_axis(struct buf *out, const struct plot *plot, const struct axis *axis, double bottom)
{
	double step = axis_step(axis, TICK), start = plot->times[0], last = -TICK;
	struct buf label = { 0 };

	for (size_t i = 0; i < axis->count; i++) {
		const struct axis_part *part = &axis->parts[i];
		double left = LEFT + part->x;
		label.len = 0;
		if (part->gap) {
			node_put_age(&label, part->to - part->from);
			buf_printf(out,
			    "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%.1f\" class=\"band\">"
			    "<title>nothing for %s: not to scale</title></rect>\n",
			    left, TOP - 24, part->width, bottom - TOP + 24, label.data);
			draw_text(
			    out, left + part->width / 2, TOP - 30, "faint", "middle", label.data);
			continue;
		}
		long long tick = (long long)ceil((part->from - start) / step);
		for (; (double)tick * step <= part->to - start; tick++) {
			double at = (double)tick * step, x = LEFT + axis_x(axis, start + at);
			buf_printf(out,
			    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\" class=\"grid\"/>\n",
			    x, x, TOP - 8, bottom);
			if (x - last < TICK * 0.75)
				continue;
			last = x;
			label.len = 0;
			axis_put_time(&label, at, step);
			draw_text(out, x, TOP - 12, "faint", "middle", label.data);
		}
	}
	buf_free(&label);
}

static int
bar_height(const char *state)
{
	for (size_t i = 0; i < BAR_COUNT; i++) {
		if (str_equal(state, bars[i].state))
			return bars[i].height;
	}
	return 0; /* a state that this program does not know */
}

static void
draw_bar(struct buf *out, const char *state, double from, double to, double middle)
{
	int height = bar_height(state);

	if (to - from < 0.3 || height == 0)
		return;
	buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n",
	    LEFT + from, middle - height / 2.0, to - from, height, state);
}

static void
draw_mark(struct buf *out, const struct plot_event *event, double x, double middle)
{
	struct buf words = { 0 };

	event_put_words(&words, event->event);
	buf_printf(out, "<path d=\"M%.1f %.1f%s\" class=\"%s\"><title>", LEFT + x, middle,
	    marks[event->mark].shape, marks[event->mark].name);
	xml_put(out, words.data == NULL ? "" : words.data);
	buf_puts(out, "</title></path>\n");
	buf_free(&words);
}

/* What is nearer to the last of its kind than can be seen is not drawn. */
static void
draw_marks(struct buf *out, const struct plot_row *row, const struct axis *axis, double middle)
{
	for (enum plot_mark mark = 0; mark < PLOT_MARKS; mark++) {
		double last = -1;
		for (size_t i = 0; i < row->count; i++) {
			double x = axis_x(axis, row->events[i].at);
			if (row->events[i].mark != mark || x - last < 1)
				continue;
			draw_mark(out, &row->events[i], x, middle);
			last = x;
		}
	}
}

static void
draw_row(struct buf *out, const struct plot_row *row, const struct axis *axis, double top)
{
	struct buf name = { 0 };
	double middle = top + ROW / 2.0, from = 0;
	const char *state = row->first != NULL ? row->first : "";
	const struct axis_part *last = &axis->parts[axis->count - 1];

	buf_puts(&name, row->path);
	text_fit(&name, 0, NAME_WIDTH, TEXT_CUT_MIDDLE, true);
	buf_append(&name, "", 1);
	buf_puts(out, "<g><title>");
	xml_put(out, row->path);
	buf_puts(out, "</title>\n");
	draw_text(out, 12, middle + 4, "text", "start", name.data == NULL ? "" : name.data);
	buf_free(&name);
	for (size_t i = 0; i < row->count; i++) {
		const struct plot_event *event = &row->events[i];
		if (event->state == NULL || *event->state == '\0' || str_equal(event->state, state))
			continue;
		double x = axis_x(axis, event->at);
		draw_bar(out, state, from, x, middle);
		from = x;
		state = event->state;
	}
	draw_bar(out, state, from, last->x + last->width, middle);
	draw_marks(out, row, axis, middle);
	buf_puts(out, "</g>\n");
}

static void
draw_legend(struct buf *out, double top)
{
	double x = 12, middle = top + 10;

	for (size_t i = 0; i < BAR_COUNT; i++) {
		draw_bar(out, bars[i].state, x - LEFT, x - LEFT + 22, middle);
		draw_text(out, x + 28, middle + 4, "text", "start", bars[i].state);
		x += 100;
	}
	x = 12;
	middle += 22;
	for (size_t i = 0; i < PLOT_MARKS; i++) {
		buf_printf(out, "<path d=\"M%.1f %.1f%s\" class=\"%s\"/>\n", x + 11, middle,
		    marks[i].shape, marks[i].name);
		draw_text(out, x + 28, middle + 4, "text", "start", marks[i].words);
		x += i == PLOT_LIMIT ? 130 : 100;
	}
	buf_printf(out,
	    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"engine\"/>\n", x + 11,
	    x + 11, middle - 8, middle + 8);
	draw_text(out, x + 28, middle + 4, "text", "start", "new engine");
}

void
plot_draw(struct buf *out, const struct plot *plot)
{
	struct axis axis;
	size_t shown = 0, row = 0;

	for (size_t i = 0; i < plot->row_count; i++)
		shown += plot->rows[i].shown;
	double bottom = TOP + (double)shown * ROW;
	axis_make(&axis, plot->times, plot->time_count, WIDTH);
	draw_head(out, plot, shown, bottom + BOTTOM);
	draw_axis(out, plot, &axis, bottom);
	for (size_t i = 0; i < plot->row_count; i++) {
		if (plot->rows[i].shown)
			draw_row(out, &plot->rows[i], &axis, TOP + (double)row++ * ROW);
	}
	for (size_t i = 0; i < plot->engine_count; i++) {
		double x = LEFT + axis_x(&axis, plot->engines[i].at);
		buf_printf(out,
		    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\" class=\"engine\">"
		    "<title>a new engine takes over</title></line>\n",
		    x, x, TOP - 8, bottom);
	}
	draw_legend(out, bottom + 16);
	buf_puts(out, "</svg>\n");
}
