/*
 * reaped: runs the body of a test as an engine runs: in a process whose parent waits for the
 * children it clones with CLONE_PARENT. A broken check ends the body with the line that broke;
 * cmocka is told by the parent.
 */
#ifndef TESTS_UNIT_ENGINE_REAPED_H
#define TESTS_UNIT_ENGINE_REAPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define check(cond) ((cond) ? (void)0 : reaped_broken(#cond, __FILE__, __LINE__))

/* Skips the test, saying so, where it needs to be root. */
void reaped_needs_root(void);
void reaped_run(void (*body)(const void *argument), const void *argument);
_Noreturn void reaped_broken(const char *text, const char *file, int line);
/*
 * Waits until the parent has reaped this process; its status of wait(2). Breaks after ten seconds.
 */
int reaped_wait(pid_t pid);
/* A directory of this test, open to all; "name" in it. Static storage, good for 8 calls. */
const char *reaped_path(const char *name);
/* The program tests/helpers/child of this build. */
const char *reaped_child(void);
/* What the file holds once it holds `text`; breaks after ten seconds. Static storage. */
const char *reaped_read(const char *path, const char *text);
void reaped_write(const char *path, const void *data, size_t len, mode_t mode);
/* A copy of the child program. */
void reaped_copy_child(const char *path);
/*
 * From now on that system call fails for this process and its children, if its argument (0 the
 * first; REAPED_ANY: whatever they are) is that value.
 */
#define REAPED_ANY (-1)
void reaped_refuse(uint32_t call, int argument, uint32_t value, uint32_t error);
/* How many descriptors this process has. */
int reaped_count_fds(void);
/*
 * One millisecond, of at most `budget`, which it counts down; breaks when none is left. For
 * conditions without an event.
 */
void reaped_pause(int *budget);

#endif
