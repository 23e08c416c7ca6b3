/* progress_bar.c - redrawn at most ten times a second, on standard error, and only on a terminal.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/progress_bar.h"
#include "core/clock.h"
#include "core/text.h"

static struct {
    dv_progress progress;
    char what[48];
    double fraction, incumbent, bound;
    uint64_t drawn_ns;
    bool visible, on_screen;
} bar;

static void draw(void)
{
    uint64_t now = dv_clock_ns();
    if (!bar.visible || (bar.on_screen && now - bar.drawn_ns < 100000000))
        return;
    bar.drawn_ns = now;
    bar.on_screen = true;
    char line[200];
    int at = snprintf(line, sizeof line, "%-28.28s", bar.what);
    if (bar.fraction >= 0) {
        enum { CELLS = 24 };
        int full = (int)(fmin(bar.fraction, 1.0) * CELLS);
        char cells[CELLS + 1];
        memset(cells, '.', CELLS);
        memset(cells, '#', (size_t)full);
        cells[CELLS] = '\0';
        at += snprintf(line + at, sizeof line - (size_t)at, " [%s] %3.0f %%", cells,
                       100 * fmin(bar.fraction, 1.0));
    }
    char figure[DV_FIGURE_MAX];
    if (isfinite(bar.incumbent))
        at += snprintf(line + at, sizeof line - (size_t)at, "  best %s",
                       dv_format_us(figure, bar.incumbent));
    if (isfinite(bar.bound))
        snprintf(line + at, sizeof line - (size_t)at, "  bound %s",
                 dv_format_us(figure, bar.bound));
    fprintf(stderr, "\r\033[K%.78s", line);
    fflush(stderr);
}

static void step(void *context, const char *what, double fraction)
{
    (void)context;
    snprintf(bar.what, sizeof bar.what, "%s", what ? what : "");
    bar.fraction = fraction;
    draw();
}

static void solution(void *context, double incumbent, double bound)
{
    (void)context;
    if (!isnan(incumbent))
        bar.incumbent = incumbent;
    if (!isnan(bound))
        bar.bound = bound;
    draw();
}

dv_progress *dv_progress_bar(bool visible, const volatile int *stop)
{
    bar.visible = visible;
    bar.incumbent = bar.bound = NAN;
    bar.fraction = -1;
    bar.progress = (dv_progress){.step = step, .solution = solution, .stop = stop};
    return &bar.progress;
}

void dv_progress_bar_clear(void)
{
    if (bar.on_screen)
        fputs("\r\033[K", stderr);
    bar.on_screen = false;
    bar.incumbent = bar.bound = NAN;
}
