/* show and why: what is configured, and what became of it. */
#include "ctl/ctl.h"
#include "ctl/event.h"
#include "ctl/member.h"
#include "ctl/paths.h"
#include "ctl/reply.h"
#include "ctl/term.h"

#include "lib/str.h"
#include "wire/rpc.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_INDENT    14
#define MAX_VALUE_WIDTH 40 /* longer values do not move the origins of the others */

struct explain {
	struct ctl *ctl;
	const char *extra; /* further members of params, each with a comma before it */
	void (*put)(struct buf *out, json_t *result);
	bool any; /* something has been put */
};

static int
explain_put(struct explain *explain, const struct reply *reply)
{
	struct buf *out = &explain->ctl->out;
	json_t *result = reply_load(reply);
	int status = 0;

	if (json_is_object(result)) {
		buf_puts(out, explain->any ? "\n" : "");
		explain->put(out, result);
		explain->any = true;
	} else {
		status = reply_garbled(explain->ctl, "its result is no object");
	}
	json_decref(result);
	return status;
}

/* One node: the answer as it is, or as a text. */
static int
explain_one(struct explain *explain, const char *path)
{
	struct ctl *ctl = explain->ctl;
	char *params = reply_path_params(path, explain->extra);
	struct reply reply;
	int status = reply_read(ctl, ctl->command->name, params, &reply);

	free(params);
	if (status == 0 && ctl->options[OPT_JSON] != NULL)
		reply_put_line(ctl, &reply);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	else if (status == 0 && ctl->options[OPT_JSON] == NULL)
		status = explain_put(explain, &reply);
	reply_free(&reply);
	return status;
}

/* The nodes that the arguments name; one that is refused does not keep the others back. */
static int
explain_all(struct explain *explain)
{
	struct ctl *ctl = explain->ctl;
	struct paths paths;
	int status = paths_expand(ctl, ctl->arg_count, CTL_REFUSED, &paths);
	int worst = 0;

	for (unsigned i = 0; status == 0 && i < paths.count; i++) {
		int one = explain_one(explain, paths.all[i]);
		worst = one > worst ? one : worst;
		status = one == CTL_NO_DAEMON || one == CTL_TIMED_OUT ? one : 0;
	}
	paths_free(&paths);
	return status != 0 ? status : worst;
}

/* --- show --- */

/* A value is its text, or {value, origin, not_in_force?}. */
static const char *
value_text(const json_t *value)
{
	return json_is_string(value) ? json_string_value(value) : member_text(value, "value");
}

static void
put_value(
    struct buf *out, const char *key, size_t key_width, const json_t *value, size_t value_width)
{
	const char *text = value_text(value), *origin = member_text(value, "origin");
	const char *missing = member_text(value, "not_in_force");
	size_t start = out->len;

	member_put(out, key);
	term_put_blanks(out, key_width - strlen(key));
	buf_puts(out, " = ");
	member_put(out, text);
	if (*origin != '\0') {
		size_t len = strlen(text);
		term_put_blanks(out, len < value_width ? value_width - len + 2 : 2);
		buf_puts(out, "# ");
		member_put(out, origin);
		if (*missing != '\0') {
			buf_puts(out, "; not in force here: ");
			member_put(out, missing);
		}
	}
	term_trim(out, start);
	buf_puts(out, "\n");
}

static void
put_show(struct buf *out, json_t *result)
{
	json_t *values = json_object_get(result, "values"), *value;
	size_t key_width = 0, value_width = 0;
	const char *key;

	buf_puts(out, "[");
	member_put(out, member_text(result, "kind"));
	buf_puts(out, ":");
	member_put(out, member_text(result, "path"));
	buf_puts(out, "]\n");
	json_object_foreach(values, key, value)
	{
		size_t key_len = strlen(key), len = strlen(value_text(value));
		key_width = key_len > key_width ? key_len : key_width;
		if (len <= MAX_VALUE_WIDTH)
			value_width = len > value_width ? len : value_width;
	}
	json_object_foreach(values, key, value)
	{
		put_value(out, key, key_width, value, value_width);
	}
	if (json_object_size(values) == 0)
		buf_puts(out, "# nothing is set for it; show --effective tells what holds\n");
}

int
explain_show(struct ctl *ctl)
{
	bool effective = ctl->options[OPT_EFFECTIVE] != NULL;

	return explain_all(&(struct explain){
	    .ctl = ctl, .extra = effective ? ",\"effective\":true" : "", .put = put_show });
}

/* --- why --- */

/* Fills a cell of a table up to its width, with one blank at least. */
static void
put_cell(struct buf *out, size_t start, size_t width)
{
	size_t len = out->len - start;

	term_put_blanks(out, len < width ? width - len : 1);
}

static void
put_title(struct buf *out, const struct term *term, const json_t *result)
{
	const char *state = member_text(result, "state"), *reason = member_text(result, "reason");
	struct node node = { .state = { state, strlen(state) } };
	span_ms since = member_span(result, "since_at");
	char span[SPAN_TEXT_SIZE];

	member_put(out, member_text(result, "path"));
	buf_puts(out, " is ");
	term_put_state(out, term, &node, 0);
	if (*reason != '\0') {
		buf_puts(out, " (");
		member_put(out, reason);
		buf_puts(out, ")");
	}
	if (since > 0) {
		buf_printf(out, ", for %s", span_about(span_wall_now_ms() - since, span));
	}
	buf_puts(out, "\n");
}

static void
put_budget(struct buf *out, const json_t *budget, size_t path_width)
{
	span_ms period = member_span(budget, "period_s");
	span_ms next_free = member_span(budget, "next_free_in_s");
	char span[SPAN_TEXT_SIZE];
	size_t start = out->len;

	buf_puts(out, "  ");
	member_put(out, member_text(budget, "path"));
	put_cell(out, start, path_width + 4);
	start = out->len;
	buf_printf(out, "%.0f of %.0f in ", member_number(budget, "used", 0),
	    member_number(budget, "intensity", 0));
	buf_puts(out, period >= 0 ? span_format(period, span) : "?");
	put_cell(out, start, 22);
	start = out->len;
	if (next_free >= 0)
		buf_printf(out, "in %s", span_about(next_free, span));
	else
		buf_puts(out, "-");
	put_cell(out, start, 12);
	member_put(out, member_text(budget, "on_limit"));
	buf_puts(out, "\n");
}

static void
put_budgets(struct buf *out, const json_t *budgets)
{
	size_t width = strlen("BUDGET"), i;
	const json_t *budget;

	json_array_foreach(budgets, i, budget)
	{
		size_t len = strlen(member_text(budget, "path"));
		width = len > width ? len : width;
	}
	if (json_array_size(budgets) == 0)
		return;
	buf_puts(out, "\n  BUDGET");
	term_put_blanks(out, width - strlen("BUDGET") + 2);
	buf_puts(out, "USED                  NEXT FREE   WHEN SPENT\n");
	json_array_foreach(budgets, i, budget)
	{
		put_budget(out, budget, width);
	}
}

/* A change of state that has an event of its own beside it, which says more. */
static bool
is_echo(const json_t *event)
{
	const char *state = member_text(event, "state");

	return str_equal(member_text(event, "type"), "node.state") &&
	    (str_equal(state, "starting") || str_equal(state, "restarting"));
}

static void
put_events(struct buf *out, const struct term *term, const json_t *events)
{
	int64_t now = span_wall_now_ms();
	char span[SPAN_TEXT_SIZE];
	json_t *event;
	size_t i;

	if (json_array_size(events) == 0)
		return;
	buf_puts(out, "\n  LAST EVENTS\n");
	json_array_foreach(events, i, event)
	{
		if (is_echo(event))
			continue;
		span_ms at = member_span(event, "at");
		size_t start = out->len;
		buf_printf(out, "  %s ago", span_about(at >= 0 ? now - at : 0, span));
		put_cell(out, start, EVENT_INDENT);
		size_t words = out->len;
		event_put_words(out, event);
		term_end_folded(out, term, start, words, EVENT_INDENT);
	}
}

static void
put_why(struct buf *out, json_t *result)
{
	const json_t *sentences = json_object_get(result, "text");
	const json_t *sentence;
	struct term term = term_look();
	size_t i;

	put_title(out, &term, result);
	json_array_foreach(sentences, i, sentence)
	{
		const char *text = json_string_value(sentence);
		size_t start = out->len;
		buf_puts(out, "  ");
		member_put(out, text != NULL ? text : "");
		term_end_folded(out, &term, start, start + 2, 2);
	}
	put_budgets(out, json_object_get(result, "budgets"));
	put_events(out, &term, json_object_get(result, "events"));
}

int
explain_why(struct ctl *ctl)
{
	return explain_all(&(struct explain){ .ctl = ctl, .extra = "", .put = put_why });
}
