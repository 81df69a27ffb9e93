/* Apart from span.c, which the core uses: the core may not even reach a clock. */
#include "lib/must.h"
#include "lib/span.h"

#include <time.h>

/* Microseconds. */
static int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	must(clock_gettime(clock, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

mono_ms
span_mono_now(void)
{
	return read_clock(CLOCK_MONOTONIC) / 1000;
}

int64_t
span_mono_now_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
span_wall_now_ms(void)
{
	return read_clock(CLOCK_REALTIME) / 1000;
}
