#include "ctl/help.h"

#include <string.h>

static const char general_head[] =
    "usage: coppicectl [-s PATH] [--json] COMMAND [ARGUMENTS]\n"
    "\n"
    "Talks to coppiced, which keeps a tree of programs alive. A PATH names a node of\n"
    "the tree (shop/web, shop/web@3, / for all) and may be a pattern ('shop/web@*').\n"
    "\n";

static const char general_tail[] =
    "\n"
    "The socket is that of -s, else of $COPPICE_SOCKET, else your own daemon's: as\n"
    "root /run/coppice/control.sock, else $XDG_RUNTIME_DIR/coppice/control.sock,\n"
    "else /tmp/coppice-UID/control.sock.\n"
    "\n"
    "Exit status: 0 done, 1 refused, 2 wrong usage, 3 some do not run (status PATH),\n"
    "4 no daemon (status PATH: or no such node), 5 timed out. See coppicectl(1).\n";

static void
help_put_option(struct buf *out, enum ctl_option which)
{
	const struct option *option = ctl_option(which);
	char letter[] = { '-', option->letter, ',', ' ', '\0' };
	struct buf left = { 0 };

	buf_printf(&left, "  %s--%s%s%s", option->letter != '\0' ? letter : "    ", option->name,
	    option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
	buf_printf(out, "%-25s %s\n", left.data, option->doc);
	buf_free(&left);
}

static void
help_put_options(struct buf *out, const struct command *command)
{
	for (enum ctl_option i = 0; i < OPT_COUNT; i++) {
		bool everywhere = ctl_option(i)->everywhere;
		if (command == NULL ? everywhere : !everywhere && (command->options & BIT(i)) != 0)
			help_put_option(out, i);
	}
}

static void
help_put_all(struct buf *out)
{
	unsigned count;
	const struct command *commands = ctl_commands(&count);

	buf_puts(out, general_head);
	for (unsigned i = 0; i < count; i++)
		buf_printf(out, "  %-10s %s\n", commands[i].name, commands[i].doc);
	buf_puts(out, "\nOptions (coppicectl help COMMAND names those of one command):\n");
	help_put_options(out, NULL);
	buf_puts(out, general_tail);
}

/* Each of the lines, a little in from the left. */
static void
help_put_examples(struct buf *out, const char *lines)
{
	if (lines == NULL)
		return;
	buf_puts(out, "\nExamples:\n");
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		buf_printf(out, "  %.*s\n", (int)len, lines);
		lines += lines[len] == '\n' ? len + 1 : len;
	}
}

void
help_put(struct buf *out, const struct command *command)
{
	if (command == NULL) {
		help_put_all(out);
		return;
	}
	buf_printf(out, "usage: coppicectl %s%s%s%s\n\n%s: %s\n", command->name,
	    command->options != 0 ? " [OPTIONS]" : "", command->args != NULL ? " " : "",
	    command->args != NULL ? command->args : "", command->name, command->doc);
	if (command->more != NULL)
		buf_printf(out, "\n%s\n", command->more);
	if (command->options != 0)
		buf_puts(out, "\n");
	help_put_options(out, command);
	help_put_examples(out, command->examples);
}
