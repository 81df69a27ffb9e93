#include "ctl/progress.h"

#include "ctl/member.h"
#include "ctl/reply.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRESS_FIRST_MS    400 /* what is done sooner needs no line */
#define PROGRESS_PAUSE_MS    200
#define PROGRESS_PATIENCE_MS 2000 /* for what is only nice to know */
#define PROGRESS_COST        10   /* at most one part in ten of the time goes into looking */
#define PROGRESS_NAMES       3U   /* on the line */
#define PROGRESS_LINES       20U  /* at the end */

/* The nodes as they are now. */
struct look {
	struct reply reply;
	struct node_list list;
	size_t total, missing, failed; /* children that count */
};

void
progress_begin(
    struct progress *progress, struct ctl *ctl, const char *method, const struct paths *paths)
{
	const char *kind = getenv("TERM");

	*progress = (struct progress){ .ctl = ctl,
		.down = str_equal(method, "stop"),
		.paths = paths,
		.fates = mem_zalloc(paths->count, sizeof *progress->fates),
		.count = paths->count,
		.in_turn = str_equal(method, "restart") && paths->count > 1,
		.terminal = isatty(STDERR_FILENO) && kind != NULL && !str_equal(kind, "dumb"),
		.client = { .fd = -1, .tee = -1 } };
	progress->next =
	    progress->terminal ? span_after(span_mono_now(), PROGRESS_FIRST_MS) : MONO_NEVER;
}

void
progress_end(struct progress *progress)
{
	client_close(&progress->client);
	free(progress->fates);
}

mono_ms
progress_next(const struct progress *progress)
{
	return progress->next;
}

void
progress_move(struct progress *progress, unsigned turn)
{
	progress->first = turn;
	progress->count = 1;
}

void
progress_answer(struct progress *progress, unsigned index, enum progress_fate fate)
{
	progress->fates[index] = fate;
}

/* One answer without a word about what goes wrong. */
static bool
progress_ask(struct progress *progress, const char *method, const char *params, struct reply *reply)
{
	struct client *client = &progress->client;

	*reply = (struct reply){ 0 };
	bool done = (client->fd >= 0 || client_open(client, progress->ctl->socket_path) == 0) &&
	    client_send(client, ++progress->ctl->last_id, method, params) == 0 &&
	    client_receive(client, PROGRESS_PATIENCE_MS, &reply->line) == 0 &&
	    reply_scan(reply) == NULL;
	/* Where an answer is missing, the next would be taken for it. */
	if (!done)
		client_close(client);
	return done && !reply->is_error;
}

/* How the node is meant by the paths: not at all, as one below another, or itself. */
enum meant {
	MEANT_NOT,
	MEANT_BELOW,
	MEANT_ITSELF
};

static enum meant
progress_meant(const struct progress *progress, const struct node *node, enum progress_fate *fate)
{
	enum meant meant = MEANT_NOT;

	for (unsigned i = progress->first; i < progress->first + progress->count; i++) {
		const char *path = progress->paths->all[i];
		bool itself = paths_match(path, node, false);
		if (!itself && (meant != MEANT_NOT || !paths_match(path, node, true)))
			continue;
		*fate = progress->fates[i];
		meant = itself ? MEANT_ITSELF : MEANT_BELOW;
		if (itself)
			break;
	}
	return meant;
}

/* Below a supervisor that starts some stay down, and nobody waits for them. */
static bool
node_stays_down(const struct node *node)
{
	return scan_text_is(&node->state, "failed") ||
	    (scan_text_is(&node->state, "stopped") &&
		(scan_text_is(&node->reason, "operator") ||
		    scan_text_is(&node->reason, "autostart")));
}

static bool
node_is_down(const struct node *node)
{
	return scan_text_is(&node->state, "stopped") || scan_text_is(&node->state, "failed") ||
	    scan_text_is(&node->state, "finished");
}

/*
 * Counts the children that are meant, and keeps of the list those that are not there yet and still
 * waited for.
 */
static void
progress_count(const struct progress *progress, struct look *look)
{
	struct node_list *list = &look->list;

	for (size_t i = 0; i < list->count; i++) {
		const struct node node = list->nodes[i];
		bool there = progress->down ? node_is_down(&node) : node_is_well(&node);
		enum progress_fate fate = PROGRESS_PENDING;
		enum meant meant = scan_text_is(&node.kind, "child")
		    ? progress_meant(progress, &node, &fate)
		    : MEANT_NOT;
		if (meant == MEANT_NOT)
			continue;
		if (!progress->down && meant == MEANT_BELOW && node_stays_down(&node))
			continue;
		look->total++;
		if (there || fate == PROGRESS_DONE)
			continue;
		if (fate == PROGRESS_FAILED)
			look->failed++;
		else
			list->nodes[look->missing++] = node; /* no later than where it stands */
	}
	list->count = look->missing;
}

static bool
progress_look(struct progress *progress, struct look *look)
{
	char *params = progress->count == 1
	    ? reply_path_params(progress->paths->all[progress->first], ",\"recursive\":true")
	    : NULL;

	*look = (struct look){ 0 };
	bool done = progress_ask(progress, "status", params, &look->reply) &&
	    node_scan_status(&look->reply.result, &look->list) == NULL;
	free(params);
	if (done)
		progress_count(progress, look);
	return done;
}

static void
look_free(struct look *look)
{
	node_list_free(&look->list);
	reply_free(&look->reply);
}

/* ", ready = notify": what a starting child has to do. Reads an answer: the look's texts are gone. */
static void
progress_put_ready(struct progress *progress, struct buf *out, const char *path)
{
	struct reply reply;
	char *params = reply_path_params(path, ",\"effective\":true");

	if (progress_ask(progress, "show", params, &reply)) {
		json_t *result = reply_load(&reply);
		const char *ready = member_text(
		    json_object_get(json_object_get(result, "values"), "ready"), "value");
		buf_puts(out, *ready != '\0' ? ", ready = " : "");
		member_put(out, ready);
		json_decref(result);
	}
	free(params);
	reply_free(&reply);
}

/* The first of those that are missing: "shop/db (starting for 3.0s, ready = notify)". */
struct missing {
	char *path, *why;
	bool starting;
};

static struct missing
missing_of(const struct node *node)
{
	struct node now = *node;
	struct buf why = { 0 };

	/* Who asked is known here, and the end of the run before is no reason for a delay of this. */
	if (scan_text_is(&now.reason, "operator"))
		now.reason.len = 0;
	if (scan_text_is(&now.state, "starting") || scan_text_is(&now.state, "stopping")) {
		now.exit_signal.len = 0;
		now.exit_code = -1;
		now.exit_unknown = false;
	}

	buf_printf(&why, "%.*s", (int)node->state.len, node->state.at);
	if (node->age_s >= 0) {
		buf_puts(&why, " for ");
		node_put_age(&why, node->age_s);
	}
	size_t before = why.len;
	buf_puts(&why, ": ");
	node_put_why(&why, &now, true);
	if (why.len == before + 2)
		why.len = before;
	struct missing missing = { scan_text_decode(&node->path),
		scan_text_decode(&(struct scan_text){ why.data, why.len }),
		scan_text_is(&node->state, "starting") };
	buf_free(&why);
	return missing;
}

/* The first `most` that are missing, each with `before` and `after`; how many there were. */
static size_t
progress_put_missing(struct progress *progress, struct buf *out, struct look *look, size_t most,
    const char *before, const char *after)
{
	struct missing missing[PROGRESS_LINES];
	size_t count = look->missing < most ? look->missing : most;

	for (size_t i = 0; i < count; i++)
		missing[i] = missing_of(&look->list.nodes[i]);
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "%s%s (%s", i > 0 || *after != '\0' ? before : "", missing[i].path,
		    missing[i].why);
		if (missing[i].starting)
			progress_put_ready(progress, out, missing[i].path);
		buf_printf(out, ")%s", after);
		free(missing[i].path);
		free(missing[i].why);
	}
	return count;
}

static void
progress_write(struct buf *line)
{
	if (!line->failed && line->len > 0)
		(void)fd_write_all(STDERR_FILENO, line->data, line->len); /* only decoration */
	buf_free(line);
}

void
progress_clear(struct progress *progress)
{
	if (progress->shown)
		(void)fd_write_all(STDERR_FILENO, "\r\033[K", 4); /* only decoration */
	progress->shown = false;
}

static size_t
progress_width(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10)
		return size.ws_col - 1U;
	return 79;
}

static void
progress_draw(struct progress *progress, struct look *look)
{
	struct buf line = { 0 };
	size_t width = progress_width(), more = look->missing;

	buf_puts(&line, "\r\033[K");
	size_t start = line.len;
	if (progress->in_turn)
		buf_printf(&line, "%u of %u restarted", progress->first, progress->paths->count);
	else
		buf_printf(&line, "%zu of %zu %s", look->total - look->missing - look->failed,
		    look->total, progress->down ? "down" : "ready");
	if (look->failed > 0)
		buf_printf(&line, ", %zu failed", look->failed);
	buf_puts(&line, more > 0 ? "; waiting for " : "");
	more -= progress_put_missing(progress, &line, look, PROGRESS_NAMES, ", ", "");
	if (more > 0)
		buf_printf(&line, " and %zu more", more);
	if (line.len - start > width) {
		line.len = start + width - 3;
		buf_puts(&line, "...");
	}
	progress_write(&line);
	progress->shown = true;
}

void
progress_tick(struct progress *progress)
{
	mono_ms begun = span_mono_now();
	struct look look;

	if (begun < progress->next)
		return;
	if (progress_look(progress, &look) && look.total > 0)
		progress_draw(progress, &look);
	look_free(&look);
	span_ms cost = (span_mono_now() - begun) * PROGRESS_COST;
	progress->next = span_mono_now() + (cost > PROGRESS_PAUSE_MS ? cost : PROGRESS_PAUSE_MS);
}

/* Of the paths that were late the first; NULL: none was. */
static const char *
progress_first_late(const struct progress *progress)
{
	for (unsigned i = 0; i < progress->paths->count; i++) {
		if (progress->fates[i] == PROGRESS_LATE)
			return progress->paths->all[i];
	}
	return NULL;
}

void
progress_tell_late(struct progress *progress, const char *timeout)
{
	const char *first = progress_first_late(progress);
	struct buf lines = { 0 };
	struct look look;

	if (first == NULL)
		return;
	bool known = progress_look(progress, &look);
	size_t missing = look.missing;
	if (known)
		missing -=
		    progress_put_missing(progress, &lines, &look, PROGRESS_LINES, "  ", "\n");
	else
		for (unsigned i = 0; i < progress->paths->count; i++)
			if (progress->fates[i] == PROGRESS_LATE)
				buf_printf(&lines, "  %s\n", progress->paths->all[i]);
	if (missing > 0)
		buf_printf(&lines, "  and %zu more\n", missing);
	if (known && look.missing > 0)
		ctl_complain(progress->ctl, 0, NULL, "not %s after %s: %zu of %zu",
		    progress->down ? "down" : "ready", timeout, look.missing, look.total);
	else
		ctl_complain(progress->ctl, 0, NULL, "not %s after %s: %s",
		    progress->down ? "down" : "ready", timeout, first);
	progress_write(&lines);
	fputs("coppicectl: what was asked for goes on; coppicectl why PATH tells more\n", stderr);
	look_free(&look);
}
