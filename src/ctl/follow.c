/*
 * events: what happened, from the daemon's ring, and with --follow what happens from now on. One
 * place knows the number of the last event that was seen, so that nothing is lost or shown twice
 * when the connection has to be made again.
 */
#include "ctl/ctl.h"
#include "ctl/event.h"
#include "ctl/hook.h"
#include "ctl/member.h"
#include "ctl/paths.h"
#include "ctl/reply.h"

#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "wire/rpc.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLLOW_DEFAULT  1000U  /* so many are shown of what has been, … */
#define FOLLOW_BEFORE   10U    /* … before what is followed … */
#define FOLLOW_PAGE     1000U  /* … asked for at once … */
#define FOLLOW_MAX      100000 /* … and at most */
#define FOLLOW_PAUSE_MS 50     /* between attempts to connect again; */
#define FOLLOW_GRACE_MS 1000   /* without a socket for so long the daemon has ended */

struct follow {
	struct ctl *ctl;
	struct term term;
	struct buf filter; /* members of the parameters, each with a comma before it */
	bool filter_here;  /* several paths: compared by us */
	bool asked_since;  /* a number was given: what is lost since then is told */
	double since_at;   /* only what happened then or later; 0: all */
	double last;       /* the number of the newest event that is known; −1: none */
	unsigned lines;    /* so many of what has been */
	struct hook hook;
	char **kept; /* a ring of the newest `lines` texts, until they are shown */
	size_t kept_count;
	/* following: */
	int signals;
	bool answered; /* the subscription is made */
	bool met;      /* there has been an answer */
	bool more;     /* lines may have been left in the connection's buffer */
	bool stop;     /* interrupted: what runs is waited for */
	bool over;     /* there is nothing to come */
	int status;
	mono_ms retry, gone; /* when to connect again; since when there is no socket */
};

/* --- what is asked for --- */

static void
filter_put_types(struct buf *out, const char *list)
{
	const char *before = "";

	buf_puts(out, ",\"types\":[");
	while (*list != '\0') {
		size_t len = strcspn(list, ", ");
		char *type = mem_strndup(list, len);
		if (len > 0) {
			buf_puts(out, before);
			buf_json_string(out, type);
			before = ",";
		}
		free(type);
		list += len + (list[len] != '\0');
	}
	buf_puts(out, "]");
}

/* One path is the daemon's to compare, several or a pattern are ours. Each must be one there is. */
static int
follow_read_paths(struct follow *follow)
{
	struct ctl *ctl = follow->ctl;
	struct paths paths;
	int status = 0;

	for (unsigned i = 0; i < ctl->arg_count; i++)
		ctl->args[i] = paths_tidy(ctl->args[i]);
	if (ctl->arg_count == 1 && !paths_is_pattern(ctl->args[0])) {
		buf_puts(&follow->filter, ",\"path\":");
		buf_json_string(&follow->filter, ctl->args[0]);
		return 0;
	}
	follow->filter_here = ctl->arg_count > 0;
	if (follow->filter_here) {
		status = paths_expand(ctl, ctl->arg_count, CTL_REFUSED, &paths);
		paths_free(&paths);
	}
	return status;
}

static int
follow_read_since(struct follow *follow, const char *since)
{
	int64_t number;
	span_ms span;

	if (str_to_int64(since, 0, INT64_C(1) << 53, &number) == 0) {
		follow->last = (double)number;
		follow->asked_since = true;
		return 0;
	}
	if (span_parse(since, &span) != 0 || span == SPAN_INFINITE)
		return ctl_complain(follow->ctl, CTL_USAGE,
		    "give an event's number, 0 for all, or how long ago: 30s, 10m, 2h",
		    "--since: \"%s\" is neither a number nor a duration", since);
	follow->last = 0;
	follow->since_at = (double)(span_wall_now_ms() - span) / 1000;
	return 0;
}

static int
follow_read_options(struct follow *follow)
{
	struct ctl *ctl = follow->ctl;
	const char *since = ctl->options[OPT_SINCE], *lines = ctl->options[OPT_LINES];
	const char *severity = ctl->options[OPT_SEVERITY];
	bool follows = ctl->options[OPT_FOLLOW] != NULL;
	int64_t number = FOLLOW_DEFAULT;

	follow->hook.command = ctl->options[OPT_EXEC];
	if (since != NULL)
		number = FOLLOW_MAX;
	else if (follows)
		number = follow->hook.command != NULL ? 0 : FOLLOW_BEFORE;
	if (lines != NULL && str_to_int64(lines, 0, FOLLOW_MAX, &number) != 0)
		return ctl_complain(ctl, CTL_USAGE, "give a number from 0 to 100000",
		    "--lines: \"%s\" is no such number", lines);
	follow->lines = (unsigned)number;
	if (severity != NULL && !event_is_severity(severity))
		return ctl_complain(ctl, CTL_USAGE, "there are info, notice, warning and error",
		    "--severity: \"%s\" is none", severity);
	if (severity != NULL)
		buf_printf(&follow->filter, ",\"severity\":\"%s\"", severity);
	if (ctl->options[OPT_TYPE] != NULL)
		filter_put_types(&follow->filter, ctl->options[OPT_TYPE]);
	int status = since != NULL ? follow_read_since(follow, since) : 0;
	return status != 0 ? status : follow_read_paths(follow);
}

/* --- events --- */

static void
follow_tell_lost(struct follow *follow, double lost)
{
	ctl_complain(follow->ctl, 0,
	    "they came faster than they were read, or were too long ago: see event_history",
	    "%.0f event%s lost", lost, lost > 1 ? "s are" : " is");
}

static void
follow_put(struct follow *follow, const char *text, size_t len)
{
	struct buf *out = &follow->ctl->out;

	if (follow->hook.command != NULL) {
		hook_add(&follow->hook, text, len);
		return;
	}
	if (follow->ctl->options[OPT_JSON] != NULL) {
		buf_append(out, text, len);
		buf_puts(out, "\n");
		return;
	}
	json_t *event = json_loadb(text, len, 0, NULL);
	if (event != NULL)
		event_put_line(out, &follow->term, event);
	json_decref(event);
}

static bool
follow_wants(const struct follow *follow, const char *path, double at)
{
	struct node node = { .path = { path, strlen(path) } };
	bool named = !follow->filter_here;

	for (unsigned i = 0; i < follow->ctl->arg_count && !named; i++)
		named = paths_match(follow->ctl->args[i], &node, true);
	return named && at >= follow->since_at;
}

/* Takes note of an event; whether it is to be shown. */
static bool
follow_note(struct follow *follow, const struct scan_text *text)
{
	json_t *event = json_loadb(text->at, text->len, 0, NULL);
	double lost = member_number(event, "lost", 0);
	double number = member_number(event, "number", 0);
	bool wanted = json_is_object(event) &&
	    follow_wants(follow, member_text(event, "path"), member_number(event, "at", 0));

	if (lost > 0)
		follow_tell_lost(follow, lost);
	if (number > follow->last)
		follow->last = number;
	json_decref(event);
	return wanted;
}

/* Of what has been, the newest are kept. */
static void
follow_keep(struct follow *follow, const struct scan_text *text)
{
	if (!follow_note(follow, text) || follow->lines == 0)
		return;
	size_t slot = follow->kept_count++ % follow->lines;
	if (follow->kept_count <= follow->lines)
		follow->kept = mem_grow(follow->kept, follow->kept_count, sizeof *follow->kept);
	else
		free(follow->kept[slot]);
	follow->kept[slot] = mem_strndup(text->at, text->len);
}

static void
follow_put_kept(struct follow *follow)
{
	size_t count = follow->kept_count < follow->lines ? follow->kept_count : follow->lines;
	size_t first = follow->kept_count - count;

	for (size_t i = 0; i < count; i++) {
		char *text = follow->kept[(first + i) % follow->lines];
		follow_put(follow, text, strlen(text));
		free(text);
	}
	free(follow->kept);
	follow->kept = NULL;
	follow->kept_count = 0;
}

/* The result of `events`; how many there were. NULL or what is wrong. */
static const char *
follow_scan(struct follow *follow, struct scan *scan, unsigned *count, double *lost)
{
	struct scan_text key, event;
	double next = -1;

	*count = 0;
	*lost = 0;
	if (!scan_object(scan))
		return scan->problem;
	while (scan_key(scan, &key)) {
		if (scan_text_is(&key, "next")) {
			scan_number(scan, &next);
		} else if (scan_text_is(&key, "lost")) {
			scan_number(scan, lost);
		} else if (scan_text_is(&key, "events")) {
			scan_array(scan);
			for (; scan_item(scan) && scan_skip(scan, &event); ++*count)
				follow_keep(follow, &event);
		} else {
			scan_skip(scan, NULL);
		}
	}
	follow->last = next > follow->last ? next : follow->last;
	return scan->problem;
}

/* One page of what has been, from the last known on; without one the newest. */
static int
follow_page(struct follow *follow, unsigned limit, unsigned *count)
{
	struct ctl *ctl = follow->ctl;
	struct buf params = { 0 };
	struct reply reply;
	double lost = 0;

	buf_printf(&params, "{\"limit\":%u%s", limit,
	    follow->filter.data != NULL ? follow->filter.data : "");
	if (follow->last >= 0)
		buf_printf(&params, ",\"since\":%.0f", follow->last);
	buf_puts(&params, "}");
	int status = reply_read(ctl, "events", params.data, &reply);
	buf_free(&params);
	if (status == 0 && reply.is_error)
		status = reply_refused(ctl, &reply);
	const char *problem = status == 0 ? follow_scan(follow, &reply.result, count, &lost) : NULL;
	if (problem != NULL)
		status = reply_garbled(ctl, problem);
	if (status == 0 && lost > 0 && follow->asked_since)
		follow_tell_lost(follow, lost);
	reply_free(&reply);
	return status;
}

/* What has been. */
static int
follow_past(struct follow *follow)
{
	unsigned count = 0;
	bool newest = follow->last < 0 && !follow->filter_here && follow->lines <= FOLLOW_PAGE;
	int status = 0;

	if (follow->last < 0 && !newest)
		follow->last = 0;
	if (newest && follow->lines > 0)
		return follow_page(follow, follow->lines, &count);
	if (newest)
		return 0;
	do {
		double before = follow->last;
		status = follow_page(follow, FOLLOW_PAGE, &count);
		follow->asked_since = true; /* from here on nothing may be missing */
		if (follow->last <= before)
			break;
	} while (status == 0 && count > 0);
	return status;
}

/* --- what comes --- */

static void
follow_end(struct follow *follow, int status)
{
	follow->over = true;
	follow->status = status;
	client_close(&follow->ctl->client);
}

/* The connection is gone, or not there yet; nothing is said as long as there is hope. */
static void
follow_again(struct follow *follow, mono_ms now, bool no_socket)
{
	client_close(&follow->ctl->client);
	follow->answered = follow->more = false;
	follow->retry = now + FOLLOW_PAUSE_MS;
	if (!no_socket)
		follow->gone = MONO_NEVER;
	else if (follow->gone == MONO_NEVER)
		follow->gone = now;
	else if (now - follow->gone >= FOLLOW_GRACE_MS)
		follow_end(follow,
		    ctl_complain(follow->ctl, CTL_NO_DAEMON, NULL, "the daemon at %s has ended",
			follow->ctl->socket_path));
}

static void
follow_subscribe(struct follow *follow, mono_ms now)
{
	struct client *client = &follow->ctl->client;
	struct buf params = { 0 };

	int error = client_open(client, follow->ctl->socket_path);
	const char *filter = follow->filter.data != NULL ? follow->filter.data + 1 : "";
	buf_printf(&params, "{%s", filter);
	if (follow->last >= 0)
		buf_printf(&params, "%s\"since\":%.0f", *filter != '\0' ? "," : "", follow->last);
	buf_puts(&params, "}");
	if (error == 0)
		error = client_send(client, ++follow->ctl->last_id, "subscribe", params.data);
	buf_free(&params);
	follow->retry = now + CLIENT_PATIENCE_MS; /* for the answer */
	if (error != 0 && !follow->met)
		follow_end(follow,
		    ctl_complain(follow->ctl, CTL_NO_DAEMON, client->hint,
			"cannot reach the daemon at %s", client->problem));
	else if (error != 0)
		follow_again(
		    follow, now, client->fd < 0 || error == -ENOENT || error == -ECONNREFUSED);
}

/* The answer to the subscription. */
static void
follow_take_answer(struct follow *follow, const struct scan_text *line)
{
	struct reply reply = { .line = *line };
	const char *problem = reply_scan(&reply);
	json_t *result = problem == NULL ? reply_load(&reply) : NULL;

	if (problem != NULL) {
		follow_end(follow, reply_garbled(follow->ctl, problem));
	} else if (reply.is_error && (reply.code == RPC_BUSY || reply.code == RPC_LEAVING)) {
		follow_again(follow, span_mono_now(), false);
	} else if (reply.is_error) {
		follow_end(follow, reply_refused(follow->ctl, &reply));
	} else {
		double lost = member_number(result, "lost", 0);
		if (lost > 0)
			follow_tell_lost(follow, lost);
		if (follow->last < 0)
			follow->last = member_number(result, "at_event", -1);
		follow->answered = follow->met = true;
		follow->gone = MONO_NEVER;
	}
	json_decref(result);
	reply_free(&reply);
}

static void
follow_take_line(struct follow *follow, const struct scan_text *line)
{
	struct scan scan;
	struct scan_text key, event = { "", 0 };

	if (!follow->answered) {
		follow_take_answer(follow, line);
		return;
	}
	scan_begin(&scan, line->at, line->len);
	if (scan_object(&scan)) {
		while (scan_key(&scan, &key))
			scan_skip(&scan, scan_text_is(&key, "params") ? &event : NULL);
	}
	if (event.len > 0 && follow_note(follow, &event))
		follow_put(follow, event.at, event.len);
}

/* All lines that have come, as long as there is room for them. */
static void
follow_read(struct follow *follow)
{
	struct scan_text line;
	int error = 0;

	follow->more = true;
	while (!follow->over && !hook_is_full(&follow->hook)) {
		error = client_receive(&follow->ctl->client, 0, &line);
		if (error != 0)
			break;
		follow_take_line(follow, &line);
		if (follow->ctl->client.fd < 0)
			return;
		hook_step(&follow->hook);
	}
	if (error == -ETIMEDOUT)
		follow->more = false;
	else if (error != 0)
		follow_again(follow, span_mono_now(), false);
}

static void
follow_take_signals(struct follow *follow)
{
	struct signalfd_siginfo info;

	while (read(follow->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		/* What the command is at it may finish; whoever asks twice does not want to wait. */
		follow->over = follow->over || follow->stop;
		follow->stop = true;
		hook_drop(&follow->hook);
		if (follow->over)
			follow->hook.pid = 0;
	}
}

/* When to look again though nothing comes; −1: never. */
static int
follow_patience(const struct follow *follow, mono_ms now)
{
	bool reads = !hook_is_full(&follow->hook) && !follow->over && !follow->stop;

	if (reads && follow->more && follow->ctl->client.fd >= 0)
		return 0;
	if (follow->over || follow->stop || (follow->ctl->client.fd >= 0 && follow->answered))
		return -1;
	return follow->retry > now ? (int)(follow->retry - now) : 0;
}

/* Waits for something and does what there is to do. */
static void
follow_turn(struct follow *follow)
{
	struct client *client = &follow->ctl->client;
	bool reads = !hook_is_full(&follow->hook) && !follow->over && !follow->stop;
	bool prints = follow->hook.command == NULL;
	struct pollfd polled[] = {
		{ .fd = follow->signals, .events = POLLIN },
		{ .fd = reads ? client->fd : -1, .events = POLLIN },
		{ .fd = prints ? STDOUT_FILENO : -1 }, /* whether anybody reads it */
	};
	int count = poll(polled, 3, follow_patience(follow, span_mono_now()));
	mono_ms now = span_mono_now();

	if (count < 0 && errno != EINTR) {
		follow_end(follow,
		    ctl_complain(
			follow->ctl, CTL_REFUSED, NULL, "cannot wait: %s", strerror(errno)));
		return;
	}
	if (count > 0 && polled[0].revents != 0)
		follow_take_signals(follow);
	if (count > 0 && (polled[2].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		follow_end(follow, 0);
	hook_step(&follow->hook);
	if (follow->over || follow->stop)
		return;
	if (client->fd >= 0 && (follow->more || (count > 0 && polled[1].revents != 0)))
		follow_read(follow);
	else if (client->fd >= 0 && !follow->answered && now >= follow->retry)
		follow_again(follow, now, false);
	else if (client->fd < 0 && now >= follow->retry)
		follow_subscribe(follow, now);
}

static int
follow_on(struct follow *follow)
{
	follow->gone = MONO_NEVER;
	hook_step(&follow->hook);
	while ((!follow->over && !follow->stop) || !hook_is_idle(&follow->hook)) {
		int error = ctl_flush(follow->ctl);
		if (error != 0)
			return error;
		follow_turn(follow);
	}
	return follow->status;
}

/* Signals come as something to read, so that none falls between looking and waiting. */
static int
follow_catch(struct follow *follow)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
		sigaddset(&set, caught[i]);
	signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it */
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		follow->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (follow->signals >= 0)
		return 0;
	return ctl_complain(
	    follow->ctl, CTL_REFUSED, NULL, "cannot take signals: %s", strerror(errno));
}

int
follow_events(struct ctl *ctl)
{
	struct follow follow = {
		.ctl = ctl, .term = term_look(), .last = -1, .signals = -1, .hook = { .ctl = ctl }
	};
	bool follows = ctl->options[OPT_FOLLOW] != NULL;

	int status = follow_read_options(&follow);
	if (status == 0)
		status = follow_past(&follow);
	if (status == 0 && (follows || follow.hook.command != NULL))
		status = follow_catch(&follow);
	follow_put_kept(&follow);
	if (status == 0 && follow.signals >= 0) {
		follow.over = !follows;
		client_close(&ctl->client);
		status = follow_on(&follow);
	}
	if (status == 0)
		status = follow.hook.status;
	hook_free(&follow.hook);
	buf_free(&follow.filter);
	fd_close(&follow.signals);
	return status;
}
