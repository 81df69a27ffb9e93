/*
 * coppice-engine: one binary, several roles; the first argument says which. coppiced starts the
 * engine, the engine starts the others; people do not.
 */
#include "config/compile.h"
#include "engine/engine.h"
#include "lib/str.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>

static const struct role {
	const char *name;
	const char *comm; /* at most 15 bytes, for ps and top */
	int (*main)(int argc, char **argv);
} ROLES[] = {
	{ "engine", "coppice-engine", engine_main },
	{ "compile", "coppice-compile", compile_main },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
		if (!str_equal(argv[1], ROLES[i].name))
			continue;
		/* only a name: nothing depends on it, so failure needs no handling */
		(void)prctl(PR_SET_NAME, ROLES[i].comm);
		return ROLES[i].main(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "coppice-engine is a part of coppice and is started by coppiced.\n");
	return EX_USAGE;
}
