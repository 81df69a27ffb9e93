#include "config/rights.h"

#include "config/capability.h"
#include "config/cpus.h"
#include "config/inherit.h"
#include "config/limit.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE_ZERO 20 /* of limit.nice */

static const char fails[] =
    "so that its start would fail under a daemon with these rights: leave it out, or start coppiced as root";

/* Those that we have; none where that cannot be told. */
static int64_t
permitted(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) != 0)
		return 0;
	return (int64_t)(sets[0].permitted | (uint64_t)sets[1].permitted << 32);
}

static bool
has(int64_t capabilities, int number)
{
	return (capabilities >> number & 1) != 0;
}

static void
check_limits(const struct build *build, const struct build_place *place)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct value *value = place->settings[i].value;
		struct rlimit64 own;

		if (keys_table[i].type != TYPE_LIMIT || value == NULL ||
		    prlimit64(0, (enum __rlimit_resource)keys_table[i].resource, NULL, &own) != 0 ||
		    own.rlim_max > INT64_MAX || value->hard <= (int64_t)own.rlim_max)
			continue;
		inherit_warning(build, place, (enum keys_id)i,
		    "the hard limit is %lld here, and raising it takes CAP_SYS_RESOURCE, %s",
		    (long long)own.rlim_max, fails);
	}
}

static int
own_oom_score(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	char line[16];
	int score = -1000; /* not told: nothing is said */

	if (file != NULL && fgets(line, sizeof(line), file) != NULL)
		score = (int)strtol(line, NULL, 10); /* the kernel wrote it */
	if (file != NULL)
		fclose(file);
	return score;
}

static void
check_capabilities(const struct build *build, const struct build_place *place, int64_t held)
{
	const struct value *value = place->settings[KEY_CAPABILITIES].value;
	struct buf missing = { 0 };

	if (value == NULL)
		return;
	for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (!has(value->number, number) && !has(held, CAP_SETPCAP) &&
		    prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) {
			inherit_warning(build, place, KEY_CAPABILITIES,
			    "to give up the others takes CAP_SETPCAP, %s (no_new_privileges = yes can any daemon)",
			    fails);
			return;
		}
	capability_print(value->number & ~held, &missing);
	if (missing.len > 0)
		inherit_warning(build, place, KEY_CAPABILITIES, "%s is not to be had here, %s",
		    missing.data, fails);
	buf_free(&missing);
}

static void
check_cpus(const struct build *build, const struct build_place *place)
{
	const struct value *value = place->settings[KEY_CPU_AFFINITY].value;
	long count = sysconf(_SC_NPROCESSORS_CONF);

	for (unsigned i = 0; value != NULL && (long)i < count; i++)
		if (cpus_has(value->cpus, i))
			return;
	if (value != NULL && count > 0)
		inherit_warning(build, place, KEY_CPU_AFFINITY,
		    "this machine has none of them, only 0 to %ld, so that its start would fail",
		    count - 1);
}

static void
check_priority(const struct build *build, const struct build_place *place, int64_t held)
{
	const struct value *nice = place->settings[KEY_NICE].value,
			   *oom = place->settings[KEY_OOM_SCORE_ADJ].value,
			   *limit = place->settings[KEY_LIMIT_NICE].value;
	struct rlimit64 own;

	if (oom != NULL && !has(held, CAP_SYS_RESOURCE) && oom->number < own_oom_score())
		inherit_warning(build, place, KEY_OOM_SCORE_ADJ,
		    "it is %d here, and lowering it takes CAP_SYS_RESOURCE, %s", own_oom_score(),
		    fails);
	if (nice == NULL || has(held, CAP_SYS_NICE) || nice->number >= getpriority(PRIO_PROCESS, 0))
		return;
	if (limit != NULL && nice->number >= NICE_ZERO - limit->number)
		return;
	if (limit == NULL && prlimit64(0, RLIMIT_NICE, NULL, &own) == 0 &&
	    nice->number >= NICE_ZERO - (int64_t)(own.rlim_cur % INT32_MAX))
		return;
	inherit_warning(build, place, KEY_NICE,
	    "it is %d here, and lowering it takes CAP_SYS_NICE, %s", getpriority(PRIO_PROCESS, 0),
	    fails);
}

void
rights_check(const struct build *build)
{
	int64_t held = permitted();

	for (size_t i = 0; i < build->count; i++) {
		const struct build_place *place = build->places[i];
		if (place->kind != KIND_CHILD)
			continue;
		if (!has(held, CAP_SYS_RESOURCE))
			check_limits(build, place);
		check_priority(build, place, held);
		check_cpus(build, place);
		check_capabilities(build, place, held);
	}
}
