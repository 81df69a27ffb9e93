/*
 * mem: allocation that ends the program with one message when memory is gone. For compile, ctl and
 * tests, and for the engine before its first commit; never in the reaper.
 */
#ifndef COPPICE_LIB_MEM_H
#define COPPICE_LIB_MEM_H

#include <stdarg.h>
#include <stddef.h>

#define MEM_NEVER_NULL __attribute__((returns_nonnull, warn_unused_result))

MEM_NEVER_NULL void *mem_zalloc(size_t count, size_t size);
MEM_NEVER_NULL void *mem_grow(void *old, size_t count, size_t size);
MEM_NEVER_NULL char *mem_strdup(const char *text);
MEM_NEVER_NULL char *mem_strndup(const char *text, size_t len);
MEM_NEVER_NULL char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
MEM_NEVER_NULL char *mem_vprintf(const char *format, va_list args)
    __attribute__((format(printf, 1, 0)));

#endif
