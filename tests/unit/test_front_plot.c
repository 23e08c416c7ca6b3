/* test_front_plot.c - the front as drawing commands. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"
#include "viz/front_plot.h"

static size_t count_of(const dv_scene *scene, dv_draw_kind kind, dv_colour colour)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->count; i++)
        count += scene->draws[i].kind == kind && scene->draws[i].colour == colour;
    return count;
}

static bool has_label(const dv_scene *scene, const char *part)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->draws[i].kind == DV_DRAW_LABEL && strstr(scene->draws[i].text, part))
            return true;
    return false;
}

/* Two units that need 1 or 5 uJ each: three plans, the last of which is not proven. */
static void every_point_is_drawn_and_unproven_ones_are_hollow(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 ~ 1 5\nb 9 2 ~ 1 5\n");
    dv_solve_options options = dv_solve_options_default();
    dv_pareto front;
    CU_ASSERT_EQUAL_FATAL(dv_pareto_find(problem, DV_PARETO_ENERGY, 100, &options, &front), DV_OK);
    CU_ASSERT_EQUAL_FATAL(front.count, 3);
    front.points[2].proven = false;
    dv_scene *scene = dv_scene_create(800, 500, 0xffffff);
    dv_front_plot plot = {.front = &front, .axis = DV_PARETO_ENERGY, .title = "example"};
    CU_ASSERT_EQUAL(dv_front_draw(&plot, scene), DV_OK);
    CU_ASSERT_EQUAL(count_of(scene, DV_DRAW_RECTANGLE, 0xC8102E), 3);
    CU_ASSERT_EQUAL(count_of(scene, DV_DRAW_RECTANGLE, 0xffffff), 1);
    CU_ASSERT_TRUE(has_label(scene, "example"));
    CU_ASSERT_TRUE(has_label(scene, "10 uJ"));
    CU_ASSERT_TRUE(has_label(scene, "energy"));
    dv_scene_destroy(scene);
    dv_pareto_free(&front);
    dv_problem_destroy(problem);
}

DV_SUITE(viz_front_plot, DV_TEST(every_point_is_drawn_and_unproven_ones_are_hollow));
