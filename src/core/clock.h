/* clock.h - monotonic time. */
#ifndef DV_CORE_CLOCK_H
#define DV_CORE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC; the same origin in every process of this machine. */
uint64_t dv_clock_ns(void);

/* Seconds of CLOCK_MONOTONIC. */
double dv_clock_s(void);

#endif
