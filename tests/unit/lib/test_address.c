#include "lib/address.h"

#include "lib/str.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct address
good(const char *text)
{
	struct address address;
	const char *problem = address_read(text, &address);

	if (problem != NULL)
		fail_msg("\"%s\" %s", text, problem);
	return address;
}

static void
test_inet(void **state)
{
	struct address address = good("tcp:127.0.0.1:8080");
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(address.kind, ADDRESS_TCP);
	assert_int_equal(address.family, AF_INET);
	assert_int_equal(address.port, 8080);
	assert_string_equal(inet_ntop(AF_INET, address.ip, text, sizeof text), "127.0.0.1");
	address = good("udp:[fe80::1:2]:65535");
	assert_int_equal(address.kind, ADDRESS_UDP);
	assert_int_equal(address.family, AF_INET6);
	assert_int_equal(address.port, 65535);
	assert_string_equal(inet_ntop(AF_INET6, address.ip, text, sizeof text), "fe80::1:2");
	address = good("tcp:1");
	assert_int_equal(address.family, AF_UNSPEC);
	assert_int_equal(address.port, 1);
	address = good("tcp::80");
	assert_int_equal(address.family, AF_UNSPEC);
}

static void
test_unix(void **state)
{
	struct address address = good("unix:/run/a.sock");

	(void)state;
	assert_int_equal(address.kind, ADDRESS_UNIX);
	assert_string_equal(address.path, "/run/a.sock");
	assert_int_equal(address.mode, 0660);
	assert_string_equal(address.user, "");
	address = good("unix:/a:0604:www-data:adm");
	assert_int_equal(address.mode, 0604);
	assert_string_equal(address.user, "www-data");
	assert_string_equal(address.group, "adm");
	address = good("unix:/a::33");
	assert_int_equal(address.mode, 0660);
	assert_string_equal(address.user, "33");
	address = good("unix:/a:777::0");
	assert_int_equal(address.mode, 0777);
	assert_string_equal(address.user, "");
	assert_string_equal(address.group, "0");
}

/* As long as it may be, and one more. */
static void
test_path_length(void **state)
{
	char text[128] = "unix:/";
	struct address address;

	(void)state;
	memset(text + 6, 'x', 106);
	assert_null(address_read(text, &address));
	assert_int_equal(strlen(address.path), 107);
	strcat(text, "x");
	assert_non_null(address_read(text, &address));
}

static void
test_wrong(void **state)
{
	static const char *const wrong[] = { "", "tcp", "tcp:", "tcp::", "tcp:0", "tcp:65536",
		"tcp:80x", "tcp:+80", "tcp: 80", "tcp:-1", "tcp:localhost:80", "tcp:*:80",
		"tcp:1.2.3:80", "tcp:1.2.3.4.5:80", "tcp:::1:80", "tcp:[::1]", "tcp:[::1]80",
		"tcp:[::1:80", "tcp:::1]:80", "tcp:[]:80", "tcp:[127.0.0.1]:80", "tcp:[::1%lo]:80",
		"TCP:80", "sctp:80", "80", "/run/x", "unix:", "unix:x", "unix:/", "unix:/x/",
		"unix:/x:8", "unix:/x:1000", "unix:/x:00000", "unix:/x:rw", "unix:/x:0600:a:b:c",
		"unix:/a b", "unix:/a\"", "unix:/a\\", "unix:/a\t", "unix:@abstract",
		"tcp:[1111111111111111111111111111111111111111111111111111]:80",
		"unix:/x:0600:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (address_read(wrong[i], &address) == NULL)
			fail_msg("\"%s\" is taken for an address", wrong[i]);
}

static bool
overlap(const char *a, const char *b)
{
	struct address one = good(a), other = good(b);

	assert_int_equal(address_overlaps(&one, &other), address_overlaps(&other, &one));
	return address_overlaps(&one, &other);
}

static void
test_overlaps(void **state)
{
	(void)state;
	assert_true(overlap("tcp:80", "tcp:80"));
	assert_true(overlap("tcp:80", "tcp:127.0.0.1:80"));
	assert_true(overlap("tcp:80", "tcp:[::1]:80"));
	assert_true(overlap("tcp:0.0.0.0:80", "tcp:127.0.0.1:80"));
	assert_true(overlap("tcp:[::]:80", "tcp:[::1]:80"));
	assert_true(overlap("tcp:[::1]:80", "tcp:[0::1]:80"));
	assert_true(overlap("unix:/a", "unix:/a:0666"));
	assert_false(overlap("tcp:80", "udp:80"));
	assert_false(overlap("tcp:80", "tcp:81"));
	assert_false(overlap("tcp:0.0.0.0:80", "tcp:[::]:80"));
	assert_false(overlap("tcp:127.0.0.1:80", "tcp:127.0.0.2:80"));
	assert_false(overlap("unix:/a", "unix:/b"));
	assert_false(overlap("unix:/a", "tcp:80"));
}

static uint64_t
hash(const char *text)
{
	struct address address = good(text);

	return address_hash(&address);
}

static void
test_hash(void **state)
{
	static const char *const different[] = { "tcp:80", "tcp:81", "udp:80", "tcp:0.0.0.0:80",
		"tcp:[::]:80", "tcp:[::1]:80", "tcp:127.0.0.1:80", "unix:/a", "unix:/b" };

	(void)state;
	assert_true(hash("unix:/a") == hash("unix:/a:0666:root"));
	assert_true(hash("tcp:[::1]:80") == hash("tcp:[0:0::1]:80"));
	for (size_t i = 0; i < sizeof different / sizeof different[0]; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(hash(different[i]) != hash(different[k]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inet),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
