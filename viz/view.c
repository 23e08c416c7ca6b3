/* view.c - the viewer's state, and how it answers to the user. */
#include "viz/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viz/parts.h"

enum {
    TITLE = 44,
    PANEL = 290,
    LEAST_WIDTH = 320,
    LEAST_HEIGHT = 200,
    WIDTH_FOR_PANEL = 600, /* narrower windows show the graph alone */
    HEIGHT_FOR_TIMELINE = 340,
};

static const double live_deadline_s = 0.3; /* a slider must not feel stuck */
static const float closest = 4, fit_closest = 1.75;

dv_areas dv_view_areas(const dv_view *view)
{
    float w = (float)view->width, h = (float)view->height;
    float timeline = view->height < HEIGHT_FOR_TIMELINE ? 0 : dv_timeline_height(view);
    float panel = view->width < WIDTH_FOR_PANEL ? 0 : PANEL;
    dv_areas a = {
        .title = {0, 0, w, TITLE},
        .graph = {0, TITLE, w - panel, h - TITLE - timeline},
        .panel = {w - panel, TITLE, panel, h - TITLE - timeline},
        .timeline = {0, h - timeline, w, timeline},
    };
    a.slider = (dv_area){a.panel.x + 22, a.timeline.y - 44, PANEL - 44, 20};
    return a;
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for the viewer");
}

void dv_view_fit(dv_view *view)
{
    const float margin = 10;
    dv_area area = dv_view_areas(view).graph;
    float across = (area.w - 2 * margin) / fmaxf(view->layout->width, 1);
    float down = (area.h - 2 * margin) / fmaxf(view->layout->height, 1);
    view->scale = fmaxf(fminf(fminf(across, down), fit_closest), 1e-4f);
    view->x = (area.w - view->layout->width * view->scale) * 0.5f;
    view->y = (area.h - view->layout->height * view->scale) * 0.5f;
    view->fitted = true;
}

static dv_status lay_out(dv_view *view)
{
    const dv_problem *problem = view->input.problem;
    dv_area area = dv_view_areas(view).graph;
    dv_layout *layout = NULL;
    const dv_dag dag = {problem->unit_count, problem->next_start, problem->next,
                        view->blocks.block_of};
    DV_TRY(dv_layout_create(&dag, area.w, area.h, &layout));
    dv_layout_destroy(view->layout);
    view->layout = layout;
    return dv_frame_blocks(view);
}

/* Puts a plan on show: own (owned from now on), or the given one if NULL. */
static dv_status show_plan(dv_view *view, dv_plan *own)
{
    const dv_plan *plan = own ? own : view->input.plan;
    dv_trace *predicted = NULL;
    dv_status status = dv_predict(&view->scaled, plan, &predicted);
    if (status != DV_OK) {
        dv_plan_destroy(own);
        return status;
    }
    dv_trace_destroy(view->predicted);
    dv_plan_destroy(view->own_plan);
    view->predicted = predicted;
    view->own_plan = own;
    view->plan = plan;
    view->moved_unit = DV_NONE;
    return DV_OK;
}

static dv_status make_scaled(dv_view *view)
{
    const dv_problem *problem = view->input.problem;
    size_t pairs = (size_t)problem->target_count * problem->target_count;
    view->dispatch_us = dv_arena_array(view->arena, problem->device_count, sizeof(double));
    view->move_latency_us = dv_arena_array(view->arena, pairs, sizeof(double));
    view->move_us_per_byte = dv_arena_array(view->arena, pairs, sizeof(double));
    view->moved_total_us = dv_arena_array(view->arena, problem->target_count, sizeof(double));
    if (!view->dispatch_us || !view->move_latency_us || !view->move_us_per_byte ||
        !view->moved_total_us)
        return no_memory();
    view->scaled = *problem;
    view->scaled.arena = NULL; /* what it points at belongs to others */
    view->scaled.dispatch_us = view->dispatch_us;
    view->scaled.move_latency_us = view->move_latency_us;
    view->scaled.move_us_per_byte = view->move_us_per_byte;
    return DV_OK;
}

static void scale_costs(dv_view *view, double factor)
{
    const dv_problem *problem = view->input.problem;
    size_t pairs = (size_t)problem->target_count * problem->target_count;
    for (uint32_t d = 0; d < problem->device_count; d++)
        view->dispatch_us[d] = problem->dispatch_us[d] * factor;
    for (size_t i = 0; i < pairs; i++) {
        view->move_latency_us[i] = problem->move_latency_us[i] * factor;
        view->move_us_per_byte[i] = problem->move_us_per_byte[i] * factor;
    }
    view->handover = view->wanted_handover = factor;
}

static dv_status choose_looks(dv_view *view)
{
    const dv_problem *problem = view->input.problem;
    const dv_platform *platform = view->input.platform;
    dv_device_kind *kinds = NULL;
    view->looks = dv_arena_array(view->arena, problem->device_count, sizeof *view->looks);
    if (platform && platform->device_count == problem->device_count) {
        kinds = dv_arena_array(view->arena, problem->device_count, sizeof *kinds);
        for (dv_device_id d = 0; kinds && d < problem->device_count; d++)
            kinds[d] = platform->devices[d].kind;
    }
    if (!view->looks)
        return no_memory();
    dv_device_looks(problem->device_name, kinds, problem->device_count, view->looks);
    return DV_OK;
}

/* "N" where the device has one target, else "N8", "N16" by the digits at the end of its name. */
static dv_status make_marks(dv_view *view)
{
    const dv_problem *problem = view->input.problem;
    view->marks = dv_arena_array(view->arena, problem->target_count, sizeof *view->marks);
    for (dv_target_id a = 0; view->marks && a < problem->target_count; a++) {
        const char *name = problem->target_name[a], *digits = name + strlen(name);
        uint32_t on_device = 0;
        for (dv_target_id b = 0; b < problem->target_count; b++)
            on_device += problem->device[b] == problem->device[a];
        while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
            digits--;
        view->marks[a] =
            dv_arena_printf(view->arena, "%c%.4s", view->looks[problem->device[a]].letter,
                            on_device > 1 ? digits : "");
        if (!view->marks[a])
            return no_memory();
    }
    return view->marks ? DV_OK : no_memory();
}

static dv_status set_up(dv_view *view)
{
    const dv_view_input *input = &view->input;
    if (input->plan->unit_count != input->problem->unit_count)
        return dv_fail(DV_BAD_INPUT,
                       "the plan has %u units, the problem %u: they do not belong "
                       "together",
                       input->plan->unit_count, input->problem->unit_count);
    view->arena = dv_arena_create();
    if (!view->arena)
        return no_memory();
    DV_TRY(dv_unit_texts(input->problem, input->graph, view->arena, &view->texts));
    view->found = dv_arena_array(view->arena, input->problem->unit_count, sizeof *view->found);
    if (!view->found)
        return no_memory();
    DV_TRY(dv_blocks_find(input->problem, view->texts, view->arena, &view->blocks));
    DV_TRY(choose_looks(view));
    DV_TRY(make_marks(view));
    DV_TRY(make_scaled(view));
    scale_costs(view, 1);
    DV_TRY(show_plan(view, NULL));
    DV_TRY(lay_out(view));
    dv_view_fit(view);
    return DV_OK;
}

dv_status dv_view_create(const dv_view_input *input, int width, int height, dv_view **out)
{
    dv_view *view = calloc(1, sizeof *view);
    *out = NULL;
    if (!view)
        return no_memory();
    view->input = *input;
    view->width = width > LEAST_WIDTH ? width : LEAST_WIDTH;
    view->height = height > LEAST_HEIGHT ? height : LEAST_HEIGHT;
    view->selected = view->moved_unit = DV_NONE;
    dv_status status = set_up(view);
    if (status == DV_OK)
        *out = view;
    else
        dv_view_destroy(view);
    return status;
}

void dv_view_destroy(dv_view *view)
{
    if (!view)
        return;
    dv_layout_destroy(view->layout);
    free(view->frames);
    dv_trace_destroy(view->predicted);
    dv_plan_destroy(view->own_plan);
    dv_arena_destroy(view->arena);
    free(view);
}

void dv_view_resize(dv_view *view, int width, int height)
{
    bool fitted = view->fitted;
    view->width = width > LEAST_WIDTH ? width : LEAST_WIDTH;
    view->height = height > LEAST_HEIGHT ? height : LEAST_HEIGHT;
    if (fitted && lay_out(view) == DV_OK) /* without memory the old layout still serves */
        dv_view_fit(view);
}

void dv_view_pan(dv_view *view, float dx, float dy)
{
    dv_area area = dv_view_areas(view).graph;
    const float keep = 40; /* of the picture, in sight */
    float right = view->layout->width * view->scale, foot = view->layout->height * view->scale;
    view->x = fmaxf(fminf(view->x + dx, area.w - keep), keep - right);
    view->y = fmaxf(fminf(view->y + dy, area.h - keep), keep - foot);
    view->fitted = false;
}

void dv_view_zoom(dv_view *view, float factor, float x, float y)
{
    dv_area area = dv_view_areas(view).graph;
    float across = area.w / fmaxf(view->layout->width, 1);
    float down = area.h / fmaxf(view->layout->height, 1);
    float least = fminf(fminf(across, down) * 0.5f, 1);
    float scale = fmaxf(fminf(view->scale * factor, closest), least);
    factor = scale / view->scale;
    view->x = (x - area.x) - ((x - area.x) - view->x) * factor;
    view->y = (y - area.y) - ((y - area.y) - view->y) * factor;
    view->scale = scale;
    view->fitted = false;
}

void dv_view_dark(dv_view *view, bool dark)
{
    view->dark = dark;
}

void dv_view_reveal(dv_view *view, dv_unit_id unit)
{
    const dv_place *place = &view->layout->places[unit];
    dv_area area = dv_view_areas(view).graph;
    float x = view->x + (place->x + view->layout->box_width * 0.5f) * view->scale;
    float y = view->y + (place->y + DV_BOX_HEIGHT * 0.5f) * view->scale;
    if (x < 0 || y < 0 || x > area.w || y > area.h)
        dv_view_pan(view, area.w * 0.5f - x, area.h * 0.5f - y);
}

static dv_unit_id unit_named(const dv_view *view, const char *name)
{
    const dv_problem *problem = view->input.problem;
    const dv_graph *graph = view->input.graph;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        if (strcmp(problem->unit_name[u], name) == 0)
            return u;
    for (dv_op_id op = 0; graph && graph->unit_of && op < graph->op_count; op++)
        if (strcmp(graph->ops[op].name, name) == 0 && graph->unit_of[op] < problem->unit_count)
            return graph->unit_of[op];
    return DV_NONE;
}

bool dv_view_select(dv_view *view, const char *name)
{
    dv_unit_id unit = name ? unit_named(view, name) : DV_NONE;
    view->selected = unit;
    if (unit != DV_NONE)
        dv_view_reveal(view, unit);
    return unit != DV_NONE;
}

uint32_t dv_view_search(dv_view *view, const char *text)
{
    uint32_t found = 0;
    snprintf(view->search, sizeof view->search, "%s", text ? text : "");
    for (dv_unit_id u = 0; view->search[0] && u < view->plan->unit_count; u++) {
        view->found[u] = strcasestr(view->texts[u].type, view->search) ||
                         strcasestr(view->texts[u].full, view->search) ||
                         strcasestr(view->input.problem->unit_name[u], view->search);
        found += view->found[u];
    }
    return found;
}

static void draw_sides(dv_view *view, dv_scene *scene)
{
    dv_areas areas = dv_view_areas(view);
    if (areas.panel.w > 0)
        dv_draw_panel(view, scene);
    if (areas.timeline.h > 0)
        dv_draw_timeline(view, scene);
}

/* What is drawn at a point; the scene is made anew, since only it knows. */
static uint32_t hit(dv_view *view, float x, float y)
{
    uint32_t tag = 0;
    dv_scene *scene = dv_scene_create(view->width, view->height, 0);
    if (scene) {
        dv_draw_graph(view, scene);
        draw_sides(view, scene);
        tag = dv_scene_hit(scene, x, y);
    }
    dv_scene_destroy(scene);
    return tag;
}

static bool select_tag(dv_view *view, uint32_t tag)
{
    dv_hit_kind kind = dv_hit_kind_of(tag);
    if (kind == DV_HIT_NOTHING || kind == DV_HIT_SLIDER)
        return false;
    view->selected = dv_hit_number(tag);
    if (kind != DV_HIT_UNIT)
        dv_view_reveal(view, view->selected);
    return true;
}

bool dv_view_select_at(dv_view *view, float x, float y)
{
    return select_tag(view, hit(view, x, y));
}

static dv_status solve_again(dv_view *view)
{
    dv_solve_options options = dv_solve_options_default();
    dv_plan *plan = NULL;
    dv_outcome outcome;
    options.deadline_s = live_deadline_s;
    if (!isnan(view->input.plan->makespan_us))
        options.objective = DV_OBJECTIVE_MAKESPAN;
    DV_TRY(dv_solve(&view->scaled,
                    view->input.strategy ? view->input.strategy : view->input.plan->strategy,
                    &options, &plan, &outcome));
    if (!plan)
        return dv_fail(DV_NEGATIVE, "no plan at hand-over cost x %g: %s", view->handover,
                       dv_outcome_name(outcome));
    return show_plan(view, plan);
}

dv_status dv_view_set_handover(dv_view *view, double factor)
{
    if (!(factor >= 0.01 && factor <= 100))
        return dv_fail(DV_BAD_PARAMETER, "hand-over factor %g is not in 0.01 to 100", factor);
    double before = view->handover;
    scale_costs(view, factor);
    dv_status status = factor == 1 ? show_plan(view, NULL) : solve_again(view);
    if (status != DV_OK)
        scale_costs(view, before); /* the plan on show is still the old one */
    return status;
}

double dv_view_handover(const dv_view *view)
{
    return view->handover;
}

double dv_view_latency_us(const dv_view *view)
{
    return dv_shown_us(view->plan);
}

/* "proven optimal for the given order", "within 2.3 % of the optimum", "no proof" */
static const char *proof_text(const dv_plan *plan, char *text, size_t room)
{
    double gap = dv_plan_gap(plan);
    const char *scope = strcmp(plan->proof_scope, "given order") == 0 ? " for this order" : "";
    if (plan->outcome == DV_OUTCOME_OPTIMAL)
        snprintf(text, room, "proven optimal%s", scope);
    else if (isfinite(gap))
        snprintf(text, room, "at most %.2g %% above the optimum%s", 100 * gap, scope);
    else
        snprintf(text, room, "no bound proven");
    return text;
}

/* Strategy, latency and proof; less of it in a narrow window. */
static void describe_plan(const dv_view *view, float width, char *text, size_t room)
{
    const dv_plan *plan = view->plan;
    char us[DV_FIGURE_MAX], proof[96];
    dv_format_us(us, dv_shown_us(plan));
    snprintf(text, room, "%s \xC2\xB7 %s%s \xC2\xB7 %s", plan->strategy,
             isnan(plan->makespan_us) ? "" : "makespan ", us,
             proof_text(plan, proof, sizeof proof));
    if (dv_label_width(1, text) > width)
        snprintf(text, room, "%s", us);
}

static void draw_title(const dv_view *view, dv_scene *scene)
{
    const dv_area area = dv_view_areas(view).title;
    const dv_theme *theme = dv_view_theme(view);
    const dv_view_input *input = &view->input;
    const int bold = 2 + DV_BOLD;
    char right[256];
    const char *model = input->graph ? input->graph->name : input->problem->name;
    model = model && *model ? model : "problem";
    dv_scene_rectangle(scene, area.x, area.y, area.w, area.h, theme->background, 0);
    dv_scene_rectangle(scene, area.x, area.y + area.h - 1, area.w, 1, theme->rule, 0);
    describe_plan(view, area.w * 0.6f, right, sizeof right);
    float end = area.w - 14 - dv_label_width(1, right), room = fmaxf(end - 34, 1);
    dv_scene_label(scene, end, 14, 0, 1, theme->text, "%s", right);
    dv_scene_label(scene, 14, 12, room, bold, theme->text, "%s", model);
    float x = 14 + fminf(dv_label_width(bold, model), room) + 10;
    if (input->platform && end - x - 20 > 40)
        dv_scene_label(scene, x, 14, end - x - 20, 1, theme->faint, "on %s",
                       input->platform->title ? input->platform->title : input->platform->name);
}

dv_status dv_view_draw(dv_view *view, dv_scene *scene)
{
    if (view->wanted_handover != view->handover) {
        dv_status status = dv_view_set_handover(view, view->wanted_handover);
        snprintf(view->message, sizeof view->message, "%s", status == DV_OK ? "" : dv_message());
        if (status == DV_NO_MEMORY || status == DV_INTERNAL)
            return status;
    }
    dv_scene_clear(scene);
    scene->background = dv_view_theme(view)->background;
    dv_draw_graph(view, scene);
    draw_sides(view, scene);
    draw_title(view, scene);
    return scene->failed ? no_memory() : DV_OK;
}

/* The slider snaps to 1 in the middle, and moves in steps of a tenth of a decade. */
static void slide_to(dv_view *view, float x)
{
    dv_area track = dv_view_areas(view).slider;
    double at = fmin(fmax((double)((x - track.x) / track.w), 0), 1);
    view->wanted_handover = pow(10, round((at * 4 - 2) * 10) / 10);
}

static void press(dv_view *view, float x, float y)
{
    dv_hit_kind kind = dv_hit_kind_of(hit(view, x, y));
    dv_area graph = dv_view_areas(view).graph;
    bool in_graph = x >= graph.x && x < graph.x + graph.w && y >= graph.y && y < graph.y + graph.h;
    view->grabbed = in_graph ? DV_HIT_UNIT : kind;
    view->dragged = false;
    view->press_x = view->last_x = x;
    view->press_y = view->last_y = y;
}

static bool drag(dv_view *view, float x, float y)
{
    if (view->grabbed == DV_HIT_SLIDER) {
        slide_to(view, x);
        return true;
    }
    if (fabsf(x - view->press_x) + fabsf(y - view->press_y) > 4)
        view->dragged = true;
    if (view->grabbed != DV_HIT_UNIT || !view->dragged)
        return false;
    dv_view_pan(view, x - view->last_x, y - view->last_y);
    view->last_x = x;
    view->last_y = y;
    return true;
}

static bool release(dv_view *view, float x, float y)
{
    dv_hit_kind grabbed = view->grabbed;
    view->grabbed = DV_HIT_NOTHING;
    if (grabbed == DV_HIT_SLIDER) {
        slide_to(view, x);
        return true;
    }
    if (grabbed == DV_HIT_NOTHING || view->dragged)
        return false;
    if (!dv_view_select_at(view, x, y))
        view->selected = DV_NONE;
    return true;
}

bool dv_view_pointer(dv_view *view, float x, float y, bool pressed, bool moved)
{
    if (moved)
        return pressed && drag(view, x, y);
    if (!pressed)
        return release(view, x, y);
    press(view, x, y);
    if (view->grabbed == DV_HIT_SLIDER)
        slide_to(view, x);
    return view->grabbed == DV_HIT_SLIDER;
}
