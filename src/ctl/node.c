#include "ctl/node.h"

#include "ctl/text.h"
#include "lib/mem.h"
#include "lib/span.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

#define GIVEN_UP "given up: "

/* A test holds them against core/reasons.def. */
static const struct {
	const char *reason, *words;
} reason_words[] = {
	{ "autostart", "autostart = no" },
	{ "operator", "by an operator" },
	{ "supervisor", "with its supervisor" },
	{ "shutdown", "the daemon is shutting down" },
	{ "turn", "waits for those before it" },
	{ "slot", "waits for a start slot" },
	{ "start_failed", "could not start" },
	{ "ended_before_ready", "ended before it was ready" },
	{ "start_timeout", "was not ready in time" },
	{ "hook_timeout", "its pre_start took too long" },
	{ "start_queue_timeout", "no start slot came free in time" },
	{ "group", "restarted together with a sibling" },
	{ "limit", "too many restarts" },
	{ "intensity", GIVEN_UP "too many restarts below it" },
	{ "escalate", "its failure makes its supervisor fail" },
	{ "no_restart_exit", "not to be restarted after this" },
	{ "auto_shutdown", "a significant child has ended" },
	{ "start_aborted", "a child could not start" },
	{ "status_lost", "nobody saw its end" },
	{ "given_up", GIVEN_UP "too many restarts" },
	{ "after", "waits for what it comes after" },
	{ "demand", "on demand" },
	{ "oom", "killed for want of memory" },
};

static bool
node_scan_exit(struct scan *scan, struct node *node)
{
	struct scan_text key, value;

	if (!scan_object(scan))
		return false;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "code")) {
			scan_number(scan, &node->exit_code);
		} else if (scan_text_is(&key, "core_dumped")) {
			scan_bool(scan, &node->core_dumped);
		} else if (scan_text_is(&key, "unknown")) {
			scan_bool(scan, &node->exit_unknown);
		} else if (scan_text_is(&key, "signal") && scan_skip(scan, &value)) {
			bool quoted = value.len >= 2 && value.at[0] == '"';
			node->exit_signal =
			    quoted ? (struct scan_text){ value.at + 1, value.len - 2 } : value;
		} else {
			scan_skip(scan, NULL);
		}
	}
	return scan->problem == NULL;
}

static bool
node_scan_start_error(struct scan *scan, struct node *node)
{
	struct scan_text key;

	if (!scan_object(scan))
		return false;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "step"))
			scan_string(scan, &node->start_step);
		else if (scan_text_is(&key, "error"))
			scan_string(scan, &node->start_error);
		else
			scan_skip(scan, NULL);
	}
	return scan->problem == NULL;
}

static bool
node_scan_using(struct scan *scan, struct node *node)
{
	struct scan_text key;

	if (!scan_object(scan))
		return false;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "cpu_s"))
			scan_number(scan, &node->cpu_s);
		else if (scan_text_is(&key, "memory_bytes"))
			scan_number(scan, &node->memory_bytes);
		else
			scan_skip(scan, NULL);
	}
	return scan->problem == NULL;
}

struct member {
	const char *name;
	size_t len, offset;
};

/* clang-format takes the braces for a block: */
/* clang-format off */
#define MEMBER(field) { #field, sizeof #field - 1, offsetof(struct node, field) }
static const struct member text_members[] = {
	MEMBER(path),
	MEMBER(kind),
	MEMBER(state),
	MEMBER(reason),
	MEMBER(strategy),
	MEMBER(status_text),
	MEMBER(waits_for),
	MEMBER(hook),
};
static const struct member number_members[] = {
	MEMBER(pid),
	MEMBER(restarts),
	MEMBER(streak),
	MEMBER(since_at),
	MEMBER(uptime_s),
	MEMBER(next_start_in_s),
};
#undef MEMBER
/* clang-format on */

/* The field of that name, NULL when the table has none. */
static void *
node_field(
    struct node *node, const struct member *members, size_t count, const struct scan_text *key)
{
	for (size_t i = 0; i < count; i++) {
		if (key->len == members[i].len && memcmp(key->at, members[i].name, key->len) == 0)
			return (char *)node + members[i].offset;
	}
	return NULL;
}

bool
node_scan(struct scan *scan, struct node *node)
{
	struct scan_text key;

	*node = (struct node){ .uptime_s = -1,
		.next_start_in_s = -1,
		.age_s = -1,
		.exit_code = -1,
		.cpu_s = -1,
		.memory_bytes = -1 };
	if (!scan_object(scan))
		return false;
	while (scan_key(scan, &key)) {
		struct scan_text *text = node_field(
		    node, text_members, sizeof text_members / sizeof *text_members, &key);
		double *number = text != NULL
		    ? NULL
		    : node_field(node, number_members,
			  sizeof number_members / sizeof *number_members, &key);
		if (text != NULL)
			scan_string(scan, text);
		else if (number != NULL)
			scan_number(scan, number);
		else if (scan_text_is(&key, "exit"))
			node_scan_exit(scan, node);
		else if (scan_text_is(&key, "start_error"))
			node_scan_start_error(scan, node);
		else if (scan_text_is(&key, "using"))
			node_scan_using(scan, node);
		else if (scan_text_is(&key, "reloading"))
			scan_bool(scan, &node->reloading);
		else if (scan_text_is(&key, "drained"))
			scan_bool(scan, &node->drained);
		else
			scan_skip(scan, NULL);
	}
	if (scan->problem == NULL && (node->path.len == 0 || node->state.len == 0))
		scan->problem = "a node without path or state";
	return scan->problem == NULL;
}

static struct node *
node_list_add(struct node_list *list)
{
	if (list->count == list->cap) {
		list->cap = list->cap == 0 ? 64 : list->cap * 2;
		list->nodes = mem_grow(list->nodes, list->cap, sizeof *list->nodes);
	}
	return &list->nodes[list->count++];
}

/* A running program has been up since it was started, anything else is as it is since then. */
static double
node_age(const struct node *node, double now)
{
	if (node->uptime_s >= 0 && scan_text_is(&node->state, "running"))
		return node->uptime_s;
	if (node->since_at <= 0)
		return -1;
	return node->since_at < now ? now - node->since_at : 0;
}

void
node_list_pass(struct node_list *list, double seconds)
{
	for (size_t i = 0; i < list->count; i++) {
		struct node *node = &list->nodes[i];
		if (node->age_s >= 0)
			node->age_s += seconds;
		if (node->next_start_in_s >= 0)
			node->next_start_in_s =
			    node->next_start_in_s > seconds ? node->next_start_in_s - seconds : 0;
	}
}

const char *
node_scan_status(struct scan *result, struct node_list *list)
{
	double now = (double)span_wall_now_ms() / 1000;
	struct scan_text key;
	bool found = false;

	if (!scan_object(result))
		return result->problem;
	while (scan_key(result, &key)) {
		if (scan_text_is(&key, "notice")) {
			scan_string(result, &list->notice);
			continue;
		}
		if (!scan_text_is(&key, "nodes")) {
			scan_skip(result, NULL);
			continue;
		}
		found = scan_array(result);
		while (scan_item(result)) {
			struct node *node = node_list_add(list);
			if (node_scan(result, node))
				node->age_s = node_age(node, now);
			else
				list->count--;
		}
	}
	if (result->problem == NULL && !found)
		return "it has no \"nodes\"";
	return result->problem;
}

void
node_list_free(struct node_list *list)
{
	free(list->nodes);
	*list = (struct node_list){ 0 };
}

bool
node_is_well(const struct node *node)
{
	return scan_text_is(&node->state, "running") || scan_text_is(&node->state, "finished");
}

void
node_put_age(struct buf *out, double seconds)
{
	unsigned long long s = seconds < 1e15 ? (unsigned long long)(seconds + 0.5) : 0;

	if (!(seconds >= 0))
		return;
	if (s < 60)
		buf_printf(out, "%llus", s);
	else if (s < 3600)
		buf_printf(out, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(out, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		buf_printf(out, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

void
node_put_span(struct buf *out, double seconds)
{
	if (seconds >= 0 && seconds < 9.95)
		buf_printf(out, "%.1fs", seconds);
	else
		node_put_age(out, seconds);
}

void
node_put_size(struct buf *out, double bytes)
{
	const char *unit = "BKMGTP";

	if (!(bytes >= 0))
		return;
	for (; bytes >= 999.5 && unit[1] != '\0'; unit++)
		bytes /= 1024;
	buf_printf(out, *unit != 'B' && bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, *unit);
}

static void
node_put_separator(struct buf *out, size_t start)
{
	if (out->len > start)
		buf_puts(out, "; ");
}

/* NULL for a reason that is not known here. */
static const char *
node_reason_words(const struct node *node)
{
	for (size_t i = 0; i < sizeof reason_words / sizeof *reason_words; i++) {
		const char *words = reason_words[i].words;
		if (!scan_text_is(&node->reason, reason_words[i].reason))
			continue;
		/* not what is tried again */
		if (str_starts(words, GIVEN_UP) && scan_text_is(&node->state, "restarting"))
			words += strlen(GIVEN_UP);
		return words;
	}
	return NULL;
}

static void
node_put_reason(struct buf *out, const struct node *node, size_t start)
{
	const char *words = node_reason_words(node);

	/* "boot" is no news, and an "exited" is told better by the end itself. */
	if (node->reason.len == 0 || scan_text_is(&node->reason, "boot") ||
	    scan_text_is(&node->reason, "exited"))
		return;
	node_put_separator(out, start);
	if (node->waits_for.len > 0 &&
	    (scan_text_is(&node->reason, "turn") || scan_text_is(&node->reason, "after"))) {
		buf_puts(out, "waits for ");
		text_put(out, &node->waits_for);
		return;
	}
	if (node->waits_for.len > 0 && scan_text_is(&node->reason, "demand")) {
		buf_puts(out, "waits for a connection to ");
		text_put(out, &node->waits_for);
		return;
	}
	if (words != NULL)
		buf_puts(out, words);
	else
		text_put(out, &node->reason);
	if (node->waits_for.len > 0) {
		buf_puts(out, "; now starting: ");
		text_put(out, &node->waits_for);
	}
}

static bool
node_has_ended(const struct node *node)
{
	return node->exit_signal.len > 0 || node->exit_code >= 0 || node->exit_unknown;
}

static void
node_put_end(struct buf *out, const struct node *node, bool brief)
{
	if (node->exit_signal.len > 0) {
		buf_puts(out, "killed by ");
		text_put(out, &node->exit_signal);
		buf_puts(out, node->core_dumped ? " (core dumped)" : "");
	} else if (node->exit_code >= 0) {
		buf_printf(out, "exit %s%.0f", brief ? "" : "status ", node->exit_code);
	} else if (node->exit_unknown) {
		buf_puts(out, "exit status unknown");
	}
}

/* Of what runs: what it says of itself. */
static void
node_put_running(struct buf *out, const struct node *node)
{
	size_t start = out->len;

	buf_puts(out, node->drained ? "drained" : "");
	if (node->reloading) {
		node_put_separator(out, start);
		buf_puts(out, "reloading");
	}
	if (node->status_text.len > 0) {
		node_put_separator(out, start);
		buf_puts(out, "\"");
		text_put(out, &node->status_text);
		buf_puts(out, "\"");
	}
}

void
node_put_why(struct buf *out, const struct node *node, bool brief)
{
	size_t start = out->len;
	bool stopped = scan_text_is(&node->state, "stopped");

	if (scan_text_is(&node->state, "running")) {
		node_put_running(out, node);
		return;
	}
	if (node->hook.len > 0) {
		text_put(out, &node->hook);
		buf_puts(out, " is running");
	}
	if (node->start_step.len > 0) {
		node_put_separator(out, start);
		text_put(out, &node->start_step);
		buf_puts(out, node->start_error.len > 0 ? ": " : "");
		text_put(out, &node->start_error);
	} else if (!stopped && !scan_text_is(&node->state, "starting") && node_has_ended(node)) {
		node_put_separator(out, start);
		node_put_end(out, node, brief);
	}
	if (!brief || out->len == start)
		node_put_reason(out, node, start);
	else if (scan_text_is(&node->state, "failed"))
		buf_puts(out, "; given up");
	if (node->drained) {
		node_put_separator(out, start);
		buf_puts(out, "drained");
	}
	if (node->next_start_in_s >= 0) {
		node_put_separator(out, start);
		buf_puts(out, "next try in ");
		node_put_span(out, node->next_start_in_s);
	}
	if (!brief && node->streak > 1 && !stopped) {
		node_put_separator(out, start);
		buf_printf(out, "%.0f failures in a row", node->streak);
	}
}
