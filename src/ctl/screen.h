/*
 * screen: the whole terminal, taken and given back: the alternate screen without a cursor, keys
 * that come at once and are not echoed.
 */
#ifndef COPPICE_CTL_SCREEN_H
#define COPPICE_CTL_SCREEN_H

#include "lib/buf.h"

#include <stdbool.h>
#include <termios.h>

struct screen {
	bool taken;
	bool keys;             /* stdin is a terminal, whose settings are: */
	struct termios before; /* to be set again */
};

/* 0 or a negative errno of writing to it. */
int screen_take(struct screen *screen);
/* Does nothing when it is not taken. */
void screen_give_back(struct screen *screen);
/*
 * Shows lines, each with a newline at its end, at most as many as the screen has: over what is
 * there, in one write, so that nothing flickers. 0 or a negative errno.
 */
int screen_show(const struct buf *lines);

#endif
