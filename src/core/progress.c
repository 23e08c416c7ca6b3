/* progress.c - telling whoever listens. */
#include "core/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/clock.h"

void dv_progress_step(const dv_progress *progress, const char *what, double fraction)
{
    if (progress && progress->step)
        progress->step(progress->context, what, fraction);
}

void dv_progress_incumbent(const dv_progress *progress, double incumbent)
{
    if (progress && progress->solution)
        progress->solution(progress->context, incumbent, NAN);
}

void dv_progress_bound(const dv_progress *progress, double bound)
{
    if (progress && progress->solution)
        progress->solution(progress->context, NAN, bound);
}

void dv_progress_log(const dv_progress *progress, const char *format, ...)
{
    if (!progress || !progress->log)
        return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    progress->log(progress->context, line);
}

bool dv_progress_stopped(const dv_progress *progress)
{
    return progress && progress->stop && *progress->stop;
}

double dv_progress_now_s(const dv_progress *progress)
{
    return progress && progress->now_s ? progress->now_s(progress->context) : dv_clock_s();
}

bool dv_progress_must_end(const dv_progress *progress, double deadline_s)
{
    return dv_progress_stopped(progress) ||
           (isfinite(deadline_s) && dv_progress_now_s(progress) >= deadline_s);
}

dv_progress dv_progress_silent(const dv_progress *progress)
{
    dv_progress silent = {0};
    if (progress) {
        silent.context = progress->context;
        silent.stop = progress->stop;
        silent.now_s = progress->now_s;
    }
    return silent;
}
