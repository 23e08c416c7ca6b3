/* Resizing, in every coordinate mode. */
#include "tests/unit/kernel_case.h"

static kernel_case resize_case(dv_op_kind kind, dv_coordinate_mode coordinate, dv_nearest_mode mode,
                               double scale_h, double scale_w)
{
    kernel_case c = kernel_case_of(kind);
    c.params.resize = (dv_resize_params){
        .coordinate = coordinate, .nearest = mode, .scale_h = scale_h, .scale_w = scale_w};
    return c;
}

static void test_nearest_doubles_every_pixel(void)
{
    kernel_case c =
        resize_case(DV_OP_UPSAMPLE_NEAREST, DV_COORDINATE_ASYMMETRIC, DV_NEAREST_FLOOR, 2, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){1, 2, 3, 4});
    kernel_output(&c, DV_DTYPE_F32, "1x1x4x4");
    EXPECT_F32(&c, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4);
    kernel_end(&c);
}

static void test_nearest_modes_break_ties_and_round_their_own_way(void)
{
    static const struct {
        dv_nearest_mode mode;
        float y[4];
    } rows[] = {
        /* coordinates 0, 0.5, 1, 1.5 of an input 10 20 */
        {DV_NEAREST_FLOOR, {10, 10, 20, 20}},
        {DV_NEAREST_CEIL, {10, 20, 20, 20}},
        {DV_NEAREST_ROUND_PREFER_FLOOR, {10, 10, 20, 20}},
        {DV_NEAREST_ROUND_PREFER_CEIL, {10, 20, 20, 20}},
    };
    for (size_t r = 0; r < 4; r++) {
        kernel_case c =
            resize_case(DV_OP_UPSAMPLE_NEAREST, DV_COORDINATE_ASYMMETRIC, rows[r].mode, 1, 2);
        kernel_input(&c, DV_DTYPE_F32, "1x1x2", (float[]){10, 20});
        kernel_output(&c, DV_DTYPE_F32, "1x1x4");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 4, 0));
        kernel_end(&c);
    }
}

/* Two to four, half-pixel centres: coordinates -0.25, 0.25, 0.75, 1.25; the edge goes on. */
static void test_bilinear_between_half_pixel_centres(void)
{
    kernel_case c = resize_case(DV_OP_UPSAMPLE_BILINEAR, DV_COORDINATE_HALF_PIXEL, 0, 1, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x2", (float[]){0, 4});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x4");
    EXPECT_F32(&c, 0, 1, 3, 4);
    kernel_end(&c);
}

static void test_bilinear_with_aligned_corners_keeps_the_corners(void)
{
    kernel_case c = resize_case(DV_OP_UPSAMPLE_BILINEAR, DV_COORDINATE_ALIGN_CORNERS, 0, 1.5, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){0, 3, 6, 9});
    kernel_output(&c, DV_DTYPE_F32, "1x1x3x4");
    EXPECT_F32(&c, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9);
    kernel_end(&c);
}

static void test_bilinear_without_an_offset(void)
{
    kernel_case c = resize_case(DV_OP_UPSAMPLE_BILINEAR, DV_COORDINATE_ASYMMETRIC, 0, 1, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x2x1x2", (float[]){0, 4, 10, 20});
    kernel_output(&c, DV_DTYPE_F32, "1x2x1x4");
    EXPECT_F32(&c, 0, 2, 4, 4, 10, 15, 20, 20);
    kernel_end(&c);
}

static void test_single_output_pixel_shows_the_first_in_pytorchs_mode(void)
{
    kernel_case c =
        resize_case(DV_OP_UPSAMPLE_BILINEAR, DV_COORDINATE_PYTORCH_HALF_PIXEL, 0, 1, 0.25);
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x4", (float[]){8, 1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    EXPECT_F32(&c, 8);
    kernel_end(&c);
}

static void test_shrinking_by_half_averages_neighbours(void)
{
    kernel_case c = resize_case(DV_OP_UPSAMPLE_BILINEAR, DV_COORDINATE_HALF_PIXEL, 0, 0.5, 0.5);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x2");
    EXPECT_F32(&c, 2.5f, 4.5f, 10.5f, 12.5f);
    kernel_end(&c);
}

static void test_channels_are_not_resized_and_nothing_cannot_be(void)
{
    kernel_case c = resize_case(DV_OP_UPSAMPLE_NEAREST, DV_COORDINATE_ASYMMETRIC, 0, 2, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x4x4");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = resize_case(DV_OP_UPSAMPLE_NEAREST, DV_COORDINATE_ASYMMETRIC, 0, 2, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x1x0x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x4");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

/* A third of the size by a tent three times as wide: 1 2 3 2 1 of nine around each middle. */
static void test_antialiased_shrinking_hears_every_pixel(void)
{
    kernel_case c = kernel_case_of(DV_OP_UPSAMPLE_BILINEAR);
    c.params.resize = (dv_resize_params){.coordinate = DV_COORDINATE_HALF_PIXEL,
                                         .scale_h = 1,
                                         .scale_w = 1.0 / 3,
                                         .antialias = true};
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x9", (float[]){0, 0, 0, 0, 9, 0, 0, 0, 0});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x3");
    EXPECT_F32(&c, 0, 3, 0);
    kernel_end(&c);
}

static void test_a_region_may_reach_outside_the_image(void)
{
    kernel_case c = kernel_case_of(DV_OP_UPSAMPLE_BILINEAR);
    c.params.resize = (dv_resize_params){.coordinate = DV_COORDINATE_CROP,
                                         .scale_h = 1,
                                         .scale_w = 1,
                                         .roi = {0, 0.5, 1, 1.5},
                                         .outside = -7};
    kernel_input(&c, DV_DTYPE_F32, "1x1x1x3", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x3");
    EXPECT_F32(&c, 2, 3, -7);
    kernel_end(&c);
}

DV_SUITE(portable_resample, DV_TEST(test_antialiased_shrinking_hears_every_pixel),
         DV_TEST(test_a_region_may_reach_outside_the_image),
         DV_TEST(test_nearest_doubles_every_pixel),
         DV_TEST(test_nearest_modes_break_ties_and_round_their_own_way),
         DV_TEST(test_bilinear_between_half_pixel_centres),
         DV_TEST(test_bilinear_with_aligned_corners_keeps_the_corners),
         DV_TEST(test_bilinear_without_an_offset),
         DV_TEST(test_single_output_pixel_shows_the_first_in_pytorchs_mode),
         DV_TEST(test_shrinking_by_half_averages_neighbours),
         DV_TEST(test_channels_are_not_resized_and_nothing_cannot_be));
