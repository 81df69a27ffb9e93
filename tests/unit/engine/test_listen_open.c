#include "engine/listen_open.h"

#include "reaped.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* unix:NAME in the test's directory, and what stands behind it */
static struct address
unix_address(const char *name, const char *more)
{
	struct address address;
	char text[256];

	snprintf(text, sizeof(text), "unix:%s%s", reaped_path(name), more);
	check(address_read(text, &address) == NULL);
	return address;
}

/* On some port that is free. */
static int
open_free(const char *format, struct address *address)
{
	int fd = -EADDRINUSE;

	for (int port = 20000; fd == -EADDRINUSE && port < 60000; port += 7) {
		char text[64];

		snprintf(text, sizeof(text), "%s%d", format, port);
		check(address_read(text, address) == NULL);
		fd = listen_open(address);
	}
	return fd;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	check(getsockopt(fd, level, name, &value, &size) == 0);
	return value;
}

static void
inet(const void *argument)
{
	struct address address;
	int fd = open_free("tcp:127.0.0.1:", &address);

	(void)argument;
	check(fd >= LISTEN_OPEN_LOWEST);
	check((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	check((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
	check(option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1);
	check(listen_open(&address) == -EADDRINUSE);
	close(fd);
	fd = open_free("udp:127.0.0.1:", &address);
	check(fd >= LISTEN_OPEN_LOWEST);
	check(option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
	check(listen_open(&address) == -EADDRINUSE);
}

static void
test_inet(void **state)
{
	(void)state;
	reaped_run(inet, NULL);
}

/* A machine without IPv6. */
static void
without_ipv6(const void *argument)
{
	struct address address;
	int fd;

	(void)argument;
	reaped_refuse(SYS_socket, 0, AF_INET6, EAFNOSUPPORT);
	fd = open_free("tcp:", &address);
	check(fd >= 0);
	check(option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	check(open_free("tcp:[::1]:", &address) == -EAFNOSUPPORT);
}

static void
test_without_ipv6(void **state)
{
	(void)state;
	reaped_run(without_ipv6, NULL);
}

static void
unix_mode(const void *argument)
{
	struct address address = unix_address("new/deep/s", ":0604");
	int before = reaped_count_fds(), fd;
	struct stat st;

	(void)argument;
	umask(077);
	reaped_refuse(SYS_chmod, REAPED_ANY, 0, EPERM); /* whose path may lead elsewhere by then */
	reaped_refuse(SYS_fchmodat, REAPED_ANY, 0, EPERM);
	fd = listen_open(&address);
	check(fd >= LISTEN_OPEN_LOWEST);
	check(umask(022) == 077);
	check(stat(address.path, &st) == 0 && S_ISSOCK(st.st_mode));
	check((st.st_mode & 07777) == 0604);
	check(stat(reaped_path("new/deep"), &st) == 0 && (st.st_mode & 07777) == 0755);
	close(fd);
	check(reaped_count_fds() == before);
}

static void
test_unix_mode(void **state)
{
	(void)state;
	reaped_run(unix_mode, NULL);
}

/* Nobody's any more: replaced. Somebody's, of whatever type: left alone. */
static void
in_the_way(const void *argument)
{
	struct address address = unix_address("s", "");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = listen_open(&address), before = reaped_count_fds(), other;

	(void)argument;
	check(fd >= 0);
	check(listen_open(&address) == -EADDRINUSE);
	check(reaped_count_fds() == before);
	close(fd);
	fd = listen_open(&address);
	check(fd >= 0);
	check(unlink(address.path) == 0);
	memcpy(to.sun_path, address.path, sizeof(to.sun_path));
	other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(bind(other, (const struct sockaddr *)&to, sizeof(to)) == 0);
	check(listen_open(&address) == -EADDRINUSE);
	check(unlink(address.path) == 0);
	reaped_write(address.path, "x", 1, 0644);
	check(listen_open(&address) == -EEXIST);
	check(unlink(address.path) == 0);
	check(symlink("/nowhere", address.path) == 0);
	check(listen_open(&address) == -EEXIST);
}

static void
test_in_the_way(void **state)
{
	(void)state;
	reaped_run(in_the_way, NULL);
}

/* What cannot be made as it is to be is not left behind. */
static void
fails(const void *argument)
{
	struct address address = unix_address("s", "::12345:23456");
	int before = reaped_count_fds();
	struct stat st;

	(void)argument;
	reaped_refuse(SYS_fchownat, REAPED_ANY, 0, EPERM);
	check(listen_open(&address) == -EPERM);
	check(stat(address.path, &st) != 0 && errno == ENOENT);
	address = unix_address("t", "::nobody");
	check(listen_open(&address) == -EINVAL);
	check(stat(address.path, &st) != 0 && errno == ENOENT);
	address = unix_address("u", "");
	reaped_refuse(SYS_listen, REAPED_ANY, 0, ENOMEM);
	check(listen_open(&address) == -ENOMEM);
	check(stat(address.path, &st) != 0 && errno == ENOENT);
	check(reaped_count_fds() == before);
}

static void
test_fails(void **state)
{
	(void)state;
	reaped_run(fails, NULL);
}

static void
owner(const void *argument)
{
	struct address address = unix_address("s", ":0640:12345:23456");
	struct stat st;

	(void)argument;
	check(listen_open(&address) >= 0);
	check(stat(address.path, &st) == 0);
	check(st.st_uid == 12345 && st.st_gid == 23456 && (st.st_mode & 07777) == 0640);
}

static void
test_owner(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(owner, NULL);
}

/* What somebody else has put there meanwhile is given to nobody. */
static void
changed(const void *argument)
{
	struct address address = unix_address("s", "::12345:23456");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	(void)argument;
	memcpy(to.sun_path, address.path, sizeof(to.sun_path));
	check(bind(other, (const struct sockaddr *)&to, sizeof(to)) == 0);
	close(other);
	check(chown(address.path, 54321, 0) == 0);
	reaped_refuse(SYS_unlink, REAPED_ANY, 0, 0); /* that is, they do nothing */
	reaped_refuse(SYS_bind, REAPED_ANY, 0, 0);
	check(listen_open(&address) == -EEXIST);
	check(stat(address.path, &st) == 0 && st.st_uid == 54321 && st.st_gid == 0);
}

static void
test_changed(void **state)
{
	(void)state;
	reaped_needs_root();
	reaped_run(changed, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inet),
		cmocka_unit_test(test_without_ipv6),
		cmocka_unit_test(test_unix_mode),
		cmocka_unit_test(test_in_the_way),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
