/* The simulator's command line; see sim.h for what it is. */
#include "sim.h"

#include "judge.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_STEPS  4000000 /* some four seconds */
#define SHRINK_SECONDS 20
#define DIGEST_START   0xcbf29ce484222325ULL

struct options {
	uint64_t seed, steps, seeds;
	double seconds; /* by the clock; else by seeds, else by steps */
	uint32_t nodes;
	const char *save; /* the folder for stories of what fails; that of this program */
	bool table;
};

static struct sim sim;
static struct story story;

static int
usage(void)
{
	fputs(
	    "usage: sim [--seed N] [--seconds S | --seeds N | --steps N] [--nodes N] [--save DIR] [--table]\n"
	    "       sim [--table] --replay FILE...\n"
	    "       sim --self-test | --write-digests | --digests FILE\n",
	    stderr);
	return 64;
}

/* The smallest story is kept, and told. */
static void
report(uint64_t seed, const char *folder)
{
	char path[4096];
	FILE *file;

	printf("sim: seed %llu, step %llu: invariant %d: %s\nsim: the scenario is made smaller …\n",
	    (unsigned long long)seed, (unsigned long long)sim.verdict.step, sim.verdict.invariant,
	    sim.verdict.what);
	fflush(stdout);
	shrink_story(&sim, SHRINK_SECONDS);
	sim.told = true;
	play_story(&sim);
	snprintf(path, sizeof path, "%s/sim-%llu.story", folder, (unsigned long long)seed);
	file = fopen(path, "w");
	if (file == NULL) {
		printf("sim: %s: %s\n", path, strerror(errno));
		return;
	}
	fprintf(file, "# seed %llu, invariant %d: %s\n", (unsigned long long)seed,
	    sim.verdict.invariant, judge_text(sim.verdict.invariant));
	story_write(&story, file);
	fclose(file);
	printf(
	    "sim: kept in %s (see it again: --table --replay FILE; keep it for ever: tests/sim/stories)\n",
	    path);
}

static bool
is_enough(const struct options *options, uint64_t seeds, uint64_t steps, mono_ms begun)
{
	if (options->seconds > 0)
		return (double)(span_mono_now() - begun) >= options->seconds * 1000;
	if (options->seeds > 0)
		return seeds >= options->seeds;
	return steps >= options->steps;
}

static int
run(const struct options *options)
{
	mono_ms begun = span_mono_now(), took;
	uint64_t seed = options->seed, steps = 0, seeds = 0, restless = 0;

	do {
		bool held = play_seed(&sim, seed, options->nodes);

		if (!held) {
			report(seed, options->save);
			return 1;
		}
		if (options->table) {
			sim.told = true;
			play_story(&sim);
			sim.told = false;
		}
		steps += sim.step;
		restless += sim.calm && !sim.at_peace;
		seeds++;
		seed++;
	} while (!is_enough(options, seeds, steps, begun));
	took = span_mono_now() - begun;
	printf("sim: seeds %llu to %llu: %llu steps in %.1f s (%.0f/s), all invariants hold; "
	       "%llu never came to rest; digest %016llx\n",
	    (unsigned long long)options->seed, (unsigned long long)seed - 1,
	    (unsigned long long)steps, (double)took / 1000,
	    (double)steps * 1000 / (double)(took > 0 ? took : 1), (unsigned long long)restless,
	    (unsigned long long)sim.digest);
	return 0;
}

static int
replay(const char *path, bool table)
{
	FILE *file = fopen(path, "r");
	const char *wrong;
	unsigned line;

	if (file == NULL) {
		fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
		return 66;
	}
	wrong = story_read(&story, file, &line);
	fclose(file);
	if (wrong != NULL) {
		fprintf(stderr, "sim: %s:%u: %s\n", path, line, wrong);
		return 65;
	}
	sim.told = table;
	if (play_story(&sim)) {
		printf("sim: %s: %llu steps, all invariants hold\n", path,
		    (unsigned long long)sim.step);
		return 0;
	}
	if (!table) {
		sim.told = true;
		play_story(&sim);
	}
	printf("sim: %s: invariant %d is broken\n", path, sim.verdict.invariant);
	return 1;
}

/* --- digests --- */

/* Small trees; larger ones; one of each size. */
static const struct {
	uint64_t seed, seeds;
	uint32_t nodes;
} ranges[] = { { 1, 300, 0 }, { 100000, 300, 16 }, { 7, 20, 200 }, { 42, 1, SIM_MAX_NODES } };

static uint64_t
digest_of(unsigned nth)
{
	sim.digest = DIGEST_START;
	for (uint64_t i = 0; i < ranges[nth].seeds; i++)
		play_seed(&sim, ranges[nth].seed + i, ranges[nth].nodes);
	return sim.digest;
}

static int
write_digests(void)
{
	printf(
	    "# seed, seeds, nodes (0: by chance), digest of the trace; made by sim --write-digests\n");
	for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		printf("%llu %llu %u %016llx\n", (unsigned long long)ranges[i].seed,
		    (unsigned long long)ranges[i].seeds, ranges[i].nodes,
		    (unsigned long long)digest_of(i));
	return 0;
}

static int
check_digests(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];
	unsigned nth = 0, differ = 0;

	if (file == NULL) {
		fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
		return 66;
	}
	while (fgets(line, sizeof line, file) && nth < sizeof ranges / sizeof ranges[0]) {
		unsigned long long digest, is;

		if (line[0] == '#' || sscanf(line, "%*u %*u %*u %llx", &digest) != 1)
			continue;
		is = digest_of(nth);
		if (is != digest)
			printf(
			    "sim: seeds %llu to %llu: the trace has digest %016llx, not %016llx\n",
			    (unsigned long long)ranges[nth].seed,
			    (unsigned long long)(ranges[nth].seed + ranges[nth].seeds - 1), is,
			    digest);
		differ += is != digest;
		nth++;
	}
	fclose(file);
	if (differ || nth < sizeof ranges / sizeof ranges[0]) {
		printf(
		    "sim: the same seeds give other traces than those of %s. Has the core, or the "
		    "simulator,\nsim: been changed on purpose? Then: sim --write-digests >%s. If not: "
		    "is it another machine, or compiler?\n",
		    path, path);
		return 1;
	}
	printf("sim: the traces of %u ranges of seeds are those of %s\n", nth, path);
	return 0;
}

/* What was made up is played again, from a file, and gives the same trace. */
static int
check_replay(void)
{
	for (uint64_t seed = 1; seed <= 500; seed++) {
		uint64_t digest;
		unsigned line;
		FILE *file = tmpfile();
		const char *wrong;

		if (file == NULL)
			return 1;
		sim.digest = DIGEST_START;
		play_seed(&sim, seed, seed % 50 == 0 ? 100 : 0);
		digest = sim.digest;
		story_write(&story, file);
		rewind(file);
		wrong = story_read(&story, file, &line);
		fclose(file);
		sim.digest = DIGEST_START;
		if (wrong == NULL)
			play_story(&sim);
		if (wrong != NULL || sim.digest != digest) {
			printf("sim: seed %llu: played again from a file it is another story: %s\n",
			    (unsigned long long)seed, wrong ? wrong : "the trace differs");
			return 1;
		}
	}
	printf("sim: what is made up can be played again from a file\n");
	return 0;
}

/* --- the command line --- */

static bool
take(struct options *options, const char *name, const char *value)
{
	if (strcmp(name, "--seed") == 0)
		options->seed = strtoull(value, NULL, 10);
	else if (strcmp(name, "--seeds") == 0)
		options->seeds = strtoull(value, NULL, 10);
	else if (strcmp(name, "--steps") == 0)
		options->steps = strtoull(value, NULL, 10);
	else if (strcmp(name, "--seconds") == 0)
		options->seconds = strtod(value, NULL);
	else if (strcmp(name, "--nodes") == 0)
		options->nodes = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "--save") == 0)
		options->save = value;
	else
		return false;
	return true;
}

static int
command(int argc, char **argv)
{
	struct options options = { .seed = 1, .steps = DEFAULT_STEPS, .save = dirname(argv[0]) };
	int status = 0;

	for (int i = 1; i < argc; i++) {
		bool last = i + 1 == argc;

		if (strcmp(argv[i], "--table") == 0) {
			options.table = true;
		} else if (strcmp(argv[i], "--self-test") == 0) {
			return fault_test(&sim) + grow_test(&sim) + check_replay();
		} else if (strcmp(argv[i], "--write-digests") == 0) {
			return write_digests();
		} else if (last) { /* NOLINT(bugprone-branch-clone): all others have a value */
			return usage();
		} else if (strcmp(argv[i], "--digests") == 0) {
			return check_digests(argv[i + 1]);
		} else if (strcmp(argv[i], "--replay") == 0) {
			while (++i < argc && status == 0)
				status = replay(argv[i], options.table);
			return status;
		} else if (!take(&options, argv[i], argv[i + 1])) {
			return usage();
		} else {
			i++;
		}
	}
	return run(&options);
}

int
main(int argc, char **argv)
{
	int status;

	sim.story = &story;
	sim.fault = -1;
	sim.digest = DIGEST_START;
	play_catch_crashes();
	status = command(argc, argv);
	story_free(&story);
	return status;
}
