/* The commands that need no daemon. */
#include "ctl/ctl.h"
#include "ctl/help.h"

#include "lib/mem.h"
#include "lib/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <limits.h>

int
local_help(struct ctl *ctl)
{
	const struct command *about = NULL;
	const char *nearest = NULL;

	if (ctl->arg_count > 0) {
		about = ctl_find(ctl->args[0], &nearest);
		if (about == NULL)
			return ctl_unknown_command(ctl, ctl->args[0], nearest);
	}
	help_put(&ctl->out, about);
	return CTL_DONE;
}

/* The coppiced beside this program; NULL when there is none. */
static char *
local_coppiced(void)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

	if (len <= 0)
		return NULL;
	self[len] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return NULL;
	char *beside = mem_printf("%.*s/coppiced", (int)(slash - self), self);
	if (access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return NULL;
}

int
local_check(struct ctl *ctl)
{
	char *program = local_coppiced();
	char name[] = "coppiced", dash_c[] = "-c", check[] = "--check";
	char *argv[] = { name, dash_c, ctl->args[0], check, NULL };

	execvp(program != NULL ? program : name, argv);
	int error = errno;
	free(program);
	return ctl_complain(ctl, CTL_REFUSED,
	    "coppiced is looked for beside coppicectl, then in $PATH", "cannot run coppiced: %s",
	    strerror(error));
}
