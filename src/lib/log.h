/*
 * log: the daemon's own log, on stderr: "TIME coppiced[PID]: PATH: text", UTC with milliseconds,
 * one line a call. Never blocks: what cannot be written yet waits in 32 KiB; once they are full,
 * lines are dropped and counted, and a line at the place of the gap says how many. The caller
 * ignores SIGPIPE. For one thread of a process. Lines are gathered and written by log_flush (once a
 * turn of a loop), or at once after log_set_direct(true), the default at start. The PID in the line
 * is the one given to log_set_pid (the reaper's, in all our processes).
 */
#ifndef COPPICE_LIB_LOG_H
#define COPPICE_LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

void log_set_pid(pid_t pid);
void log_set_direct(bool direct);
/*
 * path may be NULL (left out). The text has no newline at its end; control characters in it are
 * shown as '?'.
 */
void log_line(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with the time of the fact, wall clock milliseconds. */
void log_line_at(int64_t wall_ms, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_flush(void);

#endif
