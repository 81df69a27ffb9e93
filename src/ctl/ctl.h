/*
 * ctl: coppicectl's context, and what its commands share. A command is a row of commands.def and a
 * function that gets this context, prints, and returns the exit status.
 */
#ifndef COPPICE_CTL_CTL_H
#define COPPICE_CTL_CTL_H

#include "ctl/client.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses; part of the interface (coppicectl(1), EXIT STATUS). */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_REFUSED = 1,
	CTL_USAGE = 2,
	CTL_NOT_ALL = 3,
	CTL_NO_DAEMON = 4,
	CTL_TIMED_OUT = 5
};

#define OPTION(name, ...) name,
enum ctl_option {
#include "ctl/options.def"
	OPT_COUNT
};
#undef OPTION

struct ctl;
typedef int ctl_run_fn(struct ctl *ctl);

#define BIT(option) (1U << (option))
#define MANY        UINT32_MAX
#define WAITING     (BIT(OPT_NO_WAIT) | BIT(OPT_TIMEOUT)) /* options of commands that wait */

struct option {
	const char *name, *doc;
	const char *value; /* what to call its value in help; NULL: it takes none */
	char letter;       /* 0: none */
	bool everywhere;
};

struct command {
	const char *name, *args, *doc, *more; /* args and more may be NULL */
	const char *examples;                 /* for help: a line each, or NULL */
	unsigned min, max;                    /* how many arguments */
	uint32_t options; /* bit n: takes option n, besides those that go everywhere */
	ctl_run_fn *run;
};

struct ctl {
	const struct command *command;
	const char *options[OPT_COUNT]; /* NULL: not given; "" for one without a value */
	char **args;
	unsigned arg_count;
	char *socket_path;
	bool pass_through; /* answers go to stdout as they come */
	struct client client;
	unsigned last_id;
	struct buf out; /* stdout, written by ctl_flush */
};

int ctl_main(int argc, char **argv);

/*
 * Writes ctl->out. 0 also when nobody reads any more; CTL_REFUSED, having said why, when it cannot
 * be written.
 */
int ctl_flush(struct ctl *ctl);
/*
 * "coppicectl: what" and, if hint is not NULL, a line with it, on stderr. Flushes stdout first.
 * Returns status.
 */
int ctl_complain(struct ctl *ctl, int status, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * The tables: *count rows; one option; the row of a command, or NULL and the name that was perhaps
 * meant, or NULL.
 */
const struct command *ctl_commands(unsigned *count);
const struct option *ctl_option(enum ctl_option option);
const struct command *ctl_find(const char *name, const char **nearest);
/*
 * The option that an argument names, of letters together the one that may have a value; OPT_COUNT
 * for none. *value is what stands in the same argument, or NULL.
 */
enum ctl_option ctl_match_option(const char *arg, const char **value);
int ctl_unknown_command(struct ctl *ctl, const char *name, const char *nearest);

/* Handlers, one file a family. */
ctl_run_fn show_status, show_tree, show_ping;
ctl_run_fn act_start, act_stop, act_restart, act_reset, act_drain, act_signal, act_shutdown,
    act_raw;
ctl_run_fn explain_show, explain_why;
ctl_run_fn follow_events;
ctl_run_fn local_check, local_help;
ctl_run_fn complete_run, graph_run, plot_run;

#endif
