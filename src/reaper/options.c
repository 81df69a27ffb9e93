#include "reaper/options.h"

#include "lib/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char *const names[] = { "-c", "--check", "--dump", "--hold", "--set", "--verbose",
	"--help", "--version" };

static const char usage[] = "Usage: coppiced [-c FILE] [--check | --dump] [--hold]\n"
			    "       coppiced [--set KEY=VALUE]... [--verbose] [--check | --dump] "
			    "-- COMMAND [ARGUMENT]...\n"
			    "       coppiced --help [keys] | --version\n";
static const char help[] =
    "Keeps a tree of programs alive, as the configuration says. Stays in the foreground.\n"
    "With a COMMAND it runs that alone, without any file, and ends as it ends.\n\n"
    "  -c FILE      the configuration (/etc/coppice/coppice.conf; without root\n"
    "               $XDG_CONFIG_HOME/coppice/coppice.conf or ~/.config/coppice/coppice.conf)\n"
    "  --check      read the configuration, print every error and warning, start nothing\n"
    "  --dump       print the configuration as it takes effect, start nothing\n"
    "  --hold       start nothing by itself; `coppicectl start /` ends that\n"
    "  --set K=V    for the COMMAND: a key as in a file, such as restart=transient\n"
    "  --verbose    with a COMMAND: say also what goes well\n"
    "  --help       this text; --help keys: every key of the configuration\n"
    "  --version    print the version\n\n"
    "Exit status: 0 asked to stop, 64 usage, 70 the root gave up, 71 system error, 78 configuration;\n"
    "a significant child's own where it ends the tree, the COMMAND's own, 128 + N for signal N.\n"
    "See coppiced(8).\n";

static void
quit(struct options *options, int status)
{
	options->action = OPTIONS_QUIT;
	options->status = status;
}

static void
set_config(struct options *options, const char *dir, const char *rest)
{
	int n = snprintf(options->config, sizeof(options->config), "%s%s", dir, rest);
	if (n >= (int)sizeof(options->config)) {
		dprintf(STDERR_FILENO, "coppiced: the configuration's path is too long: %.60s...\n",
		    dir);
		quit(options, EX_USAGE);
	}
}

/* Where the configuration is when nobody says it. */
static void
default_config(struct options *options)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		set_config(options, "/etc", "/coppice/coppice.conf");
	else if (xdg && xdg[0] == '/') /* others are ignored: XDG Base Directory Specification */
		set_config(options, xdg, "/coppice/coppice.conf");
	else if (home && home[0])
		set_config(options, home, "/.config/coppice/coppice.conf");
	else {
		dprintf(
		    STDERR_FILENO, "coppiced: no configuration: HOME is not set; use -c FILE\n");
		quit(options, EX_CONFIG);
	}
}

static void
unknown(struct options *options, const char *word)
{
	const char *nearest = str_nearest(word, names, sizeof(names) / sizeof(names[0]));

	dprintf(STDERR_FILENO, "coppiced: unknown %s \"%s\"",
	    word[0] == '-' ? "option" : "argument", word);
	if (nearest)
		dprintf(STDERR_FILENO, " (did you mean \"%s\"?)", nearest);
	else if (word[0] != '-')
		dprintf(STDERR_FILENO, ": a command stands behind \"--\"");
	dprintf(STDERR_FILENO, "\n%s", usage);
	quit(options, EX_USAGE);
}

static void
wrong(struct options *options, const char *problem)
{
	dprintf(STDERR_FILENO, "coppiced: %s\n%s", problem, usage);
	quit(options, EX_USAGE);
}

/* Where the word has been is room for it: `given` never outruns what is read. */
static void
give(struct options *options, char *word)
{
	options->given[options->given_count++] = word;
}

/* "--", the command and its arguments: all that is left. Returns how many words that was. */
static int
take_command(struct options *options, char **argv)
{
	int count = 0;

	options->is_command = true;
	if (!argv[1] || !argv[1][0])
		wrong(options, "a command is expected behind \"--\"");
	for (; argv[count]; count++)
		give(options, argv[count]);
	return count;
}

/* One option and its argument; returns how many words of argv that was. */
static int
read_one(struct options *options, char **argv)
{
	const char *word = argv[0];

	if (str_equal(word, "--"))
		return take_command(options, argv);
	if (str_equal(word, "--set") && argv[1] && strchr(argv[1], '=')) {
		give(options, argv[0]);
		give(options, argv[1]);
		return 2;
	}
	if (str_equal(word, "-c") && argv[1] && argv[1][0]) {
		set_config(options, argv[1], "");
		return 2;
	}
	if (str_equal(word, "-c")) {
		wrong(options, "-c needs a FILE");
	} else if (str_equal(word, "--set")) {
		wrong(options, "--set needs KEY=VALUE, such as --set restart=transient");
	} else if (str_equal(word, "--verbose")) {
		options->terse = false;
	} else if (str_equal(word, "--check") || str_equal(word, "--dump")) {
		options->action = OPTIONS_COMPILE;
		options->compile_to = word;
	} else if (str_equal(word, "--hold")) {
		options->hold = true;
	} else if (str_equal(word, "--help") && argv[1] && str_equal(argv[1], "keys")) {
		options->action = OPTIONS_COMPILE;
		options->compile_to = "--keys";
		return 2;
	} else if (str_equal(word, "--help") && argv[1]) {
		unknown(options, argv[1]);
	} else if (str_equal(word, "--help") || str_equal(word, "-h")) {
		dprintf(STDOUT_FILENO, "%s%s", usage, help);
		quit(options, EX_OK);
	} else if (str_equal(word, "--version")) {
		dprintf(STDOUT_FILENO, "coppiced (coppice) %s\n", COPPICE_VERSION);
		quit(options, EX_OK);
	} else {
		unknown(options, word);
	}
	return 1;
}

/* The table of keys is in the program. */
static bool
needs_file(const struct options *options)
{
	return !options->is_command &&
	    !(options->action == OPTIONS_COMPILE && str_equal(options->compile_to, "--keys"));
}

void
options_read(struct options *options, int argc, char **argv, bool lenient)
{
	static char c[] = "-c";

	*options = (struct options){ .action = OPTIONS_RUN, .terse = true, .given = argv };
	for (int i = 1; i < argc && options->action != OPTIONS_QUIT;
	     i += read_one(options, argv + i)) {
		;
	}
	if (options->action != OPTIONS_QUIT && options->is_command && options->config[0])
		wrong(options, "a command has no file: take -c away, or \"--\" with what follows");
	if (options->action != OPTIONS_QUIT && options->is_command && options->hold)
		wrong(options, "--hold is for a file: a command that is held back would never run");
	if (options->action != OPTIONS_QUIT && !options->is_command && options->given_count > 0)
		wrong(options,
		    "--set is for a command, behind \"--\"; other settings stand in the file");
	if (!options->config[0] && options->action != OPTIONS_QUIT && needs_file(options))
		default_config(options);
	if (lenient && options->action != OPTIONS_RUN) {
		/* One wrong word must not keep a machine from booting. */
		options->action = OPTIONS_RUN;
		if (!options->config[0])
			set_config(options, "/etc", "/coppice/coppice.conf");
		options->is_command = false;
	}
	options->terse = options->terse && options->is_command;
	if (options->is_command) {
		options->given[options->given_count] = NULL;
		return;
	}
	options->file[0] = c;
	options->file[1] = options->config;
	options->given = options->file;
	options->given_count = needs_file(options) ? 2 : 0;
}
