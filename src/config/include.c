#include "config/include.h"

#include "config/expand.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILES 1000
#define MAX_DEPTH 16
#define MAX_BYTES (64U << 20)
#define BLANKS    " \t\n"
#define WILD      "*?["
#define NOBODY    SIZE_MAX

/* A file that was read or is to be read. */
struct part {
	char *path;
	size_t from;                   /* which part includes it; NOBODY: the main file */
	const struct raw_entry *entry; /* where; NULL: the main file */
	dev_t dev;
	ino_t ino;
	bool is_known; /* dev and ino are */
};

struct includer {
	struct diag *diag;
	struct raw_file *all;
	struct part parts[MAX_FILES]; /* read, in this order */
	size_t count;
	struct part *waiting; /* a stack: the next one is the last */
	size_t waiting_count, waiting_cap;
	bool stopped; /* a limit is reached and reported */
};

static void entry_error(struct includer *includer, const struct raw_entry *entry,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Several things can be wrong with one entry. */
static void
entry_error(struct includer *includer, const struct raw_entry *entry, const char *format, ...)
{
	const struct diag_where where = raw_where(entry);
	va_list args;

	va_start(args, format);
	diag_error_v(includer->diag, &where, format, args);
	va_end(args);
}

/* --- what an entry names -------------------------------------------------------------------- */

/* Takes the path over. */
static void
push(struct includer *includer, char *path, size_t from, const struct raw_entry *entry)
{
	if (includer->waiting_count == includer->waiting_cap) {
		includer->waiting_cap = includer->waiting_cap > 0 ? includer->waiting_cap * 2 : 16;
		includer->waiting =
		    mem_grow(includer->waiting, includer->waiting_cap, sizeof *includer->waiting);
	}
	includer->waiting[includer->waiting_count++] =
	    (struct part){ .path = path, .from = from, .entry = entry };
}

/* Relative names are relative to the directory of the file that they stand in. */
static char *
beside(const char *file, const char *name, bool is_pattern)
{
	const char *slash = strrchr(file, '/');
	size_t len = *name != '/' && slash != NULL ? (size_t)(slash + 1 - file) : 0;
	char *path = mem_zalloc(2 * len + strlen(name) + 1, 1), *to = path;

	for (size_t i = 0; i < len; i++) {
		/* The directory's own name is no pattern. */
		if (is_pattern && strchr(WILD "\\", file[i]) != NULL)
			*to++ = '\\';
		*to++ = file[i];
	}
	strcpy(to, name);
	return path;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What glob() could not look into; it takes no argument of ours. */
static struct {
	int error;
	char *path;
} unreadable;

static int
note_unreadable(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	unreadable.error = error;
	free(unreadable.path);
	unreadable.path = mem_strdup(path);
	return 1;
}

static void
take_pattern(struct includer *includer, size_t from, const struct raw_entry *entry,
    const char *pattern, char *path)
{
	char clip[DIAG_CLIP_SIZE], shown[DIAG_CLIP_SIZE];
	glob_t found = { 0 };
	int result = glob(path, GLOB_NOSORT, note_unreadable, &found);

	diag_clip(pattern, clip);
	if (result == GLOB_ABORTED && unreadable.path != NULL)
		entry_error(includer, entry,
		    "\"%s\": the directory %s cannot be read: %s (chmod u+rx, or take it out)",
		    clip, diag_clip(unreadable.path, shown), strerror(unreadable.error));
	else if (result != 0 && result != GLOB_NOMATCH)
		entry_error(includer, entry,
		    "\"%s\": the files cannot be listed: name fewer of them", clip);
	else if (found.gl_pathc > MAX_FILES)
		entry_error(includer, entry,
		    "\"%s\" names %zu files, more than the %d that are allowed: put more into each",
		    clip, found.gl_pathc, MAX_FILES);
	else if (found.gl_pathc > 0) {
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), compare_paths);
		for (size_t i = 0; i < found.gl_pathc; i++)
			push(includer, mem_strdup(found.gl_pathv[i]), from, entry);
	}
	globfree(&found);
	free(unreadable.path);
	unreadable.path = NULL;
	free(path);
}

static void
take_word(struct includer *includer, size_t from, const struct raw_entry *entry, const char *word)
{
	const char *file = includer->parts[from].path;
	bool is_pattern = word[strcspn(word, WILD)] != '\0';
	char *path = beside(file, word, is_pattern), clip[DIAG_CLIP_SIZE];
	struct stat st;

	if (is_pattern) {
		take_pattern(includer, from, entry, word, path);
	} else if (*word == '~') {
		entry_error(includer, entry, "\"~\" is not expanded: write ${HOME}");
		free(path);
	} else if (word[strlen(word) - 1] == ',') {
		entry_error(includer, entry,
		    "\"%s\" ends in a comma: put blanks alone between names",
		    diag_clip(word, clip));
		free(path);
	} else if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		entry_error(includer, entry,
		    "there is no file \"%s\": make it or take it out (a pattern such as *.conf may name none)",
		    diag_clip(path, clip));
		free(path);
	} else {
		push(includer, path, from, entry);
	}
}

static void
take_entry(struct includer *includer, size_t from, const struct raw_entry *entry)
{
	const struct expand expand = { 0 };
	char *problem, *save;
	char *text = expand_text(&expand, entry->value, &problem);

	/* What is wrong with the text itself is told with all other values. */
	for (char *word = text != NULL ? strtok_r(text, BLANKS, &save) : NULL; word != NULL;
	     word = strtok_r(NULL, BLANKS, &save))
		take_word(includer, from, entry, word);
	free(text);
	free(problem);
}

/* All that the sections from `first` on, those of the newest part, include. */
static void
take_sections(struct includer *includer, size_t first, size_t from)
{
	size_t low = includer->waiting_count;

	for (size_t i = first; i < includer->all->count; i++) {
		const struct raw_section *section = includer->all->sections[i];
		if (!str_equal(section->title, "coppice"))
			continue;
		for (size_t k = 0; k < section->count; k++)
			if (str_equal(section->entries[k]->key, "include"))
				take_entry(includer, from, section->entries[k]);
	}
	/* On a stack what comes next is the last. */
	for (size_t high = includer->waiting_count; low + 1 < high; low++) {
		struct part part = includer->waiting[low];
		includer->waiting[low] = includer->waiting[--high];
		includer->waiting[high] = part;
	}
}

/* --- files ---------------------------------------------------------------------------------- */

static bool
same_file(const struct part *one, const struct part *other)
{
	return one->is_known && other->is_known && one->dev == other->dev && one->ino == other->ino;
}

static void
report_cycle(struct includer *includer, const struct part *part, size_t top)
{
	struct buf chain = { 0 };
	char clip[DIAG_CLIP_SIZE];

	if (part->from == top) {
		entry_error(includer, part->entry, "\"%s\" is this file itself: take it out",
		    diag_clip(part->path, clip));
		return;
	}
	for (size_t at = part->from; at != top; at = includer->parts[at].from) {
		struct buf longer = { 0 };
		buf_printf(&longer, " → %s%s", diag_clip(includer->parts[at].path, clip),
		    chain.data != NULL ? chain.data : "");
		buf_free(&chain);
		chain = longer;
	}
	entry_error(includer, part->entry,
	    "files that include each other have no end: %s%s → …: take one of these includes out",
	    diag_clip(part->path, clip), chain.data);
	buf_free(&chain);
}

/* Whether a part is to be read: not if it has been, nor if it includes itself. */
static bool
is_new(struct includer *includer, const struct part *part)
{
	char clip[DIAG_CLIP_SIZE];
	size_t depth = 0;

	for (size_t at = part->from; at != NOBODY; at = includer->parts[at].from) {
		depth++;
		if (same_file(part, &includer->parts[at])) {
			report_cycle(includer, part, at);
			return false;
		}
	}
	for (size_t i = 0; i < includer->count; i++)
		if (same_file(part, &includer->parts[i]))
			return false;
	if (depth > MAX_DEPTH)
		entry_error(includer, part->entry,
		    "\"%s\" is not read: %zu files include the next already, more than the %d that are allowed: name it in one of the first",
		    diag_clip(part->path, clip), depth, MAX_DEPTH);
	return depth <= MAX_DEPTH;
}

static void
stop(struct includer *includer, const struct part *part, const char *why)
{
	char clip[DIAG_CLIP_SIZE];

	entry_error(includer, part->entry, "\"%s\" and what follows is not read, for %s",
	    diag_clip(part->path, clip), why);
	includer->stopped = true;
}

static void
read_part(struct includer *includer, struct part *part)
{
	const struct raw_entry *entry = part->entry;
	char *because = entry == NULL
	    ? mem_strdup("")
	    : mem_printf(" (included in %s:%u)", entry->section->file, entry->line);
	struct raw_file *file = raw_read(part->path, because, includer->diag);
	size_t first = includer->all != NULL ? includer->all->count : 0;

	if (includer->all == NULL)
		includer->all = file;
	else
		raw_append(includer->all, &file);
	includer->parts[includer->count++] = *part;
	take_sections(includer, first, includer->count - 1);
	part->path = NULL;
	free(because);
}

static void
take_part(struct includer *includer, struct part *part)
{
	struct stat st;

	part->is_known = stat(part->path, &st) == 0;
	if (part->is_known) {
		part->dev = st.st_dev;
		part->ino = st.st_ino;
	}
	if (!is_new(includer, part))
		return;
	if (includer->count == MAX_FILES)
		stop(includer, part, "there are 1000 files already: put more into each");
	else if (includer->all != NULL && part->is_known && st.st_size <= MAX_BYTES &&
	    (size_t)st.st_size + includer->all->size > MAX_BYTES)
		stop(includer, part,
		    "the files would have more than 64 MiB together: leave some out");
	else
		read_part(includer, part);
}

struct raw_file *
include_read(const char *path, struct diag *diag)
{
	struct includer *includer = mem_zalloc(1, sizeof *includer);

	includer->diag = diag;
	push(includer, mem_strdup(path), NOBODY, NULL);
	while (includer->waiting_count > 0) {
		struct part part = includer->waiting[--includer->waiting_count];
		if (!includer->stopped)
			take_part(includer, &part);
		free(part.path);
	}
	struct raw_file *all = includer->all;
	for (size_t i = 0; i < includer->count; i++)
		free(includer->parts[i].path);
	free(includer->waiting);
	free(includer);
	return all;
}
