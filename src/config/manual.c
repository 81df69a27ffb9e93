#include "config/manual.h"

#include "config/keys.h"
#include "config/value.h"
#include "lib/span.h"
#include "lib/str.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH  80
#define MARGIN "                       " /* of the list: where its texts begin */

/* --- text ----------------------------------------------------------------------------------- */

static size_t
columns(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count +=
		    ((unsigned char)text[i] & 0xc0) != 0x80; /* the first byte of a character */
	return count;
}

/* Appends the words of text, the line having `used` columns already; other lines begin with margin. */
static void
put_wrapped(struct buf *out, size_t used, const char *margin, const char *text)
{
	bool is_first = true;

	while (*text != '\0') {
		size_t len = strcspn(text, " "), wide = columns(text, len);
		if (!is_first && used + 1 + wide > WIDTH) {
			buf_printf(out, "\n%s", margin);
			used = columns(margin, strlen(margin));
		} else if (!is_first) {
			buf_puts(out, " ");
			used++;
		}
		buf_append(out, text, len);
		used += wide;
		is_first = false;
		text += len + strspn(text + len, " ");
	}
	buf_puts(out, "\n");
}

/* --- what a key takes ----------------------------------------------------------------------- */

/* "permanent, transient or temporary" */
static void
put_choices(const struct keys_key *key, struct buf *out)
{
	const char *word = key->choices;

	while (*word != '\0') {
		size_t len = strcspn(word, " ");
		const char *next = word + len + strspn(word + len, " ");
		buf_append(out, word, len);
		if (*next != '\0')
			buf_puts(out, strchr(next, ' ') != NULL ? ", " : " or ");
		word = next;
	}
	if (key->type == TYPE_READY)
		buf_printf(out, ", N from 3 to %d", VALUE_MAX_READY_FD);
}

static void
put_span(const struct keys_key *key, struct buf *out)
{
	char low[SPAN_TEXT_SIZE], high[SPAN_TEXT_SIZE];

	buf_printf(out, "duration from %s to %s%s", span_format(key->min, low),
	    span_format(key->max, high), key->infinite ? ", or infinity" : "");
}

static void
put_limit(const struct keys_key *key, struct buf *out)
{
	switch (key->unit) {
	case UNIT_COUNT:
		if (key->max < KEYS_MAX_LIMIT)
			buf_printf(out, "number from %" PRId64 " to %" PRId64, key->min, key->max);
		else
			buf_puts(out, "number");
		break;
	case UNIT_BYTES: buf_puts(out, "size such as 64K, 10M or 2G"); break;
	case UNIT_SECONDS: buf_puts(out, "duration in whole seconds"); break;
	case UNIT_MICROSECONDS: buf_puts(out, "duration"); break;
	case UNIT_PERCENT: buf_puts(out, "percentage such as 150%"); break;
	}
	buf_puts(out, ", or infinity");
}

static void
put_takes(const struct keys_key *key, struct buf *out)
{
	switch (key->type) {
	case TYPE_TEXT: buf_puts(out, "text"); break;
	case TYPE_COMMAND: buf_puts(out, "words"); break;
	case TYPE_PATH: buf_puts(out, "path"); break;
	case TYPE_DIRECTORY: buf_puts(out, "absolute path"); break;
	case TYPE_INPUT: buf_puts(out, "null, inherit or absolute path"); break;
	case TYPE_OUTPUT: buf_puts(out, "same, inherit, null, file or path with a slash"); break;
	case TYPE_BOOL: buf_puts(out, "yes or no"); break;
	case TYPE_NUMBER:
		buf_printf(out, "number from %" PRId64 " to %" PRId64, key->min, key->max);
		break;
	case TYPE_OCTAL: buf_printf(out, "octal number up to 0%" PRIo64, (uint64_t)key->max); break;
	case TYPE_SPAN: put_span(key, out); break;
	case TYPE_FACTOR:
		buf_printf(
		    out, "number from %" PRId64 " to %" PRId64 ", such as 1.5", key->min, key->max);
		break;
	case TYPE_PERCENT:
		buf_printf(
		    out, "percentage from %" PRId64 "%% to %" PRId64 "%%", key->min, key->max);
		break;
	case TYPE_CHOICE:
	case TYPE_READY: put_choices(key, out); break;
	case TYPE_STOP: buf_puts(out, "signal [duration signal …]"); break;
	case TYPE_EXITS: buf_puts(out, "list such as 0 143 TERM"); break;
	case TYPE_NAME: buf_puts(out, "name"); break;
	case TYPE_NAMES: buf_puts(out, "names"); break;
	case TYPE_ENV_FILE: buf_puts(out, "absolute path, perhaps behind \"-\""); break;
	case TYPE_LIMIT:
	case TYPE_MOST: put_limit(key, out); break;
	case TYPE_CGROUP: buf_puts(out, "none or absolute path"); break;
	case TYPE_CPUS: buf_printf(out, "numbers and ranges from 0 to %d", KEYS_MAX_CPU); break;
	case TYPE_CAPABILITIES: buf_puts(out, "names of capabilities(7)"); break;
	case TYPE_ADDRESSES:
		buf_puts(out,
		    "addresses: tcp:PORT, tcp:ADDRESS:PORT, the same with udp:, or unix:/PATH:MODE:USER:GROUP");
		break;
	}
}

static bool
has_fallback(const struct keys_key *key)
{
	return key->fallback != NULL && *key->fallback != '\0';
}

/* Appends the name, behind `before`, and blanks up to that column. */
static void
put_name(const struct keys_key *key, const char *before, size_t column, struct buf *out)
{
	const char *suffix = keys_is_prefix(key) ? "NAME" : "";
	size_t used = strlen(before) + strlen(key->name) + strlen(suffix);

	buf_printf(out, "%s%s%s", before, key->name, suffix);
	for (; used < column; used++)
		buf_puts(out, " ");
}

/* --- the list ------------------------------------------------------------------------------- */

static void
list_key(const struct keys_key *key, struct buf *out)
{
	struct buf takes = { 0 };

	put_name(key, "  ", sizeof MARGIN - 1, out);
	put_wrapped(out, sizeof MARGIN - 1, MARGIN, key->doc);
	if (key->later) {
		buf_puts(out, MARGIN "= not supported yet\n");
		return;
	}
	buf_puts(&takes, "= ");
	put_takes(key, &takes);
	if (has_fallback(key))
		buf_printf(&takes, "; default %s", key->fallback);
	else
		buf_printf(&takes, "; default: %s", key->otherwise);
	if (key->respawn)
		buf_puts(&takes, "; restarts it");
	buf_puts(out, MARGIN);
	put_wrapped(out, sizeof MARGIN - 1, MARGIN "  ", takes.failed ? "?" : takes.data);
	buf_free(&takes);
}

/* The keys that supervisors share with children, by name alone. */
static void
put_shared(struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct keys_key *key = &keys_table[i];
		if (key->later ||
		    (key->in & (IN_CHILD | IN_SUPERVISOR)) != (IN_CHILD | IN_SUPERVISOR))
			continue;
		buf_printf(out, "%s%s", between, key->name);
		between = ", ";
	}
}

static enum keys_id
end_of(size_t group)
{
	return group + 1 < keys_group_count ? keys_groups[group + 1].first : KEY_COUNT;
}

/* Of which sections a group's keys are. */
static unsigned
in_of(size_t group)
{
	return keys_table[keys_groups[group].first].in;
}

static void
list_part(size_t group, struct buf *out)
{
	struct buf shared = { 0 };

	if (in_of(group) == IN_CHILD) {
		buf_puts(out,
		    "CHILDREN: in [child:PATH]; for several of them in [profile:NAME], in\n"
		    "[defaults], and in [supervisor:PATH] as child.KEY\n");
		return;
	}
	if (in_of(group) == IN_COPPICE) {
		buf_puts(out, "THE DAEMON: in [coppice]\n");
		return;
	}
	buf_puts(out, "SUPERVISORS: in [supervisor:PATH]; the root is [supervisor:/]\n\n");
	buf_puts(&shared, "As members of their own supervisor they have, like children: ");
	put_shared(&shared);
	put_wrapped(out, 0, "", shared.failed ? "?" : shared.data);
	buf_free(&shared);
}

static bool
begins_part(size_t group)
{
	return group == 0 ||
	    (in_of(group) != in_of(group - 1) && !(in_of(group - 1) & in_of(group)));
}

void
manual_keys(struct buf *out)
{
	buf_puts(out,
	    "Keys of the configuration, each with what it takes and its default; more is in\n"
	    "coppice.conf(5). \"Restarts it\": a change needs a restart of the child. \"Not\n"
	    "supported yet\": a later version brings it.\n");
	for (size_t group = 0; group < keys_group_count; group++) {
		bool begins = begins_part(group);
		if (begins) {
			buf_puts(out, "\n");
			list_part(group, out);
		}
		if (in_of(group) & IN_CHILD)
			buf_printf(out, "\n%s\n", keys_groups[group].title);
		else
			buf_puts(out, "\n");
		for (enum keys_id id = keys_groups[group].first; id < end_of(group); id++)
			list_key(&keys_table[id], out);
	}
}

/* --- the example ---------------------------------------------------------------------------- */

static const char example_head[] =
    "# coppice.conf: the programs that coppiced keeps alive. See coppice.conf(5).\n"
    "#\n"
    "# Every key stands here, commented out, with its default, or with an example\n"
    "# where it has none. To change one, take the \"#\" before it away. To see whether\n"
    "# all is well, without starting anything: coppiced --check -c FILE\n"
    "#\n"
    "# A comment stands on a line of its own; an indented line continues the value\n"
    "# before it. This file is made from the table of keys (make etc/coppice.conf).\n";

static const char example_tail[] =
    "\n"
    "# --- a small tree to start with -----------------------------------------------\n"
    "\n"
    "# A group of programs that belong together: when one fails, it and those after\n"
    "# it are restarted.\n"
    "[supervisor:shop]\n"
    "strategy = rest_for_one\n"
    "# for every child below\n"
    "child.env.SHOP = %p\n"
    "\n"
    "# A one-shot: the others start when it has ended well.\n"
    "[child:shop/prepare]\n"
    "command = /bin/sh -c 'echo \"$SHOP: ready\"'\n"
    "ready = exit\n"
    "\n"
    "# Four instances of one program, shop/web@1 to shop/web@4.\n"
    "[child:shop/web]\n"
    "command = /bin/sleep 100%i\n"
    "instances = 4\n"
    "\n"
    "# Not restarted when it ends well.\n"
    "[child:shop/report]\n"
    "command = /bin/sh -c 'while sleep 60; do date; done'\n"
    "restart = transient\n";

static void
show_key(const struct keys_key *key, struct buf *out)
{
	struct buf text = { 0 };

	buf_printf(&text, "%s (", key->doc);
	put_takes(key, &text);
	if (!has_fallback(key))
		buf_printf(&text, "; default: %s", key->otherwise);
	buf_puts(&text, ")");
	buf_puts(out, "# ");
	put_wrapped(out, 2, "# ", text.failed ? "?" : text.data);
	buf_printf(out, "#%s%s = %s\n", key->name, keys_is_prefix(key) ? "TZ" : "",
	    has_fallback(key) ? key->fallback : key->example);
	buf_free(&text);
}

/* Those of a group that nobody can set yet, a line each. */
static void
show_later(size_t group, struct buf *out)
{
	bool is_first = true;

	for (enum keys_id id = keys_groups[group].first; id < end_of(group); id++) {
		const struct keys_key *key = &keys_table[id];
		if (!key->later)
			continue;
		if (is_first)
			buf_puts(out, "# not supported yet:\n");
		is_first = false;
		put_name(key, "#", 22, out);
		buf_printf(out, "%s\n", key->doc);
	}
}

static void
show_group(size_t group, struct buf *out)
{
	for (enum keys_id id = keys_groups[group].first; id < end_of(group); id++)
		if (!keys_table[id].later)
			show_key(&keys_table[id], out);
	show_later(group, out);
}

static void
show_title(const char *title, struct buf *out)
{
	size_t used = strlen("# --- ") + strlen(title) + 1;

	buf_printf(out, "\n# --- %s ", title);
	for (; used < WIDTH - 1; used++)
		buf_puts(out, "-");
	buf_puts(out, "\n");
}

/* The sections of the groups that have these keys. */
static void
show_part(unsigned in, const char *title, const char *section, struct buf *out)
{
	show_title(title, out);
	buf_printf(out, "%s\n", section);
	for (size_t group = 0; group < keys_group_count; group++) {
		if (!(in_of(group) & in) || (in == IN_SUPERVISOR && (in_of(group) & IN_CHILD)))
			continue;
		if (in == IN_CHILD)
			buf_printf(out, "\n# %s\n# %.*s\n", keys_groups[group].title,
			    (int)strlen(keys_groups[group].title),
			    "----------------------------------------");
		show_group(group, out);
	}
}

void
manual_example(struct buf *out)
{
	struct buf shared = { 0 };

	buf_puts(out, example_head);
	show_part(IN_COPPICE, "the daemon itself", "[coppice]", out);
	show_part(
	    IN_CHILD, "values for all children, unless they say otherwise", "[defaults]", out);
	show_part(
	    IN_SUPERVISOR, "the root supervisor; others have the same keys", "[supervisor:/]", out);
	buf_puts(&shared, "others also have, with the defaults of children: ");
	put_shared(&shared);
	buf_puts(out, "# ");
	put_wrapped(out, 2, "# ", shared.failed ? "?" : shared.data);
	buf_free(&shared);
	buf_puts(out, example_tail);
}
