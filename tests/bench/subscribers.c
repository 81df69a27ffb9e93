/*
 * subscribers SOCKET READERS DEAF: so many connections that subscribe to all events: readers, which
 * read all the time, and deaf ones, which do not. "ready" is written when all have subscribed. A
 * number on stdin says up to which event it goes: when the readers have got there, the deaf ones
 * begin to read, and when those have got there too, it is told as JSON how many of either got or
 * were told of every event without a gap.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_SIZE 4096
#define SUBSCRIBE "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n"
#define PARAMS    "\"params\":{"

struct subscriber {
	int fd;
	bool broken;    /* closed, or an event missing without a word */
	uint64_t last;  /* event */
	uint64_t lost;  /* as told */
	uint64_t heard; /* events */
	char line[LINE_SIZE];
	size_t len;
};

static struct subscriber *subscribers;
static unsigned readers, deaf;

static void
die(const char *what)
{
	fprintf(stderr, "subscribers: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The number after a name, 0 without it. */
static uint64_t
member(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* One line without its newline: an event, or the answer to subscribe. */
static void
take(struct subscriber *one, const char *line)
{
	const char *params = strstr(line, PARAMS);

	if (params == NULL) {
		one->last = member(line, "\"at_event\":");
		one->broken = one->last == 0;
		return;
	}
	params += strlen(PARAMS);
	uint64_t number = member(params, "\"number\":");
	uint64_t lost = strncmp(params, "\"lost\":", 7) == 0 ? strtoull(params + 7, NULL, 10) : 0;
	one->broken = one->broken || number != one->last + lost + 1;
	one->lost += lost;
	one->last = number;
	one->heard++;
}

/* Whether something may have been there. */
static bool
hear(struct subscriber *one)
{
	static char text[65536];
	ssize_t n = recv(one->fd, text, sizeof text, MSG_DONTWAIT);

	if (n <= 0) {
		one->broken = one->broken || n == 0 || (errno != EAGAIN && errno != EINTR);
		return n < 0 && errno == EINTR;
	}
	for (const char *at = text, *end = text + n; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop != NULL ? stop : end) - at);
		if (one->len + len >= LINE_SIZE)
			len = LINE_SIZE - 1 - one->len;
		memcpy(one->line + one->len, at, len);
		one->len += len;
		if (stop == NULL)
			break;
		one->line[one->len] = '\0';
		take(one, one->line);
		one->len = 0;
		at = stop + 1;
	}
	return true;
}

static void
subscribe(struct subscriber *one, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pollfd look;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	one->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (one->fd < 0 || connect(one->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    write(one->fd, SUBSCRIBE, strlen(SUBSCRIBE)) != (ssize_t)strlen(SUBSCRIBE))
		die(path);
	look = (struct pollfd){ .fd = one->fd, .events = POLLIN };
	while (one->last == 0 && !one->broken && poll(&look, 1, 10000) > 0)
		(void)hear(one);
	if (one->last == 0)
		die("no answer to subscribe");
}

/* Reads all from `first` on, until each has come to the target; 0: stdin is to tell it. */
static void
listen_all(unsigned first, unsigned count, uint64_t *target)
{
	struct epoll_event ready[64], add = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned behind = count;

	for (unsigned i = first; i < first + count; i++) {
		add.data.u32 = i;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, subscribers[i].fd, &add) != 0)
			die("epoll_ctl");
	}
	add.data.u32 = UINT32_MAX;
	if (*target == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &add) != 0)
		die("epoll_ctl");
	while (behind > 0) {
		int n = epoll_wait(epoll, ready, 64, 60000);
		if (n <= 0 && errno != EINTR)
			break;
		for (int i = 0; i < n; i++) {
			char text[32] = "";
			if (ready[i].data.u32 != UINT32_MAX) {
				(void)hear(&subscribers[ready[i].data.u32]);
			} else if (read(STDIN_FILENO, text, sizeof text - 1) > 0) {
				*target = strtoull(text, NULL, 10);
				(void)epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
			} else {
				exit(0);
			}
		}
		behind = 0;
		for (unsigned i = first; i < first + count; i++)
			behind += !subscribers[i].broken &&
			    (*target == 0 || subscribers[i].last < *target);
	}
	close(epoll);
}

static void
tell(const char *name, unsigned first, unsigned count, uint64_t target, const char *after)
{
	uint64_t whole = 0, complete = 0, heard = 0, lost = 0, least = UINT64_MAX;

	for (unsigned i = first; i < first + count; i++) {
		const struct subscriber *one = &subscribers[i];
		bool there = !one->broken && one->last >= target;
		whole += there;
		complete += there && one->lost == 0;
		heard += one->heard;
		lost += one->lost;
		least = one->lost < least ? one->lost : least;
	}
	printf("\"%s\": {\"count\": %u, \"without_gap\": %ju, \"complete\": %ju, \"heard\": %ju, "
	       "\"lost\": %ju, \"least_lost\": %ju}%s",
	    name, count, (uintmax_t)whole, (uintmax_t)complete, (uintmax_t)heard, (uintmax_t)lost,
	    (uintmax_t)(count > 0 ? least : 0), after);
}

int
main(int argc, char **argv)
{
	uint64_t target = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: subscribers SOCKET READERS DEAF\n");
		return 2;
	}
	readers = (unsigned)atoi(argv[2]);
	deaf = (unsigned)atoi(argv[3]);
	subscribers = calloc(readers + deaf, sizeof *subscribers);
	if (subscribers == NULL)
		die("memory");
	/* the deaf ones first: whoever reads is not to wait for the others' subscribing */
	for (unsigned i = readers + deaf; i > 0; i--)
		subscribe(&subscribers[i - 1], argv[1]);
	printf("ready\n");
	fflush(stdout);
	listen_all(0, readers, &target);
	listen_all(readers, deaf, &target);
	printf("{");
	tell("readers", 0, readers, target, ", ");
	tell("deaf", readers, deaf, target, "}\n");
	return 0;
}
