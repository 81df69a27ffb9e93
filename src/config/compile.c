#include "config/compile.h"

#include "config/build.h"
#include "config/check.h"
#include "config/daemon.h"
#include "config/dump.h"
#include "config/given.h"
#include "config/identity.h"
#include "config/include.h"
#include "config/inherit.h"
#include "config/manual.h"
#include "config/present.h"
#include "config/product.h"
#include "config/rights.h"
#include "lib/fd.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: coppice-engine compile (--product FD | --check | --dump) [--container | --machine]\n"
    "           (-c FILE | [--set KEY=VALUE]... -- COMMAND [ARGUMENT]...)\n"
    "       coppice-engine compile --keys | --example\n";

struct request {
	const char *file;
	char **given; /* instead of a file (given.h); NULL: there is one */
	int product;  /* -1: not asked for */
	bool check, dump;
	void (*manual)(struct buf *out); /* prints it; NULL: not asked for */
	enum build_mode mode;
};

/* Of a text for people; when not even that can be written nobody is there to be told. */
static void
say(int fd, const char *text, size_t len)
{
	(void)fd_write_all(fd, text, len);
}

static bool
read_product(const char *text, struct request *request)
{
	int64_t fd;

	if (text == NULL || str_to_int64(text, 0, INT_MAX, &fd) != 0 || fcntl((int)fd, F_GETFD) < 0)
		return false;
	request->product = (int)fd;
	return true;
}

static bool
read_arguments(char **argv, struct request *request)
{
	for (char **arg = argv + 1; *arg != NULL; arg++) {
		if (str_equal(*arg, "--set") || str_equal(*arg, "--")) {
			request->given = arg;
			break;
		}
		if (str_equal(*arg, "-c") && arg[1] != NULL)
			request->file = *++arg;
		else if (str_equal(*arg, "--check"))
			request->check = true;
		else if (str_equal(*arg, "--dump"))
			request->dump = true;
		else if (str_equal(*arg, "--keys"))
			request->manual = manual_keys;
		else if (str_equal(*arg, "--example"))
			request->manual = manual_example;
		else if (str_equal(*arg, "--container"))
			request->mode = BUILD_CONTAINER;
		else if (str_equal(*arg, "--machine"))
			request->mode = BUILD_MACHINE;
		else if (!str_equal(*arg, "--product") || !read_product(arg[1], request))
			return false;
		else
			arg++;
	}
	bool manual = request->manual != NULL;

	return (request->product >= 0) + request->check + request->dump + manual == 1 &&
	    (request->file != NULL) + (request->given != NULL) <= 1 &&
	    (request->file != NULL || request->given != NULL || manual) &&
	    (request->given == NULL || given_problem(request->given) == NULL);
}

static int
print_manual(void print(struct buf *))
{
	struct buf out = { 0 };

	print(&out);
	int error = out.failed ? -ENOMEM : fd_write_all(STDOUT_FILENO, out.data, out.len);
	buf_free(&out);
	return error == 0 ? EX_OK : EX_OSERR;
}

/* "1 supervisor with the root, 12 children": nodes, as the tree will have them. */
static void
put_counts(const struct build *build, struct buf *out)
{
	uint64_t supervisors = 0, children = 0;

	for (size_t i = 0; i < build->count; i++) {
		if (build->places[i]->kind == KIND_CHILD)
			children += build_nodes(build->places[i]);
		else
			supervisors++;
	}
	buf_printf(out, "%" PRIu64 " supervisor%s with the root, %" PRIu64 " child%s", supervisors,
	    supervisors == 1 ? "" : "s", children, children == 1 ? "" : "ren");
}

/* The configuration is good: says so or hands it over. */
static int
finish(const struct request *request, const struct build *build,
    const struct daemon_settings *settings)
{
	struct buf out = { 0 };
	char *problem = NULL;
	int fd = STDOUT_FILENO;

	if (request->dump) {
		problem = dump_write(build, settings, &out);
	} else if (request->check) {
		diag_put(&out, request->given != NULL ? "coppiced" : request->file);
		buf_puts(&out, ": OK: ");
		put_counts(build, &out);
		buf_puts(&out, "\n");
	} else {
		product_write(build, settings, &out);
		fd = request->product;
	}
	int error = problem != NULL ? -EFBIG
	    : out.failed            ? -ENOMEM
				    : fd_write_all(fd, out.data, out.len);
	if (error != 0)
		fprintf(stderr, "coppice-engine compile: the result cannot be written: %s\n",
		    problem != NULL ? problem : strerror(-error));
	free(problem);
	buf_free(&out);
	return error == 0 ? EX_OK : EX_OSERR;
}

static int
run(const struct request *request)
{
	struct diag *diag = diag_new();
	struct raw_file *file = request->given != NULL ? given_read(request->given, diag)
						       : include_read(request->file, diag);
	/* A command line is a container's, wherever it stands. */
	enum build_mode mode = request->given != NULL && request->mode == BUILD_SERVICE
	    ? BUILD_CONTAINER
	    : request->mode;
	struct build *build = build_new(file, mode, diag);
	struct daemon_settings settings;
	struct buf messages = { 0 };
	char *unwritable =
	    request->dump && request->given != NULL ? given_unwritable(request->given) : NULL;
	int status = EX_CONFIG;

	inherit_all(build);
	daemon_read(build, &settings);
	identity_all(build);
	check_all(build);
	if (request->check) {
		present_check(build);
		rights_check(build);
	}
	diag_print(diag, &messages);
	if (messages.len > 0)
		say(STDERR_FILENO, messages.data, messages.len);
	if (unwritable != NULL)
		fprintf(stderr, "coppiced: %s\n", unwritable);
	else if (diag_errors(diag) == 0)
		status = finish(request, build, &settings);
	free(unwritable);
	buf_free(&messages);
	daemon_free(&settings);
	build_free(&build);
	raw_free(&file);
	diag_free(&diag);
	return status;
}

int
compile_main(int argc, char **argv)
{
	struct request request = { .product = -1, .mode = BUILD_SERVICE };

	(void)argc; /* argv ends in NULL */
	if (!read_arguments(argv, &request)) {
		say(STDERR_FILENO, usage, sizeof usage - 1);
		return EX_USAGE;
	}
	return request.manual != NULL ? print_manual(request.manual) : run(&request);
}
