#include "lib/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void
must_fail(const char *text, const char *file, int line)
{
	char message[512];
	int len = snprintf(
	    message, sizeof message, "coppice: broken invariant at %s:%d: %s\n", file, line, text);
	if (len >= (int)sizeof message) {
		len = (int)sizeof message - 1;
		message[len - 1] = '\n';
	}
	/* Nothing can be done about an error here: the core dump says it too. */
	if (len > 0 && write(STDERR_FILENO, message, (size_t)len) < 0)
		abort();
	abort();
}
