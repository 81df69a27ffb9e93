/*
 * plot: what the event ring tells, as rows of a time line.
 */
#ifndef COPPICE_CTL_PLOT_H
#define COPPICE_CTL_PLOT_H

#include "lib/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum plot_mark {
	PLOT_START,
	PLOT_READY,
	PLOT_END,  /* as it should */
	PLOT_FAIL, /* any other end, or no start */
	PLOT_LIMIT,
	PLOT_OPERATOR,
	PLOT_MARKS,
	PLOT_ENGINE = PLOT_MARKS, /* goes through all rows */
	PLOT_NO_MARK
};

/* An event that a row shows; the event's texts are borrowed. */
struct plot_event {
	double at;
	json_t *event;
	const char *state; /* into which the node goes, or NULL */
	enum plot_mark mark;
};

struct plot_row {
	char *path;
	struct plot_event *events;
	size_t count, cap;
	const char *first; /* the state in which it was before the first of them */
	bool failed;       /* one of them is a failure */
	bool shown;
};

struct plot {
	struct plot_row *rows;
	size_t row_count;
	struct plot_event *engines; /* what is drawn through all rows */
	size_t engine_count;
	double *times; /* of all that is shown, ascending; the last is now */
	size_t time_count;
	size_t events, lost, left_out; /* of the ring; before it; rows for which there is no room */
};

/* Appends the picture, an SVG document. */
void plot_draw(struct buf *out, const struct plot *plot);

#endif
