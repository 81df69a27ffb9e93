#include "ctl/screen.h"

#include "lib/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SCREEN_TAKE      "\033[?1049h\033[?25l\033[2J"
#define SCREEN_GIVE_BACK "\033[?25h\033[?1049l"

int
screen_take(struct screen *screen)
{
	screen->keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->keys) {
		struct termios raw = screen->before;
		raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		/* Without it keys wait for Enter, and Ctrl-C works all the same. */
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	screen->taken = true;
	return fd_write_all(STDOUT_FILENO, SCREEN_TAKE, strlen(SCREEN_TAKE));
}

void
screen_give_back(struct screen *screen)
{
	if (!screen->taken)
		return;
	screen->taken = false;
	/* It may be gone; then there is nobody to tell. */
	(void)fd_write_all(STDOUT_FILENO, SCREEN_GIVE_BACK, strlen(SCREEN_GIVE_BACK));
	if (screen->keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

int
screen_show(const struct buf *lines)
{
	struct buf frame = { 0 };
	const char *at = lines->data, *end = at + lines->len;

	buf_puts(&frame, "\033[H");
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline != NULL ? newline : end;
		buf_append(&frame, at, (size_t)(stop - at));
		/* The last line has no newline: it would scroll. */
		buf_puts(&frame, stop + 1 < end ? "\033[K\r\n" : "\033[K");
		at = stop + 1;
	}
	buf_puts(&frame, "\033[J");
	int error = frame.failed ? -ENOMEM : fd_write_all(STDOUT_FILENO, frame.data, frame.len);
	buf_free(&frame);
	return error;
}
