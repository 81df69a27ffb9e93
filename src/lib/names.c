#include "lib/names.h"

#include "lib/str.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names that sigabbrev_np(3) does not give because another has the number. */
static const struct alias {
	const char *name;
	int number;
} aliases[] = {
	{ "CLD", SIGCHLD },
	{ "IO", SIGIO },
	{ "IOT", SIGABRT },
	{ "POLL", SIGPOLL },
};

static bool
is_signal(int number)
{
	return sigabbrev_np(number) != NULL || (number >= SIGRTMIN && number <= SIGRTMAX);
}

/* "", "+3" or "-3" after RTMIN or RTMAX. */
static int
realtime(const char *offset, int base)
{
	int64_t value = 0;

	if (*offset != '\0' && *offset != '+' && *offset != '-')
		return -1;
	if (*offset != '\0' && str_to_int64(offset, -64, 64, &value) != 0)
		return -1;
	int number = base + (int)value;
	return number >= SIGRTMIN && number <= SIGRTMAX ? number : -1;
}

int
names_signal(const char *text)
{
	int64_t number;

	if (*text >= '0' && *text <= '9') {
		if (str_to_int64(text, 1, SIGRTMAX, &number) != 0 || !is_signal((int)number))
			return -1;
		return (int)number;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN", 5) == 0)
		return realtime(text + 5, SIGRTMIN);
	if (strncasecmp(text, "RTMAX", 5) == 0)
		return realtime(text + 5, SIGRTMAX);
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);
		if (name != NULL && strcasecmp(name, text) == 0)
			return i;
	}
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (strcasecmp(aliases[i].name, text) == 0)
			return aliases[i].number;
	return -1;
}

const char *
names_signal_text(int number)
{
	static char text[64][sizeof "RTMIN+63"]; /* made when asked for; the same every time */

	if (number >= SIGRTMIN && number <= SIGRTMAX) {
		char *name = text[number - SIGRTMIN];
		if (number == SIGRTMIN)
			return "RTMIN";
		snprintf(name, sizeof text[0], "RTMIN+%u", (unsigned)(number - SIGRTMIN) % 64);
		return name;
	}
	const char *name = sigabbrev_np(number);
	return name != NULL ? name : "?";
}

const char *
names_errno(int number)
{
	const char *name = number > 0 ? strerrorname_np(number) : NULL;

	return name != NULL ? name : "E?";
}
