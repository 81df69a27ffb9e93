#include "engine/arguments.h"

#include "lib/fd.h"
#include "lib/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Of no more than the reaper has. */
static int
add_socket(struct arguments *arguments, const char *key, size_t len, int fd)
{
	struct arguments_socket *grown = realloc(
	    arguments->sockets, (arguments->socket_count + 1) * sizeof(*arguments->sockets));

	if (!grown)
		return -ENOMEM;
	arguments->sockets = grown;
	grown += arguments->socket_count++;
	*grown = (struct arguments_socket){ .fd = fd };
	memcpy(grown->key, key, len);
	return fd_set_cloexec(fd, 1);
}

/* KEY=FD. Keys of other versions are closed: they would only be in the way. */
static int
read_store(struct arguments *arguments, const char *text)
{
	const struct {
		const char *key;
		int *fd;
	} known[] = {
		{ LINK_KEY_CHECKPOINT "=", &arguments->checkpoint },
		{ LINK_KEY_SPECS "=", &arguments->specs },
		{ LINK_KEY_CONTROL "=", &arguments->control },
		{ LINK_KEY_CGROUP "=", &arguments->cgroup },
	};
	const char *equals = strchr(text, '=');
	int64_t number;
	int fd;

	if (!equals || str_to_int64(equals + 1, LINK_FD + 1, INT_MAX, &number))
		return -EINVAL;
	fd = (int)number;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_starts(text, known[i].key)) {
			*known[i].fd = fd;
			return fd_set_cloexec(fd, 1);
		}
	if (str_starts(text, LINK_KEY_SOCKET) && equals - text < LINK_KEY_SIZE)
		return add_socket(arguments, text, (size_t)(equals - text), fd);
	fd_close(&fd);
	return 0;
}

/* An option with a value. */
static int
read_pair(struct arguments *arguments, const char *name, const char *value)
{
	int64_t number = 0;
	int error = -EINVAL;

	if (str_equal(name, "--store"))
		return read_store(arguments, value);
	if (str_equal(name, "--link"))
		return str_to_int64(value, LINK_VERSION, LINK_VERSION, &number);
	if (str_equal(name, "--reaper")) {
		error = str_to_int64(value, 1, INT32_MAX, &number);
		arguments->reaper = (int32_t)number;
	} else if (str_equal(name, "--generation")) {
		error = str_to_int64(value, 1, UINT32_MAX, &number);
		arguments->generation = (uint32_t)number;
	} else if (str_equal(name, "--kept")) {
		error = str_to_int64(value, LINK_FD + 1, INT_MAX, &number);
		arguments->kept = error ? -1 : (int)number;
	} else if (str_equal(name, "--files")) {
		/* infinity is printed as a number that no int64_t holds */
		error = str_to_int64(value, 0, INT64_MAX, &number);
		arguments->files = error ? RLIM_INFINITY : (rlim_t)number;
		error = 0;
	}
	return error;
}

int
arguments_read(struct arguments *arguments, int argc, char **argv, const char **problem)
{
	int i = 1;

	*arguments = (struct arguments){ .files = RLIM_INFINITY,
		.checkpoint = -1,
		.specs = -1,
		.control = -1,
		.cgroup = -1,
		.kept = -1 };
	for (; i < argc && !str_equal(argv[i], "--"); i++) {
		*problem = argv[i];
		if (str_equal(argv[i], "--hold"))
			arguments->hold = true;
		else if (str_equal(argv[i], "--terse"))
			arguments->terse = true;
		else if (str_equal(argv[i], "--terminal"))
			arguments->terminal = true;
		else if (i + 1 >= argc || read_pair(arguments, argv[i], argv[i + 1]))
			return -EINVAL;
		else
			i++;
	}
	*problem = "it has to be started by coppiced";
	if (!arguments->reaper || !arguments->generation || i + 2 >= argc)
		return -EINVAL;
	arguments->given = argv + i + 1;
	for (i++; i < argc && str_equal(argv[i], "--set"); i += 2)
		;
	*problem = "a file or a command is expected";
	if (i + 1 < argc && str_equal(argv[i], "--"))
		arguments->command = argv + i + 1;
	else if (i + 1 >= argc || !str_equal(argv[i], "-c"))
		return -EINVAL;
	return 0;
}
