/*
 * What cannot be written yet waits in `pending`; once that is full lines are counted instead of
 * kept.
 *
 * Not blocking is the difficulty: stderr is shared with whoever gave it to us and with children, so
 * O_NONBLOCK may not be set on it, and between poll(2) and write(2) another may fill a pipe. A pipe
 * or terminal is therefore opened once more through /proc, which gives an open file description of
 * our own. Where that cannot be done poll and a write of at most PIPE_BUF bytes must do. Files are
 * written as they are: they are never "full", and O_APPEND and the offset are to be shared.
 *
 * One state, for the main thread of a process: there is one stderr.
 */
#include "lib/log.h"

#include "lib/fd.h"
#include "lib/span.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE    2048
#define PENDING_SIZE 32768
#define OWN_FD_ABOVE 64 /* low numbers are the link's, the spawner's and the children's */

enum output_kind {
	OUTPUT_NONE,
	OUTPUT_FILE,
	OUTPUT_OWN,
	OUTPUT_SHARED,
	OUTPUT_SOCKET
};

static struct {
	char pending[PENDING_SIZE];
	size_t len;
	uint64_t lost; /* lines, since the last that was kept */
	pid_t pid;
	bool gather;
	enum output_kind kind;
	int own_fd; /* with OUTPUT_OWN */
	dev_t device;
	ino_t inode; /* what stderr was when `kind` was found out */
} state;

void
log_set_pid(pid_t pid)
{
	state.pid = pid;
}

void
log_set_direct(bool direct)
{
	state.gather = !direct;
	if (direct)
		log_flush();
}

/* Finds out what stderr is, if it is another thing than the last time. */
static void
look_at_stderr(void)
{
	struct stat now;

	if (fstat(STDERR_FILENO, &now) < 0) {
		now.st_mode = 0;
		now.st_dev = 0;
		now.st_ino = 0;
	} else if (state.kind != OUTPUT_NONE && now.st_dev == state.device &&
	    now.st_ino == state.inode) {
		return;
	}
	if (state.kind == OUTPUT_OWN)
		fd_close(&state.own_fd);
	state.device = now.st_dev;
	state.inode = now.st_ino;
	if (S_ISSOCK(now.st_mode)) {
		state.kind = OUTPUT_SOCKET;
	} else if (S_ISFIFO(now.st_mode) || S_ISCHR(now.st_mode)) {
		state.own_fd =
		    open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (state.own_fd >= 0 && fd_move_above(&state.own_fd, OWN_FD_ABOVE) < 0)
			fd_close(&state.own_fd);
		state.kind = state.own_fd >= 0 ? OUTPUT_OWN : OUTPUT_SHARED;
	} else {
		state.kind = now.st_mode != 0 ? OUTPUT_FILE : OUTPUT_NONE;
	}
}

/* write(2) that does not wait: EAGAIN instead. */
static ssize_t
write_some(const char *data, size_t len)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	switch (state.kind) {
	case OUTPUT_SOCKET: return send(STDERR_FILENO, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTPUT_OWN: return write(state.own_fd, data, len);
	case OUTPUT_SHARED:
		if (poll(&ready, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		break;
	case OUTPUT_NONE:
	case OUTPUT_FILE: break;
	}
	return write(STDERR_FILENO, data, len);
}

/*
 * As many whole lines as a pipe takes at once without mixing them with others' (pipe(7), PIPE_BUF).
 */
static size_t
next_chunk(void)
{
	size_t len = state.len < PIPE_BUF ? state.len : PIPE_BUF;
	const char *end = memrchr(state.pending, '\n', len);

	return end != NULL ? (size_t)(end - state.pending) + 1 : len;
}

static void
forget(size_t len)
{
	state.len -= len;
	memmove(state.pending, state.pending + len, state.len);
}

void
log_flush(void)
{
	if (state.len == 0)
		return;
	look_at_stderr();
	while (state.len > 0) {
		size_t chunk = next_chunk();
		ssize_t n = write_some(state.pending, chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/*
			 * Nobody reads it or the disk is full: it cannot be told either, but later
			 * perhaps.
			 */
			for (size_t i = 0; i < chunk; i++)
				state.lost += state.pending[i] == '\n';
			forget(chunk);
			return;
		}
		forget((size_t)n);
	}
}

/*
 * The civil date of a day since 1970 (Howard Hinnant, chrono-compatible date algorithms);
 * gmtime_r(3) may read files.
 */
static void
civil_date(int64_t day, int *year, int *month, int *day_of_month)
{
	int64_t shifted = day + 719468; /* days since 0000-03-01; years begin in March */
	int64_t era = shifted / 146097, of_era = shifted % 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * of_year + 2) / 153;

	*day_of_month = (int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* Everything before the text; `where` is a path or NULL. */
static int
print_head(char *out, size_t size, int64_t wall_ms, const char *where)
{
	int64_t day = wall_ms / 86400000;
	int ms = (int)(wall_ms % 86400000);
	int year, month, day_of_month;

	civil_date(day, &year, &month, &day_of_month);
	return snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ coppiced[%d]: %s%s", year,
	    month, day_of_month, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000,
	    (int)(state.pid > 0 ? state.pid : getpid()), where != NULL ? where : "",
	    where != NULL ? ": " : "");
}

/* Appends the line if there is room; the newline is added here. */
static bool
keep(const char *line, size_t len)
{
	if (len >= sizeof state.pending - state.len)
		return false;
	char *into = state.pending + state.len;
	for (size_t i = 0; i < len; i++)
		into[i] = (unsigned char)line[i] < 0x20 || line[i] == 0x7f ? '?' : line[i];
	into[len] = '\n';
	state.len += len + 1;
	return true;
}

static size_t
capped(int len, size_t size)
{
	if (len < 0)
		return 0;
	return (size_t)len < size ? (size_t)len : size - 1;
}

/* The line without its newline, cut where it is too long. Returns its length. */
__attribute__((format(printf, 4, 0))) static size_t
print_line(
    char line[LINE_SIZE], int64_t wall_ms, const char *path, const char *format, va_list args)
{
	size_t len = capped(print_head(line, LINE_SIZE, wall_ms, path), LINE_SIZE);

	return len + capped(vsnprintf(line + len, LINE_SIZE - len, format, args), LINE_SIZE - len);
}

__attribute__((format(printf, 2, 3))) static bool
keep_note(int64_t wall_ms, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	size_t len = print_line(line, wall_ms, NULL, format, args);
	va_end(args);
	return keep(line, len);
}

__attribute__((format(printf, 3, 0))) static void
log_args(int64_t wall_ms, const char *path, const char *format, va_list args)
{
	char line[LINE_SIZE];
	size_t len = print_line(line, wall_ms, path, format, args);

	if (sizeof state.pending - state.len < 2 * LINE_SIZE)
		log_flush();
	/* The note stands where the gap is. */
	if (state.lost > 0 && keep_note(wall_ms, "%" PRIu64 " log lines lost", state.lost))
		state.lost = 0;
	if (state.lost > 0 || !keep(line, len))
		state.lost++;
	if (!state.gather)
		log_flush();
}

void
log_line(const char *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_args(span_wall_now_ms(), path, format, args);
	va_end(args);
}

void
log_line_at(int64_t wall_ms, const char *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_args(wall_ms, path, format, args);
	va_end(args);
}
