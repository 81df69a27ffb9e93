/*
 * must: invariants that stay on in release builds. must(x) says "the program is wrong if not x";
 * input errors are never musts. A failure calls must_fail(), which the program's shell provides by
 * must_set_hook() (default: one line on stderr, then abort), so that the pure core needs neither
 * stdio nor abort of its own.
 */
#ifndef COPPICE_LIB_MUST_H
#define COPPICE_LIB_MUST_H

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))

/* Reports the broken invariant and does not return. */
_Noreturn void must_fail(const char *text, const char *file, int line);

#endif
