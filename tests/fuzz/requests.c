/* Lines of a client, answered by a small tree: every answer must be a line of JSON. */
#include "fuzz.h"

#include "../unit/engine/shell.h"
#include "engine/rpc.h"
#include "lib/must.h"

#include <signal.h>
#include <string.h>

#define MAX_STEPS 10000

static const char *const tree[] = { "/", "a spawn off", "shot exit off", "shop/", "shop/db",
	"shop/web spawn 3", NULL };

static void
wake(void *context)
{
	(void)context; /* whoever waits is given up here */
}

static void
check_answers(struct buf *out)
{
	size_t len;

	for (size_t at = 0; at < out->len; at += len + 1) {
		const char *newline = memchr(out->data + at, '\n', out->len - at);
		must(newline != NULL);
		len = (size_t)(newline - (out->data + at));
		json_t *answer = json_loadb(out->data + at, len, 0, NULL);
		must(answer != NULL);
		json_decref(answer);
	}
}

static void
ask(struct rpc_session *session, const char *line, size_t len)
{
	int work = 1000;

	rpc_begin(session, line, len, &work);
	for (int step = 0; rpc_is_busy(session); step++) {
		work = 1000;
		if (rpc_step(session, &work) == RPC_WAITS) {
			rpc_end(session);
			return; /* perhaps in the middle of a batch */
		}
		must(step < MAX_STEPS);
	}
	check_answers(session->out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shell *shell = shell_new(tree);
	struct wait_list waits = { 0 };
	struct buf out = { 0 };
	struct rpc_session session = { .engine = &shell->engine,
		.waits = &waits,
		.out = &out,
		.peer = { .uid = 1000, .pid = 77, .may_change = size % 8 != 0 },
		.wake = wake };
	const char *at = (const char *)data, *end = at + size;

	shell->waits = &waits;
	shell_submit(shell, ON_BOOT, NULL);
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline != NULL ? newline : end) - at);
		ask(&session, at, len);
		buf_free(&out);
		at += len + 1;
	}
	rpc_end(&session);
	must(waits.head == NULL);
	buf_free(&out);
	shell_free(shell);
	return 0;
}
