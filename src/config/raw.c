#include "config/raw.h"

#include "config/keys.h"
#include "config/source.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE  65536U
#define LONG_HEAD 80U /* of a line that is too long this much is looked at, for its key */
#define BLANKS    " \t"

/* A section line, or a key with its value and the lines that continue it. */
struct logical {
	bool is_section;
	bool bad; /* reported */
	uint32_t line;
	char *name; /* title or key */
	struct buf value;
};

struct reader {
	struct diag *diag;
	struct raw_file *file;
	struct logical *lines;
	size_t count, cap;
	const char *title;         /* of the section that we are in, or NULL */
	const char *section, *key; /* what messages say about where */
	enum {
		NOTHING,
		VALUE,
		WRONG_VALUE
	} open; /* what an indented line continues */
	bool saw_crlf;
	size_t next; /* of lines, to be handed to inih */
	bool key_next;
};

static void error_at(struct reader *reader, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
error_at(struct reader *reader, uint32_t line, const char *format, ...)
{
	const struct diag_where where = {
		.file = reader->file->name,
		.line = line,
		.section = reader->section,
		.key = reader->key,
	};
	va_list args;

	va_start(args, format);
	diag_error_v(reader->diag, &where, format, args);
	va_end(args);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The first byte of a line that no text has. */
struct odd {
	size_t column; /* 0: there is none */
	unsigned char byte;
	bool is_utf8;
};

/* What is wrong with the bytes of a line is replaced, so that the rest of it can be understood. */
static struct odd
make_text(char *line, size_t len)
{
	struct odd odd = { 0 };

	for (size_t at = 0; at < len;) {
		size_t sequence = str_utf8_sequence(line + at, len - at);
		unsigned char byte = (unsigned char)line[at];
		if (sequence > 1 ||
		    (sequence == 1 && (byte >= 0x20 || byte == '\t') && byte != 0x7f)) {
			at += sequence;
			continue;
		}
		if (odd.column == 0)
			odd =
			    (struct odd){ .column = at + 1, .byte = byte, .is_utf8 = sequence > 0 };
		line[at++] = '?';
	}
	return odd;
}

static void
report_odd(struct reader *reader, const struct odd *odd, uint32_t number)
{
	if (odd->byte == 0)
		error_at(reader, number,
		    "a NUL byte in column %zu: delete it (or is this no text file?)", odd->column);
	else if (!odd->is_utf8)
		error_at(reader, number,
		    "byte 0x%02x in column %zu is not UTF-8 (if the file is in Latin-1: iconv -f latin1 -t utf8)",
		    odd->byte, odd->column);
	else
		error_at(reader, number, "control character 0x%02x in column %zu: delete it",
		    odd->byte, odd->column);
}

static char *
trimmed(const char *text, size_t len)
{
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	size_t skip = strspn(text, BLANKS);
	return skip >= len ? mem_strdup("") : mem_strndup(text + skip, len - skip);
}

static struct logical *
add_logical(struct reader *reader, bool is_section, char *name, uint32_t number, bool bad)
{
	if (reader->count == reader->cap) {
		reader->cap = reader->cap > 0 ? reader->cap * 2 : 64;
		reader->lines = mem_grow(reader->lines, reader->cap, sizeof *reader->lines);
	}
	struct logical *logical = &reader->lines[reader->count++];
	*logical =
	    (struct logical){ .is_section = is_section, .bad = bad, .line = number, .name = name };
	return logical;
}

static void
read_section(struct reader *reader, const char *text, uint32_t number, bool bad)
{
	const char *end = strchr(text, ']');
	const char *rest = end != NULL ? end + 1 + strspn(end + 1, BLANKS) : "";
	char clip[DIAG_CLIP_SIZE];

	if (end == NULL && !bad)
		error_at(reader, number, "a section has no end: write %s]",
		    text[1] != '\0' ? diag_clip(text, clip) : "[child:PATH");
	else if (*rest != '\0' && !bad)
		error_at(reader, number, "text after \"]\": \"%s\" (%s)", diag_clip(rest, clip),
		    *rest == '#' || *rest == ';' ? "comments stand on lines of their own"
			: *rest == ']'           ? "one bracket on each side is enough"
						 : "take it away, or give it a line of its own");
	bad = bad || end == NULL || *rest != '\0';
	size_t len = end != NULL ? (size_t)(end - text - 1) : strlen(text + 1);
	reader->title = add_logical(reader, true, mem_strndup(text + 1, len), number, bad)->name;
	reader->open = NOTHING;
}

/* A line without "=". What is plainly a key and its value is taken as such, reported. */
static void
no_value(struct reader *reader, const char *text, uint32_t number)
{
	char clip[DIAG_CLIP_SIZE], *key = mem_strndup(text, strcspn(text, ": \t"));
	const char *rest = text + strlen(key) + strspn(text + strlen(key), ": \t");
	char shown[DIAG_CLIP_SIZE];

	if (keys_is_known(key) && *rest != '\0') {
		reader->key = reader->title != NULL ? key : NULL;
		error_at(reader, number, "no \"=\" in \"%s\" (did you mean \"%s = %s\"?)",
		    diag_clip(text, clip), key, diag_clip(rest, shown));
		reader->key = NULL;
		if (reader->title != NULL) {
			buf_puts(&add_logical(reader, false, key, number, true)->value, rest);
			reader->open = VALUE;
			return;
		}
	} else if (str_starts(text, "//") || str_starts(text, "/*") || str_starts(text, "--"))
		error_at(reader, number, "\"%s\" is no comment: begin those with \"#\"",
		    diag_clip(text, clip));
	else if (str_starts(text, "<<<<<<<") || str_starts(text, ">>>>>>>"))
		error_at(reader, number, "\"%s\" marks a conflict of versions: choose one of them",
		    diag_clip(text, clip));
	else
		error_at(reader, number,
		    "no \"=\" in \"%s\": write key = value, or indent the line if it continues the one before",
		    diag_clip(text, clip));
	free(key);
}

static void
read_pair(struct reader *reader, const char *text, uint32_t number, bool bad)
{
	const char *equals = strchr(text, '=');
	char clip[DIAG_CLIP_SIZE];

	reader->open = WRONG_VALUE;
	if (equals == NULL || equals == text) {
		if (!bad && equals == text)
			error_at(reader, number, "no key before \"=\": write key = value");
		else if (!bad)
			no_value(reader, text, number);
		return;
	}
	char *key = trimmed(text, (size_t)(equals - text));
	if (reader->title == NULL) {
		if (!bad)
			error_at(reader, number,
			    "\"%s\" stands before any section: begin one with a line such as [child:NAME]",
			    diag_clip(key, clip));
		free(key);
		return;
	}
	struct logical *logical = add_logical(reader, false, key, number, bad);
	char *value = trimmed(equals + 1, strlen(equals + 1));
	buf_puts(&logical->value, value);
	free(value);
	reader->open = VALUE;
}

/* Whether an indented line looks like what was meant to stand for itself. */
static bool
is_meant_alone(const char *text)
{
	size_t len = strcspn(text, "= \t");
	bool is = false;

	if (text[len + strspn(text + len, BLANKS)] == '=') {
		char *key = mem_strndup(text, len);
		is = keys_is_known(key);
		free(key);
	}
	return is || str_starts(text, "[child:") || str_starts(text, "[supervisor:");
}

static void
read_continuation(struct reader *reader, const char *text, uint32_t number, bool bad)
{
	char clip[DIAG_CLIP_SIZE];

	if (reader->open == WRONG_VALUE)
		return;
	struct logical *logical = &reader->lines[reader->count - 1];
	if (!bad && is_meant_alone(text)) {
		reader->key = logical->name;
		error_at(reader, number,
		    "\"%s\" is indented and so continues this value: if it is to stand for itself, begin it in the first column",
		    diag_clip(text, clip));
		reader->key = NULL;
		bad = true;
	}
	logical->bad = logical->bad || bad;
	if (logical->value.len > 0)
		buf_puts(&logical->value, "\n");
	buf_puts(&logical->value, text);
}

/*
 * A line that is too long, or has what no text has, is reported with the section and key that it is
 * of, as far as they can be told. text is its beginning.
 */
static void
report_line(struct reader *reader, const char *text, bool continues, const struct odd *odd,
    size_t len, uint32_t number)
{
	const char *before = reader->title;
	size_t name = strcspn(text, "=");
	char *key = NULL, *title = NULL;

	if (*text == '[' && !continues) {
		title = mem_strndup(text + 1, strcspn(text + 1, "]"));
		reader->section = title;
	} else if (*text != '#' && *text != ';') {
		reader->section = before;
		key = continues ? mem_strdup(reader->lines[reader->count - 1].name)
		    : text[name] == '=' && (odd->column == 0 || odd->column > name)
		    ? trimmed(text, name)
		    : NULL;
		reader->key = key != NULL && *key != '\0' ? key : NULL;
	}
	if (len > MAX_LINE)
		error_at(reader, number,
		    "the line has %zu bytes, more than the %u that are allowed: shorten it, or continue it in an indented line",
		    len, MAX_LINE);
	if (odd->column > 0)
		report_odd(reader, odd, number);
	reader->section = title != NULL ? NULL : before;
	reader->key = NULL;
	free(key);
	free(title);
}

/* line[len] may be overwritten. */
static void
read_line(struct reader *reader, char *line, size_t len, uint32_t number)
{
	const char *first = line + strspn(line, BLANKS);
	bool is_section = *first == '[' && (first == line || reader->open == NOTHING);
	size_t whole = len;

	reader->section = is_section ? NULL : reader->title;
	if (len > 0 && line[len - 1] == '\r') {
		if (!reader->saw_crlf)
			error_at(reader, number,
			    "the line ends in CR LF, as on Windows; lines here end in LF alone (sed -i 's/\\r$//' %s)",
			    reader->file->name);
		reader->saw_crlf = true;
		whole = --len;
	}
	if (len > MAX_LINE)
		len = LONG_HEAD;
	struct odd odd = make_text(line, len);
	while (len > 0 && strchr(BLANKS, line[len - 1]) != NULL)
		len--;
	line[len] = '\0';
	const char *text = line + strspn(line, BLANKS);
	bool continues = text > line && reader->open != NOTHING;
	bool bad = whole > MAX_LINE || odd.column > 0;
	if (bad)
		report_line(reader, text, continues && reader->open == VALUE, &odd, whole, number);
	if (*text == '\0' || *text == '#' || *text == ';')
		return;
	if (continues)
		read_continuation(reader, text, number, bad);
	else if (*text == '[')
		read_section(reader, text, number, bad);
	else
		read_pair(reader, text, number, bad);
}

/* The length of a byte order mark that ends the reading (UTF-16) or is skipped; told either way. */
static bool
check_start(struct reader *reader, char **text, size_t *len)
{
	if (*len >= 2 && (memcmp(*text, "\xff\xfe", 2) == 0 || memcmp(*text, "\xfe\xff", 2) == 0)) {
		error_at(
		    reader, 1, "the file is UTF-16; it must be UTF-8 (iconv -f utf16 -t utf8)");
		return false;
	}
	if (*len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
		error_at(reader, 1,
		    "the file begins with a byte order mark, as Windows editors write it (sed -i '1s/^\\xEF\\xBB\\xBF//' %s)",
		    reader->file->name);
		*text += 3;
		*len -= 3;
	}
	return true;
}

static void
read_lines(struct reader *reader, char *text, size_t len)
{
	if (!check_start(reader, &text, &len))
		return;
	for (uint32_t number = 1; len > 0; number++) {
		char *end = memchr(text, '\n', len);
		size_t line_len = end != NULL ? (size_t)(end - text) : len;
		size_t used = end != NULL ? line_len + 1 : len;
		read_line(reader, text, line_len, number);
		text += used;
		len -= used;
	}
}

/* --- inih ----------------------------------------------------------------------------------- */

/* Each section is followed by a key of its own number, so that inih also tells of empty ones. */
static char *
next_stand_in(char *line, int size, void *stream)
{
	struct reader *reader = stream;

	if (reader->next == reader->count)
		return NULL;
	if (reader->lines[reader->next].is_section && !reader->key_next) {
		snprintf(line, (size_t)size, "[s%zu]\n", reader->next);
		reader->key_next = true;
		return line;
	}
	snprintf(line, (size_t)size, "k%zu = v%zu\n", reader->next, reader->next);
	reader->key_next = false;
	reader->next++;
	return line;
}

static void
put_section(struct raw_file *file, struct raw_section *section)
{
	if ((file->count & (file->count - 1)) == 0)
		file->sections = mem_grow(file->sections, file->count > 0 ? file->count * 2 : 1,
		    sizeof(struct raw_section *));
	section->number = (uint32_t)file->count;
	file->sections[file->count++] = section;
}

struct raw_section *
raw_add_section(struct raw_file *file, char *title)
{
	struct raw_section *section = mem_zalloc(1, sizeof *section);

	*section = (struct raw_section){ .file = file->name, .title = title };
	put_section(file, section);
	return section;
}

static void
add_section(struct raw_file *file, struct logical *logical)
{
	struct raw_section *section = raw_add_section(file, logical->name);

	section->line = logical->line;
	section->broken = logical->bad;
	logical->name = NULL;
}

struct raw_entry *
raw_add_entry(struct raw_section *section, char *key, char *value)
{
	struct raw_entry *entry = mem_zalloc(1, sizeof *entry);

	*entry = (struct raw_entry){ .section = section, .key = key, .value = value };
	if ((section->count & (section->count - 1)) == 0)
		section->entries = mem_grow(section->entries,
		    section->count > 0 ? section->count * 2 : 1, sizeof(struct raw_entry *));
	section->entries[section->count++] = entry;
	return entry;
}

static void
add_entry(struct raw_section *section, struct logical *logical)
{
	char *value = logical->value.data != NULL ? logical->value.data : mem_strdup("");
	struct raw_entry *entry = raw_add_entry(section, logical->name, value);

	entry->line = logical->line;
	entry->reported = logical->bad;
	logical->name = NULL;
	logical->value = (struct buf){ 0 };
}

#if INI_HANDLER_LINENO
static int
take_stand_in(void *user, const char *section, const char *name, const char *value, int line)
#else
static int
take_stand_in(void *user, const char *section, const char *name, const char *value)
#endif
{
	struct reader *reader = user;
	int64_t index;

	(void)section;
	(void)value;
#if INI_HANDLER_LINENO
	(void)line;
#endif
	if (name == NULL) /* a build that tells of new sections by itself */
		return 1;
	if (str_to_int64(name + 1, 0, (int64_t)reader->count - 1, &index) != 0)
		return 0;
	struct logical *logical = &reader->lines[index];
	if (logical->is_section)
		add_section(reader->file, logical);
	else
		add_entry(reader->file->sections[reader->file->count - 1], logical);
	return 1;
}

struct raw_file *
raw_new(const char *name)
{
	struct raw_file *file = mem_zalloc(1, sizeof *file);

	file->name = mem_strdup(name);
	return file;
}

struct raw_file *
raw_parse(const char *name, char *text, size_t len, struct diag *diag)
{
	struct raw_file *file = raw_new(name);
	struct reader reader = { .diag = diag, .file = file };

	read_lines(&reader, text, len);
	if (ini_parse_stream(next_stand_in, &reader, take_stand_in, &reader) != 0)
		error_at(&reader, 0, "inih cannot read what it was given");
	for (size_t i = 0; i < reader.count; i++) {
		free(reader.lines[i].name);
		buf_free(&reader.lines[i].value);
	}
	free(reader.lines);
	return file;
}

struct raw_file *
raw_read(const char *path, const char *because, struct diag *diag)
{
	size_t len = 0;
	char *text = source_read(path, because, diag, &len);
	/* source_read leaves room for the final NUL of the last line. */
	struct raw_file *file = raw_parse(path, text, text != NULL ? len : 0, diag);

	file->size = len;
	free(text);
	return file;
}

void
raw_append(struct raw_file *all, struct raw_file **file)
{
	for (size_t i = 0; i < (*file)->count; i++)
		put_section(all, (*file)->sections[i]);
	if ((all->other_count & (all->other_count - 1)) == 0)
		all->others = mem_grow(
		    all->others, all->other_count > 0 ? all->other_count * 2 : 1, sizeof(char *));
	all->others[all->other_count++] = (*file)->name;
	all->size += (*file)->size;
	(*file)->name = NULL;
	(*file)->count = 0;
	raw_free(file);
}

static void
free_section(struct raw_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		free(section->entries[i]->key);
		free(section->entries[i]->value);
		free(section->entries[i]);
	}
	free(section->entries);
	free(section->title);
	free(section);
}

void
raw_free(struct raw_file **file)
{
	if (*file == NULL)
		return;
	for (size_t i = 0; i < (*file)->count; i++)
		free_section((*file)->sections[i]);
	for (size_t i = 0; i < (*file)->other_count; i++)
		free((*file)->others[i]);
	free((*file)->others);
	free((*file)->sections);
	free((*file)->name);
	free(*file);
	*file = NULL;
}

/* --- messages ------------------------------------------------------------------------------- */

char *
raw_there(const struct raw_section *section, const struct raw_section *other, uint32_t line)
{
	return section->file == other->file ? mem_printf("line %u", line)
					    : mem_printf("%s:%u", other->file, line);
}

struct diag_where
raw_where(const struct raw_entry *entry)
{
	return (struct diag_where){
		.file = entry->section->file,
		.line = entry->line,
		/* of a command line only the key was written */
		.section = entry->line > 0 ? entry->section->title : NULL,
		.key = entry->key,
	};
}

void
raw_section_error(struct raw_section *section, struct diag *diag, const char *format, ...)
{
	const struct diag_where where = {
		.file = section->file, .line = section->line, .section = section->title
	};
	va_list args;

	if (section->broken)
		return;
	section->broken = true;
	va_start(args, format);
	diag_error_v(diag, &where, format, args);
	va_end(args);
}

void
raw_entry_error(struct raw_entry *entry, struct diag *diag, const char *format, ...)
{
	const struct diag_where where = raw_where(entry);
	va_list args;

	if (entry->reported)
		return;
	entry->reported = true;
	va_start(args, format);
	diag_error_v(diag, &where, format, args);
	va_end(args);
}
