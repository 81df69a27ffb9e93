#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static _Noreturn void
exhausted(void)
{
	static const char text[] = "coppice: out of memory\n";

	/* The status says the same to whom the text does not reach. */
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(EX_OSERR);
	_exit(EX_OSERR);
}

void *
mem_zalloc(size_t count, size_t size)
{
	/* At least a byte, so that NULL always means exhaustion. */
	void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (memory == NULL)
		exhausted();
	return memory;
}

void *
mem_grow(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		exhausted();
	void *memory = realloc(old, bytes > 0 ? bytes : 1);
	if (memory == NULL)
		exhausted();
	return memory;
}

char *
mem_strndup(const char *text, size_t len)
{
	size_t actual = strnlen(text, len);
	char *copy = mem_zalloc(actual + 1, 1);

	memcpy(copy, text, actual);
	return copy;
}

char *
mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

char *
mem_printf(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = mem_vprintf(format, args);
	va_end(args);
	return text;
}

char *
mem_vprintf(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		exhausted();
	return text;
}
