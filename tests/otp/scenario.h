/*
 * scenario: what a scenario file says (README beside this file): the tree, and how its workers
 * behave. Pointers into the JSON, which must outlive it.
 */
#ifndef COPPICE_TESTS_OTP_SCENARIO_H
#define COPPICE_TESTS_OTP_SCENARIO_H

#include "core/spec.h"

#include <jansson.h>

/* NULL, or why this is no scenario (text until the next call). All else here wants one. */
const char *scenario_check(const json_t *scenario);

/* What the core is to do with a supervisor or worker so that it does as Erlang's. */
void scenario_spec(const json_t *child, struct core_spec *out);
/*
 * Why Erlang would refuse this child below a supervisor (NULL: the root) with these children
 * already; NULL: it is good.
 */
const char *scenario_problem(const json_t *child, const json_t *supervisor);

const char *scenario_id(const json_t *child);
bool scenario_is_supervisor(const json_t *child);
bool scenario_is_temporary(const json_t *child);
/* Whether a supervisor allows more restarts than coppice can count: it must not come to so many. */
bool scenario_has_more_intensity(const json_t *supervisor);

/* Whether the n-th attempt to start it fails. */
bool scenario_start_fails(const json_t *worker, uint32_t attempt);
/* The ids that crash at that attempt, before it is up or has failed; NULL: none. */
const json_t *scenario_start_crashes(const json_t *worker, uint32_t attempt);
/* The ids that crash when it is told to stop; NULL: none. */
const json_t *scenario_stop_crashes(const json_t *worker);
bool scenario_stop_is(const json_t *worker, const char *word);
/* How long it takes to stop. */
span_ms scenario_stop_ms(const json_t *worker);

#endif
