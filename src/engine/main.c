/*
 * coppice-engine: one binary, several roles; the first argument says which. coppiced starts the
 * engine, the engine starts the others; people do not.
 */
#include "config/compile.h"
#include "engine/engine.h"
#include "lib/str.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sysexits.h>

static const struct role {
	const char *name;
	const char *comm; /* at most 15 bytes, for ps and top */
	int (*main)(int argc, char **argv);
} ROLES[] = {
	{ "engine", "coppice-engine", engine_main },
	{ "compile", "coppice-compile", compile_main },
};

/*
 * Or jansson reads /dev/urandom, and that waits for entropy, on a machine that has just begun for
 * about a second.
 */
static void
seed_json(void)
{
	size_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_INSECURE) == (ssize_t)sizeof(seed))
		json_object_seed(seed | 1); /* 0 means: find one yourself */
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
		if (!str_equal(argv[1], ROLES[i].name))
			continue;
		/* only a name: nothing depends on it, so failure needs no handling */
		(void)prctl(PR_SET_NAME, ROLES[i].comm);
		seed_json();
		return ROLES[i].main(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "coppice-engine is a part of coppice and is started by coppiced.\n");
	return EX_USAGE;
}
