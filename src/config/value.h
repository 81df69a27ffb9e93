/*
 * value: what a key is set to, by type: read from text, printed as text that reads the same,
 * written as JSON for the product. Reading expands first (a command: after it has been split, so
 * that an expansion never makes two words of one).
 */
#ifndef COPPICE_CONFIG_VALUE_H
#define COPPICE_CONFIG_VALUE_H

#include "config/expand.h"
#include "config/keys.h"
#include "core/spec.h"
#include "lib/buf.h"

#define VALUE_MAX_READY_FD 31 /* of ready = fd:N: what is below 32 a child can be given */

struct value {
	/*
	 * BOOL, NUMBER, OCTAL, SPAN (ms), FACTOR (thousandths), PERCENT (millionths), CHOICE (index),
	 * READY (enum core_ready), LIMIT (the soft one), MOST, CAPABILITIES (bit n is capability n)
	 */
	int64_t number;
	int64_t hard; /* LIMIT */
	char *text;   /* TEXT, PATH, DIRECTORY, INPUT, OUTPUT, NAME, READY, ENV_FILE, CGROUP */
	char **words; /* COMMAND, NAMES, ADDRESSES; a NULL after them */
	size_t word_count;
	struct core_stop_step *steps; /* STOP */
	uint32_t step_count;
	struct core_exit_set *exits; /* EXITS */
	uint64_t *cpus;              /* CPUS: CPUS_WORDS of them, bit n is CPU n */
};

/*
 * The value, to be freed with value_free; NULL with all that is wrong in *problem, to be freed, one
 * a line.
 */
struct value *value_parse(
    const struct keys_key *key, const char *text, const struct expand *expand, char **problem);
void value_free(struct value **value);
/*
 * Appends text that value_parse reads as the same value (with the template's expansions, if it has
 * any).
 */
void value_print(const struct keys_key *key, const struct value *value, struct buf *out);
/* Appends JSON as in the compile product. */
void value_json(const struct keys_key *key, const struct value *value, struct buf *out);

#endif
