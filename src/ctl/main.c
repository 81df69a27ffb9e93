#include "ctl/ctl.h"
#include "lib/fd.h"

#include <signal.h>

int
main(int argc, char **argv)
{
	/*
	 * Output into a closed pipe ends quietly with EPIPE, whatever our parent did with this
	 * signal.
	 */
	signal(SIGPIPE, SIG_IGN);
	/* Else the daemon's socket would have such a number, and get what we print. */
	if (fd_fill_standard() != 0)
		return CTL_REFUSED;
	return ctl_main(argc, argv);
}
