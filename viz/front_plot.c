/* front_plot.c - latency over a second cost, drawn. */
#include "viz/front_plot.h"

#include <math.h>
#include <stdio.h>

#include "core/text.h"
#include "viz/parts.h"

static const float LEFT = 84, RIGHT = 36, TOP = 56, BOTTOM = 40;
static const dv_colour TEXT = 0x222222, FAINT = 0x6E6E6E, RULE = 0xE2E2DF, CURVE = 0x222222,
                       POINT = 0xC8102E;
enum { TICKS = 5 };

typedef struct axes {
    const dv_front_plot *plot;
    dv_scene *scene;
    dv_area area;
    double least, most, least_us, most_us;
} axes;

static float at_amount(const axes *a, double amount)
{
    return a->area.x + (float)((amount - a->least) / (a->most - a->least)) * a->area.w;
}

static float at_us(const axes *a, double us)
{
    double part = (us - a->least_us) / (a->most_us - a->least_us);
    return a->area.y + a->area.h - (float)part * a->area.h;
}

/* 1, 2 or 5 times a power of ten, about a TICKS-th of the range. */
static double tick_step(double range)
{
    double step = pow(10.0, floor(log10(range / TICKS)));
    double many = range / TICKS / step;
    return step * (many > 5.0 ? 10.0 : many > 2.0 ? 5.0 : many > 1.0 ? 2.0 : 1.0);
}

static void widen(double *least, double *most)
{
    double air = fmax(0.06 * (*most - *least), 0.01 * *most);
    air = air > 0.0 ? air : 1.0;
    *least = fmax(0.0, *least - air);
    *most += air;
}

static axes axes_of(const dv_front_plot *plot, dv_scene *scene)
{
    const dv_pareto *front = plot->front;
    const dv_pareto_point *fastest = &front->points[0], *last = &front->points[front->count - 1];
    axes a = {.plot = plot,
              .scene = scene,
              .least = last->amount,
              .most = fastest->amount,
              .least_us = fastest->plan->cost.total_us,
              .most_us = last->plan->cost.total_us};
    a.area = (dv_area){LEFT, TOP, (float)scene->width - LEFT - RIGHT,
                       (float)scene->height - TOP - BOTTOM};
    widen(&a.least, &a.most);
    widen(&a.least_us, &a.most_us);
    return a;
}

static const char *spell(const axes *a, double amount, char text[DV_FIGURE_MAX])
{
    if (a->plot->axis == DV_PARETO_MEMORY)
        return dv_format_bytes(text, amount);
    snprintf(text, DV_FIGURE_MAX, a->plot->axis == DV_PARETO_ENERGY ? "%.6g uJ" : "%.4g", amount);
    return text;
}

static void draw_axes(const axes *a)
{
    char text[DV_FIGURE_MAX];
    double step = tick_step(a->most_us - a->least_us);
    for (double us = ceil(a->least_us / step) * step; us <= a->most_us; us += step) {
        dv_format_us(text, us);
        dv_scene_rectangle(a->scene, a->area.x, at_us(a, us), a->area.w, 1, RULE, 0);
        dv_scene_label(a->scene, a->area.x - 10 - dv_label_width(0, text),
                       at_us(a, us) - dv_label_height(0) / 2, 0, 0, FAINT, "%s", text);
    }
    step = tick_step(a->most - a->least);
    if (a->plot->axis == DV_PARETO_SEGMENTS)
        step = fmax(step, 1.0);
    for (double amount = ceil(a->least / step) * step; amount <= a->most; amount += step) {
        float x = at_amount(a, amount);
        spell(a, amount, text);
        dv_scene_rectangle(a->scene, x, a->area.y, 1, a->area.h, RULE, 0);
        dv_scene_label(a->scene, x - dv_label_width(0, text) / 2, a->area.y + a->area.h + 8, 0, 0,
                       FAINT, "%s", text);
    }
}

/* From each point on, more of the second cost changes nothing until the next faster one. */
static void draw_steps(const axes *a)
{
    const dv_pareto *front = a->plot->front;
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        float x = at_amount(a, point->amount), y = at_us(a, point->plan->cost.total_us);
        float end = i > 0 ? at_amount(a, front->points[i - 1].amount) : a->area.x + a->area.w;
        dv_scene_rectangle(a->scene, x, y, end - x, 2, CURVE, 0);
        if (i > 0) {
            float below = at_us(a, front->points[i - 1].plan->cost.total_us);
            dv_scene_rectangle(a->scene, end, y, 1, below - y, CURVE, 0);
        }
    }
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        float x = at_amount(a, point->amount), y = at_us(a, point->plan->cost.total_us);
        dv_scene_rounded(a->scene, x - 4, y - 3, 9, 9, 4, POINT, 0);
        if (!point->proven)
            dv_scene_rounded(a->scene, x - 2, y - 1, 5, 5, 2, a->scene->background, 0);
    }
}

dv_status dv_front_draw(const dv_front_plot *plot, dv_scene *scene)
{
    static const char *const names[] = {[DV_PARETO_ENERGY] = "energy",
                                        [DV_PARETO_SEGMENTS] = "segments",
                                        [DV_PARETO_LOSS] = "loss",
                                        [DV_PARETO_MEMORY] = "memory of constants"};
    if (plot->front->count > 0) {
        axes a = axes_of(plot, scene);
        dv_scene_label(scene, LEFT, 8, a.area.w, 1 + DV_BOLD, TEXT, "%s", plot->title);
        dv_scene_label(scene, LEFT, TOP - 24, a.area.w, 0, FAINT,
                       "least latency over %s, given order; hollow: not proven", names[plot->axis]);
        draw_axes(&a);
        draw_steps(&a);
    }
    return scene->failed ? dv_fail(DV_NO_MEMORY, "no memory for a picture") : DV_OK;
}
