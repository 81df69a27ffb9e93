/*
 * include = …: which files are taken together, in which order, and what is wrong with them. A test
 * writes files "NAME: text" into a directory of its own.
 */
#include "config/include.h"

#include "config/build.h"
#include "config/inherit.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char dir[64]; /* where the test's files are, and what it runs in */
};

static int
setup(void **state)
{
	static struct place place;

	strcpy(place.dir, "/tmp/coppice-test-include-XXXXXX");
	*state = &place;
	return mkdtemp(place.dir) == NULL || chdir(place.dir) != 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	const struct place *place = *state;

	(void)chmod(place->dir, 0700);
	return chdir("/") != 0 || nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

/* Directories are made as needed. */
static void
put(const char *name, const char *text)
{
	char *path = mem_strdup(name);

	for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
	free(path);
}

/* Reads and builds, and leaves the messages in out, the titles in titles, separated by spaces. */
static void
compile(const char *path, struct buf *out, struct buf *titles)
{
	struct diag *diag = diag_new();
	struct raw_file *file = include_read(path, diag);
	struct build *build = build_new(file, BUILD_SERVICE, diag);

	inherit_all(build);
	buf_puts(out, "");
	diag_print(diag, out);
	buf_puts(titles, "");
	for (size_t i = 0; i < file->count; i++)
		buf_printf(titles, "%s%s:%u:%s", i > 0 ? " " : "", file->sections[i]->file,
		    file->sections[i]->line, file->sections[i]->title);
	build_free(&build);
	raw_free(&file);
	diag_free(&diag);
}

static void
expect(const char *path, const char *messages, const char *titles)
{
	struct buf out = { 0 }, got = { 0 };

	compile(path, &out, &got);
	if (strcmp(out.data, messages) != 0)
		fail_msg("expected:\n%s\ngot:\n%s", messages, out.data);
	if (titles != NULL && strcmp(got.data, titles) != 0)
		fail_msg("expected: %s\ngot:      %s", titles, got.data);
	buf_free(&out);
	buf_free(&got);
}

/* A file's own sections first, then what it includes, globs in the order given, each in byte order. */
static void
the_order_is_known(void **state)
{
	(void)state;
	put("main.conf",
	    "[coppice]\ninclude = z.conf  conf.d/*.conf\n  none/*.conf\n[child:m]\ncommand = x\n");
	put("z.conf", "[child:z]\ncommand = x\n");
	put("conf.d/b.conf", "[child:b]\ncommand = x\n");
	put("conf.d/B.conf", "[child:B2]\ncommand = x\n[coppice]\ninclude = ../more/?.conf\n");
	put("conf.d/a.conf~", "junk\n");
	put("conf.d/.a.conf", "junk\n");
	put("more/2.conf", "[child:two]\ncommand = x\n");
	put("more/1.conf", "[child:one]\ncommand = x\n");
	expect("main.conf", "",
	    "main.conf:1:coppice main.conf:4:child:m z.conf:1:child:z conf.d/B.conf:1:child:B2 "
	    "conf.d/B.conf:3:coppice conf.d/../more/1.conf:1:child:one "
	    "conf.d/../more/2.conf:1:child:two conf.d/b.conf:1:child:b");
}

/* Whatever the directory is called, from wherever we read, and in the environment's terms too. */
static void
names_are_relative_to_their_file(void **state)
{
	const struct place *place = *state;

	put("odd [a]*\\?/main.conf",
	    "[coppice]\ninclude = x/*.conf ${COPPICE_TEST_DIR}/abs.conf\n");
	put("odd [a]*\\?/x/1.conf", "[child:one]\ncommand = x\n");
	put("abs.conf", "[child:abs]\ncommand = x\n");
	assert_int_equal(setenv("COPPICE_TEST_DIR", place->dir, 1), 0);
	char *titles = mem_printf(
	    "odd [a]*\\?/main.conf:1:coppice odd [a]*\\?/x/1.conf:1:child:one %s/abs.conf:1:child:abs",
	    place->dir);
	expect("odd [a]*\\?/main.conf", "", titles);
	free(titles);
}

static void
a_file_is_read_once(void **state)
{
	(void)state;
	put("main.conf", "[coppice]\ninclude = a.conf *a.conf ./a.conf link.conf sub/*.conf\n");
	put("a.conf", "[child:a]\ncommand = x\n[coppice]\ninclude = common.conf\n");
	put("sub/b.conf", "[child:b]\ncommand = x\n[coppice]\ninclude = ../common.conf\n");
	put("common.conf", "[profile:p]\n[defaults]\nprofile = p\n");
	assert_int_equal(symlink("a.conf", "link.conf"), 0);
	expect("main.conf", "",
	    "main.conf:1:coppice a.conf:1:child:a a.conf:3:coppice common.conf:1:profile:p "
	    "common.conf:2:defaults sub/b.conf:1:child:b sub/b.conf:3:coppice");
}

static void
what_is_not_there_is_said(void **state)
{
	(void)state;
	put("main.conf",
	    "[coppice]\ninclude = gone.conf ok/*.conf ~/x.conf main.conf/x also gone/x.conf\n[child:a]\ncommand = x\n");
	expect("main.conf",
	    "main.conf:2: [coppice] include: there is no file \"gone.conf\": make it or take it out (a pattern such as *.conf may name none)\n"
	    "main.conf:2: [coppice] include: \"~\" is not expanded: write ${HOME}\n"
	    "main.conf:2: [coppice] include: there is no file \"main.conf/x\": make it or take it out (a pattern such as *.conf may name none)\n"
	    "main.conf:2: [coppice] include: there is no file \"also\": make it or take it out (a pattern such as *.conf may name none)\n"
	    "main.conf:2: [coppice] include: there is no file \"gone/x.conf\": make it or take it out (a pattern such as *.conf may name none)\n",
	    NULL);
	put("main.conf",
	    "[coppice]\ninclude = ${COPPICE_TEST_NO_SUCH}/*.conf\n[child:a]\ninclude = x\n");
	expect("main.conf",
	    "main.conf:2: [coppice] include: the daemon's environment has no COPPICE_TEST_NO_SUCH (write ${COPPICE_TEST_NO_SUCH:-default} if it may be missing)\n"
	    "main.conf:4: [child:a] include: this is a key of the daemon: put it into [coppice]\n",
	    NULL);
}

/* FIELD 3: nothing that is no plain file can hold us up; each says why it was taken up at all. */
static void
odd_files_are_refused(void **state)
{
	(void)state;
	put("main.conf", "[coppice]\n\ninclude = d/*\n");
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkdir("d/dir", 0755), 0);
	assert_int_equal(mkfifo("d/fifo", 0644), 0);
	assert_int_equal(symlink("/nowhere", "d/link"), 0);
	assert_int_equal(symlink("/dev/null", "d/null"), 0);
	put("d/huge", "");
	assert_int_equal(truncate("d/huge", (64 << 20) + 1), 0);
	expect("main.conf",
	    "d/dir: is a directory, not a file: name those in it, such as DIRECTORY/*.conf (included in main.conf:3)\n"
	    "d/fifo: is a FIFO, not a file: name a file (included in main.conf:3)\n"
	    "d/huge: is larger than 64 MiB: is this the right file? (included in main.conf:3)\n"
	    "d/link: cannot be read: No such file or directory: make it, or take it out (included in main.conf:3)\n"
	    "d/null: is a character device, not a file: name a file (included in main.conf:3)\n",
	    NULL);
	put("d/huge", "");
	put("main.conf", "[coppice]\ninclude = d/huge d/more\n");
	assert_int_equal(truncate("d/huge", 64 << 10), 0);
	put("d/more", "");
	assert_int_equal(truncate("d/more", 64 << 20), 0);
	struct buf out = { 0 }, titles = { 0 };
	compile("main.conf", &out, &titles);
	assert_non_null(strstr(out.data,
	    "main.conf:2: [coppice] include: \"d/more\" and what follows is not read, for the files would have more than 64 MiB together: leave some out\n"));
	buf_free(&out);
	buf_free(&titles);
}

/* Root runs what these files say: each of them and its directory is looked at. */
static void
files_of_others_are_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();

	put("main.conf", "[coppice]\ninclude = open.conf wide/a.conf theirs.conf\n");
	put("open.conf", "");
	put("wide/a.conf", "");
	put("theirs.conf", "");
	assert_int_equal(chmod("open.conf", 0666), 0);
	assert_int_equal(chmod("wide", 0777), 0);
	assert_int_equal(chown("theirs.conf", 12345, 0), 0);
	struct buf out = { 0 }, titles = { 0 };
	compile("main.conf", &out, &titles);
	assert_non_null(
	    strstr(out.data, "open.conf: is writable by everybody, and root would run"));
	assert_non_null(
	    strstr(out.data, "theirs.conf: belongs to another user, and root would run"));
	assert_non_null(strstr(out.data, "wide/a.conf: its directory "));
	assert_non_null(strstr(out.data, " is writable by everybody, who could replace it"));
	assert_non_null(strstr(out.data, " (included in main.conf:2)\n"));
	buf_free(&out);
	buf_free(&titles);
}

static void
circles_end(void **state)
{
	(void)state;
	put("main.conf", "[coppice]\ninclude = *.conf\n");
	put("b.conf", "[coppice]\ninclude = c.conf\n");
	put("c.conf", "[coppice]\ninclude = ./d.conf\n");
	put("d.conf", "[coppice]\ninclude = b.conf\n");
	expect("main.conf",
	    "./d.conf:2: [coppice] include: files that include each other have no end: ./b.conf → c.conf → ./d.conf → …: take one of these includes out\n"
	    "main.conf:2: [coppice] include: \"main.conf\" is this file itself: take it out\n",
	    NULL);
}

static void
depth_and_number_are_bounded(void **state)
{
	char name[32], text[64];

	(void)state;
	for (int i = 0; i < 18; i++) {
		snprintf(name, sizeof name, "%d.conf", i);
		snprintf(text, sizeof text, "[coppice]\ninclude = %d.conf\n", i + 1);
		put(name, i < 17 ? text : "");
	}
	expect("1.conf", "", NULL);
	expect("0.conf",
	    "16.conf:2: [coppice] include: \"17.conf\" is not read: 17 files include the next already, more than the 16 that are allowed: name it in one of the first\n",
	    NULL);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "many/%d.conf", i);
		put(name, "");
	}
	put("main.conf", "[coppice]\ninclude = many/*.conf\n");
	expect("main.conf",
	    "main.conf:2: [coppice] include: \"many/999.conf\" and what follows is not read, for there are 1000 files already: put more into each\n",
	    "main.conf:1:coppice");
	put("many/1000.conf", "");
	expect("main.conf",
	    "main.conf:2: [coppice] include: \"many/*.conf\" names 1001 files, more than the 1000 that are allowed: put more into each\n",
	    "main.conf:1:coppice");
}

/* What stands twice is an error that names both places; [coppice] and [defaults] are one each. */
static void
sections_of_several_files(void **state)
{
	(void)state;
	put("main.conf",
	    "[coppice]\ninclude = a.conf b.conf\nevent_history = 16\n[defaults]\numask = 001\nstop = KILL\n"
	    "[child:x]\ncommand = x\n[supervisor:/]\n[profile:p]\n[child:y]\ncommand = y\n[defaults]\n");
	put("a.conf",
	    "[coppice]\nlog_dir = /a\n[defaults]\nenv.A = a\numask = 002\n[supervisor:x]\n[child:X]\ncommand = x\n"
	    "[child:y/z]\ncommand = z\n");
	put("b.conf",
	    "[defaults]\nenv.A = b\nprofile = p\n[supervisor:/]\n[profile:p]\n[coppice]\nlog_dir = /b\nlog_dir = /c\n"
	    "event_history = 17\n[coppice]\n");
	expect("main.conf",
	    "a.conf:5: [defaults] umask: set already in main.conf:5: take one of the two away, for the sections [defaults] of all files are one\n"
	    "a.conf:6: [supervisor:x]: \"x\" is declared already, as [child:x] in main.conf:7: give one of them another name\n"
	    "a.conf:9: [child:y/z]: \"y\" is a child (main.conf:11), and only supervisors have something below them: give it another place\n"
	    "b.conf:2: [defaults] env.A: set already in a.conf:4: take one of the two away, for the sections [defaults] of all files are one\n"
	    "b.conf:4: [supervisor:/]: the section is there already, in main.conf:9: put all into one\n"
	    "b.conf:5: [profile:p]: the profile is there already, in main.conf:10: put all into one\n"
	    "b.conf:7: [coppice] log_dir: set already in a.conf:2: take one of the two away, for the sections [coppice] of all files are one\n"
	    "b.conf:8: [coppice] log_dir: set already in line 7: take one of the two away\n"
	    "b.conf:9: [coppice] event_history: set already in main.conf:3: take one of the two away, for the sections [coppice] of all files are one\n"
	    "b.conf:10: [coppice]: the section is there already, in line 6: put all into one\n"
	    "main.conf:13: [defaults]: the section is there already, in line 4: put all into one\n",
	    NULL);
}

/* [defaults] holds for all files, and each value knows the file and line that it is from. */
static void
values_know_their_file(void **state)
{
	struct diag *diag = diag_new();

	(void)state;
	put("main.conf", "[coppice]\ninclude = a.conf b.conf\n[child:m]\ncommand = x\n");
	put("a.conf", "[defaults]\numask = 007\n");
	put("b.conf", "[profile:p]\n\nstop = KILL\n[defaults]\nprofile = p\n");
	struct raw_file *file = include_read("main.conf", diag);
	struct build *build = build_new(file, BUILD_SERVICE, diag);
	inherit_all(build);
	assert_int_equal(diag_errors(diag), 0);
	const struct build_setting *settings = build->places[1]->settings;
	assert_int_equal(settings[KEY_UMASK].value->number, 7);
	assert_string_equal(settings[KEY_UMASK].entry->section->file, "a.conf");
	assert_int_equal(settings[KEY_UMASK].entry->line, 2);
	assert_string_equal(settings[KEY_STOP].entry->section->file, "b.conf");
	assert_int_equal(settings[KEY_STOP].entry->line, 3);
	assert_string_equal(settings[KEY_COMMAND].entry->section->file, "main.conf");
	build_free(&build);
	raw_free(&file);
	diag_free(&diag);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_order_is_known),
		TEST(names_are_relative_to_their_file),
		TEST(a_file_is_read_once),
		TEST(what_is_not_there_is_said),
		TEST(odd_files_are_refused),
		TEST(files_of_others_are_refused),
		TEST(circles_end),
		TEST(depth_and_number_are_bounded),
		TEST(sections_of_several_files),
		TEST(values_know_their_file),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
