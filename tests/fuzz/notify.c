/* A child's datagram: what is taken of it must be harmless. */
#include "fuzz.h"

#include "engine/notify_message.h"
#include "lib/must.h"

#include <jansson.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify_message message;

	if (size > NOTIFY_MESSAGE_MAX)
		return 0;
	if (!notify_message_read(&message, (const char *)data, size))
		must(!message.ready && !message.has_status && message.main_pid == 0);
	must(message.main_pid >= 0 && message.extend >= 0);
	if (!message.has_status)
		return 0;
	must(strnlen(message.status, sizeof message.status) < sizeof message.status);
	for (const char *at = message.status; *at != '\0'; at++)
		must((unsigned char)*at >= ' ' && *at != 0x7f);
	json_t *text = json_string(message.status); /* refuses what is no UTF-8 */
	must(text != NULL);
	json_decref(text);
	return 0;
}
