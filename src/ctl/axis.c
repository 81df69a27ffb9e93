#include "ctl/axis.h"

#include "ctl/node.h"
#include "lib/mem.h"

#include <math.h>
#include <stdlib.h>

#define AXIS_LEAST_GAP 5.0 /* seconds; less is never cut */

static int
axis_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * How long a pause must be to be a gap: longer than half of all shorter ones together. At most
 * AXIS_MAX_GAPS are that long.
 */
static double
axis_find_threshold(const double *times, size_t count)
{
	double *pauses = mem_zalloc(count, sizeof *pauses);
	double sum = 0, threshold = HUGE_VAL;

	for (size_t i = 1; i < count; i++)
		pauses[i - 1] = times[i] - times[i - 1];
	qsort(pauses, count - 1, sizeof *pauses, axis_compare);
	for (size_t i = 0; i + 1 < count; i++) {
		bool few = count - 1 - i <= AXIS_MAX_GAPS;
		if (few && pauses[i] > AXIS_LEAST_GAP && pauses[i] > sum / 2) {
			threshold = pauses[i];
			break;
		}
		sum += pauses[i];
	}
	free(pauses);
	return threshold;
}

static void
axis_add(struct axis *axis, double from, double to, bool gap)
{
	axis->parts[axis->count++] = (struct axis_part){ .from = from, .to = to, .gap = gap };
}

void
axis_make(struct axis *axis, const double *times, size_t count, double width)
{
	double threshold = axis_find_threshold(times, count), from = times[0], busy = 0, x = 0;
	size_t gaps = 0;

	*axis = (struct axis){ 0 };
	for (size_t i = 1; i < count; i++) {
		if (times[i] - times[i - 1] < threshold || gaps == AXIS_MAX_GAPS)
			continue;
		axis_add(axis, from, times[i - 1], false);
		axis_add(axis, times[i - 1], times[i], true);
		from = times[i];
		gaps++;
	}
	axis_add(axis, from, times[count - 1], false);
	for (size_t i = 0; i < axis->count; i++)
		busy += axis->parts[i].gap ? 0 : axis->parts[i].to - axis->parts[i].from;
	axis->scale = busy > 0 ? (width - (double)gaps * AXIS_GAP_WIDTH) / busy : 0;
	for (size_t i = 0; i < axis->count; i++) {
		struct axis_part *part = &axis->parts[i];
		part->x = x;
		part->width = part->gap ? AXIS_GAP_WIDTH : (part->to - part->from) * axis->scale;
		x += part->width;
	}
}

double
axis_x(const struct axis *axis, double time)
{
	const struct axis_part *part = &axis->parts[0];

	for (size_t i = 1; i < axis->count && axis->parts[i].from <= time; i++)
		part = &axis->parts[i];
	if (time <= part->from)
		return part->x;
	if (time >= part->to)
		return part->x + part->width;
	return part->x + part->width * (time - part->from) / (part->to - part->from);
}

double
axis_step(const struct axis *axis, double pixels)
{
	static const double steps[] = { 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2,
		5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
		86400 };
	double least = axis->scale > 0 ? pixels / axis->scale : 1;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i] >= least)
			return steps[i];
	}
	return ceil(least / 86400) * 86400;
}

void
axis_put_time(struct buf *out, double seconds, double step)
{
	int decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;

	if (decimals == 0 || seconds >= 3600)
		node_put_age(out, seconds);
	else if (seconds >= 60)
		buf_printf(out, "%.0fm%0*.*fs", floor(seconds / 60), decimals + 3, decimals,
		    fmod(seconds, 60));
	else
		buf_printf(out, "%.*fs", decimals, seconds);
}
