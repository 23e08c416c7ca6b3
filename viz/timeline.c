/* timeline.c - what happens when: the predicted timeline, and the measured one below it to the same
   scale. Rows are the devices in use and one for all hand-overs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viz/parts.h"

enum { HEADING = 18, ROW = 16, ROW_GAP = 3, AXIS = 20, PAD = 8, NAMES = 112 };

typedef struct band { /* one trace on screen */
    const dv_view *view;
    dv_scene *scene;
    const dv_theme *theme;
    const dv_trace *trace;
    float x, w;    /* of the bars */
    float pitch;   /* from row to row */
    double us_end; /* at the right edge */
} band;

static dv_device_id device_of(const dv_view *view, const dv_trace *trace, uint32_t resource)
{
    const dv_problem *problem = view->input.problem;
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (strcmp(trace->resource_name[resource], problem->device_name[d]) == 0)
            return d;
    return DV_NONE; /* a link */
}

/* Rows: one a device, in use or not (that it idles is worth seeing, and rows that come and go would
   move everything else), and one for all hand-overs. */
static uint32_t row_count(const dv_view *view)
{
    return view->input.problem->device_count + 1;
}

static int trace_count(const dv_view *view)
{
    return view->input.measured ? 2 : 1;
}

float dv_timeline_height(const dv_view *view)
{
    float rows = (float)row_count(view) * (ROW + ROW_GAP);
    float height = AXIS + PAD + (float)trace_count(view) * (HEADING + rows);
    return floorf(fminf(height, (float)view->height * 0.4f));
}

static dv_colour colour_of(const band *b, const dv_event *event, dv_device_id device)
{
    if (event->kind == DV_EVENT_MOVE || device == DV_NONE)
        return b->theme->handover;
    if (event->kind == DV_EVENT_SWITCH || event->kind == DV_EVENT_SESSION)
        return b->theme->faint;
    return b->view->looks[device].colour;
}

static void label_bar(const band *b, const dv_event *event, float x, float y, float width)
{
    const dv_view *view = b->view;
    const dv_problem *problem = view->input.problem;
    char bytes[DV_FIGURE_MAX];
    const char *text = event->kind == DV_EVENT_SESSION ? "session" : "dispatch";
    dv_colour colour = b->theme->background;
    if (event->kind == DV_EVENT_COMPUTE) {
        text = event->item < view->plan->unit_count ? view->texts[event->item].type : "";
        colour = 0x000000;
    } else if (event->kind == DV_EVENT_MOVE) {
        if (event->item >= problem->tensor_count)
            return;
        dv_unit_id maker = problem->producer[event->item];
        dv_target_id from = maker == DV_NONE ? problem->host : view->plan->target[maker];
        text = dv_format_bytes(bytes,
                               problem->bytes[(size_t)event->item * problem->target_count + from]);
    }
    if (event->kind == DV_EVENT_COMPUTE || dv_label_width(0, text) <= width - 6)
        dv_scene_label(b->scene, x + 3, y + 1, width - 6, 0, colour, "%s", text);
}

/* Bars of one device, or of all links (DV_NONE). Events thinner than a pixel share it: the first
   that reaches it is drawn. */
static void draw_bars(const band *b, dv_device_id row, float y, float height)
{
    const dv_view *view = b->view;
    float done = -1;
    for (size_t i = 0; i < b->trace->event_count; i++) {
        const dv_event *event = &b->trace->events[i];
        dv_device_id device = device_of(view, b->trace, event->resource);
        if (device != row || event->kind == DV_EVENT_WAIT)
            continue;
        bool unit = event->kind == DV_EVENT_COMPUTE && event->item < view->plan->unit_count;
        bool selected = unit && event->item == view->selected;
        float x0 = b->x + b->w * (float)(event->start_us / b->us_end);
        float x1 = b->x + b->w * (float)(event->end_us / b->us_end);
        if (x1 - done < 1 && !selected)
            continue;
        float left = floorf(fmaxf(x0, done)), right = fmaxf(left + 1, floorf(x1));
        done = right;
        dv_scene_rectangle(b->scene, left, y, right - left, height, colour_of(b, event, device),
                           unit ? dv_hit_tag(DV_HIT_EVENT, event->item) : 0);
        if (right - left >= 4) /* a hair line between neighbours */
            dv_scene_rectangle(b->scene, right - 1, y, 1, height, b->theme->background, 0);
        if (right - left >= 40 && height >= 13)
            label_bar(b, event, left, y, right - left);
        if (selected)
            dv_scene_outline(b->scene, left - 2, y - 2, right - left + 3, height + 4, 0,
                             b->theme->selection);
    }
}

static float draw_trace(const band *b, float y, const char *title, const char *note)
{
    const dv_problem *problem = b->view->input.problem;
    const float bar = b->pitch - ROW_GAP;
    char us[DV_FIGURE_MAX];
    dv_scene_label(b->scene, PAD + 4, y, 0, DV_BOLD, b->theme->text, "%s", title);
    dv_scene_label(b->scene, PAD + NAMES, y, 0, 0, b->theme->faint, "%s%s",
                   dv_format_us(us, b->trace->latency_us), note);
    y += HEADING;
    for (uint32_t row = 0; row < row_count(b->view); row++) {
        bool links = row == problem->device_count;
        dv_scene_rectangle(b->scene, b->x, y, b->w, bar, b->theme->pane, 0);
        if (bar >= 9)
            dv_scene_label(b->scene, PAD + 4, y + (bar - dv_label_height(0)) * 0.5f, NAMES - 12, 0,
                           b->theme->text, "%s", links ? "hand-overs" : problem->device_name[row]);
        draw_bars(b, links ? DV_NONE : row, y, bar);
        y += b->pitch;
    }
    return y;
}

/* 1, 2 or 5 times a power of ten, about eight to the axis. */
static double tick_step(double span)
{
    double step = pow(10, floor(log10(span / 8)));
    return span / 8 > 5 * step   ? 10 * step
           : span / 8 > 2 * step ? 5 * step
           : span / 8 > step     ? 2 * step
                                 : step;
}

static void draw_axis(const band *b, float top, float y)
{
    double step = tick_step(b->us_end);
    for (int i = 0; step > 0 && i * step <= b->us_end; i++) {
        float x = roundf(b->x + b->w * (float)(i * step / b->us_end));
        char text[DV_FIGURE_MAX];
        snprintf(text, sizeof text, b->us_end >= 1000 ? "%.4g ms" : "%.4g us",
                 b->us_end >= 1000 ? i * step / 1000 : i * step);
        float width = dv_label_width(0, text);
        dv_scene_rectangle(b->scene, x, top, 1, y - top + 3, b->theme->rule, 0);
        if (x + width * 0.5f <= b->x + b->w)
            dv_scene_label(b->scene, fmaxf(x - width * 0.5f, b->x), y + 3, 0, 0, b->theme->faint,
                           "%s", text);
    }
}

void dv_draw_timeline(dv_view *view, dv_scene *scene)
{
    const dv_area area = dv_view_areas(view).timeline;
    const dv_trace *measured = view->input.measured;
    band b = {.view = view, .scene = scene, .theme = dv_view_theme(view)};
    char note[96] = "";
    b.x = area.x + PAD + NAMES;
    b.w = fmaxf(area.w - 2 * PAD - NAMES, 10);
    b.us_end = fmax(view->predicted->latency_us, measured ? measured->latency_us : 0) * 1.002;
    dv_scene_clip(scene, area.x, area.y, area.w, area.h);
    dv_scene_rectangle(scene, area.x, area.y, area.w, area.h, b.theme->background, 0);
    dv_scene_rectangle(scene, area.x, area.y, area.w, 1, b.theme->rule, 0);
    b.pitch = (area.h - AXIS - PAD) / (float)trace_count(view) - HEADING;
    b.pitch = fmaxf(floorf(b.pitch / (float)row_count(view)), ROW_GAP + 1);
    if (b.us_end > 0) {
        float y = area.y + PAD, axis_y = area.y + area.h - AXIS;
        draw_axis(&b, y + HEADING, axis_y);
        if (dv_overlaps(view->input.problem, view->plan))
            snprintf(note, sizeof note, ", devices and links overlap");
        else if (!isnan(view->plan->makespan_us))
            snprintf(note, sizeof note, ", one after another: how subgraphs overlap is not drawn");
        b.trace = view->predicted;
        y = draw_trace(&b, y, "predicted", note);
        note[0] = '\0';
        if (measured) {
            double ratio = measured->latency_us / view->predicted->latency_us - 1;
            if (view->handover == 1 && isfinite(ratio))
                snprintf(note, sizeof note, ", %+.3g %% against the prediction", 100 * ratio);
            b.trace = measured;
            draw_trace(&b, y, "measured", note);
        }
    }
    dv_scene_clip(scene, 0, 0, 0, 0);
}
