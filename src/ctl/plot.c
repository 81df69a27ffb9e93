#include "ctl/plot.h"

#include "ctl/ctl.h"
#include "ctl/member.h"
#include "ctl/node.h"
#include "ctl/paths.h"
#include "ctl/reply.h"
#include "ctl/text.h"

#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLOT_MAX_ROWS 500 /* more is no picture any more */

/* What stands for an event; of an end it depends on how it came. */
static const struct {
	const char *type;
	enum plot_mark mark;
} mark_rows[] = {
	{ "child.started", PLOT_START },
	{ "child.ready", PLOT_READY },
	{ "child.exited", PLOT_END },
	{ "child.start_failed", PLOT_FAIL },
	{ "supervisor.limit", PLOT_LIMIT },
	{ "supervisor.escalated", PLOT_LIMIT },
	{ "engine.recovered", PLOT_ENGINE },
};

static bool
plot_is_failure(const json_t *event, const char *state)
{
	const json_t *exit = json_object_get(event, "exit");
	const json_t *code = json_object_get(exit, "code");

	if (str_equal(state, "stopping")) /* whatever it died of, it was told to */
		return false;
	return code == NULL || json_integer_value(code) != 0;
}

static enum plot_mark
plot_mark_of(const json_t *event, const char *state)
{
	const char *type = member_text(event, "type");

	if (str_starts(type, "operator."))
		return PLOT_OPERATOR;
	for (size_t i = 0; i < sizeof mark_rows / sizeof *mark_rows; i++) {
		if (!str_equal(type, mark_rows[i].type))
			continue;
		bool failure = mark_rows[i].mark == PLOT_END && plot_is_failure(event, state);
		return failure ? PLOT_FAIL : mark_rows[i].mark;
	}
	return PLOT_NO_MARK;
}

/* The row of a path, made if there is none yet; `index` knows the rows by their paths. */
static struct plot_row *
plot_row(struct plot *plot, json_t *index, const char *path)
{
	const json_t *known = json_object_get(index, path);

	if (known != NULL)
		return &plot->rows[json_integer_value(known)];
	if ((plot->row_count & (plot->row_count - 1)) == 0) /* a power of two, or 0 */
		plot->rows = mem_grow(
		    plot->rows, plot->row_count == 0 ? 1 : plot->row_count * 2, sizeof *plot->rows);
	json_object_set_new(index, path, json_integer((json_int_t)plot->row_count));
	plot->rows[plot->row_count] = (struct plot_row){ .path = mem_strdup(path) };
	return &plot->rows[plot->row_count++];
}

/*
 * Whether a change of state says that the end before it was a failure, whatever it looks like: of a
 * permanent child each is one, and so is one that only a start_timeout has brought about.
 */
static bool
plot_tells_failure(const json_t *event)
{
	static const char *const reasons[] = { "exited", "ended_before_ready", "start_timeout",
		"no_restart_exit", "status_lost" };
	const char *state = member_text(event, "state"), *reason = member_text(event, "reason");

	if (!str_equal(state, "restarting") && !str_equal(state, "failed"))
		return false;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (str_equal(reason, reasons[i]))
			return true;
	}
	return false;
}

/* Marks the end of its last process as a failure. */
static void
plot_correct(struct plot_row *row)
{
	for (size_t i = row->count; i-- > 0 && row->events[i].mark != PLOT_START;) {
		if (row->events[i].mark != PLOT_END)
			continue;
		row->events[i].mark = PLOT_FAIL;
		row->failed = true;
		return;
	}
}

static void
plot_add(struct plot *plot, struct plot_row *row, json_t *event)
{
	const char *type = member_text(event, "type");
	const char *now = row->count > 0 ? row->events[row->count - 1].state : "";
	struct plot_event one = { .at = member_number(event, "at", 0), .event = event };

	one.mark = plot_mark_of(event, now);
	one.state = now;
	if (one.mark == PLOT_READY) { /* of a child this tells its state too */
		one.state = "running";
	} else if (one.mark == PLOT_START && !str_equal(now, "running")) {
		one.state = "starting";
	} else if (str_equal(type, "node.state")) {
		one.state = member_text(event, "state");
		if (row->first == NULL)
			row->first = member_text(event, "from");
		if (plot_tells_failure(event))
			plot_correct(row);
	} else if (one.mark == PLOT_NO_MARK) {
		return;
	}
	if (one.mark == PLOT_ENGINE) {
		plot->engines =
		    mem_grow(plot->engines, plot->engine_count + 1, sizeof *plot->engines);
		plot->engines[plot->engine_count++] = one;
		return;
	}
	if (row->count == row->cap) {
		row->cap = row->cap == 0 ? 8 : row->cap * 2;
		row->events = mem_grow(row->events, row->cap, sizeof *row->events);
	}
	row->events[row->count++] = one;
	row->failed = row->failed || one.mark == PLOT_FAIL || one.mark == PLOT_LIMIT;
}

static bool
plot_wants(const struct ctl *ctl, const char *path)
{
	struct node node = { .path = { path, strlen(path) } };
	bool named = ctl->arg_count == 0;

	for (unsigned i = 0; i < ctl->arg_count && !named; i++)
		named = paths_match(ctl->args[i], &node, true);
	return named;
}

/* Rows in the tree's order for the nodes that there are; what is gone comes behind them. */
static void
plot_collect(struct plot *plot, const struct ctl *ctl, const struct node_list *list, json_t *events)
{
	json_t *index = json_object();
	json_t *event;
	size_t i;

	for (i = 0; i < list->count; i++) {
		char *path = scan_text_decode(&list->nodes[i].path);
		plot_row(plot, index, path);
		free(path);
	}
	json_array_foreach(events, i, event)
	{
		const char *path = member_text(event, "path");
		bool all = str_equal(member_text(event, "type"), "engine.recovered");
		if (all || plot_wants(ctl, path))
			plot_add(plot, plot_row(plot, index, *path != '\0' ? path : "/"), event);
	}
	plot->events = json_array_size(events);
	json_decref(index);
}

/* Which rows are shown: those with events, if these are too many those with failures first. */
static void
plot_choose(struct plot *plot)
{
	size_t room = PLOT_MAX_ROWS;

	for (int failed = 1; failed >= 0; failed--) {
		for (size_t i = 0; i < plot->row_count; i++) {
			struct plot_row *row = &plot->rows[i];
			if (row->count == 0 || row->shown || (failed == 1 && !row->failed))
				continue;
			row->shown = room > 0;
			room -= row->shown;
			plot->left_out += !row->shown && failed == 0;
		}
	}
}

static int
plot_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
plot_find_times(struct plot *plot)
{
	double now = (double)span_wall_now_ms() / 1000;

	plot->times = mem_zalloc(plot->events + 1, sizeof *plot->times);
	for (size_t i = 0; i < plot->row_count; i++) {
		for (size_t j = 0; j < plot->rows[i].count && plot->rows[i].shown; j++)
			plot->times[plot->time_count++] = plot->rows[i].events[j].at;
	}
	for (size_t i = 0; i < plot->engine_count; i++)
		plot->times[plot->time_count++] = plot->engines[i].at;
	qsort(plot->times, plot->time_count, sizeof *plot->times, plot_compare);
	double last = plot->time_count > 0 ? plot->times[plot->time_count - 1] : now;
	plot->times[plot->time_count++] = now > last ? now : last;
}

static void
plot_free(struct plot *plot)
{
	for (size_t i = 0; i < plot->row_count; i++) {
		free(plot->rows[i].path);
		free(plot->rows[i].events);
	}
	free(plot->rows);
	free(plot->engines);
	free(plot->times);
}

static int
plot_print(struct ctl *ctl, const struct node_list *list, const json_t *result)
{
	struct plot plot = { 0 };
	json_t *events = json_object_get(result, "events");
	json_t *first = json_array_get(events, 0);
	int status = CTL_DONE;

	plot_collect(&plot, ctl, list, events);
	plot_choose(&plot);
	plot_find_times(&plot);
	double number = member_number(first, "number", 1);
	plot.lost = number > 1 ? (size_t)number - 1 : 0;
	if (plot.time_count > 1)
		plot_draw(&ctl->out, &plot);
	else
		status = ctl_complain(ctl, CTL_REFUSED, "coppicectl events tells what there is",
		    "there are no events to draw");
	plot_free(&plot);
	return status;
}

int
plot_run(struct ctl *ctl)
{
	struct node_list list = { 0 };
	struct reply reply;
	json_t *result = NULL;

	if (ctl->options[OPT_JSON] == NULL && isatty(STDOUT_FILENO))
		return ctl_complain(ctl, CTL_USAGE,
		    "send it into a file: coppicectl plot > boot.svg",
		    "plot writes a picture, which a terminal cannot show");
	for (unsigned i = 0; i < ctl->arg_count; i++)
		ctl->args[i] = paths_tidy(ctl->args[i]);
	int status = reply_read(ctl, "events", "{\"limit\":10000}", &reply);
	if (status == 0 && ctl->options[OPT_JSON] != NULL)
		reply_put_line(ctl, &reply);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	else if (status == 0)
		result = reply_load(&reply);
	reply_free(&reply);
	if (status != 0 || ctl->options[OPT_JSON] != NULL) {
		json_decref(result);
		return status;
	}
	if (!json_is_array(json_object_get(result, "events")))
		status = reply_garbled(ctl, "it has no \"events\"");
	else
		status = reply_read(ctl, "status", NULL, &reply);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	const char *problem = status == 0 ? node_scan_status(&reply.result, &list) : NULL;
	if (problem != NULL)
		status = reply_garbled(ctl, problem);
	if (status == 0)
		status = plot_print(ctl, &list, result);
	node_list_free(&list);
	reply_free(&reply);
	json_decref(result);
	return status;
}
