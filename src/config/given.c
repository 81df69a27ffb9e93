#include "config/given.h"

#include "config/keys.h"
#include "config/value.h"
#include "config/words.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define NAME "coppiced --set"

/* The sections, by who knows a key; the nearest to the command first. */
static const struct {
	unsigned in;
	const char *title;
} sections[] = {
	{ IN_CHILD, "child:main" },
	{ IN_SUPERVISOR, "supervisor:/" },
	{ IN_COPPICE, "coppice" },
};
enum {
	CHILD,
	ROOT,
	COPPICE,
	SECTIONS
};

/* Where a key belongs, or, of one that nobody knows, would if it were spelt right. */
static size_t
section_of(const char *key)
{
	const char *suffix;

	for (size_t i = 0; i < SECTIONS; i++)
		if (keys_find(key, sections[i].in, &suffix) != NULL)
			return i;
	for (size_t i = 0; i < SECTIONS; i++)
		if (keys_nearest(key, sections[i].in) != NULL)
			return i;
	return CHILD;
}

static struct raw_entry *
find(const struct raw_file *file, size_t section, const char *key)
{
	const struct raw_section *in = file->sections[section];

	for (size_t i = 0; i < in->count; i++)
		if (str_equal(in->entries[i]->key, key))
			return in->entries[i];
	return NULL;
}

static struct raw_entry *
set(struct raw_file *file, size_t section, const char *key, char *value)
{
	struct raw_entry *entry = find(file, section, key);

	if (entry == NULL)
		return raw_add_entry(file->sections[section], mem_strdup(key), value);
	free(entry->value);
	entry->value = value;
	return entry;
}

static void
set_default(struct raw_file *file, size_t section, enum keys_id id, const char *value)
{
	if (find(file, section, keys_table[id].name) == NULL)
		set(file, section, keys_table[id].name, mem_strdup(value));
}

/* What no line of a file could hold either. */
static void
check_bytes(struct raw_entry *entry, struct diag *diag)
{
	const unsigned char *text = (const unsigned char *)entry->value;
	size_t len = strlen(entry->value), sequence;

	for (size_t at = 0; at < len; at += sequence) {
		sequence = str_utf8_sequence(entry->value + at, len - at);
		if (sequence == 0)
			raw_entry_error(entry, diag,
			    "byte 0x%02x, the value's number %zu, is not UTF-8", text[at], at + 1);
		else if ((text[at] < ' ' && text[at] != '\t') || text[at] == 0x7f)
			raw_entry_error(entry, diag,
			    "%s (0x%02x), the value's byte %zu, cannot stand in a value: write %%x%02x instead",
			    text[at] == '\n' ? "a line end" : "a control character", text[at],
			    at + 1, text[at]);
		sequence += sequence == 0;
	}
}

/* A daemon would wait for coppicectl, which a command's mostly has no socket for. */
static void
check_runs(struct raw_entry *entry, struct diag *diag)
{
	static const char *const never[] = { "no", "false", "off" };
	const char *value = entry->value;

	if (str_equal(entry->key, keys_table[KEY_INSTANCES].name) && *value != '\0' &&
	    value[strspn(value, "0")] == '\0')
		raw_entry_error(entry, diag, "with 0 the command would never run: take this away");
	if (!str_equal(entry->key, keys_table[KEY_AUTOSTART].name))
		return;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strcasecmp(value, never[i]) == 0)
			raw_entry_error(entry, diag,
			    "the command would never run: take this away, or write a file and use -c FILE");
}

static void
take_option(struct raw_file *file, const char *option, struct diag *diag)
{
	size_t len = strcspn(option, "=");
	char *key = mem_strndup(option, len);
	struct raw_entry *entry =
	    set(file, section_of(key), key, mem_strdup(option[len] == '=' ? option + len + 1 : ""));

	check_bytes(entry, diag);
	check_runs(entry, diag);
	if (str_equal(key, keys_table[KEY_COMMAND].name))
		raw_entry_error(entry, diag, "it stands behind \"--\": take this away");
	else if (str_equal(key, keys_table[KEY_INCLUDE].name) ||
	    str_equal(key, keys_table[KEY_PROFILE].name))
		raw_entry_error(
		    entry, diag, "a command line has none: write a file and use -c FILE");
	free(key);
}

/* Bytes that have a meaning of their own in values and stand in no file. */
static bool
is_mark(char c)
{
	return c == EXPAND_INSTANCE || c == WORDS_DOLLAR || c == WORDS_QUOTED;
}

/* As a file would have it, for people; the engine runs the words themselves. */
static char *
command_text(char **words)
{
	struct buf text = { 0 };

	buf_puts(&text, "");
	for (; *words != NULL; words++) {
		char *word = mem_strdup(*words);
		struct value one = { .words = &word, .word_count = 1 };
		for (char *p = word; *p != '\0'; p++)
			if (is_mark(*p))
				*p = '?';
		if (text.len > 0)
			buf_puts(&text, " ");
		value_print(&keys_table[KEY_COMMAND], &one, &text);
		free(word);
	}
	char *copy = mem_strdup(text.failed ? "" : text.data);
	buf_free(&text);
	return copy;
}

/* What a command expects that is run as it would be without us. */
static void
set_defaults(struct raw_file *file)
{
	const struct raw_entry *restart = find(file, CHILD, keys_table[KEY_RESTART].name);
	mode_t mask = umask(0);
	char *octal = mem_printf("%04o", (unsigned)mask);

	(void)umask(mask);
	set_default(file, CHILD, KEY_UMASK, octal);
	free(octal);
	set_default(file, CHILD, KEY_STDIN, "inherit");
	set_default(file, CHILD, KEY_RESTART, "temporary");
	set_default(file, COPPICE, KEY_CONTROL_SOCKET, "none");
	/* What is always restarted has no end that could be ours. */
	if (restart != NULL && str_equal(restart->value, "permanent"))
		return;
	set_default(file, CHILD, KEY_SIGNIFICANT, "yes");
	set_default(file, ROOT, KEY_AUTO_SHUTDOWN, "any_significant");
}

const char *
given_problem(char *const *words)
{
	size_t i = 0;

	while (words[i] != NULL && str_equal(words[i], "--set") && words[i + 1] != NULL)
		i += 2;
	if (words[i] == NULL || !str_equal(words[i], "--") || words[i + 1] == NULL)
		return "a command is expected behind \"--\"";
	return NULL;
}

char *
given_unwritable(char *const *words)
{
	while (str_equal(*words, "--set"))
		words += 2;
	words++; /* "--" */
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t len = strlen(words[i]), sequence;
		for (size_t at = 0; at < len; at += sequence) {
			sequence = str_utf8_sequence(words[i] + at, len - at);
			if (sequence > 0 && !is_mark(words[i][at]))
				continue;
			return mem_printf(
			    "word %zu of the command has byte 0x%02x at position %zu, %s, and cannot be written down in a file; "
			    "it can be run without --dump",
			    i + 1, (unsigned)(unsigned char)words[i][at], at + 1,
			    sequence > 0 ? "a control character" : "which is not UTF-8");
		}
	}
	return NULL;
}

struct raw_file *
given_read(char **words, struct diag *diag)
{
	struct raw_file *file = raw_new(NAME);

	for (size_t i = 0; i < SECTIONS; i++)
		raw_add_section(file, mem_strdup(sections[i].title));
	for (; str_equal(*words, "--set"); words += 2)
		take_option(file, words[1], diag);
	if (find(file, CHILD, keys_table[KEY_COMMAND].name) == NULL)
		set(file, CHILD, keys_table[KEY_COMMAND].name, command_text(words + 1));
	set_defaults(file);
	return file;
}
