#include "ctl/event.h"

#include "ctl/member.h"
#include "lib/names.h"
#include "lib/span.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *name, *colour;
} severities[] = {
	{ "info", "\033[2m" },
	{ "notice", "\033[32m" },
	{ "warning", "\033[33m" },
	{ "error", "\033[1;31m" },
};
#define SEVERITY_COUNT (sizeof severities / sizeof *severities)

const char *
event_severity(size_t number)
{
	return number < SEVERITY_COUNT ? severities[number].name : NULL;
}

bool
event_is_severity(const char *name)
{
	for (size_t i = 0; i < SEVERITY_COUNT; i++) {
		if (str_equal(name, severities[i].name))
			return true;
	}
	return false;
}

/* "text (reason)", or only the text. */
static void
put_with(struct buf *out, const char *text, const char *reason)
{
	member_put(out, text);
	if (*reason == '\0')
		return;
	buf_puts(out, " (");
	member_put(out, reason);
	buf_puts(out, ")");
}

/* " in 2.5s" when that member says more than nothing. */
static void
put_delay(struct buf *out, const json_t *event, const char *before, const char *member)
{
	span_ms delay = member_span(event, member);
	char text[SPAN_TEXT_SIZE];

	if (delay > 0)
		buf_printf(out, "%s%s", before, span_about(delay, text));
}

/* How long something took: "12ms", "3.2s", "5m12s". */
static void
put_length(struct buf *out, const json_t *event, const char *member)
{
	char text[SPAN_TEXT_SIZE];

	buf_puts(out, span_about(member_span(event, member), text));
}

static void
put_start(struct buf *out, json_t *event)
{
	double incarnation = member_number(event, "incarnation", 0);

	if (incarnation > 0)
		buf_printf(out, " (start %.0f)", incarnation);
}

static void
words_state(struct buf *out, json_t *event)
{
	put_with(out, member_text(event, "state"), member_text(event, "reason"));
}

static void
words_started(struct buf *out, json_t *event)
{
	buf_printf(out, "started (pid %.0f, start %.0f)", member_number(event, "pid", 0),
	    member_number(event, "incarnation", 0));
}

/* "ENOENT" → "No such file or directory"; "" for what is no name of this system. */
static const char *
text_of_errno(const char *name)
{
	for (int error = 1; error < 256; error++) {
		if (str_equal(name, names_errno(error)))
			return strerror(error);
	}
	return "";
}

static void
put_failure(struct buf *out, json_t *event)
{
	const char *error = member_text(event, "error");

	member_put(out, member_text(event, "step"));
	buf_puts(out, *member_text(event, "subject") != '\0' ? " " : "");
	member_put(out, member_text(event, "subject"));
	if (*error != '\0') {
		const char *text = text_of_errno(error);
		buf_puts(out, ": ");
		buf_puts(out, text);
		buf_puts(out, *text != '\0' ? " (" : "");
		member_put(out, error);
		buf_puts(out, *text != '\0' ? ")" : "");
	}
	if (*member_text(event, "hint") != '\0') {
		buf_puts(out, "; ");
		member_put(out, member_text(event, "hint"));
	}
}

static void
words_start_failed(struct buf *out, json_t *event)
{
	buf_puts(out, "could not start: ");
	put_failure(out, event);
	put_start(out, event);
}

static void
words_ready(struct buf *out, json_t *event)
{
	buf_puts(out, "ready after ");
	put_length(out, event, "after_s");
}

static void
put_end(struct buf *out, json_t *event)
{
	const json_t *end = json_object_get(event, "exit");
	const char *signal = member_text(end, "signal");
	double code = member_number(end, "code", -1);

	if (*signal != '\0') {
		buf_puts(out, "killed by SIG");
		member_put(out, signal);
		buf_puts(out, member_is_true(end, "core_dumped") ? " (core dumped)" : "");
	} else if (code >= 0) {
		buf_printf(out, "exited with status %.0f", code);
	} else {
		buf_puts(out, "exited with unknown status");
	}
}

static void
words_exited(struct buf *out, json_t *event)
{
	put_end(out, event);
	buf_puts(out, " after ");
	put_length(out, event, "uptime_s");
	put_start(out, event);
}

static void
words_hook(struct buf *out, json_t *event)
{
	bool ran = json_object_get(event, "error") == NULL;

	buf_puts(out, ran ? "" : "could not run ");
	member_put(out, member_text(event, "hook"));
	buf_puts(out, ": ");
	if (ran)
		put_end(out, event);
	else
		put_failure(out, event);
	put_start(out, event);
}

static void
words_restarting(struct buf *out, json_t *event)
{
	double streak = member_number(event, "streak", 0);

	buf_puts(out, "restarting");
	put_delay(out, event, " in ", "delay_s");
	buf_puts(out, " (");
	member_put(out, member_text(event, "reason"));
	if (streak > 0 && member_number(event, "delay_s", 0) > 0)
		buf_printf(out, ", failure %.0f in a row", streak);
	buf_puts(out, ")");
}

static void
words_group(struct buf *out, json_t *event)
{
	buf_puts(out, "restarting the group of ");
	member_put(out, member_text(event, "failed"));
	put_delay(out, event, " in ", "delay_s");
}

static void
words_limit(struct buf *out, json_t *event)
{
	static const struct {
		const char *action, *words;
	} then[] = {
		{ "escalate", "stopping all and escalating" },
		{ "backoff", "waiting" },
		{ "give_up", "giving up what failed" },
		{ "terminate", "stopping all and giving up" },
	};
	const char *action = member_text(event, "action");

	for (size_t i = 0; i < sizeof then / sizeof *then; i++) {
		if (str_equal(action, then[i].action))
			action = then[i].words;
	}
	buf_puts(out, "restart intensity reached: ");
	member_put(out, action);
	put_delay(out, event, " ", "wait_s");
}

static void
words_escalated(struct buf *out, json_t *event)
{
	put_with(out, "escalated", member_text(event, "reason"));
}

static void
words_recovered(struct buf *out, json_t *event)
{
	buf_printf(out, "engine recovered: number %.0f", member_number(event, "generation", 0));
}

static void
words_operator(struct buf *out, json_t *event, const char *what)
{
	double uid = member_number(event, "uid", -1), pid = member_number(event, "pid", 0);

	buf_puts(out, "asked to ");
	member_put(out, what);
	if (uid >= 0)
		buf_printf(out, " by uid %.0f", uid);
	if (pid > 0)
		buf_printf(out, " (pid %.0f)", pid);
}

/* operator.*, and what is newer than this program: its members as they are. */
static void
words_other(struct buf *out, json_t *event)
{
	static const char *const told[] = { "number", "at", "type", "severity", "path", "lost" };
	const char *type = member_text(event, "type"), *name;
	const char *before = " (";
	json_t *value;

	if (str_starts(type, "operator.")) {
		words_operator(out, event, type + strlen("operator."));
		return;
	}
	member_put(out, type);
	json_object_foreach(event, name, value)
	{
		bool skip = false;
		for (size_t i = 0; i < sizeof told / sizeof *told; i++)
			skip = skip || str_equal(name, told[i]);
		char *text = skip ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		if (text == NULL)
			continue;
		buf_puts(out, before);
		member_put(out, name);
		buf_puts(out, " ");
		member_put(out, text);
		before = ", ";
		free(text);
	}
	buf_puts(out, *before == ',' ? ")" : "");
}

static const struct {
	const char *type;
	void (*put)(struct buf *out, json_t *event);
} words[] = {
	{ "node.state", words_state },
	{ "child.started", words_started },
	{ "child.start_failed", words_start_failed },
	{ "child.ready", words_ready },
	{ "child.exited", words_exited },
	{ "child.hook", words_hook },
	{ "child.restarting", words_restarting },
	{ "supervisor.restarting", words_group },
	{ "supervisor.limit", words_limit },
	{ "supervisor.escalated", words_escalated },
	{ "engine.recovered", words_recovered },
};

void
event_put_words(struct buf *out, json_t *event)
{
	const char *type = member_text(event, "type");

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (str_equal(type, words[i].type)) {
			words[i].put(out, event);
			return;
		}
	}
	words_other(out, event);
}

static void
put_time(struct buf *out, double at)
{
	time_t seconds = at > 0 && at < 1e11 ? (time_t)at : 0;
	int ms = at > 0 && at < 1e11 ? (int)((at - (double)seconds) * 1000 + 0.5) : 0;
	struct tm parts;
	char text[32] = "?";

	if (ms > 999) {
		seconds++;
		ms = 0;
	}
	if (gmtime_r(&seconds, &parts) != NULL)
		(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
	buf_printf(out, "%s.%03dZ", text, ms);
}

void
event_put_line(struct buf *out, const struct term *term, json_t *event)
{
	const char *severity = member_text(event, "severity"), *colour = NULL;

	for (size_t i = 0; term->colour && i < SEVERITY_COUNT; i++) {
		if (str_equal(severity, severities[i].name))
			colour = severities[i].colour;
	}
	put_time(out, member_number(event, "at", 0));
	buf_puts(out, " ");
	buf_puts(out, colour != NULL ? colour : "");
	size_t start = out->len;
	member_put(out, severity);
	size_t width = out->len - start;
	buf_puts(out, colour != NULL ? "\033[0m" : "");
	term_put_blanks(out, width < 8 ? 8 - width : 1);
	member_put(out, member_text(event, "path"));
	buf_puts(out, ": ");
	event_put_words(out, event);
	buf_puts(out, "\n");
}
