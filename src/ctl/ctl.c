#include "ctl/ctl.h"

#include "ctl/help.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command commands[] = {
#define COMMAND(...) { __VA_ARGS__ },
#include "ctl/commands.def"
#undef COMMAND
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const struct option options[] = {
#define OPTION(option, ...) [option] = { __VA_ARGS__ },
#include "ctl/options.def"
#undef OPTION
};
_Static_assert(
    sizeof options / sizeof *options == OPT_COUNT && OPT_COUNT <= 32, "options are bits of a word");

const struct command *
ctl_commands(unsigned *count)
{
	*count = COMMAND_COUNT;
	return commands;
}

const struct option *
ctl_option(enum ctl_option option)
{
	return &options[option];
}

const struct command *
ctl_find(const char *name, const char **nearest)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		names[i] = commands[i].name;
		if (str_equal(name, names[i]))
			return &commands[i];
	}
	*nearest = str_nearest(name, names, COMMAND_COUNT);
	return NULL;
}

int
ctl_flush(struct ctl *ctl)
{
	int error =
	    ctl->out.failed ? -ENOMEM : fd_write_all(STDOUT_FILENO, ctl->out.data, ctl->out.len);

	buf_free(&ctl->out);
	/* A reader that has seen enough (`| head`) is no error. */
	if (error == 0 || error == -EPIPE)
		return 0;
	fprintf(stderr, "coppicectl: cannot write the output: %s\n", strerror(-error));
	return CTL_REFUSED;
}

int
ctl_complain(struct ctl *ctl, int status, const char *hint, const char *format, ...)
{
	va_list args;

	ctl_flush(ctl);
	flockfile(stderr);
	fputs("coppicectl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (hint != NULL)
		fprintf(stderr, "coppicectl: %s\n", hint);
	funlockfile(stderr);
	return status;
}

int
ctl_unknown_command(struct ctl *ctl, const char *name, const char *nearest)
{
	static const char *const later[] = { "add", "logs", "metrics", "reload", "remove", "scale",
		"top", "upgrade" };

	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
		if (str_equal(name, later[i]))
			return ctl_complain(ctl, CTL_USAGE,
			    "a later version brings it; coppicectl help lists the commands of this one",
			    "\"%s\" is not supported yet", name);

	char *hint = nearest != NULL ? mem_printf("did you mean \"%s\"?", nearest)
				     : mem_strdup("coppicectl help lists the commands");

	ctl_complain(ctl, CTL_USAGE, hint, "there is no command \"%s\"", name);
	free(hint);
	return CTL_USAGE;
}

static int
ctl_unknown_option(struct ctl *ctl, const char *arg)
{
	const char *names[OPT_COUNT];
	char *text = mem_strndup(arg, strcspn(arg, "="));
	const char *bare = text;

	while (*bare == '-')
		bare++;
	for (size_t i = 0; i < OPT_COUNT; i++)
		names[i] = options[i].name;
	const char *near = str_nearest(bare, names, OPT_COUNT);
	char *hint = near != NULL ? mem_printf("did you mean \"--%s\"?", near)
				  : mem_strdup("coppicectl help lists the options");
	ctl_complain(ctl, CTL_USAGE, hint, "there is no option \"%s\"", text);
	free(hint);
	free(text);
	return CTL_USAGE;
}

/* What "--name" or "--name=value" is, OPT_COUNT for none; *value is behind the "=", or NULL. */
static enum ctl_option
ctl_match_name(const char *arg, const char **value)
{
	size_t len = strcspn(arg + 2, "=");

	*value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
	for (enum ctl_option i = 0; i < OPT_COUNT; i++) {
		if (strlen(options[i].name) == len && strncmp(arg + 2, options[i].name, len) == 0)
			return i;
	}
	return OPT_COUNT;
}

static enum ctl_option
ctl_match_letter(char letter)
{
	for (enum ctl_option i = 0; i < OPT_COUNT; i++) {
		if (options[i].letter == letter)
			return i;
	}
	return OPT_COUNT;
}

enum ctl_option
ctl_match_option(const char *arg, const char **value)
{
	enum ctl_option option = OPT_COUNT;

	*value = NULL;
	if (arg[1] == '-')
		return ctl_match_name(arg, value);
	for (const char *letter = arg + 1; *letter != '\0'; letter++) {
		option = ctl_match_letter(*letter);
		if (option != OPT_COUNT && options[option].value == NULL)
			continue;
		if (letter[1] != '\0')
			*value = letter + 1;
		break;
	}
	return option;
}

/* Takes what stands behind an option that needs a value and has none in its own argument. */
static int
ctl_take_value(struct ctl *ctl, enum ctl_option option, int argc, char **argv, int *at)
{
	if (*at + 1 >= argc) {
		char *hint = mem_printf(
		    "it is given like this: --%s %s", options[option].name, options[option].value);
		ctl_complain(
		    ctl, CTL_USAGE, hint, "option --%s needs a value", options[option].name);
		free(hint);
		return CTL_USAGE;
	}
	ctl->options[option] = argv[++*at];
	return 0;
}

static int
ctl_take_name(struct ctl *ctl, int argc, char **argv, int *at)
{
	const char *value;
	enum ctl_option option = ctl_match_name(argv[*at], &value);

	if (option == OPT_COUNT)
		return ctl_unknown_option(ctl, argv[*at]);
	if (options[option].value == NULL && value != NULL)
		return ctl_complain(ctl, CTL_USAGE, "give it without \"=\"",
		    "option --%s takes no value: \"%s\"", options[option].name, argv[*at]);
	if (options[option].value != NULL && value == NULL)
		return ctl_take_value(ctl, option, argc, argv, at);
	ctl->options[option] = value != NULL ? value : "";
	return 0;
}

/* "-f", "-n5", "-fn5" or "-fn 5". */
static int
ctl_take_letters(struct ctl *ctl, int argc, char **argv, int *at)
{
	const char *arg = argv[*at];

	for (const char *letter = arg + 1; *letter != '\0'; letter++) {
		enum ctl_option option = ctl_match_letter(*letter);
		if (option == OPT_COUNT)
			return ctl_unknown_option(ctl, arg);
		ctl->options[option] = "";
		if (options[option].value == NULL)
			continue;
		if (letter[1] == '\0')
			return ctl_take_value(ctl, option, argc, argv, at);
		ctl->options[option] = letter + 1;
		break;
	}
	return 0;
}

/* Takes the option at argv[*at]; *at is left at the last argument that belongs to it. */
static int
ctl_take_option(struct ctl *ctl, int argc, char **argv, int *at)
{
	return argv[*at][1] == '-' ? ctl_take_name(ctl, argc, argv, at)
				   : ctl_take_letters(ctl, argc, argv, at);
}

/* Sorts argv into command, options and arguments; options may stand anywhere, "--" ends them. */
static int
ctl_parse(struct ctl *ctl, int argc, char **argv)
{
	bool options_end = false;
	const char *nearest = NULL;

	ctl->args = argv; /* kept at the front of the same array */
	for (int i = 1; i < argc; i++) {
		if (!options_end && str_equal(argv[i], "--")) {
			options_end = true;
		} else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
			int status = ctl_take_option(ctl, argc, argv, &i);
			if (status != 0)
				return status;
		} else if (ctl->command == NULL) {
			ctl->command = ctl_find(argv[i], &nearest);
			if (ctl->command == NULL)
				return ctl_unknown_command(ctl, argv[i], nearest);
		} else {
			ctl->args[ctl->arg_count++] = argv[i];
		}
	}
	return 0;
}

static int
ctl_usage(struct ctl *ctl, const char *what)
{
	const struct command *command = ctl->command;
	char *hint = mem_printf("usage: coppicectl %s%s%s; see coppicectl help %s", command->name,
	    command->args != NULL ? " " : "", command->args != NULL ? command->args : "",
	    command->name);

	ctl_complain(ctl, CTL_USAGE, hint, "%s: %s", command->name, what);
	free(hint);
	return CTL_USAGE;
}

/* Whether the command takes these options and so many arguments. */
static int
ctl_check(struct ctl *ctl)
{
	const struct command *command = ctl->command;
	span_ms span;

	for (enum ctl_option i = 0; i < OPT_COUNT; i++) {
		if (ctl->options[i] != NULL && !options[i].everywhere &&
		    (command->options & BIT(i)) == 0) {
			char *what = mem_printf("it does not take --%s", options[i].name);
			ctl_usage(ctl, what);
			free(what);
			return CTL_USAGE;
		}
	}
	const char *timeout = ctl->options[OPT_TIMEOUT];
	if (timeout != NULL && span_parse(timeout, &span) != 0)
		return ctl_complain(ctl, CTL_USAGE, "durations look like 250ms, 5s, 2m, 1h",
		    "--timeout: \"%s\" is no duration", timeout);
	if (ctl->arg_count < command->min)
		return ctl_usage(ctl, "an argument is missing");
	if (ctl->arg_count > command->max)
		return ctl_usage(
		    ctl, command->max == 0 ? "it takes no arguments" : "too many arguments");
	return 0;
}

static int
ctl_run(struct ctl *ctl)
{
	if (ctl->options[OPT_VERSION] != NULL) {
		buf_puts(&ctl->out, "coppicectl " COPPICE_VERSION "\n");
		return CTL_DONE;
	}
	if (ctl->options[OPT_HELP] != NULL) {
		help_put(&ctl->out, ctl->command);
		return CTL_DONE;
	}
	if (ctl->command == NULL)
		return ctl_complain(
		    ctl, CTL_USAGE, "coppicectl help lists the commands", "which command?");
	int status = ctl_check(ctl);
	return status != 0 ? status : ctl->command->run(ctl);
}

int
ctl_main(int argc, char **argv)
{
	struct ctl ctl = { .client = { .fd = -1, .tee = -1 } };
	int status = ctl_parse(&ctl, argc, argv);

	if (status == 0) {
		ctl.socket_path = ctl.options[OPT_SOCKET] != NULL
		    ? mem_strdup(ctl.options[OPT_SOCKET])
		    : client_default_socket();
		status = ctl_run(&ctl);
	}
	int flushed = ctl_flush(&ctl);
	client_close(&ctl.client);
	free(ctl.socket_path);
	return status != 0 ? status : flushed;
}
