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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_on_our_own_mount),
		cmocka_unit_test(test_what_is_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
