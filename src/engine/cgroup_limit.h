/*
 * cgroup_limit: what a place may use at most, or its share, all its processes together: the limits
 * of the configuration as files of a cgroup.
 */
#ifndef COPPICE_ENGINE_CGROUP_LIMIT_H
#define COPPICE_ENGINE_CGROUP_LIMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Controllers of the kernel, as bits. */
#define CGROUP_CONTROLLERS(X) X(MEMORY, "memory") X(PIDS, "pids") X(CPU, "cpu") X(IO, "io")
#define X(name, text)         CGROUP_##name##_BIT,
enum cgroup_controller_bit {
	CGROUP_CONTROLLERS(X) CGROUP_CONTROLLER_COUNT
};
#undef X
#define X(name, text) CGROUP_##name = 1 << CGROUP_##name##_BIT,
enum cgroup_controller {
	CGROUP_CONTROLLERS(X)
};
#undef X
extern const char *const cgroup_controller_texts[CGROUP_CONTROLLER_COUNT];

/* X(enumerator, key, controller, file) */
#define CGROUP_LIMITS(X)                                           \
	X(LIMIT_MEMORY_HIGH, "memory_high", MEMORY, "memory.high") \
	X(LIMIT_MEMORY_MAX, "memory_max", MEMORY, "memory.max")    \
	X(LIMIT_PIDS_MAX, "pids_max", PIDS, "pids.max")            \
	X(LIMIT_CPU_WEIGHT, "cpu_weight", CPU, "cpu.weight")       \
	X(LIMIT_CPU_MAX, "cpu_max", CPU, "cpu.max")                \
	X(LIMIT_IO_WEIGHT, "io_weight", IO, "io.weight")
#define X(name, key, controller, file) name,
enum cgroup_limit {
	CGROUP_LIMITS(X) CGROUP_LIMIT_COUNT
};
#undef X

#define CGROUP_LIMIT_NONE     (-1)      /* not asked for */
#define CGROUP_LIMIT_INFINITE INT64_MAX /* asked for, and none */

struct cgroup_limits {
	int64_t value[CGROUP_LIMIT_COUNT];
};

/* From "limits" of a place in the compile product; false when something in it is impossible. */
bool cgroup_limit_read(const json_t *place, struct cgroup_limits *out);
const char *cgroup_limit_key(enum cgroup_limit limit);
enum cgroup_controller cgroup_limit_controller(enum cgroup_limit limit);
/* The controllers that these limits need. */
unsigned cgroup_limit_needs(const struct cgroup_limits *limits);
/*
 * Puts those limits in force for which the directory has one of the controllers; the others are not
 * looked at. 0, or a negative errno with the file in *file.
 */
int cgroup_limit_apply(
    int dir, const struct cgroup_limits *limits, unsigned controllers, const char **file);

#endif
