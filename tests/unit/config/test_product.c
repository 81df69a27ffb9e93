/*
 * The compile product, whole, of a rich example; and the compile role's arguments and exit
 * statuses.
 */
#include "compiled.h"

#include "config/compile.h"
#include "config/identity.h"
#include "config/product.h"
#include "lib/fd.h"
#include "lib/mem.h"
#include "lib/str.h"

#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char rich[] = "[coppice]\n"
			   "runtime_dir = /run/shop\n"
			   "control_mode = 0600\n"
			   "operators = 0, 12\n"
			   "  @0 @34\n"
			   "control_group = 0\n"
			   "shutdown_timeout = 2m\n"
			   "log_dir = /logs\n"
			   "[defaults]\n"
			   "stop = TERM 10s KILL\n"
			   "env.TZ = UTC\n"
			   "[supervisor:shop]\n"
			   "strategy = rest_for_one\n"
			   "intensity = 3\n"
			   "period = 2m\n"
			   "restart = temporary\n"
			   "max_starting = 2\n"
			   "start_queue_timeout = 30s\n"
			   "[child:shop/web]\n"
			   "command = /srv/web --port 80%i \"--name=%n\"\n"
			   "instances = 4\n"
			   "restart = transient\n"
			   "success_exit = 0 TERM\n"
			   "no_restart_exit = 78\n"
			   "log = file\n"
			   "log_stderr = file\n"
			   "env.WHO = %p\n"
			   "[child:job]\n"
			   "command = job\n"
			   "ready = exit\n"
			   "start_timeout = infinity\n"
			   "stop = immediate\n"
			   "log_file = jobs/%n.log\n"
			   "log_stderr = null\n";

#define MEMBER                                                                                             \
	"\"restart\": \"%s\", \"significant\": false, \"autostart\": true, \"backoff\": \"exponential\", " \
	"\"backoff_delay\": 100, \"backoff_max\": 30000, \"backoff_factor_milli\": 2000, "                 \
	"\"backoff_jitter_ppm\": 100000, \"stable_after\": 10000"

static const char coppice[] =
    "{\"control_socket\": \"/run/shop/control.sock\", \"control_mode\": 384, \"control_gid\": 0, \"make_runtime_dir\": true, "
    "\"operator_uids\": [0, 12], \"operator_gids\": [0, 34], \"shutdown_timeout\": 120000, \"event_history\": 4096}";
static const char root[] =
    "{\"path\": \"/\", \"kind\": \"supervisor\", " MEMBER
    ", \"strategy\": \"one_for_one\", \"on_limit\": \"backoff\", \"intensity\": 5, \"period\": 60000, "
    "\"auto_shutdown\": \"never\", \"start_order\": \"ordered\", \"stop_order\": \"ordered\", \"max_starting\": 0, "
    "\"start_queue_timeout\": null, \"on_start_failure\": \"retry\", \"settings\": {}}";
static const char shop[] =
    "{\"path\": \"shop\", \"kind\": \"supervisor\", " MEMBER
    ", \"strategy\": \"rest_for_one\", \"on_limit\": \"escalate\", \"intensity\": 3, \"period\": 120000, "
    "\"auto_shutdown\": \"never\", \"start_order\": \"ordered\", \"stop_order\": \"ordered\", \"max_starting\": 2, "
    "\"start_queue_timeout\": 30000, \"on_start_failure\": \"retry\", "
    "\"settings\": {\"strategy\": [\"rest_for_one\", \"t.conf:13\"], \"intensity\": [\"3\", \"t.conf:14\"], "
    "\"period\": [\"2m\", \"t.conf:15\"], \"restart\": [\"temporary\", \"t.conf:16\"], "
    "\"max_starting\": [\"2\", \"t.conf:17\"], \"start_queue_timeout\": [\"30s\", \"t.conf:18\"]}}";
static const char web[] =
    "{\"path\": \"shop/web\", \"kind\": \"child\", \"instances\": 4, " MEMBER
    ", \"ready\": \"spawn\", \"start_timeout\": 10000, \"stop\": [[\"TERM\", 10000], [\"KILL\", null]], "
    "\"stop_group\": false, \"hook_timeout\": 10000, \"kill_mode\": \"tree\", \"success_exit\": [0, \"TERM\"], \"no_restart_exit\": [78], "
    "\"escalate_exit\": [], \"program\": {\"argv\": [\"/srv/web\", \"--port\", \"80\\u0001\", \"--name=web@\\u0001\"], "
    "\"env\": [\"WHO=shop/web@\\u0001\", \"TZ=UTC\", \"COPPICE_PATH=shop/web@\\u0001\", \"COPPICE_INSTANCE=\\u0001\"], \"clear_env\": false, \"directory\": null, \"stdin\": \"null\", "
    "\"log\": \"file\", \"log_file\": \"/logs/shop.web@\\u0001.log\", \"log_stderr\": \"file\", "
    "\"log_stderr_file\": \"/logs/shop.web@\\u0001.err.log\", \"umask\": 18, \"identity\": null}, "
    "\"settings\": {\"command\": [\"/srv/web --port 80%i --name=web@%i\", \"t.conf:20\"], "
    "\"instances\": [\"4\", \"t.conf:21\"], \"restart\": [\"transient\", \"t.conf:22\"], "
    "\"success_exit\": [\"0 TERM\", \"t.conf:23\"], \"no_restart_exit\": [\"78\", \"t.conf:24\"], "
    "\"stop\": [\"TERM 10s KILL\", \"t.conf:10\"], \"log\": [\"file\", \"t.conf:25\"], "
    "\"log_stderr\": [\"file\", \"t.conf:26\"], \"env.WHO\": [\"shop/web@%i\", \"t.conf:27\"], "
    "\"env.TZ\": [\"UTC\", \"t.conf:11\"]}}";
static const char job[] =
    "{\"path\": \"job\", \"kind\": \"child\", \"instances\": null, " MEMBER
    ", \"ready\": \"exit\", \"start_timeout\": null, \"stop\": [[\"KILL\", null]], "
    "\"stop_group\": false, \"hook_timeout\": 10000, \"kill_mode\": \"tree\", \"success_exit\": [0], \"no_restart_exit\": [], "
    "\"escalate_exit\": [], \"program\": {\"argv\": [\"job\"], "
    "\"env\": [\"TZ=UTC\", \"COPPICE_PATH=job\"], \"clear_env\": false, \"directory\": null, \"stdin\": \"null\", "
    "\"log\": \"file\", \"log_file\": \"/logs/jobs/job.log\", \"log_stderr\": \"null\", "
    "\"log_stderr_file\": null, \"umask\": 18, \"identity\": null}, "
    "\"settings\": {\"command\": [\"job\", \"t.conf:29\"], \"ready\": [\"exit\", \"t.conf:30\"], "
    "\"start_timeout\": [\"infinity\", \"t.conf:31\"], \"stop\": [\"KILL\", \"t.conf:32\"], "
    "\"log_file\": [\"jobs/job.log\", \"t.conf:33\"], \"log_stderr\": [\"null\", \"t.conf:34\"], "
    "\"env.TZ\": [\"UTC\", \"t.conf:11\"]}}";

/* The lines, as an array. */
static json_t *
product_of(struct compiled *compiled)
{
	struct buf out = { 0 };
	json_t *lines = json_array();
	json_error_t error;

	assert_int_equal(diag_errors(compiled->diag), 0);
	product_write(compiled->build, &compiled->settings, &out);
	assert_int_equal(out.data[out.len - 1], '\n');
	for (char *line = strtok(out.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
		if (object == NULL)
			fail_msg("column %d: %s: %s", error.column, error.text, line);
		json_array_append_new(lines, object);
	}
	buf_free(&out);
	return lines;
}

/* JSON of the same meaning; order of keys does not matter, an additional key does. */
static void
assert_json(const json_t *actual, const char *text)
{
	json_t *wanted = json_loads(text, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(actual, wanted)) {
		char *got = json_dumps(actual, JSON_SORT_KEYS),
		     *expected = json_dumps(wanted, JSON_SORT_KEYS);
		print_error("expected %s\ngot      %s\n", expected, got);
		free(got);
		free(expected);
	}
	assert_true(json_equal(actual, wanted));
	json_decref(wanted);
}

static void
assert_node(const json_t *nodes, size_t at, const char *format, const char *restart)
{
	const char *mark = strstr(format, "%s");
	struct buf text = { 0 };

	buf_append(&text, format, (size_t)(mark - format));
	buf_printf(&text, "%s%s", restart, mark + 2);
	assert_json(json_array_get(nodes, at), text.data);
	buf_free(&text);
}

static void
test_rich(void **state)
{
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, rich, sizeof rich - 1, BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	json_t *product = product_of(&compiled), *first = json_array_get(product, 0);
	assert_int_equal(json_integer_value(json_object_get(first, "version")), 2);
	assert_json(json_object_get(first, "coppice"), coppice);
	assert_int_equal(json_array_size(product), 5);
	assert_node(product, 1, root, "permanent");
	assert_node(product, 2, shop, "temporary");
	assert_node(product, 3, web, "transient");
	assert_node(product, 4, job, "permanent");
	json_decref(product);
	compiled_free(&compiled);
}

/* --- identities ----------------------------------------------------------------------------- */

static json_t *
first_program(json_t *product)
{
	return json_object_get(json_array_get(product, 2), "program");
}

/* A start as ourselves needs no privilege, but has the user's variables all the same. */
static void
test_own_user(void **state)
{
	const struct passwd *self = getpwuid(geteuid());
	struct compiled compiled;

	(void)state;
	if (self == NULL || self->pw_gid != getegid()) {
		skip();
		return;
	}
	char *text =
	    mem_printf("[child:a]\ncommand = x\nuser = %s\nenv.HOME = /mine\n", self->pw_name);
	compiled_make(&compiled, text, strlen(text), BUILD_SERVICE);
	assert_string_equal(compiled.messages.data, "");
	json_t *product = product_of(&compiled),
	       *env = json_object_get(first_program(product), "env");
	assert_true(json_is_null(json_object_get(first_program(product), "identity")));
	char *user = mem_printf("USER=%s", self->pw_name);
	assert_string_equal(json_string_value(json_array_get(env, 1)), user);
	/* The child's own comes last and so wins. */
	assert_string_equal(json_string_value(json_array_get(env, 4)), "HOME=/mine");
	free(user);
	json_decref(product);
	compiled_free(&compiled);
	free(text);
}

/* Part of the program, by name, where they are set; how long they may take is the core's. */
static void
test_hooks(void **state)
{
	static const char text[] =
	    "[defaults]\npost_stop = clean %n\n"
	    "[child:a]\ncommand = x\ninstances = 2\nhook_timeout = infinity\n"
	    "pre_start = sh -c 'exit %i'\nstop_command = /bin/kill \"$PID\"\n";
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, text, sizeof text - 1, BUILD_SERVICE);
	assert_non_null(strstr(compiled.messages.data,
	    "t.conf:8: warning: [child:a] stop_command: \"$PID\" is passed on as it is"));
	json_t *product = product_of(&compiled), *program = first_program(product);
	assert_json(json_object_get(program, "pre_start"), "[\"sh\", \"-c\", \"exit \\u0001\"]");
	assert_json(json_object_get(program, "stop_command"), "[\"/bin/kill\", \"$PID\"]");
	assert_json(json_object_get(program, "post_stop"), "[\"clean\", \"a@\\u0001\"]");
	assert_true(json_is_null(json_object_get(json_array_get(product, 2), "hook_timeout")));
	json_decref(product);
	compiled_free(&compiled);
}

static void
test_other_user(void **state)
{
	static const char text[] =
	    "[child:a]\ncommand = x\nuser = 54321\ngroup = 54322\ngroups = 7 8\n";
	struct compiled compiled;

	(void)state;
	compiled_make(&compiled, text, sizeof text - 1, BUILD_SERVICE);
	if (geteuid() == 0) {
		json_t *product = product_of(&compiled);
		assert_json(json_object_get(first_program(product), "identity"),
		    "{\"uid\": 54321, \"gid\": 54322, \"groups\": [7, 8], \"home\": \"/\", \"name\": \"54321\", "
		    "\"shell\": \"/bin/sh\"}");
		json_decref(product);
	} else {
		assert_non_null(strstr(
		    compiled.messages.data, "t.conf:3: [child:a] user: the daemon runs as user "));
	}
	compiled_free(&compiled);
}

/* --- the role ------------------------------------------------------------------------------- */

static int
role(const char *const *arguments)
{
	char *argv[8] = { NULL };
	int argc = 0;

	for (; arguments[argc] != NULL; argc++)
		argv[argc] = mem_strdup(arguments[argc]);
	int status = compile_main(argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

/* With stdout and stderr in a pipe each, their text. */
static int
role_says(const char *const *arguments, char *out, size_t out_size, char *err, size_t err_size)
{
	int pipes[2][2], saved[2] = { dup(1), dup(2) };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_true(dup2(pipes[i][1], i + 1) >= 0);
		fd_close(&pipes[i][1]);
	}
	int status = role(arguments);
	for (int i = 0; i < 2; i++) {
		assert_true(dup2(saved[i], i + 1) >= 0);
		fd_close(&saved[i]);
	}
	ssize_t got = fd_read_all(pipes[0][0], out, out_size - 1);
	assert_true(got >= 0);
	out[got] = '\0';
	got = fd_read_all(pipes[1][0], err, err_size - 1);
	assert_true(got >= 0);
	err[got] = '\0';
	fd_close(&pipes[0][0]);
	fd_close(&pipes[1][0]);
	return status;
}

static void
test_role(void **state)
{
	char path[] = "/tmp/coppice-test-product-XXXXXX", out[512], err[512], number[16];
	int fd = mkstemp(path), product = memfd_create("product", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0 && product >= 0);
	const char *check[] = { "compile", "-c", path, "--check", NULL };
	const char *make[] = { "compile", "-c", path, "--product", number, "--container", NULL };
	assert_int_equal(fd_write_all(fd, "[child:a]\ncommand = a # b\n", 26), 0);
	assert_int_equal(role_says(check, out, sizeof out, err, sizeof err), 0);
	assert_non_null(strstr(out, "OK"));
	assert_non_null(strstr(err, ":2: warning: [child:a] command: "));
	snprintf(number, sizeof number, "%d", product);
	assert_int_equal(role_says(make, out, sizeof out, err, sizeof err), 0);
	assert_string_equal(out, "");
	assert_true(lseek(product, 0, SEEK_END) > 500);
	assert_int_equal(fd_write_all(fd, "junk\nmore\n", 10), 0);
	assert_int_equal(role_says(check, out, sizeof out, err, sizeof err), 78);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, ":3: "));
	assert_non_null(strstr(err, ":4: "));
	unlink(path);
	fd_close(&fd);
	fd_close(&product);
}

static void
test_help_keys(void **state)
{
	static const char *const arguments[] = { "compile", "-c", "x", "--keys", NULL };
	static char out[32768];
	char err[512];

	(void)state;
	assert_int_equal(role_says(arguments, out, sizeof out, err, sizeof err), 0);
	assert_non_null(strstr(out, "= duration from 0s to 10000d; default 100ms\n"));
	assert_string_equal(err, "");
}

static void
test_usage(void **state)
{
	static const char *const wrong[][6] = { { "compile" }, { "compile", "--check" },
		{ "compile", "-c" }, { "compile", "-c", "x" },
		{ "compile", "-c", "x", "--product" }, { "compile", "-c", "x", "--product", "99" },
		{ "compile", "-c", "x", "--check", "--dump" },
		{ "compile", "-c", "x", "--check", "--hold" }, { "compile", "--help" } };
	char out[512], err[512];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(role_says(wrong[i], out, sizeof out, err, sizeof err), 64);
		assert_string_equal(out, "");
		assert_string_not_equal(err, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rich),
		cmocka_unit_test(test_own_user),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_other_user),
		cmocka_unit_test(test_role),
		cmocka_unit_test(test_help_keys),
		cmocka_unit_test(test_usage),
	};

	unsetenv("XDG_RUNTIME_DIR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
