#include "ctl/watch.h"

#include "ctl/frame.h"
#include "ctl/paths.h"
#include "ctl/reply.h"
#include "ctl/screen.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/span.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WATCH_TICK_MS    1000 /* times grow on the screen … */
#define WATCH_COUNT_MS   200  /* … and what comes next comes nearer */
#define WATCH_LEAST_MS   100  /* between two questions, whatever happens */
#define WATCH_POLL_MS    1000 /* between them with a daemon that tells no events … */
#define WATCH_CHECK_MS   5000 /* … and with one that does: not all that changes is an event */
#define WATCH_RETRY_MS   200
#define WATCH_GRACE_MS   400  /* a new engine takes less */
#define WATCH_SILENCE_MS 2000 /* from then on it is said that no answer comes */
#define WATCH_LINES      1000 /* taken at once: keys and the clock have their turn */

struct watch {
	struct ctl *ctl;
	const char *params;
	bool as_tree;
	struct term term;
	struct screen screen;
	int signals;
	struct client client;
	bool subscribing, subscribed; /* an answer is missing; events come */
	mono_ms asked;                /* when; MONO_NEVER: all questions have been answered */
	mono_ms ask, connect;         /* when to do so next; MONO_NEVER: not now */
	mono_ms gone;                 /* since when there is no daemon */
	char *text;                   /* the last answer, into which the rows point */
	struct node_list list;
	mono_ms passed; /* up to here the times in the list are true */
	mono_ms draw;
	char *refused; /* what the daemon said instead of an answer, or NULL */
	bool keys, over;
	int killed_by;
};

static mono_ms
watch_sooner(mono_ms a, mono_ms b)
{
	return a < b ? a : b;
}

/* The daemon is not there, or is there no more. */
static void
watch_lose(struct watch *watch, mono_ms now)
{
	client_close(&watch->client);
	watch->subscribing = watch->subscribed = false;
	watch->asked = watch->ask = MONO_NEVER;
	if (watch->gone == MONO_NEVER)
		watch->gone = now;
	watch->connect = now + WATCH_RETRY_MS;
}

static void
watch_connect(struct watch *watch, mono_ms now)
{
	int error = client_open(&watch->client, watch->ctl->socket_path);

	if (error == 0)
		error = client_send(&watch->client, ++watch->ctl->last_id, "subscribe",
		    "{\"types\":[\"node.*\",\"child.*\"]}");
	if (error != 0) {
		watch_lose(watch, now);
		return;
	}
	watch->subscribing = true;
	watch->connect = MONO_NEVER;
	watch->ask = now;
}

static void
watch_ask(struct watch *watch, mono_ms now)
{
	if (client_send(&watch->client, ++watch->ctl->last_id, "status", watch->params) != 0) {
		watch_lose(watch, now);
		return;
	}
	watch->asked = now;
	watch->ask = MONO_NEVER;
}

/* Keeps of the list what the arguments name, if they name more than the daemon was asked for. */
static void
watch_filter(struct watch *watch)
{
	struct node_list *list = &watch->list;
	size_t kept = 0;

	if (watch->params != NULL || watch->ctl->arg_count == 0)
		return;
	for (size_t i = 0; i < list->count; i++) {
		bool named = false;
		for (unsigned arg = 0; arg < watch->ctl->arg_count && !named; arg++)
			named = paths_match(watch->ctl->args[arg], &list->nodes[i], true);
		if (named)
			list->nodes[kept++] = list->nodes[i];
	}
	list->count = kept;
}

static void
watch_take_nodes(struct watch *watch, const struct scan_text *line, mono_ms now)
{
	struct reply reply = { 0 };

	node_list_free(&watch->list);
	free(watch->text);
	free(watch->refused);
	watch->refused = NULL;
	watch->text = mem_strndup(line->at, line->len);
	reply.line = (struct scan_text){ watch->text, line->len };
	const char *problem = reply_scan(&reply);
	if (problem == NULL && reply.is_error)
		watch->refused =
		    mem_strdup(reply.message != NULL ? reply.message : "the daemon refuses");
	else if (problem == NULL)
		problem = node_scan_status(&reply.result, &watch->list);
	if (problem != NULL)
		watch->refused = mem_printf("the daemon's answer makes no sense: %s", problem);
	reply_free(&reply);
	watch_filter(watch);
	/* What is long in the making is not asked for all the time. */
	mono_ms least = now + WATCH_LEAST_MS + 4 * (now - watch->asked);
	mono_ms next = now + (watch->subscribed ? WATCH_CHECK_MS : WATCH_POLL_MS);
	watch->ask = watch->ask != MONO_NEVER ? least : next > least ? next : least;
	watch->asked = watch->gone = MONO_NEVER;
	watch->passed = watch->draw = now;
}

/* An event, or one of the answers, which come in order: the subscription's first. */
static void
watch_take_line(struct watch *watch, const struct scan_text *line, mono_ms now)
{
	struct scan scan;
	struct scan_text key;
	bool event = false, error = false;

	scan_begin(&scan, line->at, line->len);
	if (scan_object(&scan)) {
		while (!event && scan_key(&scan, &key)) {
			event = scan_text_is(&key, "method");
			error = error || scan_text_is(&key, "error");
			scan_skip(&scan, NULL);
		}
	}
	if (event) {
		/* A question on its way may have been answered before it happened: one more. */
		watch->ask = watch->asked != MONO_NEVER
		    ? now
		    : watch_sooner(watch->ask, now + WATCH_LEAST_MS);
	} else if (watch->subscribing) {
		watch->subscribing = false;
		watch->subscribed = !error;
	} else if (watch->asked != MONO_NEVER) {
		watch_take_nodes(watch, line, now);
	}
}

static void
watch_read(struct watch *watch, mono_ms now)
{
	struct scan_text line;
	int error = 0;

	for (int i = 0; i < WATCH_LINES && error == 0; i++) {
		error = client_receive(&watch->client, 0, &line);
		if (error == 0)
			watch_take_line(watch, &line, now);
	}
	if (error != 0 && error != -ETIMEDOUT)
		watch_lose(watch, now);
}

/* Whether there has been no daemon for so long that nobody knows how its nodes are. */
static bool
watch_is_lost(const struct watch *watch, mono_ms now)
{
	return watch->gone != MONO_NEVER && now - watch->gone > WATCH_GRACE_MS;
}

/* What is wrong with the daemon, or NULL; to be freed. */
static char *
watch_trouble(const struct watch *watch, mono_ms now)
{
	struct buf ago = { 0 };
	char *text = NULL;

	if (watch_is_lost(watch, now)) {
		node_put_age(&ago, (double)(now - watch->gone) / 1000);
		text = mem_printf("no daemon for %s; %strying again (%s)", ago.data,
		    watch->list.count > 0 ? "this is how it was; " : "", watch->client.problem);
	} else if (watch->asked != MONO_NEVER && now - watch->asked > WATCH_SILENCE_MS) {
		node_put_age(&ago, (double)(now - watch->asked) / 1000);
		text = mem_printf("the daemon has not answered for %s", ago.data);
	} else if (watch->refused != NULL) {
		text = mem_strdup(watch->refused);
	}
	buf_free(&ago);
	return text;
}

static bool
watch_counts_down(const struct node_list *list)
{
	for (size_t i = 0; i < list->count && list->count <= WATCH_LINES; i++) {
		if (list->nodes[i].next_start_in_s > 0)
			return true;
	}
	return false;
}

static void
watch_draw(struct watch *watch, mono_ms now)
{
	struct buf lines = { 0 };
	char *trouble = watch_trouble(watch, now);

	watch->term.stale = watch_is_lost(watch, now);
	if (!watch->term.stale)
		node_list_pass(&watch->list, (double)(now - watch->passed) / 1000);
	watch->passed = now;
	frame_put(&lines, &watch->term, &watch->list, watch->as_tree, trouble);
	if (screen_show(&lines) != 0)
		watch->over = true; /* nobody looks any more */
	buf_free(&lines);
	free(trouble);
	watch->draw = now + (watch_counts_down(&watch->list) ? WATCH_COUNT_MS : WATCH_TICK_MS);
}

/* --- the terminal --- */

static void
watch_suspend(struct watch *watch)
{
	screen_give_back(&watch->screen);
	kill(getpid(), SIGSTOP);
	if (screen_take(&watch->screen) != 0)
		watch->over = true;
	term_measure(&watch->term);
}

static void
watch_take_signals(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		watch->draw = 0;
		if (info.ssi_signo == SIGWINCH) {
			term_measure(&watch->term);
		} else if (info.ssi_signo == SIGTSTP) {
			watch_suspend(watch);
		} else {
			watch->over = true;
			watch->killed_by = (int)info.ssi_signo;
		}
	}
}

static void
watch_take_keys(struct watch *watch)
{
	char keys[64];
	ssize_t count = read(STDIN_FILENO, keys, sizeof keys);

	if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
		watch->keys = false;
		watch->over = count < 0; /* a terminal that is gone */
	}
	for (ssize_t i = 0; i < count; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == '\x03' || keys[i] == '\x04')
			watch->over = true;
		else
			watch->ask = watch->draw = 0;
	}
}

static int
watch_patience(const struct watch *watch, mono_ms now)
{
	mono_ms next = watch_sooner(watch->draw, watch->connect);

	if (watch->asked == MONO_NEVER)
		next = watch_sooner(next, watch->ask);
	return next <= now ? 0 : (int)(next - now);
}

static void
watch_turn(struct watch *watch)
{
	struct pollfd ready[] = {
		{ .fd = watch->signals, .events = POLLIN },
		{ .fd = watch->client.fd, .events = POLLIN }, /* none when it is −1 */
		{ .fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int count = poll(ready, 3, watch_patience(watch, span_mono_now()));
	mono_ms now = span_mono_now();

	if (count > 0 && ready[0].revents != 0)
		watch_take_signals(watch);
	if (count > 0 && ready[1].revents != 0)
		watch_read(watch, now);
	if (count > 0 && ready[2].revents != 0)
		watch_take_keys(watch);
	if (watch->connect <= now)
		watch_connect(watch, now);
	if (watch->client.fd >= 0 && watch->asked == MONO_NEVER && watch->ask <= now)
		watch_ask(watch, now);
	if (watch->draw <= now && !watch->over)
		watch_draw(watch, now);
}

/* Signals come as bytes from a descriptor, so that none is missed while something is drawn. */
static int
watch_open_signals(sigset_t *set)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, set, NULL) != 0)
		return -errno;
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : -errno;
}

int
watch_run(struct ctl *ctl, const char *params, bool as_tree)
{
	struct watch watch = { .ctl = ctl, .params = params, .as_tree = as_tree };
	sigset_t set;

	watch.term = term_look();
	watch.keys = isatty(STDIN_FILENO) != 0;
	watch.client = (struct client){ .fd = -1, .tee = -1 };
	watch.asked = watch.ask = watch.gone = MONO_NEVER;
	watch.draw = span_mono_now() + WATCH_RETRY_MS; /* with the first answer */
	watch.signals = watch_open_signals(&set);
	if (watch.signals < 0)
		return ctl_complain(ctl, CTL_REFUSED, NULL, "cannot wait for signals: %s",
		    strerror(-watch.signals));
	if (screen_take(&watch.screen) != 0)
		watch.over = true;
	while (!watch.over)
		watch_turn(&watch);
	screen_give_back(&watch.screen);
	client_close(&watch.client);
	node_list_free(&watch.list);
	free(watch.text);
	free(watch.refused);
	fd_close(&watch.signals);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* Ctrl-C is how one leaves; of the others our parent shall know. */
	if (watch.killed_by != 0 && watch.killed_by != SIGINT)
		kill(getpid(), watch.killed_by);
	return CTL_DONE;
}
