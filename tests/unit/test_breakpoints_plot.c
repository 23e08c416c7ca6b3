/* test_breakpoints_plot.c - the envelope as drawing commands. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"
#include "viz/breakpoints_plot.h"

static bool has_label(const dv_scene *scene, const char *text)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->draws[i].kind == DV_DRAW_LABEL && strcmp(scene->draws[i].text, text) == 0)
            return true;
    return false;
}

/* The scene of a unit that leaves the npu when its dispatch costs more than the 9 us it saves. */
static dv_scene *draw_example(double low, double high)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 0 1\na 10 1\n");
    dv_parameter parameter = {.kind = DV_PARAMETER_DISPATCH, .device = 1, .low = low, .high = high};
    dv_breakpoints found;
    CU_ASSERT_EQUAL_FATAL(dv_breakpoints_find(problem, &parameter, NULL, &found), DV_OK);
    CU_ASSERT_EQUAL(found.count, 2);
    dv_scene *scene = dv_scene_create(800, 500, 0xffffff);
    dv_breakpoints_plot plot = {.problem = problem,
                                .breakpoints = &found,
                                .title = "example",
                                .cost = "dispatch:npu",
                                .is_time = true};
    CU_ASSERT_EQUAL(dv_breakpoints_draw(&plot, scene), DV_OK);
    dv_breakpoints_free(&found);
    dv_problem_destroy(problem);
    return scene;
}

static void the_corner_and_the_devices_on_both_sides_are_named(void)
{
    dv_scene *scene = draw_example(1, 20);
    CU_ASSERT(has_label(scene, "9.00 us"));
    CU_ASSERT(has_label(scene, "npu 100 %"));
    CU_ASSERT(has_label(scene, "cpu 100 %"));
    CU_ASSERT(has_label(scene, "example"));
    dv_scene_destroy(scene);
}

static void over_a_decade_the_cost_is_drawn_logarithmically(void)
{
    dv_scene *scene = draw_example(1, 100);
    CU_ASSERT(has_label(scene, "1.00 us"));
    CU_ASSERT(has_label(scene, "10.0 us"));
    CU_ASSERT(has_label(scene, "100 us"));
    dv_scene_destroy(scene);
    scene = draw_example(0, 100); /* nothing is logarithmic from 0 on */
    CU_ASSERT(has_label(scene, "80.0 us"));
    dv_scene_destroy(scene);
}

static void nothing_is_drawn_outside_the_picture(void)
{
    dv_scene *scene = draw_example(1, 20);
    for (size_t i = 0; i < scene->count; i++) {
        const dv_draw *draw = &scene->draws[i];
        if (draw->kind != DV_DRAW_RECTANGLE)
            continue;
        CU_ASSERT(draw->x >= 0 && draw->x + draw->w <= 800 + 1);
        CU_ASSERT(draw->y >= 0 && draw->y + draw->h <= 500 + 1);
    }
    dv_scene_destroy(scene);
}

DV_SUITE(viz_breakpoints_plot, DV_TEST(the_corner_and_the_devices_on_both_sides_are_named),
         DV_TEST(over_a_decade_the_cost_is_drawn_logarithmically),
         DV_TEST(nothing_is_drawn_outside_the_picture));
