/* panel.c - the column at the right: what the plan costs, the devices' shares, the selected
   operator on every target, the slider. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "viz/parts.h"

enum { PAD = 14, LINE = 17, HEAD = 22 };

typedef struct pen {
    dv_view *view;
    dv_scene *scene;
    const dv_theme *theme;
    float x, w, y, end; /* what is below `end` is not drawn */
} pen;

static bool room(const pen *p, float height)
{
    return p->y + height <= p->end;
}

static void heading(pen *p, const char *text)
{
    if (!room(p, HEAD + LINE))
        return;
    dv_scene_label(p->scene, p->x, p->y, p->w, DV_BOLD, p->theme->faint, "%s", text);
    dv_scene_rectangle(p->scene, p->x, p->y + 16, p->w, 1, p->theme->rule, 0);
    p->y += HEAD;
}

static void right_label(const pen *p, int size, dv_colour colour, const char *text)
{
    dv_scene_label(p->scene, p->x + p->w - dv_label_width(size, text), p->y, 0, size, colour, "%s",
                   text);
}

/* "name .... figure", with a swatch of colour and what the figure is a share of. */
static void cost_row(pen *p, dv_colour colour, const char *name, double us, double total)
{
    char text[DV_FIGURE_MAX], share[DV_FIGURE_MAX + 16];
    if (us <= 0 || !room(p, LINE))
        return;
    snprintf(share, sizeof share, "%s  %3.0f %%", dv_format_us(text, us), 100 * us / total);
    dv_scene_rectangle(p->scene, p->x, p->y + 2, 10, 10, colour, 0);
    dv_scene_label(p->scene, p->x + 17, p->y, p->w * 0.6f, 0, p->theme->text, "%s", name);
    right_label(p, 0, p->theme->text, share);
    p->y += LINE;
}

/* "1560 operators, 24 x a block of 64" */
static void draw_blocks(pen *p)
{
    const dv_blocks *blocks = &p->view->blocks;
    uint32_t count = p->view->plan->unit_count;
    char repeated[96] = "";
    if (blocks->run_count == 1)
        snprintf(repeated, sizeof repeated, ", %u \xC3\x97 a block of %u", blocks->runs[0].repeats,
                 blocks->runs[0].period);
    else if (blocks->run_count > 1)
        snprintf(repeated, sizeof repeated, ", %u repeated blocks", blocks->block_count);
    dv_scene_label(p->scene, p->x, p->y, p->w, 0, p->theme->faint, "%u operator%s%s", count,
                   count == 1 ? "" : "s", repeated);
    p->y += LINE;
}

static void draw_totals(pen *p)
{
    const dv_cost *cost = &p->view->plan->cost;
    const dv_colour colours[] = {p->theme->bar, p->theme->faint, p->theme->handover};
    const double parts[] = {cost->compute_us, cost->dispatch_us + cost->session_us, cost->move_us};
    char text[DV_FIGURE_MAX], name[96];
    float x = p->x;
    heading(p, "PLAN");
    dv_scene_label(p->scene, p->x, p->y - 2, 0, 2 + DV_BOLD, p->theme->text, "%s",
                   dv_format_us(text, dv_shown_us(p->view->plan)));
    snprintf(name, sizeof name, "%u segment%s, %u hand-over%s", cost->segments,
             cost->segments == 1 ? "" : "s", cost->moves, cost->moves == 1 ? "" : "s");
    p->y += 21;
    dv_scene_label(p->scene, p->x, p->y, p->w, 0, p->theme->faint, "%s", name);
    p->y += LINE - 2;
    draw_blocks(p);
    p->y += 4;
    for (int i = 0; i < 3 && cost->total_us > 0; i++) {
        float width = p->w * (float)(parts[i] / cost->total_us);
        if (width > 0)
            dv_scene_rectangle(p->scene, roundf(x), p->y, fmaxf(1, roundf(width)), 8, colours[i],
                               0);
        x += width;
    }
    p->y += 14;
    cost_row(p, colours[0], "compute", cost->compute_us, cost->total_us);
    cost_row(p, colours[1], "dispatch", cost->dispatch_us + cost->session_us, cost->total_us);
    snprintf(name, sizeof name, "hand-overs, %s", dv_format_bytes(text, cost->moved_bytes));
    cost_row(p, colours[2], name, cost->move_us, cost->total_us);
    p->y += 8;
}

static void swatch(const pen *p, dv_device_id device)
{
    const dv_device_look *look = &p->view->looks[device];
    dv_scene_rounded(p->scene, p->x, p->y, 14, 14, 3, look->colour, 0);
    if (p->theme->outlined)
        dv_scene_outline(p->scene, p->x, p->y, 14, 14, 3, p->theme->outline);
    char letter[2] = {look->letter, '\0'};
    dv_scene_label(p->scene, roundf(p->x + 7 - dv_label_width(DV_BOLD, letter) * 0.5f), p->y, 0,
                   DV_BOLD, 0x000000, "%s", letter);
}

/* A figure whose last digit is at share `at` of the width. */
static void column_label(const pen *p, float at, dv_colour colour, const char *text)
{
    dv_scene_label(p->scene, p->x + p->w * at - dv_label_width(0, text), p->y, 0, 0, colour, "%s",
                   text);
}

static void draw_devices(pen *p)
{
    const dv_view *view = p->view;
    const dv_problem *problem = view->input.problem;
    heading(p, "DEVICES");
    p->y -= HEAD;
    column_label(p, 0.76f, p->theme->faint, "time");
    column_label(p, 1, p->theme->faint, "operators");
    p->y += HEAD;
    for (dv_device_id d = 0; d < problem->device_count && room(p, LINE); d++) {
        double us = 0, share = 0;
        uint32_t units = 0;
        char text[64];
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            if (dv_view_device(view, u) == d) {
                us += dv_problem_time_us(problem, u, view->plan->target[u]);
                units++;
            }
        if (view->plan->cost.compute_us > 0)
            share = us / view->plan->cost.compute_us;
        dv_colour colour = units ? p->theme->text : p->theme->faint;
        swatch(p, d);
        dv_scene_label(p->scene, p->x + 21, p->y, p->w * 0.26f, 0, colour, "%s",
                       problem->device_name[d]);
        if (share > 0)
            dv_scene_rectangle(p->scene, p->x + p->w * 0.36f, p->y + 3,
                               fmaxf(1, p->w * 0.22f * (float)share), 8, view->looks[d].colour, 0);
        snprintf(text, sizeof text, "%.0f %%", 100 * share);
        column_label(p, 0.76f, colour, text);
        snprintf(text, sizeof text, "%u", units);
        column_label(p, 1, colour, text);
        p->y += LINE + 1;
    }
    p->y += 8;
}

/* The latency (or makespan) of the plan with the selected unit alone moved to each target: why it
   is where it is. INFINITY where that breaks a limit. */
static void find_moved_totals(dv_view *view)
{
    const dv_problem *problem = &view->scaled;
    dv_plan *trial = NULL;
    if (view->moved_unit == view->selected)
        return;
    for (dv_target_id a = 0; a < problem->target_count; a++)
        view->moved_total_us[a] = NAN;
    if (dv_plan_create(problem, &trial) != DV_OK)
        return; /* the column stays empty */
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        dv_plan_copy(trial, view->plan);
        trial->target[view->selected] = a;
        bool holds = dv_evaluate(problem, trial);
        if (holds && !isnan(trial->makespan_us))
            trial->makespan_us = dv_evaluate_makespan_us(problem, trial);
        view->moved_total_us[a] = holds ? dv_shown_us(trial) : INFINITY;
    }
    view->moved_unit = view->selected;
    dv_plan_destroy(trial);
}

static void target_row(pen *p, dv_target_id target, double slowest)
{
    dv_view *view = p->view;
    const dv_problem *problem = &view->scaled;
    double us = dv_problem_time_us(problem, view->selected, target);
    double extra = view->moved_total_us[target] - dv_shown_us(view->plan);
    bool chosen = view->plan->target[view->selected] == target;
    int weight = chosen ? DV_BOLD : 0;
    char text[DV_FIGURE_MAX];
    if (chosen)
        dv_scene_rounded(p->scene, p->x - 5, p->y - 2, p->w + 10, LINE + 1, 3, p->theme->rule, 0);
    swatch(p, problem->device[target]);
    dv_scene_label(p->scene, p->x + 21, p->y, p->w * 0.3f, weight,
                   isfinite(us) ? p->theme->text : p->theme->faint, "%s",
                   problem->target_name[target]);
    float column = p->x + p->w * 0.62f;
    if (!isfinite(us)) {
        right_label(p, 0, p->theme->faint, "unsupported");
        p->y += LINE + 2;
        return;
    }
    dv_format_us(text, us);
    dv_scene_label(p->scene, column - dv_label_width(weight, text), p->y, 0, weight, p->theme->text,
                   "%s", text);
    if (slowest > 0)
        dv_scene_rectangle(p->scene, p->x + 21, p->y + 13,
                           fmaxf(1, (column - p->x - 21) * (float)(us / slowest)), 2,
                           view->looks[problem->device[target]].colour, 0);
    if (chosen)
        right_label(p, DV_BOLD, p->theme->text, "chosen");
    else if (isfinite(extra)) {
        char sum[DV_FIGURE_MAX + 4];
        snprintf(sum, sizeof sum, "%c%s", extra < 0 ? '-' : '+', dv_format_us(text, fabs(extra)));
        right_label(p, 0, p->theme->text, sum);
    } else {
        right_label(p, 0, p->theme->faint, isnan(extra) ? "" : "not allowed");
    }
    p->y += LINE + 2;
}

/* Wraps text into at most `most` lines, breaking anywhere, since names have no spaces. */
static void wrapped(pen *p, int size, dv_colour colour, const char *text, int most)
{
    float line = dv_label_height(size) + 1;
    for (int i = 0; i < most && *text && room(p, line); i++) {
        char part[256];
        size_t length = strlen(text);
        if (length > sizeof part - 1)
            length = sizeof part - 1;
        for (; length > 1; length--) {
            while (length > 1 && ((unsigned char)text[length] & 0xC0) == 0x80)
                length--; /* not within a character */
            snprintf(part, sizeof part, "%.*s", (int)length, text);
            if (dv_label_width(size, part) <= p->w)
                break;
        }
        bool last = i + 1 == most;
        dv_scene_label(p->scene, p->x, p->y, p->w, size, colour, "%.*s", last ? 255 : (int)length,
                       text);
        text += length;
        p->y += line;
    }
}

static void handover_row(pen *p, uint32_t tensor, dv_target_id from, dv_target_id to)
{
    const dv_problem *problem = &p->view->scaled;
    char bytes[DV_FIGURE_MAX], us[DV_FIGURE_MAX], text[2 * DV_FIGURE_MAX];
    if (!room(p, LINE))
        return;
    dv_format_bytes(bytes, problem->bytes[(size_t)tensor * problem->target_count + from]);
    snprintf(text, sizeof text, "%s  %s", bytes,
             dv_format_us(us, dv_problem_move_us(problem, tensor, from, to)));
    dv_scene_label(p->scene, p->x, p->y, p->w - dv_label_width(0, text) - 8, 0, p->theme->handover,
                   "%s \xE2\x86\x92 %s", problem->target_name[from], problem->target_name[to]);
    right_label(p, 0, p->theme->handover, text);
    p->y += LINE;
}

/* Tensors that reach the unit from another target, or leave it for one; each once per place. */
static void draw_handovers(pen *p)
{
    const dv_problem *problem = &p->view->scaled;
    const dv_target_id *target = p->view->plan->target;
    dv_unit_id unit = p->view->selected;
    dv_target_id own = target[unit];
    float before = p->y;
    heading(p, "HAND-OVERS");
    float after_heading = p->y;
    for (uint32_t i = problem->unit_tensor_start[unit]; i < problem->unit_tensor_start[unit + 1];
         i++) {
        uint32_t t = problem->unit_tensors[i];
        dv_unit_id maker = problem->producer[t];
        dv_target_id from = maker == DV_NONE ? problem->host : target[maker];
        if (from != own)
            handover_row(p, t, from, own);
    }
    for (uint32_t i = problem->unit_output_start[unit]; i < problem->unit_output_start[unit + 1];
         i++) {
        uint32_t t = problem->unit_outputs[i];
        for (dv_target_id a = 0; a < problem->target_count; a++) {
            bool wanted = a == problem->host && problem->host_needs[t];
            for (uint32_t c = problem->consumer_start[t]; c < problem->consumer_start[t + 1]; c++)
                wanted = wanted || target[problem->consumers[c]] == a;
            if (wanted && a != own)
                handover_row(p, t, own, a);
        }
    }
    if (p->y == after_heading && p->y > before) {
        dv_scene_label(p->scene, p->x, p->y, p->w, 0, p->theme->faint, "none");
        p->y += LINE;
    }
    p->y += 6;
}

static void draw_selected(pen *p)
{
    dv_view *view = p->view;
    const dv_problem *problem = &view->scaled;
    const dv_unit_text *text = &view->texts[view->selected];
    double slowest = 0;
    heading(p, "SELECTED OPERATOR");
    wrapped(p, 1 + DV_BOLD, p->theme->text, problem->unit_name[view->selected], 2);
    wrapped(p, 0, p->theme->text,
            text->type == problem->unit_name[view->selected] ? "" : text->type, 1);
    wrapped(p, 0, p->theme->faint, text->full, 3);
    wrapped(p, 0, p->theme->faint, text->shapes, 2);
    p->y += 6;
    if (room(p, 2 * LINE)) {
        dv_scene_label(p->scene, p->x + p->w * 0.62f - dv_label_width(0, "time"), p->y, 0, 0,
                       p->theme->faint, "time");
        right_label(p, 0, p->theme->faint, "plan, if moved");
        p->y += LINE;
    }
    find_moved_totals(view);
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        double us = dv_problem_time_us(problem, view->selected, a);
        if (isfinite(us) && us > slowest)
            slowest = us;
    }
    for (dv_target_id a = 0; a < problem->target_count && room(p, LINE); a++)
        target_row(p, a, slowest);
    p->y += 6;
    draw_handovers(p);
}

typedef struct group { /* units of one type on one device */
    uint64_t key;
    dv_unit_id slowest;
    uint32_t count;
    double us, slowest_us;
} group;

static int by_key(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int by_time(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->us != y->us)
        return x->us > y->us ? -1 : 1;
    return by_key(a, b);
}

/* Groups the units in place of an array with one entry a unit; returns the number of groups. */
static uint32_t group_units(const dv_view *view, group *groups)
{
    const dv_problem *problem = view->input.problem;
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        uint64_t key = (uint64_t)view->texts[u].type_number * problem->device_count;
        double us = dv_problem_time_us(problem, u, view->plan->target[u]);
        groups[u] = (group){key + dv_view_device(view, u), u, 1, us, us};
    }
    qsort(groups, problem->unit_count, sizeof *groups, by_key);
    for (uint32_t i = 0; i < problem->unit_count; i++) {
        if (i == 0 || groups[i].key != groups[count - 1].key) {
            groups[count++] = groups[i];
            continue;
        }
        group *into = &groups[count - 1];
        into->us += groups[i].us;
        into->count++;
        if (groups[i].slowest_us > into->slowest_us) {
            into->slowest_us = groups[i].slowest_us;
            into->slowest = groups[i].slowest;
        }
    }
    qsort(groups, count, sizeof *groups, by_time);
    return count;
}

/* With nothing selected: where the time goes. A click on a row selects its slowest operator. */
static void draw_groups(pen *p)
{
    const dv_view *view = p->view;
    group *groups = calloc((size_t)view->input.problem->unit_count + 1, sizeof *groups);
    uint32_t count = groups ? group_units(view, groups) : 0;
    heading(p, "WHERE THE TIME GOES");
    for (uint32_t i = 0; i < count && room(p, LINE); i++) {
        const group *g = &groups[i];
        char us[DV_FIGURE_MAX], text[DV_FIGURE_MAX + 16];
        dv_scene_rectangle(p->scene, p->x - 4, p->y - 2, p->w + 8, LINE, p->theme->background,
                           dv_hit_tag(DV_HIT_ROW, g->slowest));
        swatch(p, dv_view_device(view, g->slowest));
        column_label(p, 1, p->theme->text, dv_format_us(us, g->us));
        snprintf(text, sizeof text, g->count > 1 ? "%u \xC3\x97" : "", g->count);
        column_label(p, 0.74f, p->theme->faint, text);
        dv_scene_label(p->scene, p->x + 21, p->y, p->w * 0.74f - 27 - dv_label_width(0, text), 0,
                       p->theme->text, "%s", view->texts[g->slowest].type);
        p->y += LINE;
    }
    free(groups);
}

/* 0.01 at the left, 1 in the middle, 100 at the right. */
static void draw_slider(pen *p, dv_area track)
{
    const dv_view *view = p->view;
    float at = (float)(log10(view->wanted_handover) / 4 + 0.5);
    float knob = roundf(track.x + track.w * at);
    float middle = track.y + track.h * 0.5f;
    char text[32];
    p->y = track.y - 2 * LINE - 4;
    dv_scene_label(p->scene, p->x, p->y, p->w, 0, p->theme->handover, "%s", view->message);
    p->y += LINE;
    dv_scene_label(p->scene, p->x, p->y, 0, DV_BOLD, p->theme->faint, "HAND-OVER COST");
    snprintf(text, sizeof text, "\xC3\x97 %.3g", view->wanted_handover);
    right_label(p, DV_BOLD, p->theme->text, text);
    dv_scene_rectangle(p->scene, track.x - 8, track.y, track.w + 16, track.h, p->theme->background,
                       dv_hit_tag(DV_HIT_SLIDER, 0));
    for (int tick = 0; tick <= 4; tick++)
        dv_scene_rectangle(p->scene, roundf(track.x + track.w * (float)tick / 4), middle - 5, 1, 11,
                           p->theme->rule, 0);
    dv_scene_rounded(p->scene, track.x, middle - 2, track.w, 4, 2, p->theme->bar, 0);
    dv_scene_rounded(p->scene, knob - 7, middle - 7, 14, 14, 7, p->theme->handover, 0);
    p->y = track.y + track.h + 2;
    dv_scene_label(p->scene, p->x, p->y, 0, 0, p->theme->faint, "0.01");
    right_label(p, 0, p->theme->faint, "100");
    dv_scene_label(p->scene, p->x + p->w * 0.5f - 3, p->y, 0, 0, p->theme->faint, "1");
}

void dv_draw_panel(dv_view *view, dv_scene *scene)
{
    const dv_areas areas = dv_view_areas(view);
    const dv_area area = areas.panel;
    pen p = {view, scene, dv_view_theme(view), area.x + PAD, area.w - 2 * PAD, area.y + 12, 0};
    dv_scene_clip(scene, area.x, area.y, area.w, area.h);
    dv_scene_rectangle(scene, area.x, area.y, area.w, area.h, p.theme->background, 0);
    dv_scene_rectangle(scene, area.x, area.y, 1, area.h, p.theme->rule, 0);
    p.end = areas.slider.y - 2 * LINE - 6;
    draw_totals(&p);
    draw_devices(&p);
    if (view->selected != DV_NONE)
        draw_selected(&p);
    else
        draw_groups(&p);
    draw_slider(&p, areas.slider);
    dv_scene_clip(scene, 0, 0, 0, 0);
}
