/*
 * axis: moments on a line of so many pixels. A daemon's life is a busy second and then hours in
 * which nothing happens; such gaps are cut down to a few pixels, and are to be drawn as what they
 * are.
 */
#ifndef COPPICE_CTL_AXIS_H
#define COPPICE_CTL_AXIS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define AXIS_MAX_GAPS  12
#define AXIS_GAP_WIDTH 40

/* Between two moments (seconds), true to scale unless it is a gap. */
struct axis_part {
	double from, to;
	double x, width;
	bool gap;
};

struct axis {
	struct axis_part parts[2 * AXIS_MAX_GAPS + 1];
	size_t count;
	double scale; /* pixels a second */
};

/*
 * `times`, at least one, ascending: when something happened; the last is where the line ends, at
 * x = width.
 */
void axis_make(struct axis *axis, const double *times, size_t count, double width);
/* Where a moment is; those outside are at the ends. */
double axis_x(const struct axis *axis, double time);
/* A round number of seconds that takes at least so many pixels. */
double axis_step(const struct axis *axis, double pixels);
/* A time since the beginning, as exact as steps of that length need: "1.25s", "2m05s". */
void axis_put_time(struct buf *out, double seconds, double step);

#endif
