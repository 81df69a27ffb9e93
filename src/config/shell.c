#include "config/shell.h"

#include "config/inherit.h"
#include "config/words.h"
#include "lib/str.h"

#include <ctype.h>
#include <string.h>

/* Quotes as word processors make them are no quotes. */
static const char *
typographic(const char *word)
{
	if (str_starts(word, "“") || str_starts(word, "‘"))
		return "begins with a typographic quote, which is a character like others: write \" or '";
	return NULL;
}

/* Whether it is |, && and the like, a redirection, or has the ";" behind a command. */
static bool
is_operator(const char *word)
{
	size_t len = strlen(word), digits = strspn(word, "0123456789");

	return word[strspn(word, "|&;")] == '\0' || word[digits] == '>' || word[digits] == '<' ||
	    str_starts(word, "&>") || word[len - 1] == ';';
}

/*
 * What a shell would make something of, of a word that is not for one, as words_bare has it; NULL if
 * nothing.
 */
static const char *
shell_syntax(const char *word)
{
	if (*word == '\0')
		return NULL;
	if (is_operator(word) || *word == '`' || strstr(word, "$(") != NULL)
		return "is passed on as a word, for no shell is involved (with one: /bin/sh -c '…')";
	if (strchr(word, '*') != NULL && *word != '-' && strstr(word, "://") == NULL)
		return "is passed on as it is, for no shell is involved (with one: /bin/sh -c '…'; quote the \"*\" if it is meant)";
	if (str_starts(word, "~/"))
		return "is passed on as it is, for \"~\" is not expanded: write ${HOME}";
	if (word[0] == '$' && (word[1] == '_' || isalpha((unsigned char)word[1])))
		return "is passed on as it is: for a variable of the daemon's environment write ${NAME}";
	return NULL;
}

static void
check_command(const struct build *build, const struct build_place *place, enum keys_id id)
{
	const struct build_setting *command = &place->settings[id];
	const char *wrong = NULL;
	char clip[DIAG_CLIP_SIZE];
	size_t count = 0;
	char **bare = NULL;

	/* What came from a command line a shell has seen already. */
	if (command->entry != NULL && command->value != NULL && command->entry->line > 0)
		bare = words_bare(command->entry->value, &count);
	for (size_t i = 0; i < count && wrong == NULL; i++) {
		const char *word = command->value->words[i];
		wrong = typographic(word);
		/* Behind -c stands a script, which is for a shell. */
		if (wrong == NULL && (i == 0 || !str_equal(command->value->words[i - 1], "-c")))
			wrong = shell_syntax(bare[i]);
		if (wrong != NULL)
			inherit_warning(
			    build, place, id, "\"%s\" %s", diag_clip(word, clip), wrong);
	}
	words_free(bare);
}

void
shell_check(const struct build *build, const struct build_place *place)
{
	for (size_t id = 0; id < KEY_COUNT; id++)
		if (keys_table[id].type == TYPE_COMMAND)
			check_command(build, place, (enum keys_id)id);
}
