/*
 * client: one connection to the daemon's control socket: request lines out, answer lines in. It
 * never blocks for longer than it was told, and an answer is a whole line or an error.
 */
#ifndef COPPICE_CTL_CLIENT_H
#define COPPICE_CTL_CLIENT_H

#include "ctl/scan.h"
#include "lib/buf.h"
#include "lib/span.h"

/* How long the daemon may be silent when nothing is waited for. */
#define CLIENT_PATIENCE_MS 10000

struct client {
	int fd;
	struct buf in; /* what has come; `used` bytes of it have been handed out */
	size_t used;
	size_t searched; /* up to here there is no newline behind `used` */
	int tee;         /* descriptor to which everything that comes is copied at once, or -1 */
	int tee_error;   /* why that stopped: 0 or a negative errno */
	char problem[256];
	const char *hint; /* static, or NULL */
};

/* $COPPICE_SOCKET, else the built-in default of the caller's uid; the caller's memory. */
char *client_default_socket(void);
/* Connects: 0, or a negative errno with problem and hint filled. client_close in any case. */
int client_open(struct client *client, const char *path);
void client_close(struct client *client);
/*
 * Sends one request; `params` is the text of a JSON object or array, or NULL. 0 or a negative errno
 * with problem filled.
 */
int client_send(struct client *client, unsigned id, const char *method, const char *params);
/*
 * Waits for one line until the daemon has been silent for `patience` (SPAN_INFINITE allowed). Its
 * text belongs to the client and holds until the next call. 0; -ETIMEDOUT; -ECONNRESET (the daemon
 * closed; nothing of the line has come); -EPROTO (it closed in the middle of it); or another
 * negative errno, with problem filled.
 */
int client_receive(struct client *client, span_ms patience, struct scan_text *line);

#endif
