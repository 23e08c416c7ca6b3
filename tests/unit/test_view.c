/* test_view.c - what the viewer shows and how it answers to the pointer, without a display. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/simulate.h"
#include "solver/certify.h"
#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"
#include "viz/parts.h"

typedef struct show {
    dv_problem *problem;
    dv_plan *plan;
    dv_view *view;
    dv_scene *scene;
} show;

static void draw(show *s)
{
    CU_ASSERT_EQUAL_FATAL(dv_view_draw(s->view, s->scene), DV_OK);
}

static show show_problem(dv_problem *problem, const char *strategy, const dv_trace *measured)
{
    show s = {.problem = problem};
    dv_solve_options options = dv_solve_options_default();
    dv_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, strategy, &options, &s.plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s.plan);
    dv_view_input input = {
        .problem = problem, .plan = s.plan, .measured = measured, .strategy = strategy};
    CU_ASSERT_EQUAL_FATAL(dv_view_create(&input, 1280, 800, &s.view), DV_OK);
    s.scene = dv_scene_create(1280, 800, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s.scene);
    draw(&s);
    return s;
}

static void close_show(show *s)
{
    dv_scene_destroy(s->scene);
    dv_view_destroy(s->view);
    dv_plan_destroy(s->plan);
    dv_problem_destroy(s->problem);
}

/* Three processors; b runs on the host alone. */
static dv_problem *three(void)
{
    return problem_of("cpu npu gpu", "move 3\n"
                                     "per_byte 0.5\n"
                                     "bytes 8\n"
                                     "dispatch 1 5 6\n"
                                     "a  100 10 20\n"
                                     "b    5  -  -\n"
                                     "c  100 10 20\n"
                                     "d   90 30  7\n");
}

/* The first label that holds text, at or behind *from; NULL if there is none. */
static const dv_draw *label_with(const dv_scene *scene, const char *text)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->draws[i].kind == DV_DRAW_LABEL && strstr(scene->draws[i].text, text))
            return &scene->draws[i];
    return NULL;
}

static const dv_draw *tagged(const dv_scene *scene, uint32_t tag)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->draws[i].tag == tag)
            return &scene->draws[i];
    return NULL;
}

static void every_unit_is_a_box_in_its_devices_colour(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .units = 1 + (uint32_t)seed * 9,
                               .targets = 3,
                               .shape = (dv_random_shape)(seed % 5)};
        show s = show_problem(dv_random_problem(&spec), "cheapest", NULL);
        dv_area pane = dv_view_areas(s.view).graph;
        bool all = true;
        for (dv_unit_id u = 0; u < s.problem->unit_count; u++) {
            const dv_draw *box = tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, u));
            dv_device_id device = s.problem->device[s.plan->target[u]];
            all = all && box && box->colour == s.view->looks[device].colour && box->x >= pane.x &&
                  box->x + box->w <= pane.x + pane.w && box->y >= pane.y &&
                  box->y + box->h <= pane.y + pane.h;
        }
        CU_ASSERT_TRUE(all);
        if (!all)
            fprintf(stderr, "\n    seed %llu\n", (unsigned long long)seed);
        close_show(&s);
    }
}

static void devices_have_colours_and_letters_of_their_own(void)
{
    static const char *const names[] = {"cpu", "cpu_big", "npu", "worker", "ane", "gpu"};
    dv_device_look looks[6];
    dv_device_looks(names, NULL, 6, looks);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) {
            CU_ASSERT_NOT_EQUAL(looks[i].colour, looks[j].colour);
            CU_ASSERT_NOT_EQUAL(looks[i].letter, looks[j].letter);
        }
    CU_ASSERT_EQUAL(looks[0].letter, 'C');
    CU_ASSERT_EQUAL(looks[0].colour, 0x56B4E9);
    CU_ASSERT_EQUAL(looks[2].colour, 0x009E73);
}

static void the_panel_lists_the_cost_on_every_target(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    char text[DV_FIGURE_MAX];
    CU_ASSERT_TRUE(dv_view_select(s.view, "a"));
    draw(&s);
    for (dv_target_id t = 0; t < 3; t++) {
        CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, s.problem->target_name[t]));
        dv_format_us(text, dv_problem_time_us(s.problem, 0, t));
        CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, text));
    }
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "chosen"));
    CU_ASSERT_PTR_NULL(label_with(s.scene, "unsupported"));
    CU_ASSERT_TRUE(dv_view_select(s.view, "b"));
    draw(&s);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "unsupported"));
    CU_ASSERT_FALSE(dv_view_select(s.view, "no such operator"));
    close_show(&s);
}

/* Hand-overs of b, which runs on the host between two units on the NPU: in from it, out to it. */
static void the_panel_names_the_hand_overs_around_an_operator(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    CU_ASSERT_TRUE(dv_view_select(s.view, "b"));
    draw(&s);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "npu \xE2\x86\x92 cpu"));
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "cpu \xE2\x86\x92 npu"));
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "8 B  7.00 us"));
    close_show(&s);
}

static void the_panel_says_what_moving_the_operator_would_cost(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_plan *moved = NULL;
    char text[DV_FIGURE_MAX], expected[DV_FIGURE_MAX + 1];
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(s.problem, &moved), DV_OK);
    dv_plan_copy(moved, s.plan);
    moved->target[3] = 1; /* d from the gpu to the npu */
    CU_ASSERT_TRUE(dv_evaluate(s.problem, moved));
    double extra = moved->cost.total_us - s.plan->cost.total_us;
    snprintf(expected, sizeof expected, "%c%s", extra < 0 ? '-' : '+',
             dv_format_us(text, fabs(extra)));
    CU_ASSERT_TRUE(dv_view_select(s.view, "d"));
    draw(&s);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, expected));
    dv_plan_destroy(moved);
    close_show(&s);
}

static void the_title_names_model_strategy_latency_and_proof(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    char text[DV_FIGURE_MAX];
    dv_format_us(text, s.plan->cost.total_us);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "cheapest"));
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, text));
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "no bound proven"));
    close_show(&s);
}

static void the_predicted_timeline_ends_at_the_latency(void)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .units = 1 + (uint32_t)(seed % 40),
                               .targets = 3,
                               .shape = (dv_random_shape)(seed % 5),
                               .devices_shared = seed % 2,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 7 == 0};
        dv_problem *problem = dv_random_problem(&spec);
        dv_solve_options options = dv_solve_options_default();
        dv_plan *plan = NULL;
        dv_outcome outcome;
        dv_trace *trace = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "cheapest", &options, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_predict(problem, plan, &trace), DV_OK);
        double total = plan->cost.total_us;
        bool same = fabs(trace->latency_us - total) <= 1e-9 * total;
        CU_ASSERT_TRUE(same);
        if (!same)
            fprintf(stderr, "\n    seed %llu: %g against %g\n", (unsigned long long)seed,
                    trace->latency_us, total);
        dv_trace_destroy(trace);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

/* Is there an event of b like this one of a, to the rounding? */
static bool has_event(const dv_trace *b, const dv_trace *a, const dv_event *event)
{
    double slack = 1e-9 * (1 + a->latency_us);
    for (size_t i = 0; i < b->event_count; i++) {
        const dv_event *other = &b->events[i];
        if (other->kind == event->kind && other->item == event->item &&
            fabs(other->start_us - event->start_us) <= slack &&
            fabs(other->end_us - event->end_us) <= slack &&
            strcmp(a->resource_name[event->resource], b->resource_name[other->resource]) == 0)
            return true;
    }
    return false;
}

static void of_a_plan_for_the_makespan_the_timeline_is_the_simulators(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .units = 1 + (uint32_t)(seed % 40),
                               .targets = 3,
                               .shape = (dv_random_shape)(seed % 5),
                               .devices_shared = seed % 2,
                               .sessions = seed % 3 == 0};
        dv_problem *problem = dv_random_problem(&spec);
        dv_solve_options options = dv_solve_options_default();
        dv_simulate_options machine = {DV_EXECUTOR_OVERLAPPED, 1};
        dv_plan *plan = NULL;
        dv_outcome outcome;
        dv_trace *drawn = NULL, *played = NULL;
        options.objective = DV_OBJECTIVE_MAKESPAN;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "heft", &options, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_predict(problem, plan, &drawn), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_simulate(problem, plan, &machine, &played), DV_OK);
        CU_ASSERT_DOUBLE_EQUAL(drawn->latency_us, plan->makespan_us, 1e-9 * plan->makespan_us);
        bool same = true;
        for (size_t i = 0; i < played->event_count; i++) {
            const dv_event *event = &played->events[i];
            if (event->kind != DV_EVENT_WAIT && event->end_us > event->start_us)
                same = same && has_event(drawn, played, event);
        }
        CU_ASSERT_TRUE(same);
        if (!same)
            fprintf(stderr, "\n    seed %llu", (unsigned long long)seed);
        dv_trace_destroy(drawn);
        dv_trace_destroy(played);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static void click(show *s, float x, float y)
{
    dv_view_pointer(s->view, x, y, true, false);
    dv_view_pointer(s->view, x, y, false, false);
    draw(s);
}

static void a_click_selects_the_operator_and_one_beside_it_nothing(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    const dv_draw *box = tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 2));
    CU_ASSERT_PTR_NOT_NULL_FATAL(box);
    click(&s, box->x + 5, box->y + 5);
    CU_ASSERT_EQUAL(s.view->selected, 2);
    dv_area pane = dv_view_areas(s.view).graph;
    click(&s, pane.x + 2, pane.y + 2);
    CU_ASSERT_EQUAL(s.view->selected, DV_NONE);
    close_show(&s);
}

static void a_click_in_the_timeline_or_the_list_selects_too(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    const dv_draw *bar = tagged(s.scene, dv_hit_tag(DV_HIT_EVENT, 0));
    CU_ASSERT_PTR_NOT_NULL_FATAL(bar);
    const dv_draw *row = tagged(s.scene, dv_hit_tag(DV_HIT_ROW, 3));
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    float x = row->x + 3, y = row->y + 3;
    click(&s, bar->x + 1, bar->y + 3);
    CU_ASSERT_EQUAL(s.view->selected, 0);
    dv_view_select(s.view, NULL);
    click(&s, x, y);
    CU_ASSERT_EQUAL(s.view->selected, 3);
    close_show(&s);
}

static void dragging_moves_the_graph_and_selects_nothing(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_draw before = *tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 0));
    float x = before.x + 5, y = before.y + 5;
    dv_view_pointer(s.view, x, y, true, false);
    for (int step = 1; step <= 12; step++)
        CU_ASSERT_EQUAL(dv_view_pointer(s.view, x + (float)step * 5, y + (float)step, true, true),
                        step >= 1);
    dv_view_pointer(s.view, x + 60, y + 12, false, false);
    draw(&s);
    dv_draw after = *tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 0));
    CU_ASSERT_DOUBLE_EQUAL(after.x - before.x, 60, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(after.y - before.y, 12, 0.01);
    CU_ASSERT_EQUAL(s.view->selected, DV_NONE);
    close_show(&s);
}

static void zooming_keeps_the_point_under_the_pointer(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_draw before = *tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1));
    dv_view_zoom(s.view, 1.5f, before.x, before.y);
    draw(&s);
    dv_draw after = *tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1));
    CU_ASSERT_DOUBLE_EQUAL(after.x, before.x, 0.05);
    CU_ASSERT_DOUBLE_EQUAL(after.y, before.y, 0.05);
    CU_ASSERT_DOUBLE_EQUAL(after.w, before.w * 1.5f, 0.05);
    dv_view_fit(s.view);
    draw(&s);
    CU_ASSERT_DOUBLE_EQUAL(tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1))->w, before.w, 0.001);
    close_show(&s);
}

/* Pulls the slider to share `at` of its way. */
static void slide(show *s, float at)
{
    dv_area track = dv_view_areas(s->view).slider;
    double where = log10(dv_view_handover(s->view)) / 4 + 0.5;
    dv_view_pointer(s->view, track.x + track.w * (float)where, track.y + 8, true, false);
    dv_view_pointer(s->view, track.x + track.w * at, track.y + 8, true, true);
    dv_view_pointer(s->view, track.x + track.w * at, track.y + 8, false, false);
    draw(s);
}

static void the_slider_solves_again_and_the_latency_follows(void)
{
    show s = show_problem(three(), "single", NULL);
    double usual = dv_view_latency_us(s.view);
    slide(&s, 1);
    CU_ASSERT_DOUBLE_EQUAL(dv_view_handover(s.view), 100, 1e-9);
    CU_ASSERT_TRUE(dv_view_latency_us(s.view) > usual);
    CU_ASSERT_TRUE(dv_certify(&s.view->scaled, s.view->plan).ok);
    CU_ASSERT_DOUBLE_EQUAL(s.view->predicted->latency_us, dv_view_latency_us(s.view), 1e-6);
    slide(&s, 0);
    CU_ASSERT_DOUBLE_EQUAL(dv_view_handover(s.view), 0.01, 1e-9);
    CU_ASSERT_TRUE(dv_view_latency_us(s.view) < usual);
    slide(&s, 0.5f); /* the given plan is back */
    CU_ASSERT_EQUAL(dv_view_latency_us(s.view), usual);
    CU_ASSERT_PTR_EQUAL(s.view->plan, s.plan);
    close_show(&s);
}

static void a_factor_out_of_range_changes_nothing(void)
{
    show s = show_problem(three(), "single", NULL);
    double usual = dv_view_latency_us(s.view);
    CU_ASSERT_EQUAL(dv_view_set_handover(s.view, 0), DV_BAD_PARAMETER);
    CU_ASSERT_EQUAL(dv_view_set_handover(s.view, 101), DV_BAD_PARAMETER);
    CU_ASSERT_EQUAL(dv_view_set_handover(s.view, NAN), DV_BAD_PARAMETER);
    CU_ASSERT_EQUAL(dv_view_latency_us(s.view), usual);
    CU_ASSERT_EQUAL(dv_view_handover(s.view), 1);
    close_show(&s);
}

static void a_measured_timeline_stands_below_the_predicted_one(void)
{
    dv_trace *measured = dv_trace_create("measured");
    uint32_t cpu = dv_trace_resource(measured, "cpu");
    uint32_t link = dv_trace_resource(measured, "cpu > npu");
    CU_ASSERT_EQUAL(dv_trace_add(measured, (dv_event){DV_EVENT_COMPUTE, cpu, 0, 0, 0, 300}), DV_OK);
    CU_ASSERT_EQUAL(dv_trace_add(measured, (dv_event){DV_EVENT_MOVE, link, 0, 0, 300, 400}), DV_OK);
    CU_ASSERT_EQUAL(dv_trace_add(measured, (dv_event){DV_EVENT_COMPUTE, cpu, 999, 0, 400, 500}),
                    DV_OK); /* a unit that the problem does not have */
    dv_trace_finish(measured);
    show s = show_problem(three(), "cheapest", measured);
    const dv_draw *above = label_with(s.scene, "predicted");
    const dv_draw *below = label_with(s.scene, "measured");
    CU_ASSERT_PTR_NOT_NULL_FATAL(above);
    CU_ASSERT_PTR_NOT_NULL_FATAL(below);
    CU_ASSERT_TRUE(below->y > above->y);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "against the prediction"));
    close_show(&s);
    dv_trace_destroy(measured);
}

static bool labels_are_inside(const dv_scene *scene, float width, float height)
{
    for (size_t i = 0; i < scene->count; i++) {
        const dv_draw *d = &scene->draws[i];
        if (d->kind == DV_DRAW_LABEL &&
            (d->x < 0 || d->x + d->w > width || d->y < 0 || d->y + d->h > height))
            return false;
    }
    return true;
}

static void no_label_leaves_the_picture(void)
{
    static const int sizes[][2] = {{1280, 800}, {320, 200}, {599, 339}, {610, 345}, {2560, 1440}};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .units = (uint32_t)(seed * seed),
                               .targets = 4,
                               .shape = (dv_random_shape)(seed % 5),
                               .devices_shared = seed % 2};
        show s = show_problem(dv_random_problem(&spec), "cheapest", NULL);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            dv_view_resize(s.view, sizes[i][0], sizes[i][1]);
            s.view->selected = i % 2 ? (dv_unit_id)(seed % s.problem->unit_count) : DV_NONE;
            draw(&s);
            bool inside = labels_are_inside(s.scene, (float)sizes[i][0], (float)sizes[i][1]);
            CU_ASSERT_TRUE(inside);
            if (!inside)
                fprintf(stderr, "\n    seed %llu, size %zu\n", (unsigned long long)seed, i);
        }
        close_show(&s);
    }
}

/* Type and name are searched, in any case of letters. */
static void a_search_marks_what_it_finds(void)
{
    show s =
        show_problem(problem_of("cpu npu", "Conv_1 1 2\nrelu 1 2\nconv_2 2 1\n"), "cheapest", NULL);
    dv_colour plain = tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1))->colour;
    CU_ASSERT_EQUAL(dv_view_search(s.view, "CONV"), 2);
    draw(&s);
    CU_ASSERT_NOT_EQUAL(tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1))->colour, plain);
    CU_ASSERT_EQUAL(tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 0))->colour, plain);
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "2 found"));
    CU_ASSERT_EQUAL(dv_view_search(s.view, "no such"), 0);
    CU_ASSERT_EQUAL(dv_view_search(s.view, NULL), 0);
    draw(&s);
    CU_ASSERT_EQUAL(tagged(s.scene, dv_hit_tag(DV_HIT_UNIT, 1))->colour, plain);
    close_show(&s);
}

static void boxes_bear_the_letter_and_where_needed_the_precision(void)
{
    show s = show_problem(problem_of("cpu:f32 npu:f16 npu:i8", "a 9 1 5\nb 9 5 1\nc 1 9 9\n"),
                          "cheapest", NULL);
    CU_ASSERT_STRING_EQUAL(s.view->marks[0], "C");
    CU_ASSERT_STRING_EQUAL(s.view->marks[1], "N16");
    CU_ASSERT_STRING_EQUAL(s.view->marks[2], "N8");
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "N16"));
    CU_ASSERT_PTR_NOT_NULL(label_with(s.scene, "N8"));
    close_show(&s);
}

/* A skip over 30 units is a flag at both ends; a click on it goes to the other end. */
static void the_flag_of_a_far_edge_leads_to_its_other_end(void)
{
    dv_text text = {0};
    for (int i = 0; i < 31; i++)
        dv_text_append(&text, i == 30 ? "u%d 1 2 < u29 u0\n" : "u%d 1 2\n", i);
    show s = show_problem(problem_of("cpu npu", dv_text_string(&text)), "cheapest", NULL);
    dv_text_free(&text);
    const dv_draw *flag = tagged(s.scene, dv_hit_tag(DV_HIT_JUMP, 30));
    CU_ASSERT_PTR_NOT_NULL_FATAL(flag);
    CU_ASSERT_PTR_NOT_NULL(tagged(s.scene, dv_hit_tag(DV_HIT_JUMP, 0)));
    click(&s, flag->x + 1, flag->y + 1);
    CU_ASSERT_EQUAL(s.view->selected, 30);
    close_show(&s);
}

/* A detail that came with growing boxes stays until they are a pixel smaller. */
static void zooming_to_and_fro_does_not_flicker(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_view_zoom(s.view, 26.2f / (DV_BOX_HEIGHT * s.view->scale), 300, 300);
    draw(&s);
    CU_ASSERT_EQUAL(s.view->detail, DV_DETAIL_FIGURES);
    dv_view_zoom(s.view, 25.5f / 26.2f, 300, 300);
    draw(&s);
    CU_ASSERT_EQUAL(s.view->detail, DV_DETAIL_FIGURES);
    dv_view_zoom(s.view, 24.5f / 25.5f, 300, 300);
    draw(&s);
    CU_ASSERT_EQUAL(s.view->detail, DV_DETAIL_TYPES);
    dv_view_zoom(s.view, 25.5f / 24.5f, 300, 300);
    draw(&s);
    CU_ASSERT_EQUAL(s.view->detail, DV_DETAIL_TYPES);
    close_show(&s);
}

static void a_small_window_can_be_drawn(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_view_resize(s.view, 1, 1);
    dv_view_select(s.view, "a");
    draw(&s);
    dv_view_resize(s.view, 3000, 2000);
    dv_view_dark(s.view, true);
    draw(&s);
    CU_ASSERT_EQUAL(s.scene->background, 0x1E1E1E);
    close_show(&s);
}

static void a_plan_of_another_problem_is_refused(void)
{
    show s = show_problem(three(), "cheapest", NULL);
    dv_problem *other = problem_of("cpu npu", "x 1 2\n");
    dv_view *view = NULL;
    dv_view_input input = {.problem = other, .plan = s.plan, .strategy = "single"};
    CU_ASSERT_EQUAL(dv_view_create(&input, 1280, 800, &view), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(view);
    dv_problem_destroy(other);
    close_show(&s);
}

DV_SUITE(viz_view, DV_TEST(every_unit_is_a_box_in_its_devices_colour),
         DV_TEST(devices_have_colours_and_letters_of_their_own),
         DV_TEST(the_panel_lists_the_cost_on_every_target),
         DV_TEST(the_panel_names_the_hand_overs_around_an_operator),
         DV_TEST(the_panel_says_what_moving_the_operator_would_cost),
         DV_TEST(the_title_names_model_strategy_latency_and_proof),
         DV_TEST(the_predicted_timeline_ends_at_the_latency),
         DV_TEST(of_a_plan_for_the_makespan_the_timeline_is_the_simulators),
         DV_TEST(a_click_selects_the_operator_and_one_beside_it_nothing),
         DV_TEST(a_click_in_the_timeline_or_the_list_selects_too),
         DV_TEST(dragging_moves_the_graph_and_selects_nothing),
         DV_TEST(zooming_keeps_the_point_under_the_pointer),
         DV_TEST(the_slider_solves_again_and_the_latency_follows),
         DV_TEST(a_factor_out_of_range_changes_nothing),
         DV_TEST(a_measured_timeline_stands_below_the_predicted_one),
         DV_TEST(no_label_leaves_the_picture), DV_TEST(a_search_marks_what_it_finds),
         DV_TEST(boxes_bear_the_letter_and_where_needed_the_precision),
         DV_TEST(the_flag_of_a_far_edge_leads_to_its_other_end),
         DV_TEST(zooming_to_and_fro_does_not_flicker), DV_TEST(a_small_window_can_be_drawn),
         DV_TEST(a_plan_of_another_problem_is_refused));
