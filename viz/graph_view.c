/* graph_view.c - the network as boxes in the colours of their devices. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viz/parts.h"

typedef struct painter {
    dv_view *view;
    dv_scene *scene;
    const dv_theme *theme;
    dv_area area;
    float scale, x, y; /* layout to screen */
} painter;

static dv_area on_screen(const painter *p, const dv_place *place)
{
    return (dv_area){p->x + place->x * p->scale, p->y + place->y * p->scale,
                     p->view->layout->box_width * p->scale, DV_BOX_HEIGHT * p->scale};
}

static bool visible(const painter *p, dv_area box, float margin)
{
    return box.x + box.w + margin >= p->area.x && box.x - margin <= p->area.x + p->area.w &&
           box.y + box.h + margin >= p->area.y && box.y - margin <= p->area.y + p->area.h;
}

static bool crosses(const painter *p, const dv_wire *wire)
{
    const dv_target_id *target = p->view->plan->target;
    return target[wire->from] != target[wire->to];
}

/* One leg of a wire, clipped to the area: long lines cost what is seen of them. */
static void leg(const painter *p, dv_point a, dv_point b, float thick, dv_colour colour)
{
    float x0 = roundf(p->x + fminf(a.x, b.x) * p->scale);
    float y0 = roundf(p->y + fminf(a.y, b.y) * p->scale);
    float x1 = roundf(p->x + fmaxf(a.x, b.x) * p->scale) + thick;
    float y1 = roundf(p->y + fmaxf(a.y, b.y) * p->scale) + thick;
    x0 = fmaxf(x0, p->area.x - thick);
    y0 = fmaxf(y0, p->area.y - thick);
    x1 = fminf(x1, p->area.x + p->area.w + thick);
    y1 = fminf(y1, p->area.y + p->area.h + thick);
    if (x0 < x1 && y0 < y1)
        dv_scene_rectangle(p->scene, x0, y0, x1 - x0, y1 - y0, colour, 0);
}

static void draw_wire(const painter *p, const dv_wire *wire, float thick, dv_colour colour)
{
    for (uint32_t i = 0; i + 1 < wire->point_count; i++)
        leg(p, wire->points[i], wire->points[i + 1], thick, colour);
}

/* A small flag where a far edge leaves or arrives; a click on it goes to the other end. */
static void draw_stub(const painter *p, const dv_wire *wire, bool leaving)
{
    dv_unit_id here = leaving ? wire->from : wire->to, there = leaving ? wire->to : wire->from;
    dv_area box = on_screen(p, &p->view->layout->places[here]);
    if (!visible(p, box, 40))
        return;
    dv_colour colour = crosses(p, wire) ? p->theme->handover : p->theme->faint;
    float length = fmaxf(3, DV_LAYER_GAP * p->scale * 0.45f);
    float x = roundf(leaving ? box.x + box.w - length - 4 : box.x + 4);
    float y = roundf(leaving ? box.y + box.h : box.y - length);
    dv_scene_rectangle(p->scene, x, y, length, length, colour, dv_hit_tag(DV_HIT_JUMP, there));
    if (p->view->detail < DV_DETAIL_FIGURES || !leaving)
        return;
    dv_scene_label(p->scene, box.x + box.w * 0.5f + 6, box.y + box.h, box.w * 0.5f - length - 12, 0,
                   colour, "to %s", p->view->input.problem->unit_name[there]);
}

/* Hand-overs between devices are drawn thick, changes of precision on one device thin. */
static void draw_wires(const painter *p, bool only_crossing)
{
    const dv_layout *layout = p->view->layout;
    dv_unit_id selected = p->view->selected;
    for (uint32_t w = 0; w < layout->wire_count; w++) {
        const dv_wire *wire = &layout->wires[w];
        bool chosen = wire->from == selected || wire->to == selected;
        if (chosen || crosses(p, wire) != only_crossing)
            continue;
        bool thick = dv_view_device(p->view, wire->from) != dv_view_device(p->view, wire->to);
        draw_wire(p, wire, thick && p->scale > 0.6f ? 2 : 1,
                  only_crossing ? p->theme->handover : p->theme->wire);
    }
    for (uint32_t w = 0; only_crossing && selected != DV_NONE && w < layout->wire_count; w++) {
        const dv_wire *wire = &layout->wires[w];
        if (wire->from == selected || wire->to == selected)
            draw_wire(p, wire, 2, crosses(p, wire) ? p->theme->handover : p->theme->selection);
    }
}

/* At sizes where lines say nothing: a bar over the box that a hand-over enters. */
static void draw_crossing_bars(const painter *p)
{
    const dv_layout *layout = p->view->layout;
    for (uint32_t w = 0; w < layout->wire_count; w++) {
        const dv_wire *wire = &layout->wires[w];
        dv_area box = on_screen(p, &layout->places[wire->to]);
        if (crosses(p, wire) && visible(p, box, 4))
            dv_scene_rectangle(p->scene, box.x, box.y - fmaxf(1, DV_LAYER_GAP * p->scale * 0.6f),
                               box.w, 1, p->theme->handover, 0);
    }
}

static void draw_pill(const painter *p, float x, float y, const char *text)
{
    dv_scene_rounded(p->scene, x, y, dv_label_width(0, text) + 12, dv_label_height(0), 7,
                     p->theme->handover, 0);
    dv_scene_label(p->scene, x + 6, y, 0, 0, p->theme->background, "%s", text);
}

/* Bytes and time beside the place where a hand-over arrives: with the first reader on a target,
   since a tensor is sent once per destination. */
static void draw_crossing_figures(const painter *p)
{
    const dv_problem *problem = &p->view->scaled;
    const dv_target_id *target = p->view->plan->target;
    char bytes[DV_FIGURE_MAX], us[DV_FIGURE_MAX];
    for (uint32_t t = 0; t < problem->tensor_count; t++) {
        dv_unit_id from = problem->producer[t];
        dv_target_id source = from == DV_NONE ? problem->host : target[from], last = DV_NONE;
        for (uint32_t c = problem->consumer_start[t]; c < problem->consumer_start[t + 1]; c++) {
            dv_unit_id reader = problem->consumers[c];
            if (target[reader] == source || target[reader] == last)
                continue;
            last = target[reader];
            dv_area box = on_screen(p, &p->view->layout->places[reader]);
            if (!visible(p, box, 40))
                continue;
            dv_format_bytes(bytes, problem->bytes[(size_t)t * problem->target_count + source]);
            dv_format_us(us, dv_problem_move_us(problem, t, source, target[reader]));
            char text[2 * DV_FIGURE_MAX + 2];
            snprintf(text, sizeof text, "%s, %s", bytes, us);
            draw_pill(p, box.x + box.w * 0.5f + 6, box.y - dv_label_height(0) - 2, text);
        }
    }
}

/* Short lines where data enters from the host or leaves to it, red if that is a hand-over. */
static void draw_ports(const painter *p)
{
    const dv_problem *problem = p->view->input.problem;
    const dv_target_id *target = p->view->plan->target;
    float length = fmaxf(2, DV_LAYER_GAP * p->scale * 0.5f);
    for (uint32_t t = 0; t < problem->tensor_count; t++) {
        dv_unit_id from = problem->producer[t];
        for (uint32_t c = problem->consumer_start[t];
             from == DV_NONE && c < problem->consumer_start[t + 1]; c++) {
            dv_area box = on_screen(p, &p->view->layout->places[problem->consumers[c]]);
            bool moved = target[problem->consumers[c]] != problem->host;
            dv_scene_rectangle(p->scene, roundf(box.x + box.w * 0.5f), box.y - length, 2, length,
                               moved ? p->theme->handover : p->theme->wire, 0);
        }
        if (from == DV_NONE || !problem->host_needs[t])
            continue;
        dv_area box = on_screen(p, &p->view->layout->places[from]);
        dv_scene_rectangle(p->scene, roundf(box.x + box.w * 0.5f), box.y + box.h, 2, length,
                           target[from] != problem->host ? p->theme->handover : p->theme->wire, 0);
    }
}

/* The longest form of a type that fits: as it is, without spaces, the first operator alone, that
   without its kernel's size. */
static void draw_type(const painter *p, const char *type, float x, float y, float width, int size,
                      dv_colour colour)
{
    char short_form[96];
    size_t length = 0;
    if (dv_label_width(size, type) > width) {
        for (const char *at = type; *at && length < sizeof short_form - 1; at++)
            if (*at != ' ')
                short_form[length++] = *at;
        short_form[length] = '\0';
        if (dv_label_width(size, short_form) > width)
            short_form[strcspn(short_form, "+")] = '\0';
        if (dv_label_width(size, short_form) > width)
            short_form[strcspn(short_form, "0123456789")] = '\0';
        type = short_form[0] ? short_form : type;
    }
    dv_scene_label(p->scene, x, y, width, size, colour, "%s", type);
}

/* Type and device letter; with more room the time, then the name, then larger letters. */
static void draw_box_text(const painter *p, dv_unit_id unit, dv_area box)
{
    const dv_view *view = p->view;
    const dv_problem *problem = &view->scaled;
    bool aside = view->search[0] && !view->found[unit];
    dv_colour ink = aside ? p->theme->faint : 0x000000; /* black passes on every device's colour */
    const char *letter = view->marks[view->plan->target[unit]];
    bool figures = view->detail == DV_DETAIL_FIGURES;
    int size = figures && box.h >= 3 * dv_label_height(1) + 4 ? 1 : 0;
    float line = dv_label_height(size), pad = box.w < 80 ? 3 : 6;
    int lines = !figures || box.h < 2 * line + 2 ? 1 : box.h < 3 * line + 4 ? 2 : 3;
    float y = box.y + (box.h - line * (float)lines) * 0.5f, x = box.x + pad;
    float letter_width = dv_label_width(size + DV_BOLD, letter);
    float width = box.w - 2 * pad - (box.w >= 34 ? letter_width + pad - 1 : 0);
    draw_type(p, view->texts[unit].type, x, y, width, size + (lines > 1 ? DV_BOLD : 0), ink);
    if (box.w >= 34)
        dv_scene_label(p->scene, box.x + box.w - letter_width - pad, y, 0, size + DV_BOLD, ink,
                       "%s", letter);
    if (lines > 1) {
        char us[DV_FIGURE_MAX];
        dv_format_us(us, dv_problem_time_us(problem, unit, view->plan->target[unit]));
        dv_scene_label(p->scene, x, y + line, box.w - 2 * pad, size, ink, "%s", us);
    }
    if (lines > 2 && problem->unit_name[unit] != view->texts[unit].type)
        dv_scene_label(p->scene, x, y + 2 * line, box.w - 2 * pad, size, ink, "%s",
                       problem->unit_name[unit]);
}

/* Three quarters of the way to the background. */
static dv_colour faded(dv_colour colour, dv_colour to)
{
    dv_colour result = 0;
    for (int shift = 0; shift < 24; shift += 8)
        result |= (((colour >> shift & 255) + 3 * (to >> shift & 255)) / 4) << shift;
    return result;
}

static void draw_box(const painter *p, dv_unit_id unit)
{
    dv_view *view = p->view;
    dv_area box = on_screen(p, &view->layout->places[unit]);
    dv_colour colour = view->looks[dv_view_device(view, unit)].colour;
    uint32_t tag = dv_hit_tag(DV_HIT_UNIT, unit);
    if (!visible(p, box, 4))
        return;
    if (view->detail == DV_DETAIL_STRIPS)
        box.h = (DV_BOX_HEIGHT + DV_LAYER_GAP) * p->scale;
    if (view->search[0] && !view->found[unit])
        colour = faded(colour, p->theme->pane);
    int radius = view->detail < DV_DETAIL_WIRES ? 0 : view->detail < DV_DETAIL_TYPES ? 2 : 4;
    dv_scene_rounded(p->scene, box.x, box.y, box.w, box.h, radius, colour, tag);
    if (view->detail >= DV_DETAIL_WIRES && p->theme->outlined)
        dv_scene_outline(p->scene, box.x, box.y, box.w, box.h, radius, p->theme->outline);
    if (view->detail >= DV_DETAIL_TYPES)
        draw_box_text(p, unit, box);
}

static void draw_selection(const painter *p)
{
    dv_unit_id unit = p->view->selected;
    if (unit == DV_NONE)
        return;
    dv_area box = on_screen(p, &p->view->layout->places[unit]);
    for (int ring = 0; ring < 4; ring++) {
        float out = (float)ring;
        dv_scene_outline(p->scene, roundf(box.x) - out, roundf(box.y) - out,
                         roundf(box.x + box.w) - roundf(box.x) + 2 * out,
                         roundf(box.y + box.h) - roundf(box.y) + 2 * out, 4 + ring,
                         ring == 0 ? p->theme->background : p->theme->selection);
    }
}

/* Repeated blocks, behind everything. */
static void draw_frames(const painter *p)
{
    for (size_t i = 0; i < p->view->frame_count; i++) {
        const dv_frame *f = &p->view->frames[i];
        dv_area area = {p->x + f->x * p->scale, p->y + f->y * p->scale, f->w * p->scale,
                        f->h * p->scale};
        if (visible(p, area, 0))
            dv_scene_rounded(p->scene, area.x, area.y, area.w, area.h,
                             p->view->detail >= DV_DETAIL_WIRES ? 6 : 0, p->theme->block, 0);
    }
}

/* The search under way, or in a window what keys and pointer do. */
static void draw_hint(const painter *p)
{
    const dv_view *view = p->view;
    char text[256] = "";
    uint32_t found = 0;
    for (dv_unit_id u = 0; view->search[0] && u < view->layout->node_count; u++)
        found += view->found[u];
    if (view->search[0] || view->typing)
        snprintf(text, sizeof text, "search: %s%s   %u found%s", view->search,
                 view->typing ? "_" : "", found, view->typing ? ", Enter: next, Esc: end" : "");
    else if (view->interactive)
        snprintf(text, sizeof text,
                 "drag: move   wheel: zoom   click: details   Tab: next   /: search   f: fit   "
                 "d: dark   q: quit");
    if (!text[0])
        return;
    float y = p->area.y + p->area.h - dv_label_height(0) - 2;
    dv_scene_rectangle(p->scene, p->area.x + 6, y, dv_label_width(0, text) + 8,
                       dv_label_height(0) + 2, p->theme->pane, 0);
    dv_scene_label(p->scene, p->area.x + 10, y + 1, p->area.w - 20, 0, p->theme->faint, "%s", text);
}

/* Hysteresis of one pixel, so that zooming to and fro does not flicker. */
static dv_detail detail_for(const dv_view *view, float height)
{
    static const float from[] = {0, 4, 9, 12, 26};
    dv_detail detail = DV_DETAIL_STRIPS;
    for (int d = DV_DETAIL_PLAIN; d <= DV_DETAIL_FIGURES; d++) {
        bool was = !view->fitted && (int)view->detail >= d;
        if (height >= from[d] - (was ? 1.0f : 0.0f))
            detail = (dv_detail)d;
    }
    return detail;
}

void dv_draw_graph(dv_view *view, dv_scene *scene)
{
    const dv_area area = dv_view_areas(view).graph;
    painter p = {
        view, scene, dv_view_theme(view), area, view->scale, area.x + view->x, area.y + view->y};
    view->detail = detail_for(view, DV_BOX_HEIGHT * view->scale);
    dv_scene_clip(scene, area.x, area.y, area.w, area.h);
    dv_scene_rectangle(scene, area.x, area.y, area.w, area.h, p.theme->pane, 0);
    draw_frames(&p);
    if (view->detail >= DV_DETAIL_WIRES) {
        draw_ports(&p);
        draw_wires(&p, false);
        draw_wires(&p, true);
    }
    for (dv_unit_id u = 0; u < view->layout->node_count; u++)
        draw_box(&p, u);
    if (view->detail < DV_DETAIL_WIRES)
        draw_crossing_bars(&p);
    if (view->detail >= DV_DETAIL_TYPES)
        for (uint32_t w = 0; w < view->layout->wire_count; w++)
            if (view->layout->wires[w].point_count == 0) {
                draw_stub(&p, &view->layout->wires[w], true);
                draw_stub(&p, &view->layout->wires[w], false);
            }
    if (view->detail == DV_DETAIL_FIGURES)
        draw_crossing_figures(&p);
    draw_selection(&p);
    draw_hint(&p);
    dv_scene_clip(scene, 0, 0, 0, 0);
}
