/* breakpoints_plot.c - the lower envelope of the plans' lines, drawn. */
#include "viz/breakpoints_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "viz/parts.h"

static const float LEFT = 84, RIGHT = 24, TOP = 56, BOTTOM = 30, SHARES = 84, GAP = 44;
static const dv_colour TEXT = 0x222222, FAINT = 0x6E6E6E, RULE = 0xE2E2DF, GHOST = 0xC9C9C5,
                       CURVE = 0x222222, CORNER = 0xC8102E;
enum { TICKS = 5 };

typedef struct axes {
    const dv_breakpoints_plot *plot;
    dv_scene *scene;
    dv_area curve, shares;
    double low, high, least_us, most_us;
    bool logarithmic;
} axes;

static float at_cost(const axes *a, double value)
{
    double part = a->logarithmic ? log(value / a->low) / log(a->high / a->low)
                                 : (value - a->low) / (a->high - a->low);
    return a->curve.x + (float)part * a->curve.w;
}

static double cost_at(const axes *a, float x)
{
    double part = (double)((x - a->curve.x) / a->curve.w);
    return a->logarithmic ? a->low * pow(a->high / a->low, part)
                          : a->low + part * (a->high - a->low);
}

static float at_us(const axes *a, double us)
{
    double part = (us - a->least_us) / (a->most_us - a->least_us);
    return a->curve.y + a->curve.h - (float)part * a->curve.h;
}

/* The line of an interval's plan, inside its interval or beyond. */
static double line_us(const dv_interval *interval, double value)
{
    double slope = (interval->high_us - interval->low_us) / (interval->high - interval->low);
    return interval->low_us + slope * (value - interval->low);
}

/* 1, 2 or 5 times a power of ten, about a TICKS-th of the range. */
static double tick_step(double range)
{
    double step = pow(10.0, floor(log10(range / TICKS)));
    double many = range / TICKS / step;
    return step * (many > 5.0 ? 10.0 : many > 2.0 ? 5.0 : many > 1.0 ? 2.0 : 1.0);
}

static axes axes_of(const dv_breakpoints_plot *plot, dv_scene *scene)
{
    const dv_breakpoints *b = plot->breakpoints;
    axes a = {.plot = plot,
              .scene = scene,
              .low = b->intervals[0].low,
              .high = b->intervals[b->count - 1].high,
              .least_us = b->intervals[0].low_us,
              .most_us = b->intervals[b->count - 1].high_us};
    float height = (float)scene->height, width = (float)scene->width;
    a.logarithmic = a.low > 0.0 && a.high / a.low > 10.0;
    a.shares = (dv_area){LEFT, height - BOTTOM - SHARES, width - LEFT - RIGHT, SHARES};
    a.curve = (dv_area){LEFT, TOP, a.shares.w, a.shares.y - GAP - TOP};
    double air = fmax(0.08 * (a.most_us - a.least_us), 0.01 * a.most_us);
    a.most_us += air > 0.0 ? air : 1.0;
    a.least_us = fmax(0.0, a.least_us - air);
    return a;
}

static const char *spell(const axes *a, double value, char text[DV_FIGURE_MAX])
{
    if (a->plot->is_time)
        return dv_format_us(text, value);
    snprintf(text, DV_FIGURE_MAX, "%.3g", value);
    return text;
}

static void label_centred(dv_scene *scene, float x, float y, dv_colour colour, const char *text)
{
    dv_scene_label(scene, x - dv_label_width(0, text) / 2, y, 0, 0, colour, "%s", text);
}

static void draw_latency_axis(const axes *a)
{
    char text[DV_FIGURE_MAX];
    double step = tick_step(a->most_us - a->least_us);
    for (double us = ceil(a->least_us / step) * step; us <= a->most_us; us += step) {
        float y = at_us(a, us);
        dv_format_us(text, us);
        dv_scene_rectangle(a->scene, a->curve.x, y, a->curve.w, 1, RULE, 0);
        dv_scene_label(a->scene, a->curve.x - 10 - dv_label_width(0, text),
                       y - dv_label_height(0) / 2, 0, 0, FAINT, "%s", text);
    }
}

static void draw_cost_axis(const axes *a)
{
    char text[DV_FIGURE_MAX];
    float y = a->shares.y + a->shares.h + 6;
    if (!a->logarithmic) {
        double step = tick_step(a->high - a->low);
        for (double value = ceil(a->low / step) * step; value <= a->high * (1 + 1e-12);
             value += step)
            label_centred(a->scene, at_cost(a, value), y, FAINT, spell(a, value, text));
        return;
    }
    for (double value = pow(10.0, ceil(log10(a->low) - 1e-9)); value <= a->high * (1 + 1e-9);
         value *= 10.0) {
        float x = at_cost(a, value);
        dv_scene_rectangle(a->scene, x, a->curve.y, 1, a->curve.h, RULE, 0);
        label_centred(a->scene, x, y, FAINT, spell(a, value, text));
    }
}

/* From one pixel column to the next, so that every piece is short on either kind of axis. */
static void draw_line(const axes *a, const dv_interval *interval, double from, double to,
                      dv_colour colour, int weight)
{
    float start = fmaxf(a->curve.x, at_cost(a, from));
    float end = fminf(a->curve.x + a->curve.w, at_cost(a, to));
    for (float x = start; x < end; x += 1.0F) {
        float next = fminf(x + 1.0F, end);
        float y = at_us(a, line_us(interval, cost_at(a, x)));
        float next_y = at_us(a, line_us(interval, cost_at(a, next)));
        for (int i = 0; i < weight; i++)
            dv_scene_line(a->scene, x, y + (float)i, next, next_y + (float)i, colour);
    }
}

static void draw_curve(const axes *a)
{
    const dv_breakpoints *b = a->plot->breakpoints;
    char text[DV_FIGURE_MAX];
    dv_scene_clip(a->scene, a->curve.x, a->curve.y, a->curve.w, a->curve.h);
    for (uint32_t i = 0; i < b->count; i++)
        draw_line(a, &b->intervals[i], a->low, a->high, GHOST, 1);
    for (uint32_t i = 0; i < b->count; i++)
        draw_line(a, &b->intervals[i], b->intervals[i].low, b->intervals[i].high, CURVE, 2);
    dv_scene_clip(a->scene, 0, 0, 0, 0);
    float free_from = 0;
    for (uint32_t i = 1; i < b->count; i++) {
        const dv_interval *right = &b->intervals[i];
        float x = at_cost(a, right->low), y = at_us(a, right->low_us);
        spell(a, right->low, text);
        float half = dv_label_width(0, text) / 2;
        dv_scene_rectangle(a->scene, x, y, 1, a->shares.y - y, CORNER, 0);
        dv_scene_rounded(a->scene, x - 3, y - 3, 7, 7, 3, CORNER, 0);
        if (x - half < free_from)
            continue; /* labels would overlap: the table has all figures */
        float below = a->curve.y + a->curve.h + 14;
        dv_scene_rectangle(a->scene, x - half - 2, below, 2 * half + 4, dv_label_height(0),
                           a->scene->background, 0);
        label_centred(a->scene, x, below, CORNER, text);
        free_from = x + half + 8;
    }
}

/* Computing time of each device under the interval's plan, as a share. */
static void device_shares(const dv_problem *problem, const dv_plan *plan, double *share)
{
    double sum = 0.0;
    for (dv_device_id d = 0; d < problem->device_count; d++)
        share[d] = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        double us = dv_problem_time_us(problem, u, plan->target[u]);
        share[problem->device[plan->target[u]]] += us;
        sum += us;
    }
    for (dv_device_id d = 0; sum > 0.0 && d < problem->device_count; d++)
        share[d] /= sum;
}

static void draw_shares(const axes *a, const dv_device_look *looks, double *share)
{
    const dv_breakpoints *b = a->plot->breakpoints;
    const dv_problem *problem = a->plot->problem;
    for (uint32_t i = 0; i < b->count; i++) {
        float x = at_cost(a, b->intervals[i].low), end = at_cost(a, b->intervals[i].high);
        float y = a->shares.y;
        device_shares(problem, b->intervals[i].plan, share);
        for (dv_device_id d = 0; d < problem->device_count; d++) {
            float h = (float)share[d] * a->shares.h;
            dv_scene_rectangle(a->scene, x, y, fmaxf(end - x, 1), h, looks[d].colour, 0);
            if (h >= dv_label_height(0) && end - x > 90)
                dv_scene_label(a->scene, x + 6, y + h / 2 - dv_label_height(0) / 2, end - x - 8, 0,
                               0x000000, "%s %.0f %%", problem->device_name[d], 100.0 * share[d]);
            y += h;
        }
        if (i > 0)
            dv_scene_rectangle(a->scene, x, a->shares.y, 1, a->shares.h, CORNER, 0);
    }
}

static void draw_legend(const axes *a, const dv_device_look *looks)
{
    const dv_problem *problem = a->plot->problem;
    float x = a->curve.x, y = TOP - 24;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        const char *name = problem->device_name[d];
        dv_scene_rounded(a->scene, x, y + 2, 10, 10, 2, looks[d].colour, 0);
        dv_scene_label(a->scene, x + 15, y, 0, 0, FAINT, "%s", name);
        x += 15 + dv_label_width(0, name) + 16;
    }
    dv_scene_label(a->scene, x + 8, y, a->curve.x + a->curve.w - x - 8, 0, FAINT,
                   "latency over %s%s; below, shares of computing time", a->plot->cost,
                   a->logarithmic ? " (logarithmic)" : "");
}

dv_status dv_breakpoints_draw(const dv_breakpoints_plot *plot, dv_scene *scene)
{
    const dv_problem *problem = plot->problem;
    size_t devices = (size_t)problem->device_count + 1;
    dv_device_look *looks = calloc(devices, sizeof *looks);
    double *share = calloc(devices, sizeof *share);
    if (looks && share && plot->breakpoints->count > 0) {
        axes a = axes_of(plot, scene);
        dv_device_looks(problem->device_name, NULL, problem->device_count, looks);
        dv_scene_label(scene, LEFT, 8, a.curve.w, 1 + DV_BOLD, TEXT, "%s", plot->title);
        draw_legend(&a, looks);
        draw_latency_axis(&a);
        draw_cost_axis(&a);
        draw_curve(&a);
        draw_shares(&a, looks, share);
    }
    bool ok = looks && share && !scene->failed;
    free(looks);
    free(share);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory for a picture");
}
