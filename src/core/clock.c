/* clock.c - monotonic time. */
#include "core/clock.h"

#include <time.h>

uint64_t dv_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double dv_clock_s(void)
{
    return (double)dv_clock_ns() * 1e-9;
}
