/*
 * must: invariants that stay on in release builds. must(x) says "the program is wrong if not x";
 * input errors are never musts. A failure calls must_fail(): one line on stderr, then abort(3). It
 * is the only symbol by which the pure core reaches stdio and abort.
 */
#ifndef COPPICE_LIB_MUST_H
#define COPPICE_LIB_MUST_H

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
/* Where no run of the program can come; the text says what it would be. */
#define never(text) must_fail(text, __FILE__, __LINE__)

/* Reports the broken invariant and does not return. */
_Noreturn void must_fail(const char *text, const char *file, int line);

#endif
