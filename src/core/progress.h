/* progress.h - how long work tells of itself: fraction done, incumbents, bounds; and hears "stop".

   The library reports; who draws (a terminal bar, the viewer) decides what to show. */
#ifndef DV_CORE_PROGRESS_H
#define DV_CORE_PROGRESS_H

#include "core/status.h"

typedef struct dv_progress {
    void *context; /* given back to the callbacks; borrowed */
    /* what is going on ("calibrate conv"), and how far in [0, 1], negative if unknown; may be NULL
     */
    void (*step)(void *context, const char *what, double fraction);
    /* a better plan's value, a better proven bound (NAN: unchanged); may be NULL */
    void (*solution)(void *context, double incumbent, double bound);
    /* a message worth a line in a log; may be NULL */
    void (*log)(void *context, const char *line);
    const volatile int *stop; /* non-zero asks the work to end soon; may be NULL */
    /* the seconds on which deadlines are read; NULL: dv_clock_s */
    double (*now_s)(void *context);
} dv_progress;

/* All of these accept a NULL progress. */
void dv_progress_step(const dv_progress *progress, const char *what, double fraction);
void dv_progress_incumbent(const dv_progress *progress, double incumbent);
void dv_progress_bound(const dv_progress *progress, double bound);
void dv_progress_log(const dv_progress *progress, const char *format, ...) DV_PRINTF(2, 3);
bool dv_progress_stopped(const dv_progress *progress);
double dv_progress_now_s(const dv_progress *progress);

/* Is it asked to stop, or past the deadline? Work asks this every millisecond or so. */
bool dv_progress_must_end(const dv_progress *progress, double deadline_s);

/* Says nothing, but hears "stop" and reads the same clock: for work within work. */
dv_progress dv_progress_silent(const dv_progress *progress);

#endif
