#include "engine/load.h"

#include "config/compile.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/span.h"
#include "lib/str.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define TIME_LIMIT_MS 10000
#define VERSION       2 /* of the product */

/* ---- running compile ---- */

/*
 * The child is a copy of us and not executed anew, which would cost a millisecond: we are small and
 * have no threads yet. It keeps PIPE blocked, for the daemon starts also where nobody reads its
 * warnings any more. 0 or a negative errno.
 */
static int
start(pid_t *pid, int argc, char **argv)
{
	log_flush();
	*pid = fork();
	if (*pid < 0)
		return -errno;
	if (*pid > 0)
		return 0;
	(void)setsid();
	(void)prctl(PR_SET_NAME, "coppice-compile"); /* for ps; nothing depends on it */
	exit(compile_main(argc, argv));
}

/*
 * Waits for the process's end, at most so long; then kills it. Its wait status, or -1 when it had
 * to be killed.
 */
static int
wait_for(pid_t pid)
{
	mono_ms deadline = span_after(span_mono_now(), TIME_LIMIT_MS);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = 0;
	bool late = false;

	while (pidfd >= 0) {
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		mono_ms left = deadline - span_mono_now();
		int n = poll(&ended, 1, left > 0 ? (int)left : 0);
		if (n > 0 || (n < 0 && errno != EINTR))
			break;
		if (n == 0) {
			late = true;
			(void)kill(
			    pid, SIGKILL); /* our own child, not waited for yet: it is there */
			break;
		}
	}
	if (pidfd >= 0)
		fd_close(&pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -1 : status;
}

/* What the daemon exits with, 0 when there is a product. */
static int
judge(int status)
{
	if (status == -1)
		log_line(NULL, "reading the configuration took more than 10 s and was given up");
	else if (WIFSIGNALED(status))
		log_line(
		    NULL, "reading the configuration was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_CONFIG)
		return WEXITSTATUS(status);
	else
		log_line(
		    NULL, "reading the configuration ended with status %d", WEXITSTATUS(status));
	return EX_OSERR;
}

/* Whether all there is to read is a command: no file, no value, no name that somebody has to look up. */
static bool
is_plain_command(char *const *given)
{
	return str_equal(given[0], "--");
}

int
load_compile(char *const *given, enum link_mode mode, int *status)
{
	char number[16], role[] = "compile", product[] = "--product";
	char container[] = "--container", machine[] = "--machine";
	int count = 0, argc = 0, error, fd = memfd_create("coppice-specs", MFD_CLOEXEC);
	char **argv;
	pid_t pid = -1;

	while (given[count])
		count++;
	argv = calloc((size_t)count + 5, sizeof(*argv));
	(void)snprintf(number, sizeof(number), "%d", fd);
	error = fd < 0 ? -errno : argv == NULL ? -ENOMEM : 0;
	if (!error && argv != NULL) {
		argv[argc++] = role;
		argv[argc++] = product;
		argv[argc++] = number;
		if (mode != MODE_SERVICE)
			argv[argc++] = mode == MODE_CONTAINER ? container : machine;
		memcpy(argv + argc, given, (size_t)count * sizeof(*argv));
	}
	if (!error && is_plain_command(given)) {
		*status = compile_main(argc + count, argv);
		goto out;
	}
	if (!error)
		error = start(&pid, argc + count, argv);
	if (error)
		log_line(NULL, "cannot run the compile role: %s", strerror(-error));
	*status = error ? EX_OSERR : judge(wait_for(pid));
out:
	if (*status)
		fd_close(&fd);
	free(argv);
	return fd;
}

/* ---- its product ---- */

/* The first line: which version, and the daemon's settings. */
static int
read_first(struct load_product *product, const char **problem)
{
	const char *end = memchr(product->text, '\n', product->size);
	size_t len = end ? (size_t)(end - product->text) : product->size;
	json_error_t error;
	json_t *first = json_loadb(product->text, len, 0, &error);
	int result = -EINVAL;

	if (!first) {
		*problem = "the specs are no JSON";
	} else if (json_integer_value(json_object_get(first, "version")) != VERSION) {
		*problem = "the specs are of another version";
	} else {
		product->coppice = json_incref(json_object_get(first, "coppice"));
		product->nodes_at = end ? len + 1 : len;
		result = 0;
	}
	json_decref(first);
	return result;
}

int
load_read(struct load_product *product, int fd, const char **problem)
{
	struct stat st;
	int error;

	memset(product, 0, sizeof(*product));
	*problem = "the specs cannot be read";
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0)
		return -EINVAL;
	product->text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (product->text == MAP_FAILED) {
		product->text = NULL;
		return -errno;
	}
	product->size = (size_t)st.st_size;
	error = read_first(product, problem);
	if (error)
		load_release(product);
	return error;
}

void
load_release(struct load_product *product)
{
	json_decref(product->coppice);
	if (product->text)
		(void)munmap(product->text, product->size);
	memset(product, 0, sizeof(*product));
	(void)malloc_trim(0);
}

json_t *
load_place(int specs, const struct place *place)
{
	char *line = malloc(place->specs_len);
	json_t *object = NULL;
	ssize_t got = -1;

	if (line)
		got = pread(specs, line, place->specs_len, (off_t)place->specs_at);
	if (got == (ssize_t)place->specs_len)
		object = json_loadb(line, place->specs_len, 0, NULL);
	free(line);
	return object;
}
