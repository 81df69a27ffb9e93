/* nearby: what the main thread may execute. */
#include "engine/nearby.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static bool
is_at_hand(const char *first, const char *second)
{
	const char *const commands[] = { first, second, NULL };
	struct nearby nearby;

	nearby_init(&nearby);
	/* twice: the first look may be what brings it into the kernel's memory */
	(void)access(first, F_OK);
	if (second != NULL)
		(void)access(second, F_OK);
	return nearby_command(&nearby, commands);
}

static void
test_what_is_on_our_own_mount(void **state)
{
	(void)state;
	assert_true(is_at_hand("/bin/sh", NULL));
	assert_true(is_at_hand("/no/such/place/sh", "/bin/sh"));
	assert_true(is_at_hand("/no/such/place/sh", NULL));
}

/* /proc stands for what is served by somebody: no disk, another mount. */
static void
test_what_is_elsewhere(void **state)
{
	(void)state;
	assert_false(is_at_hand("/proc/self/status", NULL));
	assert_false(is_at_hand("/proc/self/status", "/bin/sh"));
	assert_false(is_at_hand("/no/such/place/sh", "/proc/self/status"));
}

/* What was near is so for a few seconds, for that node alone; what was not is looked at each time. */
static void
test_what_was_near_a_moment_ago(void **state)
{
	const char *const here[] = { "/bin/sh", NULL };
	const char *const there[] = { "/proc/self/status", NULL };
	struct nearby nearby;

	(void)state;
	nearby_init(&nearby);
	(void)access(here[0], F_OK);
	assert_false(nearby_node(&nearby, 7, 1000, there));
	assert_true(nearby_node(&nearby, 7, 1000, here));
	assert_true(nearby_node(&nearby, 7, 5999, there));
	assert_false(nearby_node(&nearby, 71, 5999, there));
	assert_false(nearby_node(&nearby, 7, 6000, there));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_on_our_own_mount),
		cmocka_unit_test(test_what_is_elsewhere),
		cmocka_unit_test(test_what_was_near_a_moment_ago),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
