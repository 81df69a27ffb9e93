#include "engine/uplink.h"

#include "lib/sockmsg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define PATIENCE_MS 5000

static int
send_all(const void *message, size_t len, const int *fd)
{
	for (;;) {
		struct pollfd writable = { .fd = LINK_FD, .events = POLLOUT };
		int error = sockmsg_send(LINK_FD, message, len, fd, fd ? 1 : 0);
		if (error != -EAGAIN)
			return error;
		error = poll(&writable, 1, PATIENCE_MS);
		if (error == 0)
			return -ETIMEDOUT;
		if (error < 0 && errno != EINTR)
			return -errno;
	}
}

int
uplink_value(enum link_type type, int64_t value)
{
	struct link_value message = { .head.type = (uint16_t)type, .value = value };

	return send_all(&message, sizeof(message), NULL);
}

int
uplink_store(const char *key, int fd)
{
	struct link_key message = { .head.type = LINK_STORE };

	(void)snprintf(message.key, sizeof(message.key), "%s", key);
	return send_all(&message, sizeof(message), &fd);
}

int
uplink_drop(const char *key)
{
	struct link_key message = { .head.type = LINK_DROP };

	(void)snprintf(message.key, sizeof(message.key), "%s", key);
	return send_all(&message, sizeof(message), NULL);
}

int
uplink_keep(uint32_t node, int fd)
{
	struct link_node message = { .head.type = LINK_KEEP, .node = node };

	return send_all(&message, sizeof(message), &fd);
}

int
uplink_let_go(uint32_t node)
{
	struct link_node message = { .head.type = LINK_LET_GO, .node = node };

	return send_all(&message, sizeof(message), NULL);
}

int
uplink_leave(enum link_leave_how how, int status)
{
	struct link_leave message = {
		.head.type = LINK_LEAVE, .how = (int32_t)how, .status = status
	};

	return send_all(&message, sizeof(message), NULL);
}
