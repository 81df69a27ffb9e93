/*
 * sequence: "TERM 5s KILL": a signal, how long to wait for the end, the next signal …
 */
#ifndef COPPICE_CONFIG_SEQUENCE_H
#define COPPICE_CONFIG_SEQUENCE_H

#include "core/spec.h"
#include "lib/buf.h"

/*
 * Fills steps and returns how many; 0 with a text in *problem, to be freed. The last step waits for
 * ever.
 */
uint32_t sequence_parse(
    const char *text, struct core_stop_step steps[SPEC_MAX_STOP_STEPS], char **problem);
void sequence_print(const struct core_stop_step *steps, uint32_t count, struct buf *out);
/* The signal whose name is near the text, for "did you mean"; NULL if none is. */
const char *sequence_nearest_signal(const char *text);

#endif
