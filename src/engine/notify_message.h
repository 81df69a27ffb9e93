/*
 * notify_message: what one datagram of sd_notify(3) says, made harmless: whoever sends it is a
 * program that may be broken, and its status goes into JSON and onto terminals.
 */
#ifndef COPPICE_ENGINE_NOTIFY_MESSAGE_H
#define COPPICE_ENGINE_NOTIFY_MESSAGE_H

#include "lib/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_MESSAGE_MAX         4096 /* bytes; longer ones are not read */
#define NOTIFY_MESSAGE_STATUS_SIZE 1024 /* with the final NUL */

struct notify_message {
	bool ready, reloading, stopping;
	bool has_status;
	/* Valid UTF-8 without control characters; "": taken back. */
	char status[NOTIFY_MESSAGE_STATUS_SIZE];
	int32_t main_pid; /* 0: not said */
	span_ms extend;   /* 0: not said */
};

/*
 * Unknown lines mean nothing; of a name that is there twice the last one counts. False, and nothing
 * is said, when there is a NUL in it; the last byte may be one.
 */
bool notify_message_read(struct notify_message *out, const char *data, size_t len);

#endif
