#include "ctl/crowd.h"

#include "ctl/progress.h"
#include "lib/mem.h"
#include "wire/rpc.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Requests under way at the same time. The daemon has room for ten such commands. */
#define CROWD_CONNECTIONS 128U

struct ask {
	struct client client; /* fd −1: free */
	char *path;
	unsigned index; /* of the path */
	mono_ms deadline;
};

struct crowd {
	struct ctl *ctl;
	const struct action *action;
	const struct paths *paths;
	struct ask *asks;
	struct pollfd *polled; /* one for each of asks */
	unsigned room, sent, taken;
	int worst;
	struct progress progress;
};

/* Requests as long as there is room. */
static int
crowd_send(struct crowd *crowd)
{
	const struct action *action = crowd->action;
	unsigned count = crowd->paths->count;

	for (unsigned i = 0; i < crowd->room && crowd->sent < count; i++) {
		struct ask *ask = &crowd->asks[i];
		if (ask->client.fd >= 0)
			continue;
		unsigned turn = crowd->sent++;
		ask->index = action->backwards ? count - 1 - turn : turn;
		ask->path = crowd->paths->all[ask->index];
		ask->deadline = span_after(span_mono_now(), action->patience);
		char *params = reply_path_params(ask->path, action->extra);
		int status = reply_request_on(crowd->ctl, &ask->client, action->method, params);
		free(params);
		if (status != 0)
			return status;
	}
	return 0;
}

/* Until an answer may have come, progress is to be shown again or nobody answers any more. */
static int
crowd_wait(struct crowd *crowd)
{
	mono_ms now = span_mono_now(), wake = progress_next(&crowd->progress);

	for (unsigned i = 0; i < crowd->room; i++) {
		const struct ask *ask = &crowd->asks[i];
		crowd->polled[i] = (struct pollfd){ .fd = ask->client.fd, .events = POLLIN };
		if (ask->client.fd >= 0 && ask->deadline < wake)
			wake = ask->deadline;
		if (ask->client.fd >= 0 && ask->deadline <= now)
			return ctl_complain(crowd->ctl, CTL_TIMED_OUT,
			    "look at the daemon's process and its log",
			    "%s: the daemon has not answered long after the timeout", ask->path);
	}
	span_ms left = wake == MONO_NEVER ? -1 : wake > now ? wake - now : 0;
	int count = poll(crowd->polled, crowd->room, left > INT_MAX ? INT_MAX : (int)left);
	if (count < 0 && errno != EINTR)
		return ctl_complain(
		    crowd->ctl, CTL_REFUSED, NULL, "cannot wait: %s", strerror(errno));
	return 0;
}

static void
crowd_judge(struct crowd *crowd, struct ask *ask, const struct reply *reply)
{
	struct ctl *ctl = crowd->ctl;
	enum progress_fate fate = PROGRESS_LATE;
	int status = CTL_TIMED_OUT;

	progress_clear(&crowd->progress);
	if (reply->is_error && reply->code == RPC_TIMEOUT && ctl->options[OPT_TIMEOUT] != NULL) {
		/* Told together at the end; here only the answer as it is. */
		if (ctl->options[OPT_JSON] != NULL)
			reply_put_line(ctl, reply);
	} else {
		status = act_put_answer(ctl, reply, ask->path);
		fate = status == 0 ? PROGRESS_DONE : PROGRESS_FAILED;
	}
	progress_answer(&crowd->progress, ask->index, fate);
	crowd->worst = status > crowd->worst ? status : crowd->worst;
}

/* Answers that have come. */
static int
crowd_take(struct crowd *crowd)
{
	int status = 0;

	for (unsigned i = 0; i < crowd->room && status == 0; i++) {
		struct ask *ask = &crowd->asks[i];
		struct reply reply;
		if (ask->client.fd < 0 || crowd->polled[i].revents == 0)
			continue;
		status = reply_look_on(crowd->ctl, &ask->client, &reply);
		if (status == 0 && reply.line.at != NULL) {
			crowd_judge(crowd, ask, &reply);
			client_close(&ask->client);
			crowd->taken++;
			status = ctl_flush(crowd->ctl);
		}
		reply_free(&reply);
	}
	return status;
}

/* Those that were not asked since one before them came to nothing. */
static void
crowd_tell_left(struct crowd *crowd)
{
	unsigned left = crowd->paths->count - crowd->taken;

	if (left > 0)
		ctl_complain(crowd->ctl, 0, NULL, "the other%s left as %s: %s%s",
		    left > 1 ? "s are" : " is", left > 1 ? "they are" : "it is",
		    crowd->paths->all[crowd->taken], left > 1 ? " and what stands after it" : "");
}

static int
crowd_loop(struct crowd *crowd)
{
	bool in_order = crowd->room == 1;
	int status = 0;

	while (status == 0 && crowd->taken < crowd->paths->count) {
		if (in_order && crowd->worst != 0)
			break;
		status = crowd_send(crowd);
		if (in_order)
			progress_move(&crowd->progress, crowd->taken);
		if (status == 0)
			status = crowd_wait(crowd);
		if (status == 0)
			status = crowd_take(crowd);
		if (status == 0 && crowd->taken < crowd->paths->count)
			progress_tick(&crowd->progress);
	}
	return status;
}

int
crowd_run(struct ctl *ctl, const struct action *action, const struct paths *paths)
{
	struct crowd crowd = { .ctl = ctl, .action = action, .paths = paths };

	crowd.room = action->window == 1       ? 1
	    : paths->count < CROWD_CONNECTIONS ? paths->count
					       : CROWD_CONNECTIONS;
	crowd.asks = mem_zalloc(crowd.room, sizeof *crowd.asks);
	crowd.polled = mem_zalloc(crowd.room, sizeof *crowd.polled);
	for (unsigned i = 0; i < crowd.room; i++)
		crowd.asks[i].client = (struct client){ .fd = -1, .tee = -1 };
	progress_begin(&crowd.progress, ctl, action->method, paths);
	int status = crowd_loop(&crowd);
	progress_clear(&crowd.progress);
	if (status == 0)
		progress_tell_late(&crowd.progress, ctl->options[OPT_TIMEOUT]);
	progress_end(&crowd.progress);
	if (status == 0)
		crowd_tell_left(&crowd);
	for (unsigned i = 0; i < crowd.room; i++)
		client_close(&crowd.asks[i].client);
	free(crowd.polled);
	free(crowd.asks);
	return status != 0 ? status : crowd.worst;
}
