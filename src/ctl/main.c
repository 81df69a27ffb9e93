#include "ctl/ctl.h"

#include <signal.h>

int
main(int argc, char **argv)
{
	/*
	 * Output into a closed pipe ends quietly with EPIPE, whatever our parent did with this
	 * signal.
	 */
	signal(SIGPIPE, SIG_IGN);
	return ctl_main(argc, argv);
}
