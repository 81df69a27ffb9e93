/*
 * complete: what can come next on a command line, for the shells (contrib/completions): commands
 * and options from their tables, paths and methods from the daemon that runs. Whatever goes wrong,
 * nothing is said: somebody is typing.
 */
#include "ctl/ctl.h"
#include "ctl/event.h"
#include "ctl/node.h"
#include "ctl/reply.h"
#include "ctl/text.h"

#include "lib/mem.h"
#include "lib/names.h"
#include "lib/str.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define COMPLETE_PATIENCE_MS 1000 /* a key has been pressed */

struct complete {
	struct ctl *ctl;
	const char *word;   /* what has been typed of it */
	const char *prefix; /* what stands before it in the same argument: "--timeout=", "a,b," */
};

/* One candidate, if it is one; `about` may be NULL. */
static void
complete_offer(struct complete *complete, const char *text, const char *about)
{
	struct buf *out = &complete->ctl->out;

	if (!str_starts(text, complete->word))
		return;
	buf_puts(out, complete->prefix);
	buf_puts(out, text);
	if (about != NULL)
		buf_printf(out, "\t%s", about);
	buf_puts(out, "\n");
}

/* Asks the daemon; whether there is an answer. */
static bool
complete_ask(struct complete *complete, const char *method, struct reply *reply)
{
	struct ctl *ctl = complete->ctl;

	*reply = (struct reply){ 0 };
	return client_open(&ctl->client, ctl->socket_path) == 0 &&
	    client_send(&ctl->client, 1, method, NULL) == 0 &&
	    client_receive(&ctl->client, COMPLETE_PATIENCE_MS, &reply->line) == 0 &&
	    reply_scan(reply) == NULL && !reply->is_error;
}

/* What a shell takes for a plain word: the rest would have to be quoted, and no node is so named. */
static bool
complete_is_plain(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x80 && !isalnum((unsigned char)*text) &&
		    strchr("/@._-+:,", *text) == NULL)
			return false;
	}
	return true;
}

static void
complete_offer_node(struct complete *complete, const struct node *node, char **template)
{
	struct buf path = { 0 }, state = { 0 };

	text_put(&path, &node->path);
	text_put(&state, &node->state);
	const char *at = path.failed ? NULL : strrchr(path.data, '@');
	size_t len = at != NULL ? (size_t)(at - path.data) : 0;
	if (!path.failed && !state.failed && complete_is_plain(path.data)) {
		if (len > 0 &&
		    (strlen(*template) != len || strncmp(*template, path.data, len) != 0)) {
			free(*template);
			*template = mem_strndup(path.data, len);
			complete_offer(complete, *template, "all instances");
		}
		complete_offer(complete, path.data, state.data);
	}
	buf_free(&path);
	buf_free(&state);
}

/* The nodes, and once for all its instances each template. */
static void
complete_paths(struct complete *complete)
{
	struct node_list list = { 0 };
	struct reply reply;
	char *template = mem_strdup("");

	if (complete_ask(complete, "status", &reply) &&
	    node_scan_status(&reply.result, &list) == NULL) {
		for (size_t i = 0; i < list.count; i++)
			complete_offer_node(complete, &list.nodes[i], &template);
	}
	free(template);
	node_list_free(&list);
	reply_free(&reply);
}

static void
complete_methods(struct complete *complete)
{
	struct reply reply;
	json_t *result = complete_ask(complete, "help", &reply) ? reply_load(&reply) : NULL;
	json_t *method;
	size_t i;

	json_array_foreach(json_object_get(result, "methods"), i, method)
	{
		const char *name = json_string_value(json_object_get(method, "name"));
		if (name != NULL)
			complete_offer(
			    complete, name, json_string_value(json_object_get(method, "doc")));
	}
	json_decref(result);
	reply_free(&reply);
}

static void
complete_commands(struct complete *complete)
{
	unsigned count;
	const struct command *commands = ctl_commands(&count);

	for (unsigned i = 0; i < count; i++)
		complete_offer(complete, commands[i].name, commands[i].doc);
}

static void
complete_signals(struct complete *complete)
{
	for (int number = 1; number < NSIG; number++) {
		const char *name = names_signal_text(number);
		if (*name != '?' && !str_starts(name, "RT"))
			complete_offer(complete, name, NULL);
	}
}

/* A list; only its last type is being typed. */
static void
complete_types(struct complete *complete)
{
	/* A test holds them against engine/event_types.def, which is not ours to include. */
	static const char *const types[] = { "node.*", "node.state", "child.*", "child.started",
		"child.start_failed", "child.ready", "child.exited", "child.hook",
		"child.restarting", "supervisor.*", "supervisor.restarting", "supervisor.limit",
		"supervisor.escalated", "operator.*", "operator.start", "operator.stop",
		"operator.restart", "operator.reset", "operator.drain", "operator.shutdown",
		"engine.*", "engine.recovered" };
	const char *comma = strrchr(complete->word, ',');
	char *prefix = NULL;

	if (comma != NULL) {
		prefix = mem_printf(
		    "%s%.*s", complete->prefix, (int)(comma + 1 - complete->word), complete->word);
		complete->prefix = prefix;
		complete->word = comma + 1;
	}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		complete_offer(complete, types[i], NULL);
	complete->prefix = "";
	free(prefix);
}

static void
complete_severities(struct complete *complete)
{
	for (size_t i = 0; event_severity(i) != NULL; i++)
		complete_offer(complete, event_severity(i), NULL);
}

/* These the shell knows better. */
static void
complete_files(struct complete *complete)
{
	buf_printf(&complete->ctl->out, ":file\t%s\n", complete->prefix);
}

static void
complete_programs(struct complete *complete)
{
	buf_printf(&complete->ctl->out, ":program\t%s\n", complete->prefix);
}

/* By the words that help has for them. */
static const struct {
	const char *word;
	void (*offer)(struct complete *complete);
} kinds[] = {
	{ "PATH", complete_paths },
	{ "SIGNAL", complete_signals },
	{ "FILE", complete_files },
	{ "METHOD", complete_methods },
	{ "COMMAND", complete_commands },
	{ "LIST", complete_types },
	{ "LEVEL", complete_severities },
	{ "CMD", complete_programs },
};

static void
complete_kind(struct complete *complete, const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strlen(kinds[i].word) == len && strncmp(kinds[i].word, word, len) == 0)
			kinds[i].offer(complete);
	}
}

/* The argument behind `given` others, as "PATH... SIGNAL" or "METHOD [JSON]" tell it. */
static void
complete_argument(struct complete *complete, const struct command *command, unsigned given)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at = command->args;

	for (unsigned turn = 0; at != NULL && given < command->max; turn++) {
		at += strcspn(at, letters);
		size_t len = strspn(at, letters);
		if (len == 0 || turn > given)
			break;
		/* Of "PATH... SIGNAL" the second word may be either. */
		if (turn == given || strncmp(at + len, "...", 3) == 0 || command->max == MANY)
			complete_kind(complete, at, len);
		at += len;
	}
}

static void
complete_option_value(struct complete *complete, enum ctl_option option)
{
	const char *value = ctl_option(option)->value;

	if (option == OPT_SOCKET)
		complete_files(complete); /* its PATH is none of a node */
	else if (value != NULL)
		complete_kind(complete, value, strlen(value));
}

static void
complete_options(struct complete *complete, const struct command *command)
{
	for (enum ctl_option i = 0; i < OPT_COUNT; i++) {
		const struct option *option = ctl_option(i);
		char *name = mem_printf("--%s", option->name);
		if (option->everywhere || (command != NULL && (command->options & BIT(i)) != 0))
			complete_offer(complete, name, option->doc);
		free(name);
	}
}

/* What has been typed before the word. */
struct typed {
	const struct command *command;
	enum ctl_option option; /* whose value comes; OPT_COUNT: none */
	unsigned given;         /* arguments of the command */
	bool options_end;
	bool hopeless; /* there is no such command or option */
};

static void
complete_take_option(struct ctl *ctl, struct typed *typed, const char *word)
{
	const char *value;
	enum ctl_option option = ctl_match_option(word, &value);

	if (option == OPT_COUNT) {
		typed->hopeless = true;
	} else if (option == OPT_SOCKET && value != NULL) {
		free(ctl->socket_path);
		ctl->socket_path = mem_strdup(value);
	} else if (ctl_option(option)->value != NULL && value == NULL) {
		typed->option = option;
	}
}

static void
complete_take(struct ctl *ctl, struct typed *typed, const char *word)
{
	const char *nearest;

	if (typed->option != OPT_COUNT) {
		if (typed->option == OPT_SOCKET) {
			free(ctl->socket_path);
			ctl->socket_path = mem_strdup(word);
		}
		typed->option = OPT_COUNT;
	} else if (!typed->options_end && str_equal(word, "--")) {
		typed->options_end = true;
	} else if (!typed->options_end && word[0] == '-' && word[1] != '\0') {
		complete_take_option(ctl, typed, word);
	} else if (typed->command == NULL) {
		typed->command = ctl_find(word, &nearest);
		typed->hopeless = typed->command == NULL;
	} else {
		typed->given++;
	}
}

int
complete_run(struct ctl *ctl)
{
	struct typed typed = { .option = OPT_COUNT };
	const char *word = ctl->args[ctl->arg_count - 1], *value;
	struct complete complete = { .ctl = ctl, .word = word, .prefix = "" };

	for (unsigned i = 0; i + 1 < ctl->arg_count; i++)
		complete_take(ctl, &typed, ctl->args[i]);
	if (typed.hopeless)
		return CTL_DONE;
	if (typed.option != OPT_COUNT) {
		complete_option_value(&complete, typed.option);
	} else if (!typed.options_end && str_starts(word, "--") && strchr(word, '=') != NULL) {
		enum ctl_option option = ctl_match_option(word, &value);
		char *prefix = mem_strndup(word, strcspn(word, "=") + 1);
		complete.prefix = prefix;
		complete.word = word + strlen(prefix);
		if (option != OPT_COUNT)
			complete_option_value(&complete, option);
		free(prefix);
	} else if (!typed.options_end && word[0] == '-') {
		complete_options(&complete, typed.command);
	} else if (typed.command == NULL) {
		complete_commands(&complete);
	} else {
		complete_argument(&complete, typed.command, typed.given);
	}
	return CTL_DONE;
}
