/* Images read at computed places. */
#include "tests/unit/kernel_case.h"

static kernel_case sample_case(dv_sample_mode mode, dv_border border, bool align_corners)
{
    kernel_case c = kernel_case_of(DV_OP_GRID_SAMPLE);
    c.params.grid =
        (dv_grid_params){.mode = mode, .border = border, .align_corners = align_corners};
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x3", NULL); /* 0 1 2 / 3 4 5 */
    return c;
}

static void test_corners_of_the_grid_are_corners_of_the_image_when_aligned(void)
{
    kernel_case c = sample_case(DV_SAMPLE_LINEAR, DV_BORDER_ZEROS, true);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4x2", (float[]){-1, -1, 1, -1, 1, 1, 0.5f, 0});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x4");
    EXPECT_F32(&c, 0, 2, 5, 3); /* the last: 1.5 to the right, half down */
    kernel_end(&c);
}

static void test_outside_is_zero_the_edge_or_a_reflection(void)
{
    static const float far_left[] = {-5.0f / 3, -0.5f, -1, -1};
    kernel_case c = sample_case(DV_SAMPLE_NEAREST, DV_BORDER_ZEROS, false);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", far_left);
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x2");
    EXPECT_F32(&c, 0, 0);
    kernel_end(&c);

    c = sample_case(DV_SAMPLE_LINEAR, DV_BORDER_EDGE, false);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){-9, 0.5f, 9, -9});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x2");
    EXPECT_F32(&c, 3, 2);
    kernel_end(&c);

    c = sample_case(DV_SAMPLE_NEAREST, DV_BORDER_REFLECT, false);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x2", (float[]){-2, -0.5f}); /* pixel -2 mirrors pixel 1 */
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    EXPECT_F32(&c, 1);
    kernel_end(&c);
}

static void test_numbers_that_are_no_places_are_outside(void)
{
    kernel_case c = sample_case(DV_SAMPLE_CUBIC, DV_BORDER_ZEROS, false);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){NAN, 0, INFINITY, 1e30f});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x2");
    EXPECT_F32(&c, 0, 0);
    kernel_end(&c);
}

static void test_volumes_are_sampled_too(void)
{
    kernel_case c = kernel_case_of(DV_OP_GRID_SAMPLE);
    c.params.grid = (dv_grid_params){.mode = DV_SAMPLE_LINEAR, .align_corners = true};
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2x2", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x2x3", (float[]){0, 0, 0, 1, -1, 1});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1x2");
    EXPECT_F32(&c, 3.5f, 5);
    kernel_end(&c);
}

static void test_affine_grid_of_the_identity_is_the_pixels_middles(void)
{
    kernel_case c = kernel_case_of(DV_OP_AFFINE_GRID);
    c.params.grid.shape = dv_shape_make((int64_t[]){1, 1, 2, 2}, 4);
    kernel_input(&c, DV_DTYPE_F32, "1x2x3", (float[]){1, 0, 0, 0, 1, 0});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2x2");
    EXPECT_F32(&c, -0.5f, -0.5f, 0.5f, -0.5f, -0.5f, 0.5f, 0.5f, 0.5f);
    kernel_end(&c);
}

DV_SUITE(portable_sample, DV_TEST(test_corners_of_the_grid_are_corners_of_the_image_when_aligned),
         DV_TEST(test_outside_is_zero_the_edge_or_a_reflection),
         DV_TEST(test_numbers_that_are_no_places_are_outside),
         DV_TEST(test_volumes_are_sampled_too),
         DV_TEST(test_affine_grid_of_the_identity_is_the_pixels_middles));
