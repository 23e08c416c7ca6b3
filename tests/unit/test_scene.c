/* test_scene.c - drawing commands, the width of labels, and what is under a point. */
#include <math.h>
#include <string.h>

#include "tests/suite.h"
#include "viz/glyphs.h"
#include "viz/scene.h"

static void a_label_that_is_too_wide_is_cut_with_two_dots(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    dv_scene_label(scene, 0, 0, 60, 0, 0, "%s", "a rather long label");
    CU_ASSERT_EQUAL_FATAL(scene->count, 1);
    const char *text = scene->draws[0].text;
    CU_ASSERT_TRUE(strlen(text) > 3 && strlen(text) < 15);
    CU_ASSERT_STRING_EQUAL(text + strlen(text) - 2, "..");
    CU_ASSERT_TRUE(dv_label_width(0, text) <= 60);
    dv_scene_label(scene, 0, 0, 1, 0, 0, "%s", "nothing fits");
    CU_ASSERT_EQUAL(scene->count, 1);
    dv_scene_destroy(scene);
}

static void a_label_that_fits_is_left_alone(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    float width = dv_label_width(1, "exact");
    dv_scene_label(scene, 0, 0, width, 1, 0, "%s", "exact");
    CU_ASSERT_STRING_EQUAL(scene->draws[0].text, "exact");
    CU_ASSERT_EQUAL(scene->draws[0].w, width);
    dv_scene_destroy(scene);
}

static void larger_and_bolder_letters_are_wider(void)
{
    CU_ASSERT_TRUE(dv_label_width(0, "conv") < dv_label_width(1, "conv"));
    CU_ASSERT_TRUE(dv_label_width(1, "conv") < dv_label_width(2, "conv"));
    CU_ASSERT_TRUE(dv_label_width(1, "conv") < dv_label_width(1 + DV_BOLD, "conv"));
    CU_ASSERT_TRUE(dv_label_height(0) < dv_label_height(2));
    CU_ASSERT_EQUAL(dv_label_width(0, ""), 0);
}

static void the_topmost_rectangle_under_a_point_is_hit(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    dv_scene_rectangle(scene, 10, 10, 50, 50, 0, 1);
    dv_scene_rectangle(scene, 20, 20, 10, 10, 0, 2);
    dv_scene_rectangle(scene, 20, 20, 10, 10, 0, 0); /* not tagged: lets the pointer through */
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 12, 12), 1);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 25, 25), 2);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 5, 5), 0);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 60, 60), 0); /* the far edge is outside */
    dv_scene_destroy(scene);
}

static void what_is_clipped_away_is_not_hit(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    dv_scene_clip(scene, 0, 0, 50, 100);
    dv_scene_rectangle(scene, 0, 0, 100, 100, 0, 7);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 40, 10), 7);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 60, 10), 0);
    dv_scene_clip(scene, 0, 0, 0, 0);
    dv_scene_rectangle(scene, 50, 0, 50, 100, 0, 8);
    CU_ASSERT_EQUAL(dv_scene_hit(scene, 60, 10), 8);
    dv_scene_destroy(scene);
}

static void clearing_leaves_an_empty_scene(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    dv_scene_label(scene, 0, 0, 0, 0, 0, "text");
    dv_scene_clear(scene);
    CU_ASSERT_EQUAL(scene->count, 0);
    CU_ASSERT_FALSE(scene->failed);
    dv_scene_label(scene, 0, 0, 0, 0, 0, "again");
    CU_ASSERT_STRING_EQUAL(scene->draws[0].text, "again");
    dv_scene_destroy(scene);
}

static void coordinates_that_are_no_numbers_are_dropped(void)
{
    dv_scene *scene = dv_scene_create(100, 100, 0xFFFFFF);
    dv_scene_rectangle(scene, NAN, 0, 10, 10, 0, 1);
    dv_scene_line(scene, 0, 0, INFINITY, 0, 0);
    CU_ASSERT_EQUAL(scene->count, 0);
    dv_scene_destroy(scene);
}

static void only_well_formed_utf_8_is_decoded(void)
{
    static const struct {
        const char *text;
        uint32_t code;
        int length;
    } cases[] = {
        {"a", 'a', 1},
        {"\xC3\x97", 0xD7, 2},
        {"\xE2\x86\x92", 0x2192, 3},
        {"\xF0\x9F\x98\x80", 0x1F600, 4},
        {"\x80", UINT32_MAX, 1}, /* a byte that follows nothing */
        {"\xC3", UINT32_MAX, 1}, /* cut short */
        {"\xE2\x86", UINT32_MAX, 1},
        {"\xC0\x80", UINT32_MAX, 1}, /* overlong NUL */
        {"\xE0\x80\x80", UINT32_MAX, 1},
        {"\xED\xA0\x80", UINT32_MAX, 1},     /* surrogate */
        {"\xF4\x90\x80\x80", UINT32_MAX, 1}, /* above the last code point */
        {"\xFF", UINT32_MAX, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = cases[i].text;
        CU_ASSERT_EQUAL(dv_utf8_next(&at), cases[i].code);
        CU_ASSERT_EQUAL(at - cases[i].text, cases[i].length);
    }
}

DV_SUITE(viz_scene, DV_TEST(a_label_that_is_too_wide_is_cut_with_two_dots),
         DV_TEST(a_label_that_fits_is_left_alone), DV_TEST(larger_and_bolder_letters_are_wider),
         DV_TEST(the_topmost_rectangle_under_a_point_is_hit),
         DV_TEST(what_is_clipped_away_is_not_hit), DV_TEST(clearing_leaves_an_empty_scene),
         DV_TEST(coordinates_that_are_no_numbers_are_dropped),
         DV_TEST(only_well_formed_utf_8_is_decoded));
