/*
 * names: numbers and the words people use for them.
 */
#ifndef COPPICE_LIB_NAMES_H
#define COPPICE_LIB_NAMES_H

/* "TERM", "SIGTERM", "term", "RTMIN+3", "15" → the number; -1 when it is no signal. */
int names_signal(const char *text);
/* 15 → "TERM", SIGRTMIN+3 → "RTMIN+3"; "?" for what is no signal. Static storage. */
const char *names_signal_text(int number);
/* ENOENT → "ENOENT"; "E?" for the unknown. Static storage; text of errno comes from strerror. */
const char *names_errno(int number);

#endif
